"""The optimizer of a recipe as text: a call in torch, and in optax where that has the same rule."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, assert_never

from schedules.optimizers import (
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    KnownOptimizer,
    Lion,
    Muon,
    Nadam,
    Rmsprop,
    ScheduleFreeAdamW,
    ScheduleFreeSgd,
    Sgd,
)

LINE: Final = 120
"""Columns of a line of code."""


@dataclass(frozen=True)
class Call:
    """A call that makes an optimizer.

    Attributes:
        name: what is called, with its module.
        arguments: the keywords after the weights and the rate, by name, as Python.
    """

    name: str
    arguments: dict[str, str]

    def text(self, first: str, prefix: str = "    optimizer = ", *, last: str = "") -> str:
        """Return the call as Python, on one line where it fits.

        Args:
            first: the arguments before the constants.
            prefix: what stands before the call on its line, which the result holds as well.
            last: the argument after the constants, if there is one.
        """
        constants = [f"{name}={value}" for name, value in self.arguments.items()]
        arguments = ", ".join(each for each in (*first.split(", "), *constants, last) if each)
        line = f"{prefix}{self.name}({arguments})"
        if len(line) <= LINE:
            return line
        margin = " " * (len(prefix) - len(prefix.lstrip()))
        if len(margin) + 4 + len(arguments) <= LINE:
            return f"{prefix}{self.name}(\n{margin}    {arguments}\n{margin})"
        lines = "".join(f"{margin}    {each},\n" for each in (*first.split(", "), *constants, last) if each)
        return f"{prefix}{self.name}(\n{lines}{margin})"


def literal(value: object) -> str:
    """Return a value as Python, text in double quotes."""
    return json.dumps(value) if isinstance(value, str) else repr(value)


def torch_call(optimizer: KnownOptimizer) -> Call:
    """Return the optimizer of torch, lion-pytorch or schedulefree; Muon's own weights only."""
    decay = {"weight_decay": repr(optimizer.weight_decay)}
    match optimizer:
        case Sgd(momentum=momentum, nesterov=nesterov):
            return Call("torch.optim.SGD", {"momentum": repr(momentum), "nesterov": repr(nesterov), **decay})
        case Lion():
            return Call("lion_pytorch.Lion", {**_betas(optimizer), **decay})
        case Muon(momentum=momentum, nesterov=nesterov, n_iterations=steps):
            own = {"momentum": repr(momentum), "nesterov": repr(nesterov), "ns_steps": repr(steps)}
            return Call("torch.optim.Muon", {**own, **decay, "adjust_lr_fn": '"match_rms_adamw"'})
        case ScheduleFreeSgd(momentum=momentum):
            return Call("schedulefree.SGDScheduleFree", {"momentum": repr(momentum), **decay})
        case ScheduleFreeAdamW(eps=eps):
            return Call("schedulefree.AdamWScheduleFree", {**_betas(optimizer), "eps": repr(eps), **decay})
        case _:
            return _adaptive(optimizer, decay)


def _adaptive(optimizer: Adagrad | Rmsprop | Adam | AdamW | Nadam | Adamax, decay: dict[str, str]) -> Call:
    eps = {"eps": repr(optimizer.eps)}
    match optimizer:
        case Adagrad(initial_accumulator=start):
            return Call("torch.optim.Adagrad", {"initial_accumulator_value": repr(start), **eps, **decay})
        case Rmsprop(alpha=alpha, centered=centered, momentum=momentum):
            own = {"alpha": repr(alpha), **eps, "centered": repr(centered), "momentum": repr(momentum)}
            return Call("torch.optim.RMSprop", {**own, **decay})
        case Adam():
            return Call("torch.optim.Adam", {**_betas(optimizer), **eps, **decay})
        case AdamW():
            return Call("torch.optim.AdamW", {**_betas(optimizer), **eps, **decay})
        case Nadam(momentum_decay=momentum_decay, decoupled=decoupled):
            more = {"momentum_decay": repr(momentum_decay), "decoupled_weight_decay": repr(decoupled)}
            return Call("torch.optim.NAdam", {**_betas(optimizer), **eps, **decay, **more})
        case Adamax():
            return Call("torch.optim.Adamax", {**_betas(optimizer), **eps, **decay})
        case _:
            assert_never(optimizer)


def beside_muon(optimizer: Muon) -> Call:
    """Return the optimizer of the weights that Muon does not take."""
    constants = {"eps": repr(optimizer.eps), "weight_decay": repr(optimizer.weight_decay)}
    return Call("torch.optim.AdamW", {**_betas(optimizer), **constants})


def torch_momentum(optimizer: KnownOptimizer) -> str:
    """Return the key and the value, in a group of the torch optimizer, of ``momentum(t)``."""
    if optimizer.momentum_field == "beta1":
        return 'group["betas"] = (momentum(self.last_epoch), group["betas"][1])'
    return 'group["momentum"] = momentum(self.last_epoch)'


@dataclass(frozen=True)
class OptaxOptimizer:
    """An optimizer of optax that makes the same updates as torch's.

    Attributes:
        call: the optimizer, called with keywords.
        decay_first: the decay that is added to the gradient before it, 0 if the call decays itself.
        momentum: the keyword that holds the momentum; empty if there is none.
        decay: the keyword that holds the weight decay; empty if it is added before.
    """

    call: Call
    decay_first: float = 0.0
    momentum: str = ""
    decay: str = ""


def optax_optimizer(optimizer: KnownOptimizer) -> OptaxOptimizer | None:
    """Return the optimizer of optax that makes the same updates, or ``None`` where it has no such rule.

    Left out on purpose: optax's Adagrad and Adamax put ``eps`` elsewhere, its RMSprop multiplies by the rate before the
    momentum, its NAdam has no momentum decay, its Muon scales its steps otherwise, and its schedule-free
    wrappers weigh the average otherwise.
    """
    decay = optimizer.weight_decay
    match optimizer:
        case Sgd(momentum=momentum, nesterov=nesterov):
            call = Call("optax.sgd", {"momentum": repr(momentum), "nesterov": repr(nesterov)})
            return OptaxOptimizer(call, decay_first=decay, momentum="momentum")
        case Adam():
            call = Call("optax.adam", {**_b1_b2(optimizer), "eps": repr(optimizer.eps)})
            return OptaxOptimizer(call, decay_first=decay, momentum="b1")
        case AdamW():
            call = Call("optax.adamw", {**_b1_b2(optimizer), "eps": repr(optimizer.eps), "weight_decay": repr(decay)})
            return OptaxOptimizer(call, momentum="b1", decay="weight_decay")
        case Lion():
            call = Call("optax.lion", {**_b1_b2(optimizer), "weight_decay": repr(decay)})
            return OptaxOptimizer(call, momentum="b1", decay="weight_decay")
        case _:
            return None


def _betas(optimizer: Adam | AdamW | Nadam | Adamax | Lion | Muon | ScheduleFreeAdamW) -> dict[str, str]:
    return {"betas": f"({optimizer.beta1!r}, {optimizer.beta2!r})"}


def _b1_b2(optimizer: Adam | AdamW | Lion) -> dict[str, str]:
    return {"b1": repr(optimizer.beta1), "b2": repr(optimizer.beta2)}
