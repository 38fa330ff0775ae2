"""The digits with every option that the training applies."""

from __future__ import annotations

from typing import Any, ClassVar

from search.tasks.builtin import DIGITS_MLP
from search.tasks.digits import MLP
from search.tasks.info import TaskInfo, standard_options

STANDARD = standard_options(batch_size=32, train_examples=1200, classes=10)


class Sized(MLP):
    """The multilayer perceptron on digits, with every option that the training applies."""

    info: ClassVar[TaskInfo] = DIGITS_MLP.model_copy(
        update={"options": {**DIGITS_MLP.options, **STANDARD}, "train_examples": 1200, "batch_size": 32}
    )


SIZED: Any = Sized()
"""The task, as little known to the type checker as one that a registry has loaded."""
