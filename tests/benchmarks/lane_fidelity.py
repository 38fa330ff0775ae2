"""How true lanes are to trials alone on the digits: ``python -m tests.benchmarks.lane_fidelity [TRIALS]``.

Every recipe is trained alone, alone again from initial weights one unit in the last place away, and in lanes. Where the
first two agree the run is calm, and the lane must agree with it; where they do not the run is chaotic, and is listed.
"""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy.stats import ks_2samp, spearmanr
from torch import nn

from schedules import OPTIMIZERS, Constant, Cosine, Linear, OneCycle, Recipe, Step, Warmup, Wsd
from search.protocol import Assignment, Completed, Fence
from search.tasks.base import Data, Split
from search.tasks.digits import MLP
from search.training.data import Datasets
from search.training.lanes.array import LaneArray
from search.training.loop import train
from tests.training.toys import Watcher

CPU = torch.device("cpu")
N_LANES = 32
EPOCHS = 3
AGREE, TRUE = 1e-12, 1e-9
SCHEDULES = (Cosine(), Linear(), Step(), OneCycle(), Wsd())


class Digits(MLP):
    """The digits in a precision of their own, from initial weights that may be moved."""

    def __init__(self, dtype: torch.dtype, *, is_moved: bool = False) -> None:
        self._dtype = dtype
        self._is_moved = is_moved

    def data(self, options: dict[str, Any]) -> Data:
        data = super().data(options)
        parts = (data.train, data.validation, data.test)
        return Data(*(Split(part.inputs.to(self._dtype), part.targets) for part in parts))

    def model(self, options: dict[str, Any]) -> nn.Module:
        model = super().model(options).to(self._dtype)
        if self._is_moved:
            with torch.no_grad():
                for weight in model.parameters():
                    weight.copy_(torch.nextafter(weight, weight.new_full((), math.inf)))
        return model


def main() -> None:
    """Print how many runs are calm, and how far lanes are from them."""
    torch.set_num_threads(1)
    n_trials = int(sys.argv[1]) if len(sys.argv) > 1 else 110
    trials = [_trial(number, recipe) for number, recipe in zip(range(n_trials), _recipes(), strict=False)]
    for dtype in (torch.float64, torch.float32):
        alone = np.array([_alone(Digits(dtype), trial) for trial in trials])
        twins = np.array([_alone(Digits(dtype, is_moved=True), trial) for trial in trials])
        lanes = np.array(_in_lanes(Digits(dtype), trials))
        _print(str(dtype).removeprefix("torch."), trials, alone, twins, lanes)


def _print(name: str, trials: list[Assignment], alone: Any, twins: Any, lanes: Any) -> None:
    agree = AGREE if name == "float64" else 1e-4
    finite = np.isfinite(alone) & np.isfinite(twins) & np.isfinite(lanes)
    moved, apart = np.abs(twins - alone) / np.abs(alone), np.abs(lanes - alone) / np.abs(alone)
    calm = finite & (moved <= agree)
    print(f"{name}: {len(trials)} runs, {calm.sum()} calm (one unit in the last place moves them by at most {agree:g})")
    print(f"  diverged: alone {(~np.isfinite(alone)).sum()}, in lanes {(~np.isfinite(lanes)).sum()}")
    if calm.any():
        largest, median = apart[calm].max(), np.median(apart[calm])
        print(f"  calm: lanes differ from alone by at most {largest:.1e}, in the median {median:.1e}")
        print(f"  calm: more than {TRUE:g} apart: {(apart[calm] > TRUE).sum()}")
        print(f"  calm: rank correlation of the final losses {spearmanr(alone[calm], lanes[calm]).statistic:.6f}")
    print(f"  all finite: rank correlation {spearmanr(alone[finite], lanes[finite]).statistic:.6f}")
    chaotic = finite & ~calm
    if chaotic.sum() > 1:
        same = ks_2samp(alone[chaotic], lanes[chaotic])
        print(f"  chaotic: moved by up to {moved[chaotic].max():.1e}; lanes differ by up to {apart[chaotic].max():.1e}")
        print(f"  chaotic: Kolmogorov-Smirnov of the final losses alone and in lanes: p = {same.pvalue:.3f}")
        print(
            "  chaotic:", " ".join(_count([t.recipe.optimizer.kind for t, c in zip(trials, chaotic, strict=True) if c]))
        )


def _count(kinds: list[str]) -> list[str]:
    return [f"{kind}×{kinds.count(kind)}" for kind in sorted(set(kinds))]


def _recipes() -> Iterator[Recipe]:
    """Yield recipes of every optimizer and many schedules, their rates drawn from the search's own ranges."""
    generator = np.random.default_rng(1)
    while True:
        for number, (kind, optimizer) in enumerate(OPTIMIZERS.items()):
            low, high = optimizer.ranges["peak_lr"].low, optimizer.ranges["peak_lr"].high
            rate = float(np.exp(generator.uniform(np.log(low), np.log(high))))
            then = Constant() if optimizer.is_schedule_free else SCHEDULES[number % len(SCHEDULES)]
            schedule = then if isinstance(then, OneCycle) else Warmup(fraction=0.1, then=then)
            yield Recipe.model_validate({"optimizer": {"kind": kind}, "peak_lr": rate, "schedule": schedule})


def _trial(number: int, recipe: Recipe) -> Assignment:
    return Assignment(
        fence=Fence(study="fidelity", trial=number, attempt=1, lease="none"),
        task="digits-mlp",
        task_options={"hidden": 64},
        recipe=recipe,
        horizon=EPOCHS * 37,
        updates_per_epoch=37,
        evaluate_every=37,
        metric="val_loss",
        seed=5,
        lease_seconds=60,
    )


def _alone(task: Any, trial: Assignment) -> float:
    watcher = Watcher()
    outcome = train(task, trial, watcher, Datasets(CPU))
    return _final(watcher) if isinstance(outcome, Completed) else math.nan


def _in_lanes(task: Any, trials: list[Assignment]) -> list[float]:
    array, waiting = LaneArray(task, {"hidden": 64}, Datasets(CPU), N_LANES), deque(trials)
    watchers = {trial.fence.trial: Watcher() for trial in trials}
    found: dict[int, float] = {}
    while waiting or array.n_live:
        while waiting and array.n_free:
            array.admit(waiting[0], watchers[waiting.popleft().fence.trial])
        for finished in array.step():
            number = finished.assignment.fence.trial
            is_completed = isinstance(finished.ended.outcome, Completed)
            found[number] = _final(watchers[number]) if is_completed else math.nan
    return [found[trial.fence.trial] for trial in trials]


def _final(watcher: Watcher) -> float:
    value = watcher.points[-1].metrics["val_loss"]
    return math.nan if value is None else value


if __name__ == "__main__":
    main()
