"""Settings: what they are, without secrets, and which ``ETUDE_*`` variables nobody reads."""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Iterator, Mapping
from typing import Final

from search.doctor.diagnosis import Diagnosis, fine, warning
from service.settings import Settings

FURTHER: Final = frozenset({"ETUDE_URL", "ETUDE_DATASETS_DIR", "ETUDE_LOG_FORMAT"})
"""Variables of clients and workers."""

PREFIX: Final = "ETUDE_"
FOR_TESTS: Final = "ETUDE_TEST_"


def look_at_settings(settings: Settings) -> Iterator[Diagnosis]:
    """Sum the settings up, and warn of what is allowed and unwise."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        settings.warn()
    key = "with a key" if settings.api_key else "without a key"
    said = f"the service listens on {settings.local_url} {key}, workers: {settings.workers}"
    for each in caught:
        sentence, _, todo = str(each.message).partition("; ")
        yield warning("settings", f"{said}; {sentence}", todo)
    if not caught:
        yield fine("settings", said, exposed=settings.is_exposed)


def look_at_variables(environment: Mapping[str, str]) -> Iterator[Diagnosis]:
    """Name the variables that look like settings, and are none."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | FURTHER
    for name in sorted(environment):
        if name.startswith(PREFIX) and not name.startswith(FOR_TESTS) and name not in known:
            alike = difflib.get_close_matches(name, known, n=1)
            todo = f"did you mean {alike[0]}?" if alike else "unset it; the README lists all settings"
            yield warning("variables", f"nobody reads the variable {name}", todo)
