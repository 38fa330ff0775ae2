"""The code that is written for transformers, optax and Lightning, run in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schedules import Plateau, Recipe, Sgd
from schedules.export import NotPossible, lightning_snippet, optax_snippet, samples, transformers_snippet
from schedules.export.optimizers import optax_optimizer
from schedules.torch import attach, build_optimizer
from tests.compat.libraries import need
from tests.compat.lightning_runs import fit, module_class
from tests.schedules.traces import Setting, assert_same, executed, largest_difference, ours, runs, stepped
from tests.strategies import full_recipes, plateaus

pytestmark = pytest.mark.filterwarnings("default")
HORIZON = 40
EXAMPLES = samples()
Compared = Callable[[str, float], None]
FIXTURES = list(HealthCheck)


def need_for(recipe: Recipe) -> None:
    kind = recipe.optimizer.kind
    if kind == "lion":
        need("lion_pytorch")
    if recipe.optimizer.is_schedule_free:
        need("schedulefree")


def weights() -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(torch.zeros(2, 2)) for _ in range(2)]


def their_transformers(recipe: Recipe, horizon: int, readings: Sequence[float], directory: Path) -> list[Setting]:
    from transformers import get_scheduler

    module = executed(transformers_snippet(recipe, horizon))
    arguments = module["arguments"](str(directory), use_cpu=True, report_to=[])
    optimizer, scheduler = module["build"](weights())
    if scheduler is None:
        scheduler = get_scheduler(
            arguments.lr_scheduler_type,
            optimizer,
            num_warmup_steps=arguments.get_warmup_steps(arguments.max_steps),
            num_training_steps=arguments.max_steps,
            scheduler_specific_kwargs=arguments.lr_scheduler_kwargs,
        )
    return stepped(recipe, optimizer, scheduler, readings, horizon)


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("horizon", [HORIZON, 1237])
def test_the_code_for_transformers_runs_as_the_recipe(
    name: str, horizon: int, tmp_path: Path, compared: Compared
) -> None:
    need("transformers", "accelerate")
    recipe = EXAMPLES[name]
    need_for(recipe)
    try:
        theirs = their_transformers(recipe, horizon, [1.0] * 30, tmp_path)
    except NotPossible:
        assert recipe.optimizer.kind == "muon"
        return
    expected = ours(recipe, horizon, [1.0] * 30, horizon)
    assert_same(theirs, expected, recipe)
    compared("code for transformers", largest_difference(theirs, expected, recipe))


@settings(max_examples=300, suppress_health_check=FIXTURES)
@given(recipe=full_recipes(), horizon=st.integers(2, 200))
def test_the_code_for_transformers_runs_as_any_recipe(
    recipe: Recipe, horizon: int, tmp_path: Path, compared: Compared
) -> None:
    need("transformers", "accelerate")
    recipe = recipe.model_copy(update={"optimizer": Sgd(weight_decay=0.1), "peak_lr": max(recipe.peak_lr, 1e-9)})
    if runs(recipe, horizon):
        theirs, expected = (
            their_transformers(recipe, horizon, [1.0] * 30, tmp_path),
            ours(recipe, horizon, [1.0] * 30, horizon),
        )
        assert_same(theirs, expected, recipe)
        compared("code for transformers, any recipe", largest_difference(theirs, expected, recipe))


@pytest.mark.parametrize("name", ["cosine", "warmup", "plateau", "wsd", "restarts"])
def test_a_trainer_runs_as_the_recipe(name: str, tmp_path: Path, compared: Compared) -> None:
    need("transformers", "accelerate")
    from transformers import Trainer, TrainerCallback

    recipe = EXAMPLES[name]
    module = executed(transformers_snippet(recipe, HORIZON))
    rates: list[Setting] = []

    class Record(TrainerCallback):  # type: ignore[misc]  # the library has no types here
        def on_step_begin(self, *_: Any, optimizer: Any = None, **__: Any) -> None:
            rates.append((optimizer.param_groups[0]["lr"], None, None))

    evaluating = {"eval_strategy": "steps", "eval_steps": 1} if recipe.schedule.start() else {}
    arguments = module["arguments"](
        str(tmp_path), use_cpu=True, report_to=[], save_strategy="no", disable_tqdm=True, **evaluating
    )
    model = _Model()
    optimizers = module["build"](model.parameters())
    observers = [module["Observe"](optimizers[1])] if recipe.schedule.start() else []
    rows = [{"x": [float(number)], "labels": [0.0]} for number in range(8)]
    trainer = Trainer(
        model, arguments, train_dataset=rows, eval_dataset=rows, optimizers=optimizers, callbacks=[Record(), *observers]
    )
    trainer.train()
    readings = [row["eval_loss"] for row in trainer.state.log_history if "eval_loss" in row]
    assert_same(rates, ours(recipe, HORIZON, readings, HORIZON), recipe)
    compared("transformers' Trainer", largest_difference(rates, ours(recipe, HORIZON, readings, HORIZON), recipe))


class _Model(torch.nn.Module):
    """A line whose loss stands still, so that a plateau has something to hear."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"loss": (self.weight * 0 + 1).sum() + 0 * (x.sum() + labels.sum())}


def their_optax(recipe: Recipe, horizon: int, readings: Sequence[float]) -> list[Setting]:
    import jax

    jax.config.update("jax_enable_x64", True)
    module = executed(optax_snippet(recipe, horizon))
    momentum, decay = module.get("momentum_schedule"), module.get("weight_decay_schedule")
    plateau = module["PlateauRate"]() if recipe.schedule.start() else None
    settings: list[Setting] = []
    for t in range(horizon):
        rate = module["schedule"](t) if plateau is None else plateau.rate()
        settings.append((float(rate), momentum and float(momentum(t)), decay and float(decay(t))))
        if plateau is not None:
            plateau.step()
            if t < len(readings):
                plateau.observe(readings[t])
    return settings


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("horizon", [HORIZON, 400])
def test_the_code_for_optax_runs_as_the_recipe(name: str, horizon: int, compared: Compared) -> None:
    need("optax", "jax")
    recipe = EXAMPLES[name]
    theirs, expected = their_optax(recipe, horizon, [1.0] * 30), ours(recipe, horizon, [1.0] * 30, horizon)
    assert_same(theirs, expected, recipe)
    compared("code for optax", largest_difference(theirs, expected, recipe))


@settings(max_examples=300, suppress_health_check=FIXTURES)
@given(recipe=full_recipes(), horizon=st.integers(2, 60))
def test_the_code_for_optax_runs_as_any_recipe(recipe: Recipe, horizon: int, compared: Compared) -> None:
    need("optax", "jax")
    recipe = recipe.model_copy(update={"optimizer": Sgd(weight_decay=0.1), "peak_lr": max(recipe.peak_lr, 1e-9)})
    if runs(recipe, horizon):
        theirs, expected = their_optax(recipe, horizon, [1.0] * 30), ours(recipe, horizon, [1.0] * 30, horizon)
        assert_same(theirs, expected, recipe)
        compared("code for optax, any recipe", largest_difference(theirs, expected, recipe))


@pytest.mark.parametrize(
    "name", [name for name, recipe in EXAMPLES.items() if optax_optimizer(recipe.optimizer) is not None]
)
def test_the_optimizer_in_optax_makes_the_updates_of_torch(name: str, compared: Compared) -> None:
    need("optax", "jax")
    import jax
    import jax.numpy as jnp

    recipe = EXAMPLES[name]
    need_for(recipe)
    jax.config.update("jax_enable_x64", True)
    module = executed(optax_snippet(recipe, HORIZON))
    optimizer = module["optimizer"]
    plateau = module["PlateauRate"]() if recipe.schedule.start() else None
    theirs = jnp.asarray([1.0, -2.0, 3.0])
    state = optimizer.init(theirs)
    weight = torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64))
    made = build_optimizer(recipe.optimizer, [weight], lr=recipe.peak_lr)
    scheduler = attach(recipe, made, HORIZON)
    for t in range(HORIZON):
        gradient = [0.5 + t % 3, -1.0, 0.1 * (t % 7) - 0.2]
        written = state if plateau is None else plateau.write(state)
        updates, state = optimizer.update(jnp.asarray(gradient), written, theirs)
        theirs = theirs + updates
        weight.grad = torch.tensor(gradient, dtype=torch.float64)
        made.step()
        scheduler.step()
        if plateau is not None:
            plateau.step()
            plateau.observe(1.0)
            scheduler.observe(1.0)
    difference = max(abs(float(a) - float(b)) for a, b in zip(theirs, weight.detach(), strict=True))
    assert difference < 1e-12
    compared("weights after 40 updates of optax and torch", difference)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_code_for_lightning_runs_as_the_recipe(name: str, tmp_path: Path, compared: Compared) -> None:
    need("lightning")
    recipe = EXAMPLES[name]
    need_for(recipe)
    try:
        code = lightning_snippet(recipe, HORIZON)
    except NotPossible:
        assert recipe.optimizer.kind == "muon"
        return
    module = module_class(executed(code), recipe)()
    fit(module, tmp_path, HORIZON)
    expected = ours(recipe, HORIZON, [1.0] * HORIZON, HORIZON)
    assert_same(module.settings, expected, recipe)
    compared("code in Lightning's Trainer", largest_difference(module.settings, expected, recipe))


@settings(suppress_health_check=FIXTURES)
@given(plateau=plateaus(), readings=st.lists(st.floats(), max_size=40))
def test_a_plateau_in_optax_runs_as_the_recipe(plateau: Plateau, readings: list[float]) -> None:
    need("optax", "jax")
    recipe = Recipe(optimizer=Sgd(), peak_lr=0.5, schedule=plateau)
    assert_same(their_optax(recipe, 40, readings), ours(recipe, 40, readings, 40), recipe)
