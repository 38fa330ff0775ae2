"""The schedules of other libraries, run update by update in float64."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import sys
import types
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.compat.cases import Case

_DISTRIBUTIONS = {"ignite": "pytorch-ignite"}


def version(library: str) -> str:
    return importlib.metadata.version(_DISTRIBUTIONS.get(library, library))


def is_installed(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


def need(*libraries: str) -> None:
    """Skip a test that compares with what is not there."""
    for library in libraries:
        if not is_installed(library):
            pytest.skip(f"{library} is not installed: `make compat` builds an environment that has it")


def optax_trace(case: Case) -> list[float]:
    import jax
    import optax

    jax.config.update("jax_enable_x64", True)
    arguments = dict(case.arguments)
    if "boundaries_and_scales" in arguments:
        scales = arguments["boundaries_and_scales"]
        arguments["boundaries_and_scales"] = {int(update): scale for update, scale in scales.items()}
    schedule = getattr(optax, case.name)(**arguments)
    return [float(schedule(t)) for t in range(case.horizon)]


def keras_trace(case: Case) -> list[float]:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    keras.config.set_floatx("float64")
    schedule = getattr(keras.optimizers.schedules, case.name)(**case.arguments)
    return [float(schedule(t)) for t in range(case.horizon)]


def _torch_optimizer(lr: float) -> Any:
    import torch

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    optimizer._opt_called = True  # type: ignore[attr-defined]  # torch's own mark, set by its own wrapper
    return optimizer


def ignite_trace(case: Case) -> list[float]:
    import torch
    from ignite.engine import Engine, Events
    from ignite.handlers import param_scheduler

    optimizer, arguments = _torch_optimizer(case.peak_lr), dict(case.arguments)
    if "milestones_values" in arguments:
        arguments["milestones_values"] = [tuple(pair) for pair in arguments["milestones_values"]]
    after = None
    if "gamma" in arguments:
        after = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=arguments.pop("gamma"))
    if case.name == "torch ExponentialLR":
        assert after is not None
        scheduler: Any = param_scheduler.LRScheduler(after)
    elif case.name == "create_lr_scheduler_with_warmup":
        scheduler = param_scheduler.create_lr_scheduler_with_warmup(after, **arguments)
    else:
        scheduler = getattr(param_scheduler, case.name)(optimizer, "lr", **arguments)
    trace: list[float] = []
    engine = Engine(lambda engine, batch: trace.append(float(optimizer.param_groups[0]["lr"])))
    # a scheduler of torch is stepped after an update, ignite's own set the rate before one
    wraps_torch = case.name == "torch ExponentialLR"
    engine.add_event_handler(Events.ITERATION_COMPLETED if wraps_torch else Events.ITERATION_STARTED, scheduler)
    engine.run(range(case.horizon), max_epochs=1)
    return trace


def transformers_trace(case: Case) -> list[float]:
    from transformers import get_scheduler

    optimizer = _torch_optimizer(case.peak_lr)
    scheduler = get_scheduler(optimizer=optimizer, **case.arguments)
    return _stepped(optimizer, lambda t: scheduler.step(), case.horizon)


def timm_trace(case: Case) -> list[float]:
    create = _timm_scheduler_factory()
    optimizer, arguments = _torch_optimizer(case.peak_lr), dict(case.arguments)
    scheduler, epochs = create(optimizer, **arguments)
    per_epoch = arguments["updates_per_epoch"]
    assert epochs * per_epoch == case.horizon, f"timm counts {epochs} epochs for {case.arguments}"

    def step(done: int) -> None:
        # as timm's own training script calls it
        if done % per_epoch == 0:
            scheduler.step(done // per_epoch)
        scheduler.step_update(done)

    return _stepped(optimizer, step, case.horizon)


def _timm_scheduler_factory() -> Callable[..., Any]:
    """Import timm's schedulers alone: the package itself needs torchvision, its schedulers do not."""
    if "timm" not in sys.modules and not is_installed("torchvision"):
        spec = importlib.util.find_spec("timm")
        assert spec is not None
        assert spec.origin is not None
        package = types.ModuleType("timm")
        package.__spec__ = spec
        package.__path__ = [str(Path(spec.origin).parent)]
        sys.modules["timm"] = package
    from timm.scheduler import create_scheduler_v2

    made: Callable[..., Any] = create_scheduler_v2
    return made


def _stepped(optimizer: Any, step: Callable[[int], None], n_updates: int) -> list[float]:
    trace = []
    for done in range(1, n_updates + 1):
        trace.append(float(optimizer.param_groups[0]["lr"]))
        step(done)
    return trace


TRACERS: Mapping[str, Callable[[Case], list[float]]] = {
    "optax": optax_trace,
    "keras": keras_trace,
    "ignite": ignite_trace,
    "transformers": transformers_trace,
    "timm": timm_trace,
}
