"""The database as a stock Optuna reads it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.storages import RDBStorage, get_storage
from optuna.storages._cached_storage import _CachedStorage
from optuna.study import Study as OptunaStudy
from optuna.trial import FrozenTrial

from service.store import Store


@contextmanager
def storage_of(store: Store) -> Iterator[_CachedStorage]:
    """The storage that Optuna makes of the URL, closed at the end."""
    storage = get_storage(RDBStorage(store.url))
    assert isinstance(storage, _CachedStorage)
    try:
        yield storage
    finally:
        storage.remove_session()
        storage._backend.engine.dispose()


@contextmanager
def study_of(store: Store, name: str = "default/first") -> Iterator[OptunaStudy]:
    """The study as ``optuna.load_study`` reads it."""
    with storage_of(store) as storage:
        yield optuna.load_study(study_name=name, storage=storage)


def trials_of(store: Store, name: str = "default/first") -> list[FrozenTrial]:
    """All trials as Optuna reads them."""
    with study_of(store, name) as study:
        return study.get_trials()


@contextmanager
def without_optunas_warnings() -> Iterator[None]:
    """Optuna and plotly warn about their own experimental parts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
