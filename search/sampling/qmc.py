"""A quasi-random design over the flat space: every plan equally often, and every range evenly covered."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from search.sampling.flat import NOTHING, draw, n_coordinates
from search.sampling.halton import Halton, rotations
from search.sampling.memory import Memory
from search.seeds import derive_seed
from search.space import Space


class Design:
    """Trials that cover a space evenly, each a pure function of the study's seed and its place in the design.

    The trials come in blocks in which every plan stands once, in an order that the seed shuffles. With b the block
    and p the number of the plan, coordinate d of a trial is::

        (halton_d(b) + p * rotation_d) mod 1

    So the trials of one plan are a Halton sequence, and those of one block another sequence of the kind, and both
    cover each range evenly; with one sequence over all trials a plan would get a random part of it. The d-th parameter
    that a plan is drawn with takes coordinate d: plans share the coordinates of what only one of them has.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed
        self._rotations = rotations(n_coordinates(space))
        self._halton = Halton(n_coordinates(space), derive_seed(seed, "halton"))

    def propose(self, index: int, memory: Memory) -> Mapping[str, Any]:
        return self.parameters(index)

    def parameters(self, index: int, fixed: Mapping[str, Any] = NOTHING) -> Mapping[str, Any]:
        """Return the parameters of the trial at this place, counted from 0.

        Args:
            fixed: values by name that the design leaves as they are.
        """
        block, turn = divmod(index, len(self._space.plans))
        number = self._order(block)[turn]
        rotated = zip(self._halton.point(block), self._rotations, strict=True)
        coordinates = iter([(place + number * rotation) % 1.0 for place, rotation in rotated])
        return draw(self._space, {"plan": self._space.plans[number], **fixed}, lambda _: next(coordinates))[0]

    def _order(self, block: int) -> list[int]:
        n_plans = len(self._space.plans)
        return random.Random(derive_seed(self._seed, "block", block)).sample(range(n_plans), n_plans)
