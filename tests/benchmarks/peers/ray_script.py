"""Ray Tune with OptunaSearch: ``python -m tests.benchmarks.peers.ray_script JOB``, in Ray's own environment."""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import optuna
import ray
import torch
from optuna.distributions import IntDistribution
from ray import tune
from ray.tune.schedulers import ASHAScheduler, FIFOScheduler
from ray.tune.search import ConcurrencyLimiter
from ray.tune.search.optuna import OptunaSearch

from schedules import Recipe
from search.space import Space, suggest
from tests.benchmarks.peers.child import say_result, wait_for_start
from tests.benchmarks.peers.ordinary import Script
from tests.benchmarks.peers.recipes import recipes
from tests.benchmarks.peers.values import Job, Ran, Workload

METRIC: Final = "val_loss"
NOT_FINITE: Final = 1e9
"""Stands for a loss that is not finite, which Ray does not take."""


class Training(tune.Trainable):  # type: ignore[misc]  # Ray has no types
    """One trial after the other in one actor; an epoch is a step."""

    def setup(self, config: dict[str, Any], job: str = "") -> None:
        torch.set_num_threads(1)
        self._job = Job.model_validate_json(job)
        self._script = Script(self._job)
        self.reset_config(config)

    def reset_config(self, config: dict[str, Any]) -> bool:
        recipe = Recipe.model_validate(config["made"]) if "made" in config else self._job.recipes[config["recipe"]]
        self._losses: Iterator[float] = self._script.train(recipe)
        self._epochs, self._seconds, self._started_at = 0, 0.0, time.time()
        return True

    def step(self) -> dict[str, Any]:
        before = time.perf_counter()
        loss = next(self._losses)
        self._epochs += 1
        is_over = not math.isfinite(loss) or self._epochs == self._script.epochs
        if is_over:
            next(self._losses, None)  # the test split
        self._seconds += time.perf_counter() - before
        said = {"started_at": self._started_at, "ended_at": time.time(), "seconds": self._seconds}
        return {METRIC: loss if math.isfinite(loss) else NOT_FINITE, "done": is_over, "epochs": self._epochs, **said}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        pass

    def load_checkpoint(self, checkpoint: Any) -> None:
        pass


def main(path: Path) -> None:
    """Start Ray, train a short study in it, then the one that is wanted."""
    job = Job.model_validate_json(path.read_text())
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    ray.init(num_cpus=job.processes, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        _fit(_short(job))
        wait_for_start()
        results = _fit(job)
        updates = Script(job).updates_in_epoch
        say_result([_ran(number, each.metrics, job, updates) for number, each in enumerate(results) if each.metrics])
    finally:
        ray.shutdown()


def _short(job: Job) -> Job:
    short: Workload = job.workload.model_copy(update={"epochs": 1})
    return job.model_copy(update={"workload": short, "recipes": recipes(job.processes, seed=1)})


def _fit(job: Job) -> Any:
    """Run a study with as many trials at once as there are processes."""
    epochs = job.workload.epochs
    # A bracket's first look is after an epoch; ASHA takes no longer run than one of its looks.
    asha = ASHAScheduler(max_t=max(2, epochs), grace_period=1, reduction_factor=3)
    config = tune.TuneConfig(
        metric=METRIC,
        mode="min",
        search_alg=ConcurrencyLimiter(_search(job), max_concurrent=job.processes),
        scheduler=asha if job.halves else FIFOScheduler(),
        num_samples=job.n_trials,
        reuse_actors=True,
    )
    trainable = tune.with_resources(tune.with_parameters(Training, job=job.model_dump_json()), {"cpu": 1})
    where = tune.RunConfig(storage_path=tempfile.mkdtemp(dir=job.folder), verbose=0)
    return tune.Tuner(trainable, tune_config=config, run_config=where).fit()


def _search(job: Job) -> OptunaSearch:
    if job.is_search:
        return OptunaSearch(space=_drawn, seed=job.seed, metric=METRIC, mode="min")
    space = {"recipe": IntDistribution(0, max(1, len(job.recipes) - 1))}
    points = [{"recipe": number} for number in range(len(job.recipes))]
    return OptunaSearch(space=space, points_to_evaluate=points, metric=METRIC, mode="min")


def _drawn(trial: optuna.Trial) -> dict[str, Any]:
    return {"made": suggest(Space(), trial, "minimize").model_dump(mode="json")}


def _ran(number: int, metrics: dict[str, Any], job: Job, updates_in_epoch: int) -> Ran:
    config, loss, epochs = metrics["config"], float(metrics[METRIC]), int(metrics["epochs"])
    ending = "completed" if epochs == job.workload.epochs else "pruned"
    state = ending if loss < NOT_FINITE else "diverged"
    return Ran.model_validate(
        {
            "number": number if job.is_search else config["recipe"],
            "state": state,
            "loss": None if state == "diverged" else loss,
            "updates": epochs * updates_in_epoch,
            "started_at": metrics["started_at"],
            "ended_at": metrics["ended_at"],
            "train_seconds": metrics["seconds"],
        }
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
