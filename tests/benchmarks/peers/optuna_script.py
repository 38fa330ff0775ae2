"""An ordinary script with Optuna, in one process or several: ``python -m tests.benchmarks.peers.optuna_script JOB``."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

import optuna
import torch
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from schedules import Recipe
from search.space import Space, suggest
from tests.benchmarks.peers.child import gone, say_result, wait_for_start
from tests.benchmarks.peers.ordinary import Script
from tests.benchmarks.peers.recipes import recipes
from tests.benchmarks.peers.values import Job, Ran, State

STUDY = "peers"


def prepare(job: Job) -> None:
    """Create the study; in a replay each trial is the number of a recipe."""
    study = optuna.create_study(storage=_storage(job), study_name=STUDY)
    for number in range(len(job.recipes)):
        study.enqueue_trial({"recipe": number})


def main(path: Path) -> None:
    """Train trials until there are enough."""
    job = Job.model_validate_json(path.read_text())
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(1)
    script = Script(job)
    script.warm_up(recipes(1, seed=1)[0])
    study = _study(job)
    wait_for_start()
    ran: list[Ran] = []
    while (trial := _ask(study, job)) is not None:
        ran.append(_train(study, job, script, *trial))
        if gone():
            break
    say_result(ran)


def _study(job: Job) -> optuna.Study:
    if job.processes == 1:
        prepare(job)
    sampler = optuna.samplers.TPESampler(seed=job.seed + int(sys.argv[2]))
    pruner = optuna.pruners.SuccessiveHalvingPruner() if job.halves else optuna.pruners.NopPruner()
    return optuna.load_study(storage=_storage(job), study_name=STUDY, sampler=sampler, pruner=pruner)


_IN_MEMORY = optuna.storages.InMemoryStorage()


def _storage(job: Job) -> optuna.storages.BaseStorage:
    if job.processes == 1:
        return _IN_MEMORY
    return JournalStorage(JournalFileBackend(str(job.folder / "journal")))


def _ask(study: optuna.Study, job: Job) -> tuple[optuna.Trial, Recipe, float] | None:
    started = time.perf_counter()
    trial = study.ask()
    if trial.number >= job.n_trials:
        return None
    if job.is_search:
        recipe = suggest(Space(), trial, "minimize")
    else:
        recipe = job.recipes[trial.suggest_int("recipe", 0, len(job.recipes) - 1)]
    return trial, recipe, time.perf_counter() - started


def _train(
    study: optuna.Study, job: Job, script: Script, trial: optuna.Trial, recipe: Recipe, ask_seconds: float
) -> Ran:
    started, told, loss, epochs = time.time(), 0.0, math.nan, 0
    state: State = "completed"
    for loss in script.train(recipe):
        epochs += 1
        if not math.isfinite(loss):
            state = "diverged"
            break
        before = time.perf_counter()
        trial.report(loss, epochs)
        is_bad = job.halves and trial.should_prune()
        told += time.perf_counter() - before
        if is_bad:
            state = "pruned"
            break
    trained = time.time() - started - told
    before = time.perf_counter()
    if state == "completed":
        study.tell(trial, loss)
    else:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    told += time.perf_counter() - before
    return Ran(
        number=trial.number if job.is_search else int(trial.params["recipe"]),
        state=state,
        loss=loss if math.isfinite(loss) else None,
        updates=epochs * script.updates_in_epoch,
        started_at=started,
        ended_at=time.time(),
        train_seconds=trained,
        ask_seconds=ask_seconds,
        tell_seconds=told,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
