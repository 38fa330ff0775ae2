"""Averages of the weights along a run, which are judged in place of the weights themselves.

In the formulas T is the horizon, w_n the weights after n updates, and s = ``updates_at(start_fraction, T)`` the
updates made before the averaging starts.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schedules.base import Fraction, Number, OpenFraction, Range, updates_at

Level = Annotated[Number, Field(gt=0, le=1)]
Beginning = Annotated[Number, Field(ge=0, lt=1)]


class Averaging(BaseModel):
    """A way to average the weights of one run.

    It is asked after every update. Until it first takes the weights up, the weights themselves are
    judged; from then on the average, on the validation data, on the test data, and as the trial's value. The
    statistics of BatchNorm are not averaged: before a judgement they are measured anew, for the averaged weights.

    Attributes:
        searched: what a search varies, by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    searched: ClassVar[Mapping[str, Range]] = {}

    kind: str
    start_fraction: Beginning

    def start(self, horizon: int) -> int:
        """Return s, the updates made before the averaging starts."""
        return updates_at(self.start_fraction, horizon)

    @abstractmethod
    def every(self, horizon: int) -> int:
        """Return how many updates lie between two weights that enter the average; at least 1."""

    def first(self, horizon: int) -> int:
        """Return the updates made when the first weights enter: from there on the average is judged."""
        return self.start(horizon) + self.every(horizon)

    def takes(self, done: int, horizon: int) -> bool:
        """Say whether the weights after ``done`` updates enter the average."""
        since = done - self.start(horizon)
        return since > 0 and since % self.every(horizon) == 0

    def tail_at(self, t: int, horizon: int) -> float | None:
        """Return the multiplier that takes the place of the schedule's at update ``t``; None where none does."""
        return None

    def check(self, horizon: int) -> None:
        """Refuse a horizon in which fewer than two weights would enter the average.

        Raises:
            ValueError: the averaging starts too late for that.
        """
        start, every = self.start(horizon), self.every(horizon)
        if horizon < start + 2 * every:
            raise ValueError(
                f"the averaging {self.kind!r} needs at least two weights to average, but it starts after {start} of "
                f"{horizon} updates and takes the weights up every {every}"
            )

    @abstractmethod
    def summary(self) -> str:
        """Return a few words for a table, such as ``swa from 75%``."""

    @classmethod
    def build(cls, values: Mapping[str, float]) -> Self:
        """Make one from values of its ``searched`` parameters, by name.

        Raises:
            ValueError: a value is out of bounds, or a name is not one of its own.
        """
        prefix = f"{cls.model_fields['kind'].default}_"
        return cls.model_validate({name.removeprefix(prefix): value for name, value in values.items()})


class Ema(Averaging):
    """An exponential moving average of the weights, renewed after every update.

    With d = ``decay``::

        a_n = w_n                             for n = s + 1
        a_n = d * a_(n-1) + (1 - d) * w_n     for n > s + 1

    It remembers about 1 / (1 - d) updates: in a run of T updates a decay above 1 - 1 / T still remembers its start.
    The same as ``AveragedModel`` of torch with ``get_ema_multi_avg_fn(d)``, updated after every step; Keras and timm
    begin with the initial weights, w_0, and timm can raise the decay from a small one.

    Attributes:
        decay: the share of the average that is kept at each update.

    Source: Polyak and Juditsky (1992) for averages of iterates; ranges: judgement.
    """

    searched: ClassVar[Mapping[str, Range]] = {"ema_decay": Range(0.9, 0.9999, "one_minus_log", 0.99)}

    kind: Literal["ema"] = "ema"
    start_fraction: Beginning = 0.0
    decay: OpenFraction = 0.999

    def every(self, horizon: int) -> int:
        return 1

    def summary(self) -> str:
        start = f" from {100 * self.start_fraction:.3g}%" if self.start_fraction else ""
        return f"ema {self.decay:.6g}{start}"


class ConstantTail(BaseModel):
    """One rate from the start of the averaging on: ``multiplier(t) = ratio`` for t >= s.

    torch's ``SWALR`` with ``swa_lr`` = ``ratio`` times the peak rate and no annealing.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["constant"] = "constant"
    ratio: Level = 0.5

    def multiplier(self, since: int, every: int) -> float:
        """Return the multiplier ``since`` updates after the start, in cycles of ``every`` updates."""
        return self.ratio


class CyclicTail(BaseModel):
    """A line down from ``high_ratio`` to ``low_ratio`` between two weights that enter the average, again and again.

    With c the updates between two weights that enter, and p = ((t - s) mod c + 1) / c::

        multiplier(t) = (1 - p) * high_ratio + p * low_ratio     for t >= s

    The last update of a cycle runs at ``low_ratio``, and the weights enter right after it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["cyclic"] = "cyclic"
    high_ratio: Level = 0.5
    low_ratio: Fraction = 0.05

    @model_validator(mode="after")
    def _refuse_a_line_that_rises(self) -> Self:
        if self.low_ratio > self.high_ratio:
            raise ValueError(f"a cycle falls from high_ratio to low_ratio, but {self.high_ratio} < {self.low_ratio}")
        return self

    def multiplier(self, since: int, every: int) -> float:
        """Return the multiplier ``since`` updates after the start, in cycles of ``every`` updates."""
        progress = (since % every + 1) / every
        return (1 - progress) * self.high_ratio + progress * self.low_ratio


AnyTail = Annotated[ConstantTail | CyclicTail, Field(discriminator="kind")]


class Swa(Averaging):
    """Stochastic weight averaging: the plain mean of weights along the last part of a run.

    With c = ``updates_at(every_fraction, T)``, at least 1, the weights after s + c, s + 2c, … updates enter::

        a_n = mean of w_(s + kc) for k = 1, 2, … as far as s + kc <= n

    The paper's mean begins with w_s as well; torch's, whose ``AveragedModel`` copies the first weights it is given,
    with whichever those are. The rate of the last part is the schedule's own, or that of a ``tail``, which takes
    the schedule's place for t >= s; torch does the same with ``SWALR``. The tail moves the rate alone, no other curve.

    Attributes:
        start_fraction: share of the run after which the averaging starts.
        every_fraction: share of the run between two weights that enter; 0 is every update.
        tail: the rate from the start on; that of the schedule where there is none.

    Source: Izmailov et al. (2018), section 3.2, arXiv:1803.05407; range: its budgets, .6 to .95 of a run.
    """

    searched: ClassVar[Mapping[str, Range]] = {"swa_start_fraction": Range(0.6, 0.95, "linear", 0.75)}

    kind: Literal["swa"] = "swa"
    start_fraction: Beginning = 0.75
    every_fraction: Beginning = 0.0
    tail: AnyTail | None = None

    def every(self, horizon: int) -> int:
        return max(updates_at(self.every_fraction, horizon), 1)

    def tail_at(self, t: int, horizon: int) -> float | None:
        start = self.start(horizon)
        if self.tail is None or t < start:
            return None
        # past the end the rate stays what it is at t = T, as a schedule's does
        return self.tail.multiplier(min(t, horizon) - start, self.every(horizon))

    def check(self, horizon: int) -> None:
        super().check(horizon)
        if isinstance(self.tail, CyclicTail) and self.every(horizon) < 2:
            raise ValueError(
                f"a cycle of the averaging 'swa' needs at least 2 updates, got an every_fraction of "
                f"{self.every_fraction} in a horizon of {horizon}"
            )

    def summary(self) -> str:
        every = f" every {100 * self.every_fraction:.3g}%" if self.every_fraction else ""
        tail = f" at a {self.tail.kind} rate" if self.tail else ""
        return f"swa from {100 * self.start_fraction:.3g}%{every}{tail}"


KnownAveraging = Ema | Swa
AnyAveraging = Annotated[KnownAveraging, Field(discriminator="kind")]

AVERAGINGS: Mapping[str, type[Averaging]] = MappingProxyType(
    {averaging.model_fields["kind"].default: averaging for averaging in get_args(KnownAveraging)}
)
"""Each averaging's class by its kind."""
