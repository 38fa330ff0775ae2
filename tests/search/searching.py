"""A search played on the sampler alone: several trials at once, ending in any order and in every way."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any

from search.choices import SamplerChoice
from search.sampling import Draw, Sampling
from search.space import Space
from search.study import Trial, TrialState
from tests.search.factories import a_trial

TPE = SamplerChoice()


def sampling(space: Space | None = None, choice: SamplerChoice = TPE, *, seed: int = 7, budget: int = 60) -> Sampling:
    return Sampling(space or Space(), choice, "minimize", seed, budget)


def drawn(number: int, draw: Draw, state: TrialState = TrialState.RUNNING, **fields: Any) -> Trial:
    return a_trial(
        number, state, recipe=draw.recipe, parameters=draw.parameters, distributions=draw.distributions, **fields
    )


def loss(draw: Draw) -> float:
    rate, warmup = float(draw.parameters["lr_position"]), float(draw.parameters["warmup_fraction"])
    return (rate - 0.6) ** 2 + 0.1 * warmup


def ended(number: int, draw: Draw) -> Trial:
    """End a trial as its number says: most complete, some in each other way."""
    match number % 8:
        case 3:
            rungs = {20: loss(draw) + 0.5, 50: loss(draw) + 0.2}
            return drawn(number, draw, TrialState.PRUNED, at_rungs=rungs, value=rungs[50])
        case 5:
            return drawn(number, draw, TrialState.DIVERGED, at_rungs={20: 9.0})
        case 6:
            return drawn(number, draw, TrialState.FAILED if number % 16 == 6 else TrialState.CANCELLED)
        case _:
            return drawn(number, draw, TrialState.COMPLETED, value=loss(draw))


def search(
    sampler: Sampling, n_trials: int, *, rebuild: Callable[[Iterable[Trial]], Sampling] | None = None, seed: int = 0
) -> list[Draw]:
    """Search with up to five trials at once that end in any order; with ``rebuild``, in a new memory now and then.

    Every ninth trial is enqueued by a person, so that the study's numbers run ahead of the sampler's.
    """
    chance, stops = random.Random(seed), random.Random(seed + 1)
    trials: dict[int, Trial] = {}
    draws: dict[int, Draw] = {}
    for number in range(n_trials):
        if number % 9 == 4:
            trials[number] = a_trial(number, origin="enqueued")
            continue
        draws[number] = sampler.ask(number)
        trials[number] = drawn(number, draws[number])
        running = [each for each in draws if trials[each].state == TrialState.RUNNING]
        chance.shuffle(running)
        for each in running[chance.randrange(5) :]:
            trials[each] = ended(each, draws[each])
            sampler.tell(trials[each])
        if rebuild and stops.random() < 0.3:
            sampler = rebuild(trials.values())
    return list(draws.values())
