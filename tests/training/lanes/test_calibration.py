"""How many lanes there are: measured, remembered for what it was measured for, and one where lanes do not pay."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from search.tasks import registry
from search.training.lanes.calibration import Calibration, curve_of, fastest
from tests.training.lanes.test_why import Branching, Built
from tests.training.toys import CPU, Line, datasets

OPTIONS = {"slope": 2.0}


@pytest.mark.parametrize(
    "curve, lanes",
    [
        ({1: 100.0, 2: 90.0, 4: 80.0}, 1),
        ({1: 100.0, 2: 104.0, 4: 80.0}, 1),
        ({1: 100.0, 2: 190.0, 4: 350.0, 8: 340.0}, 4),
        ({1: 100.0, 2: 190.0, 4: 349.0, 8: 350.0}, 4),
        ({1: 100.0, 2: 190.0, 4: 300.0, 8: 350.0}, 8),
    ],
)
def test_the_smallest_number_of_lanes_about_as_fast_as_the_fastest_is_taken(
    curve: dict[int, float], lanes: int
) -> None:
    assert fastest(curve) == lanes


def test_a_curve_goes_by_doubling_from_one() -> None:
    curve = curve_of(Line(), OPTIONS, datasets(), seconds=0.003)
    assert list(curve) == [2**power for power in range(len(curve))]
    assert all(rate > 0 for rate in curve.values())


def test_what_was_measured_is_kept_with_what_it_holds_for_and_not_measured_again(tmp_path: Path) -> None:
    file = tmp_path / "made" / "lanes.json"
    lanes = Calibration(file, seconds=0.003)(Line(), OPTIONS, datasets())
    (kept,) = json.loads(file.read_text()).values()
    assert kept["lanes"] == lanes
    assert kept["holds_for"]["task"] == "line"
    assert {"torch", "device", "batch_size", "options"} <= set(kept["holds_for"])
    kept["lanes"] = 77
    file.write_text(json.dumps(dict.fromkeys(json.loads(file.read_text()), kept)))
    assert Calibration(file)(Line(), OPTIONS, datasets()) == 77
    assert Calibration(file, seconds=0.003)(Line(), {"slope": 3.0}, datasets()) != 77


def test_a_file_that_is_not_readable_is_measured_anew(tmp_path: Path) -> None:
    file = tmp_path / "lanes.json"
    file.write_text("{")
    assert Calibration(file, seconds=0.003)(Line(), OPTIONS, datasets()) >= 1


def test_a_task_that_cannot_be_in_lanes_has_one_and_the_reason_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "lanes.json"
    assert Calibration(file)(Built(Branching), OPTIONS, datasets()) == 1
    (kept,) = json.loads(file.read_text()).values()
    assert "cannot be vectorised" in kept["why_alone"]


def test_the_digits_have_more_than_one_lane() -> None:
    task = registry.load("digits-mlp")
    curve = curve_of(task, dict(task.info.complete({})), datasets(CPU), seconds=0.05)
    assert fastest(curve) > 1
