"""How logs name an attempt: in words for people, in fields for machines."""

from __future__ import annotations

from search.protocol import Announcement, Fence


def name_of(fence: Fence) -> str:
    """Return the attempt as the beginning of a sentence."""
    return f"trial {fence.trial} of study {fence.project}/{fence.study}, attempt {fence.attempt},"


def fields_of(fence: Fence) -> dict[str, object]:
    """Return the attempt as the ``extra`` of a log record; its lease is a secret of its worker."""
    return {"project": fence.project, "study": fence.study, "trial": fence.trial, "attempt": fence.attempt}


def fields_of_worker(announcement: Announcement) -> dict[str, object]:
    """Return a worker as the ``extra`` of a log record."""
    device = announcement.device
    return {"worker": announcement.worker, "device": f"{device.kind}:{device.index}"}
