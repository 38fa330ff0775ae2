"""What the service knows of the line, without torch."""

from __future__ import annotations

from search.tasks.info import Option, TaskInfo

LINE = TaskInfo(
    name="line",
    metrics={"val_loss": "minimize", "val_worst": "minimize"},
    updates_per_epoch=10,
    options={"slope": Option(type="number", default=2.0, low=-10, high=10)},
)
