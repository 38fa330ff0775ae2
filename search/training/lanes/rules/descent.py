"""Rules that step along the gradient or its running mean, many lanes at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from schedules import Lion, ScheduleFreeSgd, Sgd
from search.training.lanes.rules.base import Column, Course, Memory, Rule, Vector


@dataclass(frozen=True)
class SgdRule(Rule):
    """``torch.optim.SGD``; without momentum its buffer is the gradient itself."""

    nesterov: bool
    decays: bool

    def columns(self, optimizer: Sgd, course: Course, memory: Memory) -> tuple[list[Column], Memory]:
        return [course.decays, course.momenta, -course.rates], memory

    def update(
        self, weights: Tensor, gradients: Tensor, slots: Sequence[Tensor], scratch: Tensor, at: Sequence[Tensor]
    ) -> None:
        decay, momentum, step = at
        (buffer,) = slots
        if self.decays:
            gradients.addcmul_(weights, decay)
        buffer.mul_(momentum).add_(gradients)
        if self.nesterov:
            weights.addcmul_(gradients.addcmul_(buffer, momentum), step)
        else:
            weights.addcmul_(buffer, step)


@dataclass(frozen=True)
class LionRule(Rule):
    """``lion_pytorch.Lion``."""

    def columns(self, optimizer: Lion, course: Course, memory: Memory) -> tuple[list[Column], Memory]:
        kept = 1 - course.rates * course.decays
        return [kept, 1 - course.momenta, -course.rates, 1 - optimizer.beta2], memory

    def update(
        self, weights: Tensor, gradients: Tensor, slots: Sequence[Tensor], scratch: Tensor, at: Sequence[Tensor]
    ) -> None:
        kept, newest, step, renewed = at
        (mean,) = slots
        direction = torch.lerp(mean, gradients, newest, out=scratch).sign_()
        weights.mul_(kept).addcmul_(direction, step)
        mean.lerp_(gradients, renewed)


@dataclass(frozen=True)
class ScheduleFreeSgdRule(Rule):
    """``schedulefree.SGDScheduleFree``: the slot is its z, and the weights are its y."""

    begins: ClassVar[Memory] = (-1.0, 0.0)

    decays: bool

    def start(self, optimizer: ScheduleFreeSgd, weights: Tensor, slots: Sequence[Tensor]) -> None:
        slots[0].copy_(weights)

    def columns(self, optimizer: ScheduleFreeSgd, course: Course, memory: Memory) -> tuple[list[Column], Memory]:
        share, after = shares_of_the_newest(course.rates, memory)
        step = course.rates * (optimizer.momentum * (1 - share) - 1)
        return [course.decays, share, step, -course.rates], after

    def update(
        self, weights: Tensor, gradients: Tensor, slots: Sequence[Tensor], scratch: Tensor, at: Sequence[Tensor]
    ) -> None:
        decay, share, step, step_of_newest = at
        (newest,) = slots
        if self.decays:
            gradients.addcmul_(weights, decay)
        weights.lerp_(newest, share).addcmul_(gradients, step)
        newest.addcmul_(gradients, step_of_newest)

    def judged(self, optimizer: ScheduleFreeSgd, weights: Tensor, slots: Sequence[Tensor]) -> Tensor:
        return weights.lerp(slots[0], 1 - 1 / optimizer.momentum)


def shares_of_the_newest(rates: Vector, memory: Memory) -> tuple[Vector, Memory]:
    """Return the share of the newest weights in a schedule-free average, update by update.

    With m the largest rate so far it is m² over the sum of all m² so far.

    Args:
        memory: the largest rate and the sum before these updates.
    """
    largest, total = memory
    weight = np.maximum(np.maximum.accumulate(rates), largest) ** 2
    sums = np.cumsum(np.concatenate([[total], weight]))[1:]
    share = np.divide(weight, sums, out=np.zeros_like(weight), where=sums != 0)
    return share, (float(max(largest, rates.max())), float(sums[-1]))
