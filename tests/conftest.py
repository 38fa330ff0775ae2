"""What holds for every test: whoever runs them has an environment, and it decides nothing."""

from __future__ import annotations

import os

from hypothesis import settings

# At import, before any module under test reads one of them; the processes that tests start inherit the rest.
_DECIDES = ("ETUDE_", "PG", "PYTEST_DEBUG", "TYPER_", "_TYPER_")
_KEPT = ("ETUDE_TEST_",)
_STYLES = ("CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "FORCE_COLOR", "GITHUB_ACTIONS", "LINES", "NO_COLOR", "PY_COLORS")
_PROXIES = ("ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "http_proxy", "https_proxy")

for _name in list(os.environ):
    if _name.startswith(_DECIDES) and not _name.startswith(_KEPT):
        del os.environ[_name]
for _name in (*_STYLES, *_PROXIES, "PYTHONWARNINGS", "PYTHONOPTIMIZE", "WEB_CONCURRENCY"):
    os.environ.pop(_name, None)
# Sums in another order are other numbers: every process of the tests computes with one thread.
for _name in ("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

settings.register_profile("etude", derandomize=True, deadline=None, database=None, max_examples=100)
settings.load_profile("etude")

pytest_plugins = ["tests.databases"]
