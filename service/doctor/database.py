"""The database: reachable, of this version, safe on its disk, and whose it is now."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from search.doctor.diagnosis import Diagnosis, failing, fine, size, warning
from search.errors import SearchError
from service.doctor.storage import NETWORK, file_system
from service.store import Revisions, revisions
from service.store.engine import parse
from service.store.health import Health, ask_health

FULL: Final = 2
"""SQLite's level at which a commit survives a loss of power."""

LARGEST_CLOCK_GAP_SECONDS: Final = 5.0

_ADDRESS: Final = "correct ETUDE_DATABASE_URL or --database-url, or start the database"


def look_at_database(url: str) -> Iterator[Diagnosis]:
    """Open the database as the service would, and ask it how it is; its password is never part of a sentence."""
    try:
        parsed = parse(url)
        if parsed.get_backend_name() == "sqlite":
            file = Path(parsed.database or "")
            yield from _below(file)
            if not file.is_file():
                yield fine("database", f"there is no database {file} yet: `etude serve` makes it when it starts")
                return
        found = revisions(url)
        yield _schema(found)
        if found.found is not None:
            yield from _health(ask_health(url), parsed.render_as_string(hide_password=True))
    except SearchError as error:
        yield failing("database", str(error), _ADDRESS)


def _below(file: Path) -> Iterator[Diagnosis]:
    kind = file_system(file)
    if kind in NETWORK:
        yield warning(
            "database",
            f"{file} lies on a network file system ({kind}), on which SQLite's locks and its write-ahead log may fail",
            "use a disk of this machine, or PostgreSQL",
        )


def _schema(found: Revisions) -> Diagnosis:
    said = f"tables at revision {found.found}, Optuna's at {found.optuna_found}"
    if found.refusal is not None:
        return failing("schema", found.refusal, "do as it says; nothing was changed")
    if found.found is None:
        return fine("schema", "the database has no tables yet: `etude serve` makes them when it starts")
    if not found.fit:
        todo = "keep a copy of the database, then run: etude db upgrade (`etude serve` does it, too)"
        return warning("schema", f"{said}; this version writes {found.wanted}, {found.optuna_wanted}", todo)
    return fine("schema", f"{said}: what this version writes")


def _health(health: Health, place: str) -> Iterator[Diagnosis]:
    figures: dict[str, Any] = {"size_bytes": health.size_bytes}
    said = f"{place} answers: {health.product}, {size(health.size_bytes)}"
    held = f"; {health.held_by} works with it" if health.held_by else "; no service works with it now"
    if not health.writable:
        todo = "allow this user to write to it: its file and folder, or its tables"
        yield failing("database", f"{said}, but may not be written", todo, **figures)
    else:
        yield fine("database", said + held, held_by=health.held_by, **figures)
    if health.journal:
        yield _journal(health)
    if health.now is not None:
        yield compared_clock("database clock", "the database's clock", health.now)


def _journal(health: Health) -> Diagnosis:
    said = f"journal mode {health.journal}, synchronous {health.synchronous}"
    if health.journal != "wal" or health.synchronous != FULL:
        todo = "put the file on a disk of this machine: its file system refuses the write-ahead log"
        return warning("journal", f"{said}: readers would wait for writers, or a loss of power lose commits", todo)
    return fine("journal", "write-ahead log, and every commit reaches the disk")


def compared_clock(check: str, whose: str, theirs: datetime) -> Diagnosis:
    """Compare another clock with this machine's, now."""
    gap = (datetime.now(UTC) - theirs).total_seconds()
    if abs(gap) > LARGEST_CLOCK_GAP_SECONDS:
        way = "ahead of" if gap > 0 else "behind"
        todo = "synchronise both clocks, for example with chrony or systemd-timesyncd"
        return warning(check, f"this machine's clock is {abs(gap):.0f} s {way} {whose}", todo, seconds=round(gap, 3))
    return fine(
        check, f"{whose} and this machine's agree within {LARGEST_CLOCK_GAP_SECONDS:g} s", seconds=round(gap, 3)
    )
