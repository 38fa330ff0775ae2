"""The arms train the same recipes to the same losses, and a report says what became of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from schedules.drawing import png
from tests.benchmarks.peers.arms import ARMS, Arm
from tests.benchmarks.peers.curves import curve_page
from tests.benchmarks.peers.measuring import Plan, measure
from tests.benchmarks.peers.processes import Failure, run_scripts
from tests.benchmarks.peers.recipes import recipes
from tests.benchmarks.peers.report import page
from tests.benchmarks.peers.results import Results
from tests.benchmarks.peers.values import Job, Run, Workload

SMALL = Workload(key="W1", task="digits-mlp", epochs=1, trials=2, trials_in_lanes=2)
LIMIT = 100.0
QUICK = [ARMS[name] for name in ("loader", "ours", "fused")]
"""Those that neither compile a model nor start a cluster first."""


def test_an_arm_that_ends_without_a_result_says_why(tmp_path: Path) -> None:
    job = Job(workload=SMALL.model_copy(update={"task": "no-such-task"}), recipes=recipes(2), folder=tmp_path)
    with pytest.raises(Failure, match=r"it ended without a result: .*no task 'no-such-task'"):
        run_scripts("resident", "tests.benchmarks.peers.optuna_script", job, LIMIT, n_processes=1)


def test_an_arm_whose_time_is_up_is_ended(tmp_path: Path) -> None:
    job = Job(workload=SMALL, recipes=recipes(2), folder=tmp_path)
    with pytest.raises(Failure, match="its time was up"):
        run_scripts("resident", "tests.benchmarks.peers.optuna_script", job, 0.01, n_processes=1)


def test_the_first_recipes_do_not_depend_on_how_many_are_drawn() -> None:
    assert recipes(5)[:2] == recipes(2)


@pytest.mark.slow
@pytest.mark.parametrize("arm", QUICK, ids=lambda arm: arm.name)
def test_an_arm_trains_to_the_losses_of_an_ordinary_script(arm: Arm) -> None:
    *_, measured = measure(_plan(ARMS["resident"], arm), recipes(2))
    if arm.name in measured.skipped:
        pytest.skip(measured.skipped[arm.name])
    theirs, ours = (measured.of(name)[0].trials for name in ("resident", arm.name))
    assert [each.number for each in ours] == [0, 1]
    assert [each.loss for each in ours] == pytest.approx([each.loss for each in theirs], rel=1e-4)
    assert [each.updates for each in ours] == [37, 37]


def test_a_report_shows_what_failed_and_what_was_skipped() -> None:
    failing = Arm("ours", "as it stands", 1, _fail)
    absent = Arm("fused", "as it stands", 1, _fail, why_not=lambda: "it is not there")
    *_, measured = measure(_plan(failing, absent), recipes(2))
    results = Results(machine={"cores": "2"}, peak=1e9, peak_of_one=1e9, recipes_sha256="0" * 64, workloads=(measured,))
    assert "| ours | turn 1 | failed: it broke (limit 100 s) |" in page(results)
    assert "- fused is skipped: it is not there" in page(results)


def test_a_curve_is_drawn_and_names_the_number_of_lanes_that_is_used() -> None:
    drawn = curve_page("a task", {1: 100.0, 2: 150.0, 8: 400.0}, 8)
    assert "8 lanes are used: 4.00 times one trial at a time" in drawn
    assert png(drawn).startswith(b"\x89PNG")


def _plan(*arms: Arm) -> Plan:
    return Plan(workload=SMALL, arms=arms, is_search=False, n_turns=1, n_trials=2, n_in_lanes=2, limit=LIMIT)


def _fail(job: Job, limit: float) -> Run:
    raise Failure("it broke")
