"""What can go wrong with the database, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc
from sqlalchemy.engine import URL

from search.errors import Conflict, Unavailable


class NameTaken(Conflict):
    """A study's name is unique within its project.

    Attributes:
        where: the place of the name in the request.
        value: the name.
    """

    def __init__(self, project: str, name: str) -> None:
        super().__init__(f"project {project!r} has a study named {name!r} already: choose another name")
        self.project = project
        self.where = ("name",)
        self.value = name


class Unstorable(Conflict):
    """The database refuses a value; sending it again would end the same way."""


class NotLeader(Unavailable):
    """Only the leader writes, and this service is not it."""


class DatabaseInUse(NotLeader):
    """Another service holds the SQLite database; this one cannot start."""


class DatabaseUnreachable(Unavailable):
    """The database cannot be opened, or refuses to serve."""


class DiskFull(Unavailable):
    """The database has no room to write."""


class WrongSchema(Unavailable):
    """The tables in the database are not those that this version writes."""


@contextmanager
def translated(url: URL) -> Iterator[None]:
    """Turn the driver's errors into the errors of the search, each kept as the cause.

    Raises:
        Unavailable: the database is missing, full, busy, or was lost on the way.
        Unstorable: the database refuses a value.
    """
    try:
        yield
    except exc.TimeoutError as error:
        raise Unavailable(f"all connections to {_place(url)} are in use: send the request again") from error
    except OverflowError as error:
        raise Unstorable(f"{_place(url)} refuses a value: {error}") from error
    except exc.DBAPIError as error:
        raise _translate(error, url) from error


def _translate(error: exc.DBAPIError, url: URL) -> Exception:
    said = str(error.orig).strip().partition("\n")[0]
    if isinstance(error, exc.DataError | exc.IntegrityError):
        return Unstorable(f"{_place(url)} refuses a value: {said}")
    code = getattr(error.orig, "sqlstate", None) or ""
    if url.get_backend_name() == "sqlite":
        return _translate_sqlite(said, url)
    return _translate_postgresql(code, said, url)


def _translate_sqlite(said: str, url: URL) -> Exception:
    place = _place(url)
    if "disk is full" in said or "disk I/O error" in said:
        return DiskFull(
            f"{place} cannot be written ({said}): free space on its disk; nothing was lost that was answered"
        )
    if "unable to open" in said:
        return DatabaseUnreachable(
            f"{place} cannot be opened: its directory must exist and this user must be allowed to write there"
        )
    if "readonly" in said:
        return DatabaseUnreachable(f"{place} is read-only for this user: allow writing to the file and its directory")
    if "not a database" in said:
        return DatabaseUnreachable(f"{place} is not a SQLite database: name another file")
    if "locked" in said:
        return Unavailable(f"{place} stayed locked by another program: send the request again", retry_after_seconds=2.0)
    return Unavailable(f"{place} failed: {said}")


def _translate_postgresql(code: str, said: str, url: URL) -> Exception:
    place = _place(url)
    if code == "53100":
        return DiskFull(f"{place} has no room ({said}): free space on the server; nothing was lost that was answered")
    if code == "3D000" or ("database" in said and "does not exist" in said):
        return DatabaseUnreachable(f"{place} does not exist: create it, for example with: createdb {url.database}")
    if code.startswith("28") or "authentication failed" in said:
        return DatabaseUnreachable(f"{place} refuses the user {url.username!r}: check user and password in the URL")
    if code == "53300" or "too many clients" in said:
        return Unavailable(f"{place} has no connection left: raise its max_connections or stop other clients")
    if code == "55P03":
        return Unavailable(f"{place} kept a row locked for too long: send the request again", retry_after_seconds=2.0)
    return DatabaseUnreachable(f"{place} does not answer ({said}): is it running, and reachable from here?")


def _place(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return f"the database file {url.database}"
    return f"the database {url.render_as_string(hide_password=True)}"
