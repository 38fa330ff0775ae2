"""How many workers a machine starts on which of its devices, as an operator says it.

``auto`` is one worker for each device, ``2/device`` two for each, a number that many in all, sharing the devices in
turn. Alone, it speaks of the CUDA devices, or of the cores where there are none. After a kind and ``=`` it speaks of
that kind, and kinds are separated by commas: ``cuda=auto,cpu=2``. A kind that is not named gets no worker.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from search.devices import DeviceSlot, core_slots, cpu_slots, cuda_slots

MOST_WORKERS: Final = 1024
RULE: Final = (
    f"workers are auto, a number from 0 to {MOST_WORKERS}, or N/device, for each kind if you like: "
    "auto, 4, 2/device, cuda=auto,cpu=2"
)

MOST_LANES: Final = 1024

Kind = Literal["cpu", "cuda"]
Look = Callable[[], list[DeviceSlot]]


@dataclass(frozen=True)
class Share:
    """How many workers the devices of one kind get.

    Attributes:
        kind: the CUDA devices, or the cores where there are none, when None.
        count: of workers, in all or for each device.
    """

    kind: Kind | None
    count: int
    each: bool

    def slots(self, look: Look) -> list[DeviceSlot]:
        """The places of these workers.

        Args:
            look: finds the devices of the kind.

        Raises:
            ValueError: there is no device for them.
        """
        if self.count == 0:
            return []
        found = look()
        if self.each:
            return found * self.count
        if not found:
            raise ValueError(f"{self.count} workers are to train on {self.kind} devices, and this machine has none")
        if found[0].kind == "cpu":
            return cpu_slots(self.count)
        # More workers than devices share them in turn.
        return [found[index % len(found)] for index in range(self.count)]


@dataclass(frozen=True)
class Staffing:
    """The workers that one machine starts.

    Attributes:
        text: what the operator said.
    """

    text: str
    shares: tuple[Share, ...]

    def slots(self, cuda: Look = cuda_slots, cores: Look = core_slots) -> list[DeviceSlot]:
        """One place for each worker; devices are looked for only where somebody is to work on them.

        Raises:
            ValueError: workers are to train on a kind of device that this machine has none of.
        """
        looks: dict[Kind | None, Look] = {"cuda": cuda, "cpu": cores, None: lambda: cuda() or cores()}
        return [slot for share in self.shares for slot in share.slots(looks[share.kind])]

    def __str__(self) -> str:
        return self.text


def parse_staffing(text: str) -> Staffing:
    """What an operator's words mean.

    Raises:
        ValueError: they mean nothing, name a kind twice, or ask for too many workers.
    """
    said = text.replace(" ", "")
    shares = tuple(_share(part, alone="=" not in said) for part in said.split(","))
    kinds = [share.kind for share in shares]
    if len(set(kinds)) < len(kinds):
        raise ValueError(f"each kind of device may be named once; {RULE}")
    return Staffing(said, shares)


def _share(part: str, *, alone: bool) -> Share:
    found = re.fullmatch(r"(?:(cuda|cpu)=)?(?:(auto)|([0-9]{1,4})(/device)?)", part)
    if found is None or (found[1] is None) is not alone:
        raise ValueError(RULE)
    count = 1 if found[2] else int(found[3])
    if count > MOST_WORKERS:
        raise ValueError(RULE)
    kind: Kind | None = None if found[1] is None else "cuda" if found[1] == "cuda" else "cpu"
    return Share(kind, count, each=bool(found[2] or found[4]))


def parse_lanes(text: str) -> int | None:
    """Read how many trials a worker trains at once; None is for as many as are fastest.

    Raises:
        ValueError: it is neither ``auto`` nor such a number.
    """
    if text == "auto":
        return None
    if not text.isdecimal() or not 1 <= int(text[:9]) <= MOST_LANES:
        raise ValueError(f"lanes are auto, or a number from 1 to {MOST_LANES}, not {text[:20]!r}")
    return int(text)
