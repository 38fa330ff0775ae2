"""What no message of the work protocol may say."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from search.protocol import Completed, Fence, Point, TrialFinish

FENCE = Fence(study="first", trial=0, attempt=1, lease="given")


@pytest.mark.parametrize("seconds", [1.1e9, 1e308])
def test_seconds_whose_sum_may_overflow_are_refused(seconds: float) -> None:
    with pytest.raises(ValidationError, match=r"train_seconds\n.*less than or equal to 1000000000"):
        TrialFinish(fence=FENCE, outcome=Completed(), train_seconds=seconds)


@pytest.mark.parametrize("digest", ["a" * 63, "A" * 64, "", "a" * 64 + "\n"])
def test_a_hash_that_is_no_sha256_is_refused(digest: str) -> None:
    with pytest.raises(ValidationError, match=r"data_sha256\n.*should match pattern"):
        TrialFinish(fence=FENCE, outcome=Completed(), data_sha256=digest)


@pytest.mark.parametrize("epoch", [1.1e9, 1e308])
def test_epochs_whose_sum_may_overflow_are_refused(epoch: float) -> None:
    with pytest.raises(ValidationError, match=r"epoch\n.*less than or equal to 1000000000"):
        Point(update=1, epoch=epoch, rate=0.1, metrics={})
