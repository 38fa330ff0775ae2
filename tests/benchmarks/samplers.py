"""Compare the samplers on a cheap made-up objective: regret, time per ask, and a page of what each drew.

Run with ``python -m tests.benchmarks.samplers DIRECTORY [SAMPLER…]``.
"""

from __future__ import annotations

import math
import random
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import optuna
from optuna.distributions import FloatDistribution

from schedules.drawing import png
from search.choices import SamplerChoice
from search.sampling import Draw, Sampling
from search.sampling.flat import place_of
from search.space import Space
from search.study import Trial, TrialState
from tests.benchmarks.sampler_pages import sampler_page
from tests.search.searching import drawn

KINDS = ("random", "tpe", "qmc", "grid", "cmaes", "gp")
GRID_STEPS = {"lr_position": 5, "weight_decay_position": 2}
LOOKED_AT = (25, 50, 100)
N_SEEDS = 8
NOISE = 0.03
N_DRAWN = 64
N_AT_ONCE = 4
ASKED_AT = (10, 100, 1000)
MOST_FOR_GP = 100
N_ASKS = 5


class Objective:
    """A loss with one valley per plan; how deep it is and where it lies differ from seed to seed.

    Attributes:
        best: the lowest loss of all.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._chance = random.Random(seed)
        self._depths = {plan: self._chance.uniform(0.0, 0.5) for plan in space.plans}
        self._rates = {plan: self._chance.uniform(0.35, 0.75) for plan in space.plans}
        self._places: dict[str, float] = {}
        self.best = min(self._depths.values())

    def __call__(self, draw: Draw) -> float:
        """Return the loss without noise; infinite where the rate is too large."""
        plan = draw.parameters["plan"]
        rate = float(draw.parameters["lr_position"])
        if rate > self._rates[plan] + 0.4:
            return math.inf
        loss = self._depths[plan] + 2.0 * (rate - self._rates[plan]) ** 2
        for name, own in draw.distributions.items():
            if isinstance(own, FloatDistribution) and name != "lr_position":
                best = self._places.setdefault(name, random.Random(name).uniform(0.2, 0.8))
                loss += 0.3 * (place_of(own, draw.parameters[name]) - best) ** 2
        return loss


def main(directory: Path, kinds: Sequence[str]) -> None:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    directory.mkdir(parents=True, exist_ok=True)
    print(f"{'':8}" + "".join(f"regret@{n:<15}" for n in LOOKED_AT) + "".join(f"ms/ask@{n:<6}" for n in ASKED_AT))
    for kind in kinds:
        draws = _play(kind, 0, N_DRAWN)[0]
        page = sampler_page(f"{kind}: the first {len(draws)} trials", Space(), [draw.parameters for draw in draws])
        (directory / f"{kind}.svg").write_text(page)
        (directory / f"{kind}.png").write_bytes(png(page))
        regrets = [_play(kind, seed, max(LOOKED_AT))[1] for seed in range(N_SEEDS)]
        print(f"{kind:8}" + "".join(_mean([each[n] for each in regrets]) for n in LOOKED_AT) + _times(kind), flush=True)


def _play(kind: str, seed: int, n_trials: int) -> tuple[list[Draw], dict[int, float]]:
    """Search with some trials at once; return what was drawn, and the regret after so many trials."""
    objective, chance = Objective(Space(), seed), random.Random(seed)
    sampling = _sampling(kind, seed)
    draws: list[Draw] = []
    regrets: dict[int, float] = {}
    running: list[int] = []
    seen, regret = math.inf, math.inf
    for number in range(n_trials):
        draws.append(sampling.ask(number))
        running.append(number)
        if len(running) == N_AT_ONCE:
            ending = running.pop(chance.randrange(N_AT_ONCE))
            loss = objective(draws[ending])
            noisy = loss + chance.gauss(0, NOISE)
            if noisy < seen:
                seen, regret = noisy, loss - objective.best
            sampling.tell(_ended(ending, draws[ending], noisy))
        if number + 1 in LOOKED_AT:
            regrets[number + 1] = regret
    return draws, regrets


def _sampling(kind: str, seed: int) -> Sampling:
    choice = SamplerChoice.model_validate({"kind": kind, "steps": GRID_STEPS if kind == "grid" else None})
    return Sampling(Space(), choice, "minimize", seed, max(LOOKED_AT))


def _ended(number: int, draw: Draw, loss: float) -> Trial:
    if math.isinf(loss):
        return drawn(number, draw, TrialState.DIVERGED)
    return drawn(number, draw, TrialState.COMPLETED, value=loss)


def _mean(values: Sequence[float]) -> str:
    error = statistics.stdev(values) / math.sqrt(len(values))
    return f"{statistics.mean(values):.3f} +- {error:<12.3f}"


def _times(kind: str) -> str:
    return "".join(f"{_milliseconds(kind, n):<13.2f}" if _can_ask(kind, n) else f"{'-':<13}" for n in ASKED_AT)


def _can_ask(kind: str, n_trials: int) -> bool:
    most: dict[str, float] = {"gp": MOST_FOR_GP, "grid": 100}
    return n_trials <= most.get(kind, math.inf)


def _milliseconds(kind: str, n_trials: int) -> float:
    """Return the median time of some asks after so many trials that random search drew."""
    objective, source, sampling = Objective(Space(), 0), _sampling("random", 1), _sampling(kind, 1)
    for number in range(n_trials):
        draw = source.ask(number)
        sampling.add(_ended(number, draw, objective(draw)))
    seconds = []
    for number in range(n_trials, n_trials + N_ASKS):
        started = time.perf_counter()
        sampling.ask(number)
        seconds.append(time.perf_counter() - started)
    return 1000 * statistics.median(seconds)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:] or KINDS)
