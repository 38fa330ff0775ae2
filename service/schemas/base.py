"""What every body has in common."""

from __future__ import annotations

from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict

Item = TypeVar("Item", bound=BaseModel)


class Body(BaseModel):
    """A body sent to the service; unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Out(BaseModel):
    """A body that the service answers with."""

    model_config = ConfigDict(frozen=True)


class PageOut(Out, Generic[Item]):
    """One page of a list.

    Attributes:
        next_cursor: send it as ``cursor`` to read on; ``null`` on the last page.
    """

    items: list[Item]
    next_cursor: str | None = None
