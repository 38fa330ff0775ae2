"""A recipe as code that needs only torch, and the library of its optimizer where that is another."""

from __future__ import annotations

from collections.abc import Iterable
from textwrap import fill

from schedules.averaging import Ema, Swa
from schedules.export.optimizers import beside_muon, torch_call
from schedules.export.scheduler import Scheduler, scheduler
from schedules.optimizers import Muon
from schedules.recipe import Recipe


def torch_snippet(recipe: Recipe, horizon: int) -> str:
    """Write a recipe as a Python module for plain torch.

    The module defines ``build(parameters)``, which returns an optimizer and a scheduler to step after every
    update; the scheduler of a plateau also has ``observe(metric)``. With Muon it is ``build(hidden, others)``, which
    returns two of each. Where the weights are averaged, ``average(model)`` makes the model that averages them.

    Args:
        horizon: updates of the run that it is for.

    Raises:
        ValueError: the recipe cannot be run for so many updates.
    """
    recipe.check(horizon)
    made = scheduler(recipe, horizon)
    parts = [made.definitions, build_code(recipe, made), average_code(recipe, horizon)]
    body = "\n\n".join(part for part in parts if part)
    return f"{head(recipe, horizon, _usage(recipe, horizon, made))}{imports(body)}\n\n{body}"


def head(recipe: Recipe, horizon: int, usage: Iterable[str]) -> str:
    """Return the docstring of a module that holds a recipe."""
    title = fill(recipe.summary(), 116, break_long_words=False, break_on_hyphens=False)
    run = f"Etude recipe {recipe.digest[:12]} for a run of {horizon} updates."
    lines = "\n".join(f"    {line}".rstrip() for line in usage)
    return f'"""{title}\n\n{run}\n\n{lines}\n"""\n\n'


def imports(body: str, *others: str) -> str:
    """Return the imports that a body needs, in order: the standard library, then torch, then others.

    Args:
        others: whole lines.
    """
    known = ("lion_pytorch", "schedulefree", "torch")
    found = [f"import {name}" for name in known if name == "torch" or f"{name}." in body]
    first = "import math\n\n" if "math." in body else ""
    return first + "\n".join([*found, *others]) + "\n"


def build_code(recipe: Recipe, made: Scheduler) -> str:
    """Return the function that makes optimizer and scheduler."""
    call, rate = torch_call(recipe.optimizer), f"lr={recipe.peak_lr!r}"
    if isinstance(recipe.optimizer, Muon):
        return (
            "def build(hidden, others):\n"
            '    """Muon takes the matrices of the hidden layers, AdamW everything else, at one rate."""\n'
            f"{call.text(f'hidden, {rate}', '    muon = ')}\n"
            f"{beside_muon(recipe.optimizer).text(f'others, {rate}', '    adamw = ')}\n"
            "    return (muon, adamw), (schedule(muon), schedule(adamw))\n\n\n"
            f"def schedule(optimizer):\n{made.call.text('optimizer', '    return ')}\n"
        )
    return (
        f"def build(parameters):\n{call.text(f'parameters, {rate}')}\n"
        f"{made.call.text('optimizer', '    scheduler = ')}\n    return optimizer, scheduler\n"
    )


def average_code(recipe: Recipe, horizon: int) -> str:
    """Return the function that makes the averaging model of a recipe; empty if it averages nothing."""
    match recipe.averaging:
        case Ema(decay=decay):
            function = f", multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn({decay!r})"
            what = f"the weights of the last updates, of which each keeps {decay!r} of what was"
        case Swa():
            function, what = "", "all the weights that it is shown"
        case _:
            return ""
    return (
        "def average(model):\n"
        f'    """A copy of the model with the mean of {what}."""\n'
        f"    return torch.optim.swa_utils.AveragedModel(model{function})\n"
    )


def averaging_usage(recipe: Recipe, horizon: int) -> list[str]:
    """Return when the average takes the weights up, as a comment and a line of code; none if nothing is averaged."""
    averaging = recipe.averaging
    if averaging is None:
        return []
    start, every = averaging.start(horizon), averaging.every(horizon)
    since = f"n > {start}" if start else "n > 0"
    condition = since if every == 1 else f"{since} and (n - {start}) % {every} == 0"
    return [
        "after update number n, counted from 1:",
        f"    if {condition}: averaged.update_parameters(model)  # averaged = average(model), made before",
        "at the end: torch.optim.swa_utils.update_bn(loader, averaged), and evaluate averaged",
    ]


def _usage(recipe: Recipe, horizon: int, made: Scheduler) -> list[str]:
    lines = ["optimizer, scheduler = build(model.parameters())"]
    step = "loss.backward(); optimizer.step(); scheduler.step(); optimizer.zero_grad()"
    if isinstance(recipe.optimizer, Muon):
        lines = ["optimizers, schedulers = build(hidden matrices, all other parameters)"]
        step = "loss.backward(); then step() of both optimizers and both schedulers, zero_grad() of both optimizers"
    lines += ["for every batch:", f"    {step}"]
    if made.reads_metric:
        lines.append("after every evaluation: scheduler.observe(metric)")
    if recipe.optimizer.is_schedule_free:
        lines.append("optimizer.train() before training, optimizer.eval() before evaluating and saving")
    lines += averaging_usage(recipe, horizon)
    if made.native is not None and made.native.past:
        lines += ["", f"It is for {horizon} updates and no more: past them {made.native.past}."]
    return lines
