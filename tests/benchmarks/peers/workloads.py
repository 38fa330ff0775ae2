"""What the arms train: small models that leave a machine idle, and large ones that do not."""

from __future__ import annotations

import os
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from search.errors import SearchError
from search.tasks import registry
from tests.benchmarks.peers.values import Workload

WORKLOADS: Final = {
    each.key: each
    for each in (
        Workload(key="W1", task="digits-mlp", epochs=20, trials=24, trials_in_lanes=240, target=0.044),
        Workload(key="W2", task="digits-cnn", epochs=10, trials=12, trials_in_lanes=24, target=0.1),
        Workload(
            key="W3",
            task="char-gpt",
            options={"train_examples": 1024},
            epochs=3,
            trials=4,
            trials_in_lanes=8,
        ),
        Workload(
            key="W4-mlp",
            task="digits-mlp",
            options={"hidden": 512, "batch_size": 256},
            epochs=40,
            trials=12,
            trials_in_lanes=24,
            is_control=True,
        ),
        Workload(
            key="W4-lenet",
            task="fashion-mnist-lenet",
            epochs=1,
            trials=4,
            trials_in_lanes=8,
            is_control=True,
        ),
    )
}
"""By key. The targets are what one in twenty of 200 random recipes reaches."""


def why_not(workload: Workload) -> str | None:
    """Why a workload cannot be trained here; None when it can."""
    try:
        registry.load(workload.task).info.complete(workload.options)
    except (SearchError, ValueError) as error:
        return str(error)
    return None


def write_files(keys: Collection[str], folder: Path) -> None:
    """Make up the image files that workloads read, in their true format and size, and let all processes find them."""
    if "W4-lenet" not in keys or find_spec("tests.training.image_files") is None:
        return
    from tests.training.image_files import write_fashion

    write_fashion(folder / "fashion-mnist")
    os.environ["ETUDE_DATASETS_DIR"] = str(folder)
