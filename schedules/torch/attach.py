"""A recipe that drives an optimizer of one's own training program."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, optim
from torch.optim.lr_scheduler import LRScheduler

from schedules.base import PlateauState
from schedules.recipe import Recipe

Group = dict[str, Any]


class RateChanged(RuntimeError):
    """An update was about to run, or has run, with a constant that the recipe did not set."""

    def __init__(self, update: int, what: str, wanted: float, found: float) -> None:
        super().__init__(update, what, wanted, found)
        self.update = update
        self.what = what
        self.wanted = wanted
        self.found = found

    def __str__(self) -> str:
        return (
            f"update {self.update} must run at the {what_of(self.what)} of the recipe, {self.wanted!r}, but the "
            f"optimizer has {self.found!r}: something else wrote it, or optimizer and scheduler were restored from "
            f"different updates"
        )


def what_of(key: str) -> str:
    """Return the words for a key of an optimizer's group."""
    return {"lr": "learning rate", "betas": "beta1", "weight_decay": "weight decay"}.get(key, key)


def attach(recipe: Recipe, optimizer: optim.Optimizer, horizon: int, *, done: int = 0) -> RecipeLR:
    """Let a recipe drive an optimizer; step what is returned after every update.

    Args:
        optimizer: one made for the recipe; its own rates are overwritten.
        horizon: updates of the whole run. Accelerate steps a scheduler once for every process: with n of them that
            is n times the updates, unless ``split_batches`` is set.
        done: updates already made, to go on from there; a plateau needs its saved state besides.

    Raises:
        ValueError: the recipe cannot be run for so many updates, drives a constant that the optimizer does not have,
            or has a plateau and is to go on without its state.
    """
    scheduler = RecipeLR(optimizer, recipe, horizon)
    if done:
        if scheduler.state is not None:
            raise ValueError(
                f"a run with a plateau goes on from what the plateau has read, not from the update {done} alone: "
                f"load the scheduler's saved state"
            )
        scheduler.load_state_dict({"t": done, "state": None})
    return scheduler


class RecipeLR(LRScheduler):
    """A recipe as a torch scheduler: it writes the rate, and momentum and weight decay where the recipe has curves.

    The rate is the recipe's, whatever the optimizer was made with; a group with an ``lr_scale`` has that share of
    it. Everything is computed anew from the update index each time, and before each update it is compared with what the
    optimizer holds, so that no update runs otherwise, above all the first after a restore. The saved state is
    the update index and what a plateau has read, nothing else; optimizer and scheduler may be restored in any order.

    Attributes:
        recipe: the recipe.
        horizon: updates of the whole run.
        state: what the schedule remembers of its metric; ``None`` if it reads none.

    Raises:
        ValueError: the recipe cannot be run for so many updates, or drives a constant that the optimizer does not have.
    """

    def __init__(self, optimizer: optim.Optimizer, recipe: Recipe, horizon: int) -> None:
        recipe.check(horizon)
        self.recipe = recipe
        self.horizon = horizon
        self.state: PlateauState | None = recipe.schedule.start()
        self._momentum_key = "betas" if recipe.optimizer.momentum_field == "beta1" else "momentum"
        if recipe.momentum is not None:
            _refuse_without(self._momentum_key, optimizer)
        if recipe.weight_decay is not None:
            _refuse_without("weight_decay", optimizer)
        super().__init__(optimizer)
        self._hook = optimizer.register_step_pre_hook(lambda *_: self.assert_rate())

    def get_lr(self) -> list[float | Tensor]:
        rate = self.recipe.rate(self.last_epoch, self.horizon, self.state)
        return [rate * group.get("lr_scale", 1.0) for group in self.optimizer.param_groups]

    def step(self, epoch: int | None = None) -> None:
        """Set what the next update runs with.

        Raises:
            ValueError: an epoch is given; the recipe counts updates.
        """
        if epoch is not None:
            raise ValueError(f"a recipe is stepped by one update at a time, got the epoch {epoch}")
        super().step()
        self._write_curves()

    def observe(self, metric: float) -> None:
        """Take one reading of the metric, after the updates made so far; the next update runs at the new rate."""
        if self.state is not None:
            self.state = self.recipe.schedule.observe(self.state, metric, self.last_epoch, self.horizon)
            self._write()

    def assert_rate(self) -> None:
        """Compare what the optimizer holds with what the next update must run with; done before every update.

        Raises:
            RateChanged: something is not what the recipe sets.
        """
        for group, rate in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            _compare(self.last_epoch, "lr", rate, group["lr"])
        for group, key, value in self._curves():
            _compare(self.last_epoch, key, value, group[key][0] if key == "betas" else group[key])

    def detach(self) -> None:
        """Let go of the optimizer: nothing is compared any more."""
        self._hook.remove()

    def state_dict(self) -> dict[str, Any]:
        """Return the update index and the schedule's memory, as JSON values."""
        return {"t": self.last_epoch, "state": None if self.state is None else self.state.model_dump(mode="json")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from a saved state.

        Raises:
            ValueError: the state is not one of this recipe's.
        """
        t, state = state_dict["t"], state_dict["state"]
        if (state is None) != (self.state is None):
            kind = self.recipe.schedule.kind
            raise ValueError(f"the saved state does not belong to a recipe with the schedule {kind!r}: {state_dict}")
        self.last_epoch = t
        self.state = None if state is None else PlateauState.model_validate(state)
        self._write()
        self.assert_rate()

    def _write(self) -> None:
        self.last_epoch -= 1
        self._update_lr()
        self._write_curves()

    def _write_curves(self) -> None:
        for group, key, value in self._curves():
            group[key] = (value, *group["betas"][1:]) if key == "betas" else value

    def _curves(self) -> Iterator[tuple[Group, str, float]]:
        """Yield what curves set for the next update: the group, its key, and the value.

        A group without the key has no such constant: of Muon's two, only that of the matrices has a momentum.
        """
        wanted: dict[str, float | None] = {}
        if self.recipe.momentum is not None:
            wanted[self._momentum_key] = self.recipe.momentum_at(self.last_epoch, self.horizon)
        if self.recipe.weight_decay is not None:
            wanted["weight_decay"] = self.recipe.weight_decay_at(self.last_epoch, self.horizon)
        for key, value in wanted.items():
            for group in self.optimizer.param_groups:
                if key in group and value is not None:
                    yield group, key, value


def _refuse_without(key: str, optimizer: optim.Optimizer) -> None:
    if not any(key in group for group in optimizer.param_groups):
        raise ValueError(f"the recipe drives the {what_of(key)}, but {type(optimizer).__name__} has none")


def _compare(update: int, key: str, wanted: float | Tensor, found: float | Tensor) -> None:
    # a rate that lies in a tensor, for a captured graph, is as exact as its type
    expected = float(torch.as_tensor(wanted, dtype=found.dtype)) if isinstance(found, Tensor) else float(wanted)
    if float(found) != expected:
        raise RateChanged(update, key, expected, float(found))
