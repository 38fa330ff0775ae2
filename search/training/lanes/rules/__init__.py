"""The update rule of every optimizer, for many lanes at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from schedules import (
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    Muon,
    Nadam,
    Rmsprop,
    ScheduleFreeAdamW,
    ScheduleFreeSgd,
    Sgd,
)
from schedules.optimizers import KnownOptimizer
from search.training.lanes.rules.adaptive import (
    AdagradRule,
    AdamaxRule,
    AdamRule,
    NadamRule,
    RmspropRule,
    ScheduleFreeAdamWRule,
)
from search.training.lanes.rules.base import Course, Memory, Rule, Vector
from search.training.lanes.rules.descent import LionRule, ScheduleFreeSgdRule, SgdRule
from search.training.lanes.rules.muon import Matrix, MuonRule

__all__ = ["Course", "Matrix", "Memory", "Rule", "Vector", "rule_of"]


def rule_of(optimizer: KnownOptimizer, hidden: Sequence[Matrix]) -> Rule:
    """Return the rule of an optimizer; lanes with equal rules are updated together.

    Args:
        hidden: the matrices that Muon takes, from the first column of a row to the last.
    """
    decays = optimizer.weight_decay != 0
    match optimizer:
        case Sgd(nesterov=nesterov):
            return SgdRule(nesterov, decays)
        case Lion():
            return LionRule()
        case Muon(nesterov=nesterov, n_iterations=n_iterations):
            return MuonRule(tuple(hidden), nesterov, n_iterations, AdamRule(decoupled=True, decays=decays))
        case ScheduleFreeSgd():
            return ScheduleFreeSgdRule(decays)
        case ScheduleFreeAdamW():
            return ScheduleFreeAdamWRule(decays)
        case _:
            return _adaptive(optimizer, decays)


def _adaptive(optimizer: Adagrad | Rmsprop | Adam | AdamW | Nadam | Adamax, decays: bool) -> Rule:
    match optimizer:
        case Adagrad():
            return AdagradRule(decays)
        case Rmsprop(centered=centered, momentum=momentum):
            return RmspropRule(centered, momentum > 0, decays)
        case Adam():
            return AdamRule(decoupled=False, decays=decays)
        case AdamW():
            return AdamRule(decoupled=True, decays=decays)
        case Nadam(decoupled=decoupled):
            return NadamRule(decoupled, decays)
        case Adamax():
            return AdamaxRule(decays)
        case _:
            assert_never(optimizer)
