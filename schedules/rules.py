"""What speaks against a recipe, or should be known of it: each rule with its evidence.

``refuse`` is for what cannot be done, ``warn`` for what is redundant or contested, ``note`` for what is worth
knowing. A rule's id stays what it is: studies keep it, and people acknowledge a warning or a note by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from pydantic import BaseModel, ConfigDict

from schedules import cautions, refusals
from schedules.case import Broken, Case
from schedules.places import Where
from schedules.recipe import Recipe

Severity = Literal["refuse", "warn", "note"]


@dataclass(frozen=True)
class Rule:
    """A rule of the list.

    Attributes:
        level: ``refuse``, ``warn`` or ``note``.
        citation: the evidence: authors, year, link.
    """

    level: Severity
    citation: str


class Finding(BaseModel):
    """One thing that a rule found.

    Attributes:
        id: of the rule.
        sentence: what was found, with the facts in it.
        citation: the rule's evidence: authors, year, link.
        where: the place in the recipe, as a path.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    level: Severity
    sentence: str
    citation: str
    where: Where = ()


def findings(recipe: Recipe, horizon: int, *, pruner: str | None = None) -> tuple[Finding, ...]:
    """Apply every rule to a recipe; what refuses stands first, then warnings, then notes.

    Args:
        horizon: updates of the whole run, at least 1.
        pruner: the kind of pruner that compares the trials of its study; None or ``none`` where nothing is pruned.

    Raises:
        ValueError: the horizon is below 1.
    """
    if horizon < 1:
        raise ValueError(f"a run has at least 1 update, got a horizon of {horizon}")
    case = Case(recipe, horizon, None if pruner == "none" else pruner)
    found = [_finding(broken) for look in _LOOKS for broken in look(case)]
    return tuple(sorted(found, key=lambda finding: _ORDER.index(finding.level)))


def _finding(broken: Broken) -> Finding:
    rule = RULES[broken.rule]
    return Finding(
        id=broken.rule, level=rule.level, sentence=broken.sentence, citation=rule.citation, where=broken.where
    )


_LOOKS: tuple[Callable[[Case], Iterator[Broken]], ...] = (
    refusals.parts_that_do_not_go_together,
    refusals.runs_too_short,
    refusals.averaging_too_late,
    refusals.restarts_that_never_happen,
    cautions.floors_at_the_peak,
    cautions.adagrad_with_decay_to_zero,
    cautions.adam_with_l2_and_restarts,
    cautions.restarts_with_a_pruner,
    cautions.averaging_with_decay_to_zero,
    cautions.weight_decay_that_follows_the_rate,
    cautions.adaptive_beyond_decay,
)

_ORDER: tuple[Severity, ...] = ("refuse", "warn", "note")

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "momentum-curve-without-momentum": Rule(
            "refuse",
            "Smith (2018), section 4.4, https://arxiv.org/abs/1803.09820; torch's OneCycleLR instead gives the "
            "optimizer a momentum, https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html",
        ),
        "weight-decay-curve-without-weight-decay": Rule(
            "refuse",
            "PyTorch issue 22343 (2019), on schedules of the weight decay, "
            "https://github.com/pytorch/pytorch/issues/22343",
        ),
        "curve-reads-a-metric": Rule(
            "refuse",
            "torch's ReduceLROnPlateau (2026), which lowers rates and nothing else, "
            "https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html",
        ),
        "peak-below-floor": Rule(
            "refuse",
            "LANfactory pull request 124 (2026), where a floor above the peak made a cosine rise, "
            "https://github.com/lnccbrown/LANfactory/pull/124",
        ),
        "schedule-free-with-a-schedule": Rule(
            "refuse",
            "Defazio et al. (2024), https://arxiv.org/abs/2405.15682; "
            "https://github.com/facebookresearch/schedule_free",
        ),
        "phases-beyond-run": Rule(
            "refuse",
            "LitGPT issue 1393 (2024), where a warm-up as long as the run divided by zero, "
            "https://github.com/Lightning-AI/litgpt/issues/1393",
        ),
        "decay-too-short": Rule(
            "refuse",
            "PyTorch pull request 174025 (2026), where a decay of no length divides by zero, "
            "https://github.com/pytorch/pytorch/pull/174025",
        ),
        "run-too-short": Rule(
            "refuse",
            "Pointcept issue 379 (2024), where milestones never acted, and nobody was told, "
            "https://github.com/Pointcept/Pointcept/issues/379",
        ),
        "averaging-too-late": Rule("refuse", "Izmailov et al. (2018), section 3.2, https://arxiv.org/abs/1803.05407"),
        "restart-never-happens": Rule(
            "refuse",
            "Auto-PyTorch pull request 119 (2021), where short runs never came to their restart, "
            "https://github.com/automl/Auto-PyTorch/pull/119",
        ),
        "floor-at-peak": Rule(
            "warn",
            "LANfactory pull request 124 (2026), on floors from the peak up, "
            "https://github.com/lnccbrown/LANfactory/pull/124",
        ),
        "adagrad-with-decay-to-zero": Rule(
            "warn",
            "Duchi et al. (2011), https://jmlr.org/papers/v12/duchi11a.html; from theory, with little evidence from "
            "experiments",
        ),
        "adam-l2-with-restarts": Rule(
            "warn", "Loshchilov and Hutter (2019), appendix B.2, https://arxiv.org/abs/1711.05101"
        ),
        "restarts-with-pruner": Rule(
            "warn",
            "Auto-PyTorch pull request 119 (2021), on Hyperband and warm restarts, "
            "https://github.com/automl/Auto-PyTorch/pull/119",
        ),
        "averaging-with-decay-to-zero": Rule(
            "warn",
            "Sandler et al. (2023), https://arxiv.org/abs/2301.02312 (averages equal decays of the rate); "
            "Izmailov et al. (2018), section 3.2, https://arxiv.org/abs/1803.05407 (a constant or cyclic rate)",
        ),
        "schedule-scales-weight-decay": Rule(
            "note",
            "Loshchilov and Hutter (2019), algorithm 2, https://arxiv.org/abs/1711.05101; "
            "https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html",
        ),
        "adaptive-beyond-decay": Rule(
            "note",
            "against the claim: Loshchilov and Hutter (2019), section 4.1, https://arxiv.org/abs/1711.05101; MLCommons "
            "(2024), AlgoPerf leaderboard 0.5, https://github.com/mlcommons/submissions_algorithms",
        ),
    }
)
"""Every rule by its id."""
