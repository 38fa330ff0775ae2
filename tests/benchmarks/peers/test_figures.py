"""Order of the runs, medians, intervals and ranks, worked out by hand."""

from __future__ import annotations

import math

import pytest

from tests.benchmarks.peers.figures import exponent, fidelity, interleaved, of_pairs, quantile, spearman
from tests.benchmarks.peers.targets import seconds_to
from tests.benchmarks.peers.values import Ran, Run


def test_pairs_need_as_many_of_one_arm_as_of_the_other() -> None:
    with pytest.raises(ValueError, match="as many of one as of the other, and at least one: 2 and 1"):
        of_pairs([1.0, 2.0], [1.0])


def test_the_order_of_the_arms_turns_round_with_every_turn() -> None:
    assert interleaved(["a", "b", "c"], 3) == [["a", "b", "c"], ["c", "b", "a"], ["a", "b", "c"]]


@pytest.mark.parametrize("share, value", [(0.0, 1.0), (0.25, 1.0), (0.5, 2.0), (0.51, 3.0), (0.99, 4.0), (1.0, 4.0)])
def test_a_quantile_is_one_of_the_values(share: float, value: float) -> None:
    assert quantile([4.0, 1.0, 3.0, 2.0], share) == value


def test_a_quantile_of_nothing_is_no_number() -> None:
    assert math.isnan(quantile([], 0.5))


def test_seven_pairs_hold_the_median_of_their_ratios_by_the_sign_test() -> None:
    interval = of_pairs([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], [2.0] * 7)
    assert (interval.low, interval.middle, interval.high) == (0.5, 2.0, 3.5)
    assert interval.confidence == 1 - 2 / 2**7
    assert str(interval) == "2.00 [0.50, 3.50]"


def test_equal_values_share_the_mean_of_their_ranks() -> None:
    # ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4
    assert spearman([0.1, 0.2, 0.2, 0.3], [1.0, 2.0, 3.0, 4.0]) == pytest.approx(4.5 / math.sqrt(4.5 * 5), abs=1e-12)


def test_a_reversed_order_has_the_rank_correlation_minus_one() -> None:
    assert spearman([1.0, 2.0, 3.0], [0.3, 0.2, 0.1]) == pytest.approx(-1.0, abs=1e-12)


def test_losses_are_compared_trial_by_trial() -> None:
    found = fidelity({0: 0.5, 1: 0.25, 2: None, 3: 1.0, 4: 9.0}, {0: 0.5, 1: 0.375, 2: 0.1, 3: 1.0})
    assert (found.n_trials, found.n_disagree) == (3, 1)
    assert (found.largest, found.median) == (0.125, 0.0)
    assert found.spearman == pytest.approx(1.0, abs=1e-12)
    assert found.same_best


def test_times_that_grow_with_the_square_have_the_exponent_two() -> None:
    assert exponent({10: 1.0, 100: 100.0, 1000: 10_000.0}) == pytest.approx(2.0, abs=1e-12)


def test_a_target_counts_from_the_first_start_to_the_end_of_the_trial_that_reaches_it() -> None:
    trials = [_ran(0, 5.0, 6.0, 0.9), _ran(1, 5.5, 9.0, 0.1), _ran(2, 6.0, 8.0, 0.2)]
    assert seconds_to(Run(arm="ours", trials=tuple(trials)), 0.2) == 3.0
    assert math.isinf(seconds_to(Run(arm="ours", trials=tuple(trials)), 0.01))


def test_steady_speed_leaves_out_what_lies_before_the_first_trial() -> None:
    run = Run(
        arm="ours", startup_seconds=20.0, total_seconds=24.0, trials=(_ran(0, 5.0, 7.0, 1.0), _ran(1, 6.0, 9.0, 1.0))
    )
    assert run.trials_per_second == 0.5
    assert run.updates_per_second == 5.0


def _ran(number: int, started_at: float, ended_at: float, loss: float) -> Ran:
    return Ran(number=number, state="completed", loss=loss, updates=10, started_at=started_at, ended_at=ended_at)
