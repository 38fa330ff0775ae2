"""Weights and logs of trials: sent, kept, replaced, downloaded, and gone with their study."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.limits import BodyLimit
from tests.service.by_hand import HORIZON, as_object, claim, create, finish, point, report
from tests.service.problems import only_place, read_problem
from tests.service.server import PATIENCE_SECONDS, LiveServer, serving, settings_in
from tests.service.tensor_files import tensor_file

FIRST, SECOND = tensor_file(1.0, 2.0, trial="0"), tensor_file(3.0, trial="1")


@pytest.fixture
def live(database_url: str, tmp_path: Path) -> Iterator[LiveServer]:
    """A service on each kind of database in turn."""
    with serving(settings_in(tmp_path, database_url=database_url)) as live:
        yield live


@pytest.fixture
def client(live: LiveServer) -> Iterator[httpx.Client]:
    with live.client() as client:
        yield client


def completed(client: httpx.Client, loss: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """Complete one trial with this loss: its fence and the receipt."""
    (assignment,) = claim(client)
    return assignment["fence"], finish(client, assignment["fence"], {"kind": "completed"}, point(HORIZON, loss))


def send(client: httpx.Client, fence: dict[str, Any], content: Any, **others: Any) -> httpx.Response:
    fence = {**fence, **others}
    headers = {"Etude-Attempt": str(fence["attempt"]), "Etude-Lease": fence["lease"]}
    return client.put(f"/v1/studies/{fence['study']}/trials/{fence['trial']}/weights", content=content, headers=headers)


def get(client: httpx.Client, trial: int) -> httpx.Response:
    return client.get(f"/v1/studies/by-hand/trials/{trial}/weights")


def files(live: LiveServer) -> list[str]:
    """The files kept, by the number of their trial."""
    return sorted(path.name.partition("-")[0] for path in live.settings.artifacts_dir.rglob("*") if path.is_file())


# refusals


def test_weights_with_another_fence_are_refused(client: httpx.Client, live: LiveServer) -> None:
    create(client)
    fence, _ = completed(client, 0.5)
    read_problem(send(client, fence, FIRST, lease="guessed"), 409, "the lease of attempt 1 at trial 0 is another one")
    read_problem(send(client, fence, FIRST, attempt=2), 409, "attempt 2 at trial 0 is over")
    read_problem(send(client, fence, FIRST, trial=9), 409, "has no trial 9")
    read_problem(send(client, fence, FIRST, study="other"), 404, "no study named 'other'")
    assert files(live) == []


def test_weights_without_a_fence_are_refused_at_its_place(client: httpx.Client) -> None:
    create(client)
    path = "/v1/studies/by-hand/trials/0/weights"
    document = read_problem(client.put(path, content=FIRST, headers={"Etude-Lease": "x"}), 422, "required")
    assert only_place(document) == "header.Etude-Attempt"


def test_weights_of_a_trial_that_has_not_completed_are_refused(client: httpx.Client) -> None:
    create(client)
    (assignment,) = claim(client)
    read_problem(send(client, assignment["fence"], FIRST), 409, "only completed trials have weights: .* running")
    receipt = finish(client, assignment["fence"], {"kind": "diverged", "update": 3, "rate": 0.1})
    assert receipt["wants_weights"] is False
    read_problem(send(client, assignment["fence"], FIRST), 409, "trial 0 is diverged")


def test_weights_that_the_study_does_not_keep_are_refused(client: httpx.Client, live: LiveServer) -> None:
    create(client, keep={"weights": "none"})
    fence, receipt = completed(client, 0.5)
    assert receipt["wants_weights"] is False
    read_problem(send(client, fence, FIRST), 409, "study by-hand keeps no weights: its request says so")
    read_problem(get(client, 0), 404, "trial 0 of study by-hand has no weights here: study by-hand keeps no weights")
    assert files(live) == []


def test_weights_of_a_trial_that_is_not_the_best_are_refused(client: httpx.Client) -> None:
    create(client)
    completed(client, 0.5)
    fence, receipt = completed(client, 0.7)
    assert receipt["wants_weights"] is False
    read_problem(send(client, fence, FIRST), 409, "keeps the weights of its best trial only, and that is trial 0")


def test_a_file_that_holds_no_tensors_is_refused_and_leaves_nothing(client: httpx.Client, live: LiveServer) -> None:
    create(client)
    fence, _ = completed(client, 0.5)
    document = read_problem(send(client, fence, FIRST[:-1]), 422, "weights must be a safetensors file")
    assert only_place(document) == "body.header"
    assert files(live) == []


def test_a_policy_that_does_not_exist_is_refused(client: httpx.Client) -> None:
    request = {"task": "digits-mlp", "keep": {"weights": "some"}}
    assert only_place(read_problem(client.post("/v1/studies", json=request), 422)) == "body.keep.weights"


def test_only_weights_may_be_larger_than_other_bodies() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def ask() -> list[int]:
        transport = httpx.ASGITransport(BodyLimit(app, largest_bytes=10, largest_weights_bytes=20))
        path = "/v1/studies/a/trials/0/weights"
        sent = [("PUT", path, 20), ("PUT", path, 21), ("POST", path, 11), ("PUT", f"{path}/x", 11), ("PUT", "/v1", 11)]
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [(await client.request(method, at, content=b"x" * size)).status_code for method, at, size in sent]

    import anyio

    assert anyio.run(ask) == [204, 413, 413, 413, 413]


def test_a_file_that_breaks_off_leaves_nothing(client: httpx.Client, live: LiveServer) -> None:
    create(client)
    fence, _ = completed(client, 0.5)
    host, _, port = live.url.removeprefix("http://").partition(":")
    request = (
        f"PUT /v1/studies/by-hand/trials/0/weights HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(FIRST)}\r\n"
        f"Etude-Attempt: 1\r\nEtude-Lease: {fence['lease']}\r\n\r\n"
    )
    with closing(socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS)) as half:
        half.sendall(request.encode() + FIRST[:20])
        _until(lambda: len(files(live)) == 1)
    _until(lambda: files(live) == [])
    assert client.get("/healthz").status_code == 200
    assert send(client, fence, FIRST).status_code == 200


def _until(condition: Any) -> None:
    for _ in range(PATIENCE_SECONDS * 100):
        if condition():
            return
        threading.Event().wait(0.01)
    raise AssertionError("it did not come about")


# what is kept


def test_the_best_trial_s_weights_come_back_as_they_were_sent(client: httpx.Client) -> None:
    create(client)
    fence, receipt = completed(client, 0.5)
    assert receipt["wants_weights"] is True
    told = {"sha256": hashlib.sha256(FIRST).hexdigest(), "size_bytes": len(FIRST)}
    assert as_object(send(client, fence, FIRST)) == told
    answer = get(client, 0)
    assert answer.content == FIRST
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == 'attachment; filename="by-hand-0.safetensors"'
    assert answer.headers["etag"] == f'"{told["sha256"]}"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    measured = client.head("/v1/studies/by-hand/trials/0/weights")
    assert (measured.status_code, measured.headers["content-length"]) == (200, str(len(FIRST)))
    for shown in (
        client.get("/v1/studies/by-hand/trials").json()["items"][0],
        client.get("/v1/studies/by-hand/trials/0").json(),
        client.get("/v1/studies/by-hand/leaderboard").json()["items"][0],
        client.get("/v1/studies/by-hand/best").json()["trial"],
        client.get("/v1/studies/by-hand").json()["best"],
    ):
        assert shown["weights"] == told


def test_a_better_trial_s_weights_take_the_place_of_the_best_s_once_they_are_there(
    client: httpx.Client, live: LiveServer
) -> None:
    create(client)
    fence, _ = completed(client, 0.5)
    send(client, fence, FIRST)
    better, receipt = completed(client, 0.25)
    assert receipt["wants_weights"] is True
    read_problem(get(client, 1), 404, "its worker has not sent them: .*; there are those of trial 0")
    assert get(client, 0).content == FIRST
    assert send(client, better, SECOND).status_code == 200
    assert get(client, 1).content == SECOND
    read_problem(get(client, 0), 404, "of its best trial only, and that is trial 1; there are those of trial 1")
    assert files(live) == ["1"]


def test_weights_that_come_when_a_better_trial_has_ended_are_refused(client: httpx.Client) -> None:
    create(client)
    fence, _ = completed(client, 0.5)
    completed(client, 0.25)
    read_problem(send(client, fence, FIRST), 409, "that is trial 1")


def test_weights_that_are_sent_again_are_taken_again(client: httpx.Client, live: LiveServer) -> None:
    create(client)
    fence, _ = completed(client, 0.5)
    receipt = finish(client, fence, {"kind": "completed"}, point(HORIZON, 0.5))
    assert receipt["wants_weights"] is True
    first = send(client, fence, FIRST)
    assert send(client, fence, FIRST).json() == first.json()
    completed(client, 0.25)
    assert send(client, fence, FIRST).json() == first.json()
    read_problem(send(client, fence, SECOND), 409, "that is trial 1")
    assert get(client, 0).content == FIRST
    assert files(live) == ["0"]


def test_a_study_may_keep_the_weights_of_every_completed_trial(client: httpx.Client, live: LiveServer) -> None:
    create(client, keep={"weights": "all"})
    for loss, content in ((0.5, FIRST), (0.7, SECOND)):
        fence, receipt = completed(client, loss)
        assert receipt["wants_weights"] is True
        assert send(client, fence, content).status_code == 200
    assert [get(client, trial).content for trial in (0, 1)] == [FIRST, SECOND]
    assert files(live) == ["0", "1"]


def test_a_file_that_is_missing_is_not_found_and_may_be_sent_again(client: httpx.Client, live: LiveServer) -> None:
    create(client)
    fence, _ = completed(client, 0.5)
    send(client, fence, FIRST)
    for path in live.settings.artifacts_dir.rglob("*.safetensors"):
        path.unlink()
    read_problem(get(client, 0), 404, "were kept, but their file cannot be read from this service's data directory")
    send(client, fence, FIRST)
    assert get(client, 0).content == FIRST


def test_a_deleted_study_takes_its_files_with_it(client: httpx.Client, live: LiveServer) -> None:
    create(client, trials=1)
    fence, _ = completed(client, 0.5)
    send(client, fence, FIRST)
    assert client.delete("/v1/studies/by-hand").status_code == 204
    assert files(live) == []
    assert list(live.settings.artifacts_dir.glob("*/*")) == []


def test_files_that_no_trial_refers_to_are_removed_at_the_start(database_url: str, tmp_path: Path) -> None:
    settings = settings_in(tmp_path, database_url=database_url)
    with serving(settings) as live, live.client() as client:
        create(client)
        fence, _ = completed(client, 0.5)
        send(client, fence, FIRST)
        (kept,) = settings.artifacts_dir.rglob("*.safetensors")
    of_another_database = settings.artifacts_dir / "another" / "1" / kept.name
    strays = [
        kept.with_name("0-older.safetensors"),
        kept.parents[1] / "broken-off.part",
        kept.parents[1] / "77" / "0-x",
    ]
    for path in (of_another_database, *strays):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(FIRST)
    with serving(settings) as live, live.client() as client:
        _until(lambda: not any(path.exists() for path in strays))
        assert of_another_database.exists()
        assert get(client, 0).content == FIRST


# attempts and what they said


def test_an_attempt_that_was_not_made_has_no_log(client: httpx.Client) -> None:
    create(client)
    claim(client)
    read_problem(client.get("/v1/studies/by-hand/trials/0/attempts/2/log"), 404, "there is no attempt 2 at trial 0")
    read_problem(client.get("/v1/studies/by-hand/trials/7/attempts"), 404, "no trial 7")
    read_problem(client.get("/v1/studies/by-hand/trials/0/attempts/0/log"), 422, "greater than or equal to 1")


def test_each_attempt_is_listed_with_its_end_and_what_it_said(client: httpx.Client) -> None:
    create(client)
    (assignment,) = claim(client, worker="ada")
    failed = {"kind": "failed", "cause": "device", "message": "the device is gone", "log": "Traceback\n\x1b[31mred\x07"}
    finish(client, assignment["fence"], failed)
    (assignment,) = claim(client, worker="bob")
    report(client, assignment["fence"], point(HORIZON, 0.5))
    body = {"fence": assignment["fence"], "outcome": {"kind": "completed"}, "log": "epoch 1\nepoch 2"}
    assert client.post("/v1/work/finish", json={"finishes": [body]}).status_code == 200
    attempts = client.get("/v1/studies/by-hand/trials/0/attempts").json()["items"]
    assert [(each["attempt"], each["worker"], each["ending"]) for each in attempts] == [
        (1, "ada", "failed"),
        (2, "bob", "completed"),
    ]
    assert attempts[0]["message"] == "the device is gone"
    logs = [client.get(f"/v1/studies/by-hand/trials/0/attempts/{number}/log") for number in (1, 2)]
    assert [log.text for log in logs] == ["Traceback\nred\\x07", "epoch 1\nepoch 2"]
    assert {log.headers["content-type"] for log in logs} == {"text/plain; charset=utf-8"}


def test_a_log_that_is_too_long_is_refused(client: httpx.Client) -> None:
    create(client)
    (assignment,) = claim(client)
    body = {"fence": assignment["fence"], "outcome": {"kind": "completed"}, "log": "x" * (64 * 1024 + 1)}
    read_problem(client.post("/v1/work/finish", json={"finishes": [body]}), 422, "at most 65536 characters")
