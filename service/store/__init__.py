"""The store: the database behind values of the search; nothing else in Etude speaks SQL."""

from service.store.errors import (
    DatabaseInUse,
    DatabaseUnreachable,
    DiskFull,
    NameTaken,
    NotLeader,
    Unstorable,
    WrongSchema,
)
from service.store.schema import Revisions
from service.store.store import Store, open_store, revisions, upgrade
from service.store.values import Artifact, Leadership, Page, StoredEvent, WorkerRecord

__all__ = [
    "Artifact",
    "DatabaseInUse",
    "DatabaseUnreachable",
    "DiskFull",
    "Leadership",
    "NameTaken",
    "NotLeader",
    "Page",
    "Revisions",
    "Store",
    "StoredEvent",
    "Unstorable",
    "WorkerRecord",
    "WrongSchema",
    "open_store",
    "revisions",
    "upgrade",
]
