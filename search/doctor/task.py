"""One task, tried for some seconds in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import JsonValue

from search.devices import DeviceSlot
from search.doctor.child import Ended, consult
from search.doctor.diagnosis import Diagnosis, failing

SECONDS: Final = 10.0


def look_at_task(
    name: str,
    options: Mapping[str, JsonValue],
    environment: Mapping[str, str],
    *,
    slot: DeviceSlot,
    seconds: float = SECONDS,
) -> Iterator[Diagnosis]:
    """Load a task, look at data and model, and train it for a while as a worker would; never longer than ``seconds``.

    Args:
        options: of the task; the others have their defaults.
        slot: the device to train on.
        seconds: from when torch has been imported.
    """
    chosen = {**environment, **slot.environment(environment)}
    given = [name, json.dumps(options), slot.kind, str(seconds)]
    for told in consult("search.doctor.trying", given, chosen, seconds=seconds):
        match told:
            case Diagnosis():
                yield told
            case Ended(how=how) if how:
                yield _broken(name, told, seconds)
            case _:
                pass


def _broken(name: str, ended: Ended, seconds: float) -> Diagnosis:
    check, doing = (ended.during.check, ended.during.doing) if ended.during else ("torch", "the import of torch")
    todo = "correct the task; what it wrote last stands below"
    if "stopped" in ended.how:
        todo = f"correct the task, or, where it may take longer than {seconds:g} seconds, give it more with --seconds"
    return failing(check, f"{doing} of task {name} {ended.how}", todo, detail=ended.said)
