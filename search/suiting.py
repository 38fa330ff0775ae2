"""Which devices may train a study."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from search.protocol import Device, DeviceKind

GIB = 1 << 30


def _some(kinds: tuple[DeviceKind, ...]) -> tuple[DeviceKind, ...]:
    if not kinds:
        raise ValueError("a study is trained on at least one kind of device, got none")
    return kinds


class DeviceChoice(BaseModel):
    """The devices that may train a study; by default all.

    A study that names any is trained by workers that have announced themselves: nothing is known of the device of
    another program.

    Attributes:
        kinds: kinds of device, as workers announce them; ``None`` allows all.
        memory_bytes_at_least: memory of the device; a device that does not tell its own is none of these.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kinds: Annotated[tuple[DeviceKind, ...], AfterValidator(_some)] | None = None
    memory_bytes_at_least: Annotated[int, Field(ge=1, lt=2**63)] | None = None

    @property
    def allows_all(self) -> bool:
        return self.kinds is None and self.memory_bytes_at_least is None

    def suits(self, device: Device | None) -> bool:
        """Whether a device may train the study; None is a device that nothing is known of."""
        if device is None:
            return self.allows_all
        if self.kinds is not None and device.kind not in self.kinds:
            return False
        least = self.memory_bytes_at_least
        return least is None or (device.memory_bytes is not None and device.memory_bytes >= least)

    def __str__(self) -> str:
        """In words: ``a device of kind cuda with at least 40 GiB of memory``."""
        words = ["a device"]
        if self.kinds is not None:
            words.append(f"of kind {' or '.join(self.kinds)}")
        if self.memory_bytes_at_least is not None:
            words.append(f"with at least {in_gib(self.memory_bytes_at_least)} of memory")
        return " ".join(words)


def in_gib(size_bytes: int) -> str:
    """A size of memory as people read it."""
    return f"{size_bytes / GIB:.4g} GiB"
