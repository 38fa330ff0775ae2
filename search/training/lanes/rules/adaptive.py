"""Rules that scale the step of every weight by the size of its gradients, many lanes at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from schedules import Adagrad, Adam, Adamax, AdamW, Muon, Nadam, Rmsprop, ScheduleFreeAdamW
from search.training.lanes.rules.base import Column, Course, Memory, Rule
from search.training.lanes.rules.descent import shares_of_the_newest


@dataclass(frozen=True)
class AdagradRule(Rule):
    """``torch.optim.Adagrad``."""

    decays: bool

    def start(self, optimizer: Adagrad, weights: Tensor, slots: Sequence[Tensor]) -> None:
        slots[0].fill_(optimizer.initial_accumulator)

    def columns(self, optimizer: Adagrad, course: Course, memory: Memory) -> tuple[list[Column], Memory]:
        return [course.decays, optimizer.eps, -course.rates], memory

    def update(
        self, weights: Tensor, gradients: Tensor, slots: Sequence[Tensor], scratch: Tensor, at: Sequence[Tensor]
    ) -> None:
        decay, eps, step = at
        (total,) = slots
        if self.decays:
            gradients.addcmul_(weights, decay)
        total.addcmul_(gradients, gradients)
        gradients.div_(torch.sqrt(total, out=scratch).add_(eps))
        weights.addcmul_(gradients, step)


@dataclass(frozen=True)
class RmspropRule(Rule):
    """``torch.optim.RMSprop``: the mean square, its centre and the momentum's buffer, of which it may need one."""

    n_slots: ClassVar[int] = 3

    centered: bool
    has_momentum: bool
    decays: bool

    def columns(self, optimizer: Rmsprop, course: Course, memory: Memory) -> tuple[list[Column], Memory]:
        alpha = optimizer.alpha
        return [course.decays, alpha, 1 - alpha, optimizer.eps, course.momenta, -course.rates], memory

    def update(
        self, weights: Tensor, gradients: Tensor, slots: Sequence[Tensor], scratch: Tensor, at: Sequence[Tensor]
    ) -> None:
        decay, alpha, renewed, eps, momentum, step = at
        square, centre, buffer = slots
        if self.decays:
            gradients.addcmul_(weights, decay)
        square.mul_(alpha).addcmul_(gradients, torch.mul(gradients, renewed, out=scratch))
        if self.centered:
            centre.lerp_(gradients, renewed)
            torch.addcmul(square, centre, centre, value=-1, out=scratch).sqrt_()
        else:
            torch.sqrt(square, out=scratch)
        gradients.div_(scratch.add_(eps))
        if self.has_momentum:
            weights.addcmul_(buffer.mul_(momentum).add_(gradients), step)
        else:
            weights.addcmul_(gradients, step)


@dataclass(frozen=True)
class AdamRule(Rule):
    """``torch.optim.Adam``, and ``torch.optim.AdamW`` where the decay is decoupled.

    The correction of the second moment is moved from every weight to the constants: with c = 1 - beta2^n,
    m / (sqrt(v / c) + eps) = sqrt(c) m / (sqrt(v) + eps sqrt(c)).
    """

    n_slots: ClassVar[int] = 2

    decoupled: bool
    decays: bool

    def columns(self, optimizer: Adam | AdamW | Muon, course: Course, memory: Memory) -> tuple[list[Column], Memory]:
        momenta = optimizer.beta1 if isinstance(optimizer, Muon) else course.momenta
        decay = 1 - course.rates * course.decays if self.decoupled else course.decays
        root = np.sqrt(1 - optimizer.beta2**course.steps)
        # a beta1 under a curve corrects by its newest value, as torch does
        step = -course.rates / (1 - momenta**course.steps) * root
        return [decay, 1 - momenta, 1 - optimizer.beta2, optimizer.eps * root, step], memory

    def update(
        self, weights: Tensor, gradients: Tensor, slots: Sequence[Tensor], scratch: Tensor, at: Sequence[Tensor]
    ) -> None:
        decay, newest, renewed, eps, step = at
        mean, square = slots
        if self.decays and self.decoupled:
            weights.mul_(decay)
        elif self.decays:
            gradients.addcmul_(weights, decay)
        mean.lerp_(gradients, newest)
        square.lerp_(gradients.mul_(gradients), renewed)
        # the gradient is spent: its own memory, still in the cache, takes the step
        torch.sqrt(square, out=gradients).add_(eps)
        weights.addcmul_(torch.div(mean, gradients, out=gradients), step)


@dataclass(frozen=True)
class NadamRule(Rule):
    """``torch.optim.NAdam``; a lane carries the product of the momenta so far."""

    n_slots: ClassVar[int] = 2
    begins: ClassVar[Memory] = (1.0,)

    decoupled: bool
    decays: bool

    def columns(self, optimizer: Nadam, course: Course, memory: Memory) -> tuple[list[Column], Memory]:
        decay = 1 - course.rates * course.decays if self.decoupled else course.decays
        now, then = (
            course.momenta * (1 - 0.5 * 0.96 ** (steps * optimizer.momentum_decay))
            for steps in (course.steps, course.steps + 1)
        )
        # torch keeps the product in single precision, whatever the weights are in
        single = np.concatenate([[memory[0]], now]).astype(np.float32)
        product = np.cumprod(single, dtype=np.float32)[1:].astype(np.float64)
        root = np.sqrt(1 - optimizer.beta2**course.steps)
        of_gradient = -course.rates * (1 - now) / (1 - product) * root
        of_mean = -course.rates * then / (1 - product * then) * root
        newest, renewed = 1 - course.momenta, 1 - optimizer.beta2
        return [decay, newest, renewed, optimizer.eps * root, of_gradient, of_mean], (float(product[-1]),)

    def update(
        self, weights: Tensor, gradients: Tensor, slots: Sequence[Tensor], scratch: Tensor, at: Sequence[Tensor]
    ) -> None:
        decay, newest, renewed, eps, of_gradient, of_mean = at
        mean, square = slots
        if self.decays and self.decoupled:
            weights.mul_(decay)
        elif self.decays:
            gradients.addcmul_(weights, decay)
        mean.lerp_(gradients, newest)
        square.lerp_(torch.mul(gradients, gradients, out=scratch), renewed)
        gradients.mul_(of_gradient).addcmul_(mean, of_mean)
        weights.addcdiv_(gradients, torch.sqrt(square, out=scratch).add_(eps))


@dataclass(frozen=True)
class AdamaxRule(Rule):
    """``torch.optim.Adamax``."""

    n_slots: ClassVar[int] = 2

    decays: bool

    def columns(self, optimizer: Adamax, course: Course, memory: Memory) -> tuple[list[Column], Memory]:
        step = -course.rates / (1 - course.momenta**course.steps)
        return [course.decays, 1 - course.momenta, optimizer.beta2, optimizer.eps, step], memory

    def update(
        self, weights: Tensor, gradients: Tensor, slots: Sequence[Tensor], scratch: Tensor, at: Sequence[Tensor]
    ) -> None:
        decay, newest, kept, eps, step = at
        mean, largest = slots
        if self.decays:
            gradients.addcmul_(weights, decay)
        mean.lerp_(gradients, newest)
        torch.maximum(largest.mul_(kept), gradients.abs_().add_(eps), out=largest)
        weights.addcmul_(torch.div(mean, largest, out=gradients), step)


@dataclass(frozen=True)
class ScheduleFreeAdamWRule(Rule):
    """``schedulefree.AdamWScheduleFree``: the slots are its z and the mean square, and the weights are its y."""

    n_slots: ClassVar[int] = 2
    begins: ClassVar[Memory] = (-1.0, 0.0)

    decays: bool

    def start(self, optimizer: ScheduleFreeAdamW, weights: Tensor, slots: Sequence[Tensor]) -> None:
        slots[0].copy_(weights)

    def columns(self, optimizer: ScheduleFreeAdamW, course: Course, memory: Memory) -> tuple[list[Column], Memory]:
        share, after = shares_of_the_newest(course.rates, memory)
        step = course.rates * (optimizer.beta1 * (1 - share) - 1)
        root = np.sqrt(1 - optimizer.beta2**course.steps)
        renewed = 1 - optimizer.beta2
        return [course.decays, renewed, root, optimizer.eps * root, share, step, -course.rates], after

    def update(
        self, weights: Tensor, gradients: Tensor, slots: Sequence[Tensor], scratch: Tensor, at: Sequence[Tensor]
    ) -> None:
        decay, renewed, root, eps, share, step, step_of_newest = at
        newest, square = slots
        square.lerp_(torch.mul(gradients, gradients, out=scratch), renewed)
        gradients.mul_(root).div_(torch.sqrt(square, out=scratch).add_(eps))
        if self.decays:
            gradients.addcmul_(weights, decay)
        weights.lerp_(newest, share).addcmul_(gradients, step)
        newest.addcmul_(gradients, step_of_newest)

    def judged(self, optimizer: ScheduleFreeAdamW, weights: Tensor, slots: Sequence[Tensor]) -> Tensor:
        return weights.lerp(slots[0], 1 - 1 / optimizer.beta1)
