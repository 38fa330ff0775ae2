"""Cycles, phases, curves and joins equal what torch, SciPy and numpy make of the same."""

from __future__ import annotations

import pytest
from torch.optim import lr_scheduler

from schedules import OneCycle, Restarts
from tests.schedules.references import PEAK, REFERENCES, Reference, cosine_restarts, their_rates


@pytest.mark.filterwarnings("ignore:The epoch parameter:UserWarning")  # torch's own SequentialLR passed it before 2.13
@pytest.mark.parametrize("reference", REFERENCES, ids=lambda reference: reference.name)
def test_a_schedule_equals_its_reference_at_every_update(reference: Reference) -> None:
    assert reference.largest_difference() < 1e-12


def test_torch_restarts_once_more_at_the_end_of_a_run_and_ours_stay() -> None:
    assert their_rates(cosine_restarts(24, 1), 97)[96] == PEAK
    assert Restarts(cycles=4)(96, 96) == 0.0


def test_torch_reaches_the_floor_of_one_cycle_an_update_earlier() -> None:
    rates = their_rates(lambda optimizer: lr_scheduler.OneCycleLR(optimizer, PEAK, total_steps=50), 50)
    assert rates[49] == pytest.approx(4e-6 * PEAK, rel=1e-9)
    assert OneCycle()(49, 50) > 1e-3
    assert OneCycle()(50, 50) == 4e-6
