"""Sequences that fill a unit cube evenly, each point a pure function of its number."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import count, islice

BITS = 32
"""Digits of a coordinate reach at least this deep, in bits."""


class Halton:
    """The Halton sequence with its digits permuted at random.

    Coordinate d of point n: write n in base p, the d-th prime, replace each digit by a permutation of its own
    place, and mirror the digits at the point. Zeros in front of n are replaced too, which shifts all points alike.

    Args:
        seed: chooses the permutations.

    Source: Owen (2017), A randomized Halton algorithm in R, https://arxiv.org/abs/1706.02808
    """

    def __init__(self, n_dimensions: int, seed: int) -> None:
        chance = random.Random(seed)
        self._permutations = [
            [chance.sample(range(base), base) for _ in range(math.ceil(BITS / math.log2(base)))]
            for base in islice(_primes(), n_dimensions)
        ]

    def point(self, number: int) -> tuple[float, ...]:
        """Return the point of this number, counted from 0, in [0, 1) everywhere."""
        return tuple(_mirrored(number, each) for each in self._permutations)


def rotations(n_dimensions: int) -> tuple[float, ...]:
    """Return the steps of a sequence that goes round each coordinate by one irrational step.

    Step d is g**-d, where g is the root above 1 of ``x**(n_dimensions + 1) = x + 1``; with one dimension, that is the
    golden ratio.

    Source: Roberts (2018), https://extremelearning.com.au/unreasonable-effectiveness-of-quasirandom-sequences/
    """
    root = 2.0
    for _ in range(100):
        root = (1 + root) ** (1 / (n_dimensions + 1))
    return tuple(root**-dimension for dimension in range(1, n_dimensions + 1))


def _mirrored(number: int, permutations: list[list[int]]) -> float:
    base, mirrored = len(permutations[0]), 0
    for permutation in permutations:
        number, digit = divmod(number, base)
        mirrored = mirrored * base + permutation[digit]
    return float(mirrored / base ** len(permutations))


def _primes() -> Iterator[int]:
    return (each for each in count(2) if all(each % other for other in range(2, math.isqrt(each) + 1)))
