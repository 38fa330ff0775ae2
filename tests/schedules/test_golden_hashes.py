"""A recipe's digest is the same in every process and every release.

``golden_hashes.json`` holds recipes as they were sent, fields left out included, and their digests. Lines are added
to it; one that is changed breaks what users have stored.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schedules import OPTIMIZERS, SCHEDULES, Recipe

FILE = Path(__file__).with_name("golden_hashes.json")
GOLDEN: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
PRINT_DIGESTS = """
import json, sys
from schedules import Recipe
print(json.dumps([Recipe.model_validate(golden["recipe"]).digest for golden in json.load(sys.stdin)]))
"""


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["digest"][:12])
def test_a_digest_is_what_it_has_always_been(golden: dict[str, Any]) -> None:
    recipe = Recipe.model_validate(golden["recipe"])
    assert recipe.digest == golden["digest"]
    assert Recipe.model_validate_json(recipe.model_dump_json()).digest == golden["digest"]


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_a_digest_is_the_same_in_another_process(hash_seed: str) -> None:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    told = subprocess.run(
        [sys.executable, "-c", PRINT_DIGESTS],
        input=FILE.read_text(encoding="utf-8"),
        capture_output=True,
        text=True,
        check=True,
        env=environment,
        cwd=FILE.parents[2],
        timeout=60,
    )
    assert json.loads(told.stdout) == [golden["digest"] for golden in GOLDEN]


def test_every_schedule_and_every_optimizer_has_a_golden_digest() -> None:
    text = FILE.read_text(encoding="utf-8")
    for kind in (*SCHEDULES, *OPTIMIZERS):
        assert f'"kind": "{kind}"' in text


def test_no_two_golden_recipes_are_one() -> None:
    assert len({golden["digest"] for golden in GOLDEN}) == len(GOLDEN)
