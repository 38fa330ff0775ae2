"""Studies that come with Etude: each answers a question about schedules on any task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from search.choices import SamplerChoice
from search.errors import NotFound
from search.space import Space
from search.study import Budget, StudyRequest


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A study to post as it is, or with another task or budget.

    Attributes:
        question: what it answers.
        reading: how its leaderboard answers that.
    """

    name: str
    question: str
    reading: str
    request: StudyRequest


ADAM_AND_CYCLES = Preset(
    name="adam-and-cycles",
    question=(
        "Must an adaptive optimizer be given no more than a warm-up and a decay? An old claim, which published results "
        "do not support: Loshchilov and Hutter (2019), section 4.1, https://arxiv.org/abs/1711.05101."
    ),
    reading=(
        "Compare, for each optimizer by itself, the best trials of restarts, cyclic and one_cycle with the best trials "
        "of constant, linear and cosine: the claim holds on this task if the first are worse by more than the best "
        "trials of one family differ among themselves. Recipes are drawn at random, so every pair of "
        "optimizer and family gets about twenty, and none is tuned more than another."
    ),
    request=StudyRequest(
        task="digits-mlp",
        space=Space(
            optimizers=("adam", "adamw"), families=("constant", "linear", "cosine", "restarts", "cyclic", "one_cycle")
        ),
        sampler=SamplerChoice(kind="random"),
        budget=Budget(trials=240),
        acknowledge=("adam-l2-with-restarts", "adaptive-beyond-decay", "schedule-scales-weight-decay"),
        labels={"preset": "adam-and-cycles"},
    ),
)

PRESETS: Mapping[str, Preset] = MappingProxyType({ADAM_AND_CYCLES.name: ADAM_AND_CYCLES})


def find_preset(name: str) -> Preset:
    """Return the preset of this name.

    Raises:
        NotFound: there is none.
    """
    if name not in PRESETS:
        raise NotFound(f"there is no preset {name[:80]!r}; there are: {', '.join(PRESETS)}")
    return PRESETS[name]
