"""The web application: opens the database, leads, and serves the API, the dashboard and the documentation."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version

import optuna
from anyio import CapacityLimiter
from fastapi import FastAPI
from fastapi.routing import APIRoute

from search.errors import SearchError
from service import dashboard, errors, openapi
from service.artifacts import Artifacts
from service.auth import Door, Hardened
from service.crew import SEEN_SECONDS
from service.ensemble import Ensemble
from service.events import CLAIMS_AT_ONCE, Bell
from service.limits import BodyLimit
from service.metrics import Counted, Metrics
from service.routes import artifacts as artifact_routes
from service.routes import docs, presets, schedules, studies, system, trials, work
from service.routes.parts import Opened
from service.settings import Settings
from service.sight import Sight
from service.store import Store, open_store
from service.store.store import utc_now

TICK_SECONDS = 1.0
SHORTEST_ABSENCE_SECONDS = 10.0
"""A busy machine delays ticks by seconds; a longer pause is a suspended one, whose workers could not be heard."""

logger = logging.getLogger("etude.service")


def create_app(settings: Settings, *, clock: Callable[[], datetime] = utc_now) -> FastAPI:
    """The application for one database. Nothing is opened before its lifespan starts.

    Run it in one process: one service owns the studies of a database.

    Raises (as the lifespan starts):
        SearchError: the database cannot be opened, or another service holds it.
    """
    app = FastAPI(
        title="Etude",
        version=_version(),
        description=openapi.DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_tags=openapi.TAGS,
        generate_unique_id_function=_operation_id,
        lifespan=lambda app: _lifespan(app, settings, clock),
    )
    app.state.metrics = Metrics(_version())
    app.state.local_workers = None
    errors.install(app)
    for each in (studies, presets, trials, artifact_routes, schedules, work, system, docs):
        app.include_router(each.router)
    app.router.routes.extend(dashboard.routes(_dashboard(app)))
    app.add_middleware(BodyLimit)
    app.add_middleware(Door, settings=settings)
    app.add_middleware(Hardened)
    app.add_middleware(Counted, metrics=app.state.metrics)
    openapi.install(app)
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI, settings: Settings, clock: Callable[[], datetime]) -> AsyncIterator[None]:
    settings.warn()
    # Sampling and the dashboard make studies in memory, and Optuna would announce each.
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if settings.database_url is None:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
    store = await asyncio.to_thread(open_store, settings.database, clock=clock)
    try:
        absence = max(settings.lease_seconds / 2, SHORTEST_ABSENCE_SECONDS)
        metrics: Metrics = app.state.metrics
        ensemble = Ensemble(store, clock, settings.lease_seconds, absence_seconds=absence, watch=metrics)
        await asyncio.to_thread(ensemble.start)
        metrics.registry.register(Sight(ensemble, store, local_workers=lambda: app.state.local_workers))
        bell = Bell(asyncio.get_running_loop())
        artifacts = await asyncio.to_thread(Artifacts, settings.artifacts_dir, store, clock)
        await asyncio.to_thread(artifacts.sweep)
        silence = timedelta(seconds=settings.lease_seconds + SEEN_SECONDS)
        claim_turns = CapacityLimiter(CLAIMS_AT_ONCE)
        app.state.opened = Opened(store, ensemble, bell, claim_turns, artifacts, clock, silence)
        unsubscribe = ensemble.subscribe(bell.ring)
        ticking = asyncio.create_task(_tick(ensemble, artifacts))
        try:
            yield
        finally:
            bell.close()
            unsubscribe()
            ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await ticking
    finally:
        await asyncio.to_thread(store.close)


async def _tick(ensemble: Ensemble, artifacts: Artifacts) -> None:
    """Let time pass for leases, budgets and the leadership, until cancelled."""
    while True:
        await asyncio.sleep(TICK_SECONDS)
        # Shielded: a transaction under way must end before the database is closed.
        await _finished(asyncio.create_task(asyncio.to_thread(_tick_once, ensemble, artifacts)))


async def _finished(task: asyncio.Task[None]) -> None:
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def _tick_once(ensemble: Ensemble, artifacts: Artifacts) -> None:
    try:
        ensemble.tick()
        artifacts.sweep()
    except SearchError as error:
        logger.warning("time could not pass for the studies, and is tried again: %s", error)
    except Exception:  # a clock that stops at one defect would never end a lease again
        logger.exception("time could not pass for the studies, and is tried again")


def _dashboard(app: FastAPI) -> dashboard.Dashboard:
    def store() -> Store:
        opened: Opened = app.state.opened
        return opened.store

    return dashboard.Dashboard(
        open_storage=lambda: dashboard.open_storage(store().url), generation=lambda: store().generation
    )


def _operation_id(route: APIRoute) -> str:
    return route.name


def _version() -> str:
    try:
        return version("etude")
    except PackageNotFoundError:
        return "0"
