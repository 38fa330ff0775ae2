"""The first trials of TPE and of random search, planned so that no family is judged by one unlucky rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from search.sampling.memory import Memory
from search.seeds import derive_seed
from search.space import POSITIONS, Space

START_POSITIONS = (0.5, 0.75, 0.25)
"""Places on the range of the peak rate from which the first trials set out."""

LARGEST_START = 0.25
"""Share of the budget that the first, planned trials may take."""


class Start:
    """Proposes the planned start, and nothing after it: the rest is the sampler's."""

    def __init__(self, space: Space, seed: int, budget_trials: int) -> None:
        self._planned = start(space, seed, budget_trials)

    def propose(self, index: int, memory: Memory) -> Mapping[str, Any]:
        return self._planned[index] if index < len(self._planned) else {}


def start(space: Space, seed: int, budget_trials: int) -> tuple[Mapping[str, Any], ...]:
    """Plan the first trials: every family once before any twice, optimizers and rates taking turns.

    Each plan comes once, as far as a quarter of the budget reaches. The seed decides where the turns begin; what is
    not fixed here is drawn.
    """
    turn, has_position = derive_seed(seed, "start"), space.searches("peak_lr")
    planned: list[Mapping[str, Any]] = []
    for lap in range(len(space.optimizers)):
        for place, family in enumerate(space.families):
            partners = space.partners(family)
            if lap >= len(partners):
                continue
            optimizer = partners[(place + lap + turn) % len(partners)]
            position = START_POSITIONS[(place // len(partners) + lap + turn // len(partners)) % len(START_POSITIONS)]
            rate = {POSITIONS["peak_lr"]: position} if has_position else {}
            planned.append({"plan": f"{optimizer}+{family}", **rate})
    return tuple(planned[: math.floor(LARGEST_START * budget_trials)])
