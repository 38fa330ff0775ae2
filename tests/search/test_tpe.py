"""TPE over columns draws what Optuna's own sampler draws, as long as it looks at every trial."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import optuna
import pytest
from optuna.samplers import TPESampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, create_trial
from optuna.trial import TrialState as OptunaState

from search.choices import SamplerChoice
from search.sampling import N_RANDOM
from search.sampling.flat import Drawn, branches, shared
from search.sampling.told import Ending, as_optunas
from search.sampling.tpe import MOST_ABOVE, Tpe
from search.space import Space, suggest
from tests.search.searching import sampling, search

TEN_PLANS = Space(families=("constant", "factor", "multi_factor", "cosine", "plateau"))
WITH_ADAGRAD = Space(optimizers=("sgd", "adagrad", "adamw"))
WITH_AVERAGES = Space(
    optimizers=("sgd", "schedule_free_adamw", "adamw"),
    families=("constant", "cosine"),
    averaging=("none", "ema", "swa"),
)
WITH_CYCLES = Space(families=("cosine", "cyclic", "one_cycle", "restarts"))
SPACES = pytest.mark.parametrize(
    "space",
    [Space(), TEN_PLANS, WITH_ADAGRAD, WITH_AVERAGES, WITH_CYCLES],
    ids=["default", "ten plans", "adagrad", "averages", "cycles"],
)
EVERY_TRIAL_HAS = {"plan", "lr_position", "weight_decay_position", "momentum_position", "warmup_fraction"}


@SPACES
def test_every_parameter_that_every_trial_has_is_drawn_jointly(space: Space) -> None:
    tpe = _told(space, _trials(space, 30))
    assert shared(space).keys() >= EVERY_TRIAL_HAS
    for name in shared(space):
        assert tpe.draw(name, np.random.RandomState(1)).keys() == shared(space).keys()


@SPACES
def test_grouped_every_parameter_is_drawn_with_those_that_the_same_branches_have(space: Space) -> None:
    tpe = _told(space, _trials(space, 30), is_grouped=True)
    for branch in branches(space):
        for name in branch:
            together = tpe.draw(name, np.random.RandomState(1)).keys()
            assert all(together <= other.keys() or not together & other.keys() for other in branches(space))


@SPACES
@pytest.mark.parametrize("direction", list(StudyDirection)[1:], ids=str)
@pytest.mark.parametrize("n_trials", [N_RANDOM + 6, 70, 350])
def test_the_draws_are_those_of_optunas_sampler(space: Space, direction: StudyDirection, n_trials: int) -> None:
    trials = _trials(space, n_trials)
    tpe = _told(space, trials, direction)
    for seed in range(5):
        sampler = TPESampler(multivariate=True, constant_liar=True, n_startup_trials=N_RANDOM, seed=seed)
        study = optuna.create_study(sampler=sampler, direction=direction)
        for trial in trials:
            study.add_trial(_dated(trial))
        theirs, ours = study.ask(), Drawn({}, tpe.drawing(seed))
        suggest(space, theirs, "minimize")
        suggest(space, ours, "minimize")
        assert ours.params == theirs.params


def test_before_enough_trials_have_ended_the_draws_are_random() -> None:
    running = [each for each in _trials(Space(), 60) if each.state is OptunaState.RUNNING]
    ended = [each for each in _trials(Space(), 60) if each.state in (OptunaState.COMPLETE, OptunaState.PRUNED)]
    nothing_known = Drawn({}, _told(Space(), []).drawing(3))
    suggest(Space(), nothing_known, "minimize")
    for trials, is_random in (([*running, *ended[: N_RANDOM - 1]], True), (ended[:N_RANDOM], False)):
        drawn = Drawn({}, _told(Space(), trials).drawing(3))
        suggest(Space(), drawn, "minimize")
        assert (drawn.params == nothing_known.params) is is_random


def test_of_a_long_study_the_best_and_an_even_part_of_the_others_are_looked_at() -> None:
    trials = _trials(Space(families=("cosine",)), 4 * MOST_ABOVE)
    below, above = _told(Space(families=("cosine",)), trials).looked_at()
    values = [trial.value for trial in trials if trial.state is OptunaState.COMPLETE and trial.value is not None]
    assert sorted(trials[index].value or 0.0 for index in below) == sorted(values)[: len(below)]
    ended = [trial.number for trial in trials if trial.state in (OptunaState.COMPLETE, OptunaState.PRUNED)]
    others = [number for number in ended if number not in below]
    assert len(above) == MOST_ABOVE < len(others)
    steps = np.diff([others.index(number) for number in above])
    assert set(steps) == {len(others) // MOST_ABOVE, len(others) // MOST_ABOVE + 1}
    assert (above[0], above[-1]) == (others[0], others[-1])


def _trials(space: Space, n_trials: int) -> Sequence[FrozenTrial]:
    """Trials drawn at random that ended in every way, and some that run."""
    draws = search(sampling(space, SamplerChoice(kind="random"), budget=1), n_trials)
    return [
        as_optunas(index, _ending(index, float(draw.parameters["lr_position"])), draw.parameters, draw.distributions)
        for index, draw in enumerate(draws)
    ]


def _ending(index: int, position: float) -> Ending:
    value = round((position - 0.6) ** 2, 3)
    match index % 8:
        case 2:
            return Ending(state=OptunaState.PRUNED, value=value, rungs={10 * (index % 3 + 1): value})
        case 3:
            return Ending(state=OptunaState.PRUNED, rungs={})
        case 5:
            return Ending(state=OptunaState.FAIL, rungs={})
        case 7:
            return Ending(state=OptunaState.RUNNING, rungs={})
        case _:
            return Ending(state=OptunaState.COMPLETE, value=value, rungs={})


def _told(
    space: Space,
    trials: Sequence[FrozenTrial],
    direction: StudyDirection = StudyDirection.MINIMIZE,
    *,
    is_grouped: bool = False,
) -> Tpe:
    tpe = Tpe(space, direction, is_grouped=is_grouped)
    for index, trial in enumerate(trials):
        ended = Ending(state=trial.state, value=trial.value, rungs=trial.intermediate_values)
        tpe.hear(as_optunas(index, ended, trial.params, trial.distributions))
    return tpe


def _dated(trial: FrozenTrial) -> FrozenTrial:
    """The trial with the times that Optuna's own storage insists on."""
    return create_trial(
        state=trial.state,
        value=trial.value,
        params=trial.params,
        distributions=trial.distributions,
        intermediate_values=trial.intermediate_values,
    )
