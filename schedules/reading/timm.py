"""Read the arguments of timm's ``create_scheduler_v2``. timm itself is not needed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

from schedules.base import Schedule
from schedules.decays import Cosine, InverseSqrt, Polynomial
from schedules.drops import Constant
from schedules.joins import Product, Restarts
from schedules.phases import Wsd
from schedules.plateau import Plateau
from schedules.reading.base import NotExact, Reading, checked, curve, drops, in_turn, is_whole, made, ratio, then_held
from schedules.reading.torch import plateau_conditions

_WSD_DECAYS = {"linear": "linear", "1-sqrt": "one_minus_sqrt", "cosine": "cosine", "power": "one_minus_sqrt"}


class TimmArguments(BaseModel):
    """What ``create_scheduler_v2`` takes beside the optimizer, with its defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sched: str = "cosine"
    num_epochs: int = 300
    decay_epochs: float | None = None
    decay_milestones: tuple[float, ...] = (90, 180, 270)
    cooldown_epochs: int = 0
    patience_epochs: int = 10
    decay_rate: float = 0.1
    min_lr: float = 0.0
    warmup_lr: float = 1e-5
    warmup_epochs: int = 0
    warmup_prefix: bool = False
    noise: Any = None
    noise_pct: float = 0.67
    noise_std: float = 1.0
    noise_seed: int = 42
    cycle_mul: float = 1.0
    cycle_decay: float = 0.1
    cycle_limit: int = 1
    k_decay: float = 1.0
    decay_fn: str | None = None
    stable_timescale: float | None = None
    plateau_mode: str = "max"
    step_on_epochs: bool = True
    updates_per_epoch: int = 0


@dataclass(frozen=True)
class _Run:
    """timm's arguments, counted in the index that its scheduler is stepped with."""

    given: TimmArguments
    peak_lr: float
    per_epoch: int

    @property
    def n_warmup(self) -> int:
        return self.given.warmup_epochs * self.per_epoch

    @property
    def n_initial(self) -> int:
        return self.given.num_epochs * self.per_epoch

    def updates(self, epochs: float) -> int:
        """Return the updates made when the index that timm steps with first reaches so many epochs."""
        if self.given.step_on_epochs:
            return math.ceil(epochs) * self.per_epoch
        return math.ceil(epochs * self.per_epoch)

    @property
    def floor(self) -> float:
        return ratio(self.given.min_lr, self.peak_lr, "min_lr")


def read_timm(*, peak_lr: float, updates_per_epoch: int = 0, **arguments: Any) -> tuple[Reading, int]:
    """Read a schedule by the arguments that ``create_scheduler_v2`` takes.

    Args:
        peak_lr: the optimizer's rate.
        updates_per_epoch: timm's; with ``step_on_epochs``, its default, 0 or 1 reads a run whose updates are epochs.
        arguments: the others, by timm's names.

    Returns:
        the reading, and the updates of the run that it is for, as timm counts them.

    Raises:
        NotExact: no schedule makes the same rates at every update of the run; the message says why.
        ValueError: an argument is not one of timm's.
    """
    given = TimmArguments.model_validate({**arguments, "updates_per_epoch": updates_per_epoch})
    if given.noise is not None:
        raise NotExact("timm adds noise to the rate, and no schedule here is random")
    per_epoch = max(updates_per_epoch, 1)
    if given.sched == "plateau":
        return _plateau(given, peak_lr), given.num_epochs * per_epoch
    if given.step_on_epochs and per_epoch > 1 and (given.sched not in _DROPPING or given.warmup_epochs):
        raise NotExact(
            f"timm sets the rate once for every {per_epoch} updates, and the schedules here at every update: "
            f"with step_on_epochs=False both do"
        )
    run = _Run(given, peak_lr, per_epoch)
    match given.sched:
        case "cosine" | "poly":
            schedule, horizon = _cycles(run)
        case "step" | "multistep" | "constant" | "none":
            schedule, horizon = _dropping(run)
        case "wsd" | "rsqrt":
            schedule, horizon = _wsd(run)
        case "tanh":
            raise NotExact("timm's tanh falls along a hyperbolic tangent, and no schedule here does")
        case _:
            raise NotExact(f"{given.sched!r} is none of timm's schedulers that are read")
    return Reading(checked(schedule, horizon), peak_lr), horizon


_DROPPING = ("step", "multistep", "constant", "none")


def _warmed_up(run: _Run, then: Schedule, horizon: int) -> Schedule:
    """Put timm's ramp before a schedule: from its ``warmup_lr`` to one step below the peak."""
    if not run.n_warmup:
        return then
    start = ratio(run.given.warmup_lr, run.peak_lr, "warmup_lr")
    return in_turn(curve([(0.0, start), (1.0, 1.0)]), run.n_warmup, then, horizon)


def _cycles(run: _Run) -> tuple[Schedule, int]:
    given = run.given
    if run.n_warmup and not given.warmup_prefix:
        raise NotExact(
            f"without warmup_prefix the decay goes on underneath the warm-up, so that the peak is never reached: its "
            f"first {run.n_warmup} updates are never seen"
        )
    power = {"power": given.decay_rate} if given.sched == "poly" else {"k_decay": given.k_decay}
    if given.sched == "poly" and given.k_decay != 1:
        raise NotExact(f"a polynomial with k_decay = {given.k_decay} is none of the polynomials here")
    shape = made(Polynomial if given.sched == "poly" else Cosine, final_ratio=run.floor, **power)
    n_cycles = max(given.cycle_limit, 1)
    decay, length = shape, run.n_initial
    if n_cycles > 1:
        decay, length = _restarts(run, shape, n_cycles)
    rest = length + given.cooldown_epochs * run.per_epoch
    horizon = rest + run.n_warmup
    return _warmed_up(run, then_held(decay, length, run.floor, rest), horizon), horizon


def _restarts(run: _Run, shape: Schedule, n_cycles: int) -> tuple[Schedule, int]:
    given, first, longer = run.given, run.n_initial, run.given.cycle_mul
    if given.cycle_decay != 1 and run.floor:
        raise NotExact("timm's cycle_decay lowers the peak and leaves min_lr where it is; peak_decay here lowers both")
    lengths = [first * longer**number for number in range(n_cycles)]
    bounds = [math.fsum(lengths[:number]) for number in range(n_cycles + 1)]
    if longer < 1 or not all(is_whole(bound) for bound in bounds):
        raise NotExact(f"cycles that begin at {first} updates and are {longer} times longer do not begin at updates")
    if longer != 1:
        for number, bound in enumerate(bounds[:-1]):
            found = math.floor(math.log(1 - round(bound) / first * (1 - longer), longer))
            if found != number:
                raise NotExact(f"timm's logarithm finds the cycle of update {round(bound)} too low by rounding")
    decay = made(Restarts, cycles=n_cycles, t_mult=longer, peak_decay=given.cycle_decay, then=shape)
    return decay, round(bounds[-1])


def _dropping(run: _Run) -> tuple[Schedule, int]:
    given, n_warmup = run.given, run.n_warmup
    horizon = run.n_initial + (n_warmup if given.warmup_prefix else 0)
    if given.sched == "none":
        return Constant(), run.n_initial
    rest, skipped = horizon - n_warmup, 0 if given.warmup_prefix else n_warmup
    if rest < 1:
        raise NotExact(f"the warm-up of {n_warmup} updates leaves nothing of a run of {horizon}")
    if given.sched == "constant":
        updates = []
    elif given.sched == "step":
        size = 90 if given.decay_epochs is None else given.decay_epochs
        updates = [run.updates(number * size) for number in range(1, math.ceil(given.num_epochs / size) + 2)]
    else:
        # timm counts a milestone from t + 1: the drop comes one step of its index before it
        early = run.per_epoch if given.step_on_epochs else 1
        updates = [run.updates(each) - early for each in given.decay_milestones]
    gamma = 1.0 if given.sched == "constant" else given.decay_rate
    updates = [update - skipped for update in updates]
    if not n_warmup:
        # index 0 runs at the rate that the optimizer was made with; the scheduler is first asked for index 1
        updates = [max(update, run.per_epoch if given.step_on_epochs else 1) for update in updates]
    return _warmed_up(run, drops(updates, gamma, rest), horizon), horizon


def _wsd(run: _Run) -> tuple[Schedule, int]:
    given = run.given
    rest = run.n_initial if given.warmup_prefix else run.n_initial - run.n_warmup
    asked = 0.2 if given.decay_epochs is None else given.decay_epochs
    n_decay = round(asked * rest) if 0 < asked < 1 else round(asked * run.per_epoch)
    whole = rest + given.cooldown_epochs * run.per_epoch
    horizon = whole + run.n_warmup
    form = given.decay_fn or ("linear" if given.sched == "rsqrt" else "1-sqrt")
    if form not in _WSD_DECAYS:
        raise NotExact(f"timm's decay_fn {form!r} is none of the forms of decay here")
    if not 0 < n_decay <= rest:
        raise NotExact(f"a decay of {n_decay} updates does not lie within the {rest} after the warm-up")
    wsd: Schedule = made(Wsd, decay_fraction=n_decay / rest, decay=_WSD_DECAYS[form], final_ratio=run.floor)
    if given.sched == "rsqrt":
        wsd = made(Product, schedules=(_rsqrt(run, rest), wsd))
    return _warmed_up(run, then_held(wsd, rest, run.floor, whole), horizon), horizon


def _rsqrt(run: _Run, rest: int) -> Schedule:
    given = run.given
    timescale = run.n_warmup if given.stable_timescale is None else given.stable_timescale * run.per_epoch
    if run.floor:
        raise NotExact("timm's rsqrt falls to min_lr from where the square root has come to; a product here falls to 0")
    if not is_whole(timescale) or not 1 <= timescale <= rest:
        raise NotExact(f"a timescale of {timescale} updates is no whole number of the {rest} after the warm-up")
    inverse: Schedule = made(InverseSqrt, timescale_fraction=timescale / rest)
    return inverse


def _plateau(given: TimmArguments, peak_lr: float) -> Reading:
    if given.warmup_epochs:
        raise NotExact("timm's plateau hears nothing until one epoch after its warm-up, ours from its end on")
    plateau: Plateau = made(
        Plateau,
        factor=given.decay_rate,
        patience=given.patience_epochs,
        mode=given.plateau_mode,
        final_ratio=ratio(given.min_lr, peak_lr, "min_lr"),
        eps=ratio(1e-8, peak_lr, "eps"),
    )
    return Reading(plateau, peak_lr, conditions=plateau_conditions(plateau))
