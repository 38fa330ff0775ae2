"""Errors, classed by what the caller should do next."""

from __future__ import annotations


class SearchError(Exception):
    """A request that the search cannot serve; its subclass says what to do about it."""


class NotFound(SearchError):
    """There is no such thing: stop asking."""


class Conflict(SearchError):
    """The state forbids it: read again, then decide."""


class Unsuitable(SearchError):
    """The request itself is wrong: change it.

    Attributes:
        where: the place in the request, for example ``("space", "ranges", "peak_lr")``.
        value: the value found there, as sent.
    """

    def __init__(self, message: str, *, where: tuple[str | int, ...] = (), value: object = None) -> None:
        super().__init__(message)
        self.where = where
        self.value = value


class OtherData(Unsuitable):
    """A worker's data is not what the study's first trial was trained on."""

    def __init__(self, task: str, *, recorded: str, found: str) -> None:
        super().__init__(
            f"all trials of a study are trained on the same data: that of task {task} has the SHA-256 {found} here, "
            f"and {recorded} where the study's first trial was trained",
            where=("data_sha256",),
            value=found,
        )


class Unavailable(SearchError):
    """Not now: send the same request again after ``retry_after_seconds``."""

    def __init__(self, message: str, *, retry_after_seconds: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
