"""Everything that the doctor looks at, in order; each look is made when somebody asks for it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from search.doctor.computing import look_at_torch
from search.doctor.diagnosis import Diagnosis, failing, fine, warning
from search.doctor.machine import look_at_machine
from search.doctor.sources import look_at_tasks
from service.doctor.address import look_at_port
from service.doctor.database import look_at_database
from service.doctor.packages import look_at_packages
from service.doctor.storage import look_at_directory
from service.doctor.variables import look_at_settings, look_at_variables
from service.settings import Settings

LARGEST_STEP_SECONDS: Final = 0.5


@dataclass(frozen=True)
class Check:
    """One look at something.

    Attributes:
        title: what is looked at, for whoever waits.
        look: makes the look.
    """

    title: str
    look: Callable[[], Iterable[Diagnosis]]


def checks(settings: Settings | None) -> Iterator[Check]:
    """Yield every check; without settings, because they are wrong, those that need none."""
    steady = _clock()
    yield Check("packages", look_at_packages)
    yield Check("the machine", look_at_machine)
    yield Check("variables", partial(look_at_variables, os.environ))
    if settings is not None:
        yield from _of_the_service(settings)
    if settings is not None and str(settings.workers) == "0" and find_spec("torch") is None:
        yield Check("torch", lambda: [fine("torch", "torch is not installed, and no worker is to be started here")])
    else:
        environment = environment_of_workers(settings)
        yield Check("torch and devices", partial(look_at_torch, environment))
        yield Check("tasks", partial(look_at_tasks, environment))
    yield Check("the clock", steady)


def _of_the_service(settings: Settings) -> Iterator[Check]:
    yield Check("settings", partial(look_at_settings, settings))
    yield Check("the disk", partial(look_at_directory, settings.data_dir, settings.artifacts_dir))
    yield Check("the database", partial(look_at_database, settings.database))
    yield Check("the port", partial(look_at_port, settings, _version()))


def environment_of_workers(settings: Settings | None) -> dict[str, str]:
    """What a local worker would find: where data files lie, and not where the database is."""
    environment = {name: value for name, value in os.environ.items() if name != "ETUDE_DATABASE_URL"}
    if settings is not None:
        environment["ETUDE_DATASETS_DIR"] = str(settings.datasets)
    return environment


def _clock() -> Callable[[], Iterable[Diagnosis]]:
    """A check that compares the wall clock with the steady one over all that lies between."""
    wall, steady = time.time(), time.monotonic()
    installed = Path(__file__).stat().st_mtime

    def look() -> Iterable[Diagnosis]:
        step = (time.time() - wall) - (time.monotonic() - steady)
        if time.time() < installed:
            said = "the clock says that this program will be installed only in the future"
            return [failing("clock", said, "set the clock, for example with chrony or systemd-timesyncd")]
        if abs(step) > LARGEST_STEP_SECONDS:
            said = f"the clock was set by {step:+.1f} s while the doctor looked"
            return [warning("clock", said, "let the clock be slewed, not set: times of trials would jump", step=step)]
        return [fine("clock", "the clock runs steadily")]

    return look


def _version() -> str:
    try:
        return version("etude")
    except PackageNotFoundError:
        return "(not installed)"
