"""The data of a study over HTTP: recorded once, told to every worker, and held to after a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.service.by_hand import HORIZON, as_object, claim, create, point
from tests.service.server import serving, settings_in

OURS, OTHER = "a" * 64, "b" * 64


def _complete(client: httpx.Client, fence: dict[str, Any], data_sha256: str | None) -> None:
    finish = {
        "fence": fence,
        "outcome": {"kind": "completed"},
        "points": [point(HORIZON, 0.5)],
        "data_sha256": data_sha256,
    }
    answer = client.post("/v1/work/finish", json={"finishes": [finish]})
    assert answer.status_code == 200, answer.text
    assert as_object(answer)["receipts"][0]["status"] == "accepted"


def _data_of(client: httpx.Client) -> object:
    """What the study and its entry in the list say of the data."""
    (listed,) = as_object(client.get("/v1/studies"))["items"]
    study = as_object(client.get("/v1/studies/by-hand"))
    assert study["data_sha256"] == listed["data_sha256"]
    return study["data_sha256"]


@pytest.mark.parametrize("digest", ["a" * 63, "A" * 64, 7])
def test_a_hash_that_is_none_is_refused(tmp_path: Path, sqlite_url: str, digest: object) -> None:
    with serving(settings_in(tmp_path, database_url=sqlite_url)) as live, live.client() as client:
        create(client)
        (given,) = claim(client)
        finish = {"fence": given["fence"], "outcome": {"kind": "completed"}, "data_sha256": digest}
        answer = client.post("/v1/work/finish", json={"finishes": [finish]})
        assert answer.status_code == 422
        assert "data_sha256" in answer.text
        assert _data_of(client) is None


def test_a_study_s_data_outlives_the_service_and_other_data_fails_the_trial(tmp_path: Path, database_url: str) -> None:
    settings = settings_in(tmp_path, database_url=database_url)
    with serving(settings) as live, live.client() as client:
        create(client)
        first, second = claim(client, worker="ada") + claim(client, worker="bob")
        assert first["data_sha256"] is None
        _complete(client, first["fence"], OURS)
        assert _data_of(client) == OURS
    with serving(settings) as live, live.client() as client:
        assert _data_of(client) == OURS
        _complete(client, second["fence"], OTHER)
        trial = as_object(client.get("/v1/studies/by-hand/trials/1"))
        assert (trial["state"], trial["cause"], trial["value"]) == ("failed", "configuration", None)
        assert OURS in trial["reason"]
        assert OTHER in trial["reason"]
        (third,) = claim(client, worker="cyd")
        assert third["data_sha256"] == OURS
