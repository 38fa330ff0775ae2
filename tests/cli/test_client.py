"""The typed client: refusals become errors by what to do next, and broken streams are taken up again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from schedules import Cosine, Recipe, Sgd
from search.errors import Conflict, NotFound, SearchError, Unavailable, Unsuitable
from search.protocol import ClaimRequest, Completed, FinishRequest, Point, TrialFinish
from search.study import StudyRequest, StudyState, TrialState
from service.client import Client
from service.connection import ApiError, Connection, KeyRefused
from service.schemas import StudyPatch
from tests.cli.conftest import KEY
from tests.service.by_hand import external_study, train
from tests.service.server import LiveServer

Handler = Callable[[httpx.Request], httpx.Response]
RECIPE = Recipe(optimizer=Sgd(momentum=0.9), peak_lr=0.1, schedule=Cosine())


def _answering(handler: Handler) -> Client:
    return Client("http://127.0.0.1:9", transport=httpx.MockTransport(handler))


def _study(name: str = "by-hand", **others: Any) -> StudyRequest:
    return StudyRequest.model_validate(external_study(name, **others))


def test_a_service_that_is_not_there_is_unavailable() -> None:
    with Client("http://127.0.0.1:9") as client, pytest.raises(Unavailable, match=r"127\.0\.0\.1:9 cannot be reached"):
        client.health()


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_not_now_is_unavailable_and_says_when_to_ask_again(status: int) -> None:
    with (
        _answering(lambda _: httpx.Response(status, headers={"Retry-After": "7"})) as client,
        pytest.raises(Unavailable, match=str(status)) as caught,
    ):
        client.health()
    assert caught.value.retry_after_seconds == 7


def test_an_answer_that_is_no_problem_document_still_becomes_a_sentence() -> None:
    with (
        _answering(lambda _: httpx.Response(500, text="<h1>oops</h1>")) as client,
        pytest.raises(ApiError, match=r"http://127.0.0.1:9/healthz answered 500 Internal Server Error"),
    ):
        client.health()


def test_a_defect_of_the_service_is_unavailable_to_a_worker_which_sends_its_message_again() -> None:
    with (
        _answering(lambda _: httpx.Response(500)) as client,
        pytest.raises(Unavailable, match="500"),
    ):
        client.work().claim(ClaimRequest(worker="hand", tasks=("external",)))


@pytest.mark.parametrize("key", ["schlüssel-des-hauses", "two words", "a line\n"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(Unsuitable, match="printable ASCII") as refused:
        Client("http://127.0.0.1:9", key)
    assert key not in str(refused.value)


def test_an_answer_of_another_version_is_told_as_such() -> None:
    with (
        _answering(lambda _: httpx.Response(200, json={"status": "splendid"})) as client,
        pytest.raises(SearchError, match="is not a HealthOut; its version may differ"),
    ):
        client.health()


def test_a_problem_document_reads_as_sentence_and_places() -> None:
    places = [
        {"where": "body.budget.trials", "rule": "must be positive", "value": -1},
        {"where": "", "rule": "must rhyme"},
    ]
    document = {"status": 422, "title": "Unprocessable", "detail": "the study is wrong", "errors": places}
    with (
        _answering(lambda _: httpx.Response(422, json=document)) as client,
        pytest.raises(Unsuitable, match="the study is wrong") as caught,
    ):
        client.health()
    assert str(caught.value) == "the study is wrong\n  body.budget.trials: must be positive (found: -1)\n  must rhyme"
    assert caught.value.where == ("body.budget.trials",)
    assert caught.value.value == -1


def test_a_missing_and_a_wrong_key_are_refused_and_the_right_one_opens(
    keyed_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in (None, f"not-{KEY}"):
        with Client(keyed_server.url, key) as client, pytest.raises(KeyRefused, match="key"):
            list(client.studies())
    with Client(keyed_server.url, KEY) as client:
        assert list(client.studies()) == []
    monkeypatch.setenv("ETUDE_URL", keyed_server.url)
    monkeypatch.setenv("ETUDE_API_KEY", KEY)
    with Client() as client:
        assert client.url == keyed_server.url
        assert list(client.studies()) == []


def test_refusals_of_the_service_come_by_what_to_do_next(client: Client) -> None:
    with pytest.raises(NotFound, match="nobody"):
        client.study("nobody")
    client.create_study(_study())
    with pytest.raises(Conflict, match="by-hand"):
        client.create_study(_study())
    with pytest.raises(Unsuitable, match="juggling") as caught:
        client.create_study(StudyRequest(task="juggling"))
    assert caught.value.where == ("body.task",)
    with pytest.raises(NotFound, match="no completed trial yet"):
        client.best("by-hand")


def test_a_name_cannot_leave_its_place_in_the_path(client: Client) -> None:
    with pytest.raises(ApiError, match=r"nothing at /v1/studies/\.\./healthz"):
        client.study("../healthz")


def test_a_study_is_made_changed_and_deleted(client: Client) -> None:
    made = client.create_study(_study(trials=3))
    assert made.state == StudyState.QUEUED
    assert client.pause_study("by-hand").state == StudyState.PAUSED
    assert client.resume_study("by-hand").state in {StudyState.QUEUED, StudyState.RUNNING}
    changed = client.change_study("by-hand", StudyPatch(budget={"trials": 5}, labels={"team": "vision"}))
    assert changed.request.budget.trials == 5
    assert changed.request.labels == {"team": "vision"}
    assert client.enqueue_trial("by-hand", RECIPE).recipe == RECIPE
    assert client.cancel_study("by-hand").state == StudyState.CANCELLED
    client.delete_study("by-hand")
    assert list(client.studies()) == []


def test_projects_do_not_see_each_other(client: Client, live_server: LiveServer) -> None:
    client.create_study(_study())
    with Client(live_server.url, project="other") as other:
        assert list(other.studies()) == []
        other.create_study(_study())
        assert [study.project for study in other.studies()] == ["other"]


def test_lists_are_read_page_after_page() -> None:
    pages = {None: (["a", "b"], "2"), "2": (["c"], "3"), "3": ([], None)}

    def handler(request: httpx.Request) -> httpx.Response:
        names, cursor = pages[request.url.params.get("cursor")]
        tasks = [{"name": name, "metrics": {"val_loss": "minimize"}, "updates_per_epoch": 1} for name in names]
        return httpx.Response(200, json={"items": tasks, "next_cursor": cursor})

    with _answering(handler) as client:
        assert [task.name for task in client.tasks()] == ["a", "b", "c"]


def test_trials_come_with_curve_board_and_best_recipe(client: Client, live_server: LiveServer) -> None:
    client.create_study(_study(trials=3))
    with live_server.client() as hand:
        for loss in (0.5, 0.25, None):
            train(hand, loss)
    assert [trial.number for trial in client.trials("by-hand")] == [0, 1, 2]
    assert [trial.number for trial in client.trials("by-hand", state=TrialState.COMPLETED)][:2] == [0, 1]
    detail = client.trial("by-hand", 1)
    assert detail.value == 0.25
    assert detail.attempts[0].ending == "completed"
    assert [point.metrics["val_loss"] for point in client.curve("by-hand", 1).points] == [1.0, 0.25]
    assert [trial.number for trial in client.leaderboard("by-hand").items][:2] == [1, 0]
    best = client.best("by-hand")
    assert best.recipe == detail.recipe
    assert "torch.optim" in client.best_torch("by-hand")


def test_schedules_are_drawn_and_recipes_checked(client: Client) -> None:
    drawn = client.preview(Cosine(), horizon=4, peak_lr=2.0)
    assert [point.rate for point in drawn.points] == pytest.approx([2.0, 1.7071067811865475, 1.0, 0.2928932188134524])
    assert client.preview_svg(Cosine(), horizon=4).startswith("<svg")
    assert client.check_recipe(RECIPE, 100).digest == RECIPE.digest
    assert "cosine" in {family.kind for family in client.families().families}


def test_the_service_tells_how_it_is(client: Client) -> None:
    assert client.health().status == "ok"
    assert client.ready().status == "ready"
    assert "external" in {task.name for task in client.tasks()}
    assert list(client.workers()) == []


def test_work_is_claimed_and_finished_over_http(client: Client) -> None:
    client.create_study(_study(trials=1))
    work = client.work()
    (assignment,) = work.claim(ClaimRequest(worker="hand", tasks=("external",))).assignments
    points = (Point(update=20, epoch=1.0, rate=0.1, metrics={"val_loss": 0.5}),)
    finish = TrialFinish(fence=assignment.fence, outcome=Completed(), points=points)
    assert work.finish(FinishRequest(finishes=(finish,))).receipts[0].status == "accepted"
    assert client.study("by-hand").state == StudyState.COMPLETED


def test_events_are_read_to_the_end_of_the_study(client: Client, live_server: LiveServer) -> None:
    client.create_study(_study(trials=2))
    with live_server.client() as hand:
        train(hand, 0.5)
        train(hand, 0.25)
    events = list(client.events("by-hand"))
    assert [each.id for each in events] == sorted({each.id for each in events})
    assert events[-1].event.kind == "study"
    assert events[-1].event.payload["state"] == "completed"
    assert list(client.events("by-hand", after=events[0].id)) == events[1:]


class _Broken(httpx.SyncByteStream):
    """A stream that breaks after what it has said."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __iter__(self) -> Any:
        yield self._text.encode()
        raise httpx.ReadError("the line is dead")


def _event(number: int) -> str:
    data = {"study": "s", "kind": "trial", "at": "2024-01-01T00:00:00Z", "payload": {"number": number}}
    return f"event: trial\nid: {number}\ndata: {json.dumps(data)}\n\n"


def test_a_broken_stream_is_taken_up_after_the_last_event_that_came() -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/events"):
            return httpx.Response(404, json={"status": 404, "detail": "the study is gone"})
        after = int(request.headers["Last-Event-ID"])
        asked.append(str(after))
        if after >= 4:
            return httpx.Response(200, text=": ping\n\n")
        # Two events, and half of a third that must not count.
        return httpx.Response(200, stream=_Broken(_event(after + 1) + _event(after + 2) + "id: 99\ndata: {"))

    with _answering(handler) as client:
        seen: list[int] = []
        with pytest.raises(NotFound, match="the study is gone"):
            seen.extend(each.id for each in client.events("s", pause=lambda _: None))
    assert seen == [1, 2, 3, 4]
    assert asked == ["0", "2", "4"]


def test_a_stream_that_never_comes_back_is_given_up() -> None:
    waited: list[float] = []

    def handler(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with _answering(handler) as client, pytest.raises(Unavailable, match="refused"):
        list(client.events("s", patience_seconds=20, pause=waited.append))
    assert waited == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"])
def test_a_proxy_is_never_asked_for_this_machine(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:3128")
    connection = Connection(url)
    try:
        with pytest.raises(Unavailable, match="cannot be reached"):
            connection.send("GET", "/healthz")
    finally:
        connection.close()
