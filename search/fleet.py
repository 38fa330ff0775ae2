"""One worker process per device, kept running."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from search.devices import DeviceSlot, cpu_slots, detect_devices

__all__ = ["DeviceSlot", "Fleet", "cpu_slots", "detect_devices"]

LOOK_SECONDS: Final = 0.25
SHORT_LIFE_SECONDS: Final = 20.0
"""A worker that ends sooner has died at birth; so many times in a row and it is given up."""
MOST_SHORT_LIVES: Final = 5
FIRST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 30.0

_STDERR: Final = 2
"""Where workers print: what a task says must not come between the lines of a command that answers in JSON."""

log = logging.getLogger(__name__)


@dataclass
class _Place:
    """One slot and the process in it."""

    slot: DeviceSlot
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    short_lives: int = 0
    given_up: str | None = None


class Fleet:
    """Worker processes on the devices of this machine.

    Each runs ``command --device NAME`` in a session of its own, so that ctrl-C reaches only the parent. One that
    dies is started again after a growing pause.

    Args:
        command: what a worker is, without its device.
        slots: one worker each.
        env: the workers' environment; this process's own, when not given.
        log_path: file that gets what the workers print; this process's standard error, when not given.
        short_life_seconds: a worker that ends sooner has died at birth.
        first_pause_seconds: before the first restart; doubled with every short life.
        look_seconds: between two looks at the processes.
    """

    def __init__(
        self,
        command: Sequence[str],
        slots: Sequence[DeviceSlot],
        env: Mapping[str, str] | None = None,
        *,
        log_path: Path | None = None,
        short_life_seconds: float = SHORT_LIFE_SECONDS,
        first_pause_seconds: float = FIRST_PAUSE_SECONDS,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._command = tuple(command)
        self._env = dict(os.environ if env is None else env)
        self._log_path = log_path
        self._short_life_seconds = short_life_seconds
        self._first_pause_seconds = first_pause_seconds
        self._look_seconds = look_seconds
        self._places = [_Place(slot) for slot in slots]
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="fleet", daemon=True)

    @property
    def alive(self) -> int:
        """Workers that run now."""
        return len(self.pids)

    @property
    def pids(self) -> list[int]:
        """Process ids of the workers that run now."""
        with self._lock:
            running = [place.process for place in self._places]
        return [process.pid for process in running if process is not None and process.poll() is None]

    @property
    def problems(self) -> list[str]:
        """A sentence for each worker that has been given up."""
        with self._lock:
            return [place.given_up for place in self._places if place.given_up is not None]

    def start(self) -> None:
        """Start all workers, and watch over them."""
        for place in self._places:
            self._launch(place)
        self._thread.start()

    def stop(self, timeout: float = 20.0) -> None:
        """Ask all workers to end, wait, and kill those that are still there after ``timeout`` seconds."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        processes = [place.process for place in self._places if place.process is not None]
        for process in processes:
            process.terminate()
        give_up_at = time.monotonic() + timeout
        for process in processes:
            try:
                process.wait(max(0.0, give_up_at - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("worker process %d did not end within %g s and is killed", process.pid, timeout)
                process.kill()
                process.wait()

    def _watch(self) -> None:
        while not self._stopping.wait(self._look_seconds):
            for place in self._places:
                self._look_after(place)

    def _look_after(self, place: _Place) -> None:
        now = time.monotonic()
        if place.given_up is not None:
            return
        if place.process is not None:
            code = place.process.poll()
            if code is not None:
                self._mourn(place, code, now)
        elif now >= place.start_again_at:
            self._launch(place)

    def _mourn(self, place: _Place, code: int, now: float) -> None:
        """Note a death: start again later, or never."""
        lived = now - place.started_at
        place.short_lives = place.short_lives + 1 if lived < self._short_life_seconds else 0
        pause = min(LONGEST_PAUSE_SECONDS, self._first_pause_seconds * 2.0**place.short_lives)
        with self._lock:
            place.process = None
            place.start_again_at = now + pause
            if place.short_lives >= MOST_SHORT_LIVES:
                where = "" if self._log_path is None else f"; {self._log_path} says why"
                place.given_up = (
                    f"the worker on {place.slot.name} is given up: it ended {place.short_lives} times in a row "
                    f"within {self._short_life_seconds:g} s of its start, last with {_ending(code)}{where}"
                )
        if place.given_up is not None:
            log.error("%s", place.given_up, extra={"device": place.slot.name})
        else:
            ended = "the worker on %s ended with %s; next start in %.1f s"
            log.warning(ended, place.slot.name, _ending(code), pause, extra={"device": place.slot.name})

    def _launch(self, place: _Place) -> None:
        command = [*self._command, "--device", place.slot.name]
        environment = {**self._env, **_narrowed(place.slot, self._env)}
        with _open_log(self._log_path) as file:
            output = _STDERR if file is None else file
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
            )
        with self._lock:
            place.process = process
            place.started_at = time.monotonic()


def _narrowed(slot: DeviceSlot, environment: Mapping[str, str]) -> dict[str, str]:
    """No GPU and one thread for a worker on one core: several libraries read this before the worker's first line.

    A worker on a GPU counts it among all that this process may use, and hides the others itself.
    """
    return slot.environment(environment) if slot.kind == "cpu" else {}


@contextmanager
def _open_log(path: Path | None) -> Iterator[IO[bytes] | None]:
    if path is None:
        yield None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        yield file


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {-code} ({signal.Signals(-code).name})"
