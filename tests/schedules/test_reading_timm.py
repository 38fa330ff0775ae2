"""What cannot be read from timm's arguments, and the few that are read without a golden trace."""

from __future__ import annotations

from typing import Any

import pytest

from schedules import MultiFactor, Plateau
from schedules.reading import NotExact, read_timm


def test_an_argument_that_timm_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="warmup_steps"):
        read_timm(peak_lr=0.3, warmup_steps=5)


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ({"noise": 0.5}, "timm adds noise to the rate"),
        ({"sched": "tanh"}, "falls along a hyperbolic tangent"),
        ({"sched": "cubic"}, "'cubic' is none of timm's schedulers"),
        ({"step_on_epochs": True}, "timm sets the rate once for every 10 updates"),
        ({"warmup_epochs": 1}, "without warmup_prefix the decay goes on underneath the warm-up"),
        ({"sched": "poly", "k_decay": 2.0}, "a polynomial with k_decay = 2.0 is none of the polynomials here"),
        ({"cycle_limit": 3, "min_lr": 0.1}, "timm's cycle_decay lowers the peak and leaves min_lr where it is"),
        ({"cycle_limit": 3, "cycle_mul": 1.37}, "do not begin at updates"),
        ({"min_lr": 0.4}, "but min_lr is 0.4 where the peak rate is 0.3"),
        ({"sched": "wsd", "decay_fn": "exp"}, "timm's decay_fn 'exp' is none of the forms of decay here"),
        ({"sched": "wsd", "decay_epochs": 9}, "a decay of 90 updates does not lie within the 40"),
        ({"sched": "rsqrt", "min_lr": 0.1, "warmup_epochs": 1}, "from where the square root has come to"),
        ({"sched": "rsqrt"}, "a timescale of 0 updates is no whole number"),
        ({"sched": "plateau", "warmup_epochs": 1}, "timm's plateau hears nothing until one epoch after its warm-up"),
        ({"sched": "step", "warmup_epochs": 4}, "leaves nothing of a run of 40"),
    ],
)
def test_what_is_not_exact_of_timm_is_refused(arguments: dict[str, Any], sentence: str) -> None:
    given = {"num_epochs": 4, "updates_per_epoch": 10, "step_on_epochs": False, **arguments}
    with pytest.raises(NotExact, match=sentence):
        read_timm(peak_lr=0.3, **given)


def test_a_plateau_is_read_as_that_of_torch() -> None:
    reading, horizon = read_timm(
        peak_lr=0.5, sched="plateau", num_epochs=4, updates_per_epoch=10, patience_epochs=3, plateau_mode="min"
    )
    assert reading.schedule == Plateau(patience=3, eps=2e-8)
    assert horizon == 40


def test_milestones_act_one_step_before_they_are_named() -> None:
    reading, _ = read_timm(peak_lr=0.5, sched="multistep", num_epochs=10, decay_milestones=[5])
    assert reading.schedule == MultiFactor(milestones=(0.4,), gamma=0.1)
