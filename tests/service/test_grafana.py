"""The dashboard for Grafana is held to the figures that a service really tells."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.packaging.images import ROOT
from tests.service.by_hand import HORIZON, claim, create, finish, point, report
from tests.service.server import LiveServer

NOT_DRAWN = {
    "etude_operation_seconds_sum",  # the mean says little where a few are slow
    "process_max_fds",
    "process_open_fds",
    "process_start_time_seconds",
    "process_virtual_memory_bytes",
    "python_gc_collections_total",
    "python_gc_objects_collected_total",
    "python_gc_objects_uncollectable_total",
    "python_info",
}
"""Told for whoever asks, and on no panel."""

SAMPLE = re.compile(r"\b(?:etude|process|python)_\w+")
Samples = dict[str, set[str]]


class Started:
    """Local workers, all well."""

    alive = 1
    problems: tuple[str, ...] = ()


@pytest.fixture
def told(live_server: LiveServer) -> Samples:
    """The labels of every sample that a service with a study tells, by the sample's name."""
    live_server.app.state.local_workers = Started()
    with live_server.client() as client:
        create(client, trials=2)
        (given,) = claim(client)
        report(client, given["fence"], point(5, 0.9))
        finish(client, given["fence"], {"kind": "completed"}, point(HORIZON, 0.5))
        families = list(text_string_to_metric_families(client.get("/metrics").text))
    # Until a worker trains there is a family without a sample.
    found: Samples = {family.name: set() for family in families if not family.samples}
    for sample in (sample for family in families for sample in family.samples):
        found.setdefault(sample.name, set()).update(sample.labels)
    return found


def dashboard() -> dict[str, Any]:
    read = json.loads((ROOT / "docs" / "grafana.json").read_text())
    assert isinstance(read, dict)
    return read


def queries() -> Iterator[tuple[str, str]]:
    """Each query of a panel, with what its legend shows."""
    for panel in dashboard()["panels"]:
        yield from ((target["expr"], target["legendFormat"]) for target in panel["targets"])


def drawn() -> set[str]:
    return {name for query, _ in queries() for name in SAMPLE.findall(query)}


def test_every_figure_in_a_query_is_told_by_a_service(told: Samples) -> None:
    asked = drawn() | set(SAMPLE.findall(json.dumps(dashboard()["templating"])))
    assert asked - set(told) == set()


def test_every_figure_that_a_service_tells_is_drawn_or_left_out_by_name(told: Samples) -> None:
    assert set(told) - drawn() == NOT_DRAWN


def test_a_legend_shows_only_labels_that_there_are(told: Samples) -> None:
    for query, legend in queries():
        (name, *_) = SAMPLE.findall(query)
        labels = set(re.findall(r"{{(\w+)}}", legend))
        known = {"worker"} if name == "etude_worker_updates_per_second" else told[name] | {"instance"}
        assert labels <= known, (query, legend)


def test_panels_are_told_apart_and_explained() -> None:
    panels = dashboard()["panels"]
    for key in ("id", "title"):
        assert len({panel[key] for panel in panels}) == len(panels)
    assert all(panel["description"].endswith(".") for panel in panels)


def test_the_file_names_no_data_source_and_no_service_of_its_own() -> None:
    text = Path(ROOT / "docs" / "grafana.json").read_text()
    assert "://" not in text
    assert set(re.findall(r'"uid": "([^"]+)"', text)) == {"etude", "${source}"}
