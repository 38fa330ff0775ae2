"""What can be seen of a running service at any moment, looked at when its figures are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from search.errors import Unavailable
from search.study import TrialState
from service.ensemble import Ensemble
from service.store import Store


class LocalWorkers(Protocol):
    """The workers that the service started itself."""

    @property
    def alive(self) -> int:
        """Those that run now."""

    @property
    def problems(self) -> list[str]:
        """A sentence for each that was given up."""


class Sight(Collector):
    """A look at a service.

    Of studies and trials only the service that leads speaks: a sum over all services then counts nothing twice.

    Args:
        local_workers: those that the service started itself, once it has.
    """

    def __init__(self, ensemble: Ensemble, store: Store, local_workers: Callable[[], LocalWorkers | None]) -> None:
        self._ensemble = ensemble
        self._store = store
        self._local_workers = local_workers

    def collect(self) -> Iterator[GaugeMetricFamily]:
        leads = self._ensemble.leads
        yield GaugeMetricFamily("etude_leader", "Whether this service writes: 1, or 0 on stand-by.", leads)
        if leads:
            yield from self._trials()
            yield self._studies()
        yield self._speeds()
        yield self._local()

    def _trials(self) -> Iterator[GaugeMetricFamily]:
        trials = GaugeMetricFamily(
            "etude_trials", "Trials of the studies that are not over, by state.", labels=["project", "study", "state"]
        )
        waiting = GaugeMetricFamily(
            "etude_queue_trials",
            "Trials that a study still has to hand out: those queued, and what is left of its budget.",
            labels=["project", "study"],
        )
        for study, counts in self._ensemble.live():
            for state in TrialState:
                trials.add_metric([study.project, study.name, state.value], counts[state])
            left = 0 if study.state.is_final else study.request.budget.trials - counts.total()
            waiting.add_metric([study.project, study.name], max(0, left) + counts[TrialState.QUEUED])
        yield trials
        yield waiting

    def _studies(self) -> GaugeMetricFamily:
        studies = GaugeMetricFamily("etude_studies", "Studies of all projects, by state.", labels=["state"])
        try:
            counts = self._store.study_counts()
        except Unavailable:
            # Figures are wanted most when something fails: the others are told without these.
            return studies
        for state, count in counts.items():
            studies.add_metric([state.value], count)
        return studies

    def _speeds(self) -> GaugeMetricFamily:
        workers = GaugeMetricFamily(
            "etude_worker_updates_per_second",
            "Optimizer updates per second of each worker that trains now.",
            labels=["worker"],
        )
        for worker, work in self._ensemble.telemetry.works().items():
            if work.updates_per_second is not None:
                workers.add_metric([worker], work.updates_per_second)
        return workers

    def _local(self) -> GaugeMetricFamily:
        local = GaugeMetricFamily(
            "etude_local_workers",
            "Workers that the service started itself, by state: alive, or given_up after too many short lives.",
            labels=["state"],
        )
        started = self._local_workers()
        if started is not None:
            local.add_metric(["alive"], started.alive)
            local.add_metric(["given_up"], len(started.problems))
        return local
