"""A lock file is held by one holder, and by none once that is gone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from service.lockfile import LockHeld, hold


def test_a_held_lock_is_refused_and_its_holder_named(tmp_path: Path) -> None:
    lock = hold(tmp_path / "lock")
    with pytest.raises(LockHeld, match=rf"process {os.getpid()} holds .*/lock"):
        hold(tmp_path / "lock")
    lock.let_go()


def test_a_lock_that_was_let_go_can_be_held_again(tmp_path: Path) -> None:
    hold(tmp_path / "lock").let_go()
    hold(tmp_path / "lock").let_go()


def test_a_lock_in_a_directory_that_is_not_there_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        hold(tmp_path / "nowhere" / "lock")


def test_a_refused_lock_leaves_no_file_open(tmp_path: Path) -> None:
    lock = hold(tmp_path / "lock")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(LockHeld, match="holds"):
        hold(tmp_path / "lock")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    lock.let_go()
