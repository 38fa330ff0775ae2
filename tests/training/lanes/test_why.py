"""What keeps a task out of lanes, said in words; and that nothing else does."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from search.tasks import registry
from search.training.lanes.why import why_alone
from tests.training.lanes.test_modules import Noisy
from tests.training.toys import Line, datasets
from tests.training.twin import Layers, Normed


class Built(Line):
    """The line, learnt by whatever module it is given."""

    def __init__(self, make: type[nn.Module]) -> None:
        super().__init__()
        self._make = make

    def model(self, options: dict[str, Any]) -> nn.Module:
        return self._make()


class _Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 4, dtype=torch.float64)
        self.last = nn.Linear(4, 1, dtype=torch.float64)

    def between(self, values: Tensor) -> Tensor:
        return values

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.last(self.between(self.first(inputs)))
        return outputs


class Branching(_Net):
    def between(self, values: Tensor) -> Tensor:
        return values if values.sum().item() > 0 else -values


class Drawing(_Net):
    def between(self, values: Tensor) -> Tensor:
        return nn.functional.dropout(values, 0.5, training=self.training)


class Remembering(_Net):
    """Keeps a tensor in an attribute that is no buffer, and so all lanes' in one."""

    n_calls = 0

    def between(self, values: Tensor) -> Tensor:
        type(self).n_calls += 1
        return values * type(self).n_calls


class Frozen(_Net):
    def __init__(self) -> None:
        super().__init__()
        self.first.weight.requires_grad_(False)


class Mixed(_Net):
    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Parameter(torch.zeros(3, dtype=torch.float32))


class Unused(_Net):
    def __init__(self) -> None:
        super().__init__()
        self.spare = nn.Parameter(torch.zeros(3, dtype=torch.float64))


@pytest.mark.parametrize(
    "net, reason",
    [
        (Branching, r"its model or loss cannot be vectorised: .*\.item\(\)"),
        (Drawing, r"draws random numbers other than by nn\.Dropout"),
        (Remembering, r"one update is another than alone: the two differ by"),
        (Frozen, r"some of its weights are not trained: first\.weight"),
        (Mixed, r"its weights are of type float32 and float64; in lanes all are float32, or all float64"),
        (Unused, r"some of its weights have no part in the loss"),
        (nn.Identity, r"its model has no weights"),
    ],
)
def test_what_cannot_be_in_lanes_is_said_in_words(net: type[nn.Module], reason: str) -> None:
    found = why_alone(Built(net), {"slope": 2.0}, datasets())
    assert found is not None
    assert re.search(reason, found), found


class Loading(Line):
    def batches(self, options: dict[str, Any], seed: int, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
        train = self.data(options).train
        while True:
            yield train.inputs[:4], train.targets[:4]


def test_a_task_with_a_loader_or_another_type_of_numbers_is_trained_alone() -> None:
    assert why_alone(Loading(), {"slope": 2.0}, datasets()) == (
        "it brings its own loader, whose batches come one after the other"
    )
    assert why_alone(Line(), {"slope": 2.0, "dtype": "bfloat16"}, datasets()) == "its models compute in bfloat16"


@pytest.mark.parametrize("task", [Line(), Layers(), Normed(), Noisy()], ids=lambda task: type(task).__name__)
def test_a_plain_task_can_be_in_lanes(task: Line) -> None:
    assert why_alone(task, {"slope": 2.0}, datasets()) is None


@pytest.mark.parametrize("name", ["digits-mlp", "digits-cnn"])
def test_the_digits_can_be_in_lanes(name: str) -> None:
    task = registry.load(name)
    assert why_alone(task, task.info.complete({}), datasets()) is None
