"""An ordinary script with Optuna: ``python -m tests.benchmarks.peers.optuna_script JOB NUMBER``, once per process."""

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
    """Create the study that several processes search in together; in a replay there is nothing to share."""
    if job.is_search and job.processes > 1:
        optuna.create_study(storage=_journal(job), study_name=STUDY)


def main(path: Path, number: int) -> None:
    """Train trials until there are enough."""
    job = Job.model_validate_json(path.read_text())
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(1)
    script = Script(job)
    script.warm_up(recipes(1, seed=1)[0])
    study, n_trials = _study(job, number)
    wait_for_start()
    ran: list[Ran] = []
    while (trial := _ask(study, job, n_trials)) is not None:
        ran.append(_train(study, job, script, *trial))
        if gone():
            break
    say_result(ran)


def _study(job: Job, number: int) -> tuple[optuna.Study, int]:
    """The study of a process, and how many trials it has; of a replay, every process takes its share of the recipes."""
    sampler = optuna.samplers.TPESampler(seed=job.seed + number)
    if job.is_search and job.processes > 1:
        return optuna.load_study(storage=_journal(job), study_name=STUDY, sampler=sampler), job.n_trials
    study = optuna.create_study(sampler=sampler)
    share = range(number, len(job.recipes), job.processes)
    for recipe in share:
        study.enqueue_trial({"recipe": recipe})
    return study, len(share) or job.n_trials


def _journal(job: Job) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(job.folder / "journal")))


def _ask(study: optuna.Study, job: Job, n_trials: int) -> tuple[optuna.Trial, Recipe, float] | None:
    started = time.perf_counter()
    trial = study.ask()
    if trial.number >= n_trials:
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
        told += time.perf_counter() - before
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
    main(Path(sys.argv[1]), int(sys.argv[2]))
