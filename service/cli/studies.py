"""Commands about studies: submit, list, show, change."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Annotated, Any

import typer

from search.presets import PRESETS, find_preset
from search.study import StudyState
from service.cli.asking import Json, Name, Project, Url, client
from service.cli.console import (
    coloured,
    counts_line,
    leaderboard_table,
    number,
    out,
    plain,
    print_findings,
    print_json,
    print_trial,
    seconds,
    stopped_line,
    studies_table,
    trials_table,
    updates_line,
)
from service.cli.exits import Exit, Stop
from service.cli.requests import pairs, read_document, scalar, study_request
from service.cli.watching import exit_of_state, watch_study
from service.client import Client
from service.schemas import StudyDetailOut

LISTED = 200


def submit(
    file: Annotated[
        str | None, typer.Argument(help="JSON or YAML file with a study request; - is standard input.")
    ] = None,
    task: Annotated[str | None, typer.Option(help="Task to train.")] = None,
    preset: Annotated[
        str | None, typer.Option(help=f"A study that comes with Etude, instead of a file: {', '.join(PRESETS)}.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the study; made up when not given.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Epochs of each trial.")] = None,
    trials: Annotated[int | None, typer.Option(help="Budget: distinct trials.")] = None,
    max_seconds: Annotated[
        float | None, typer.Option("--seconds", help="Budget: seconds since the first trial.")
    ] = None,
    target: Annotated[float | None, typer.Option(help="Stop at a value at least this good.")] = None,
    no_improvement: Annotated[
        int | None, typer.Option(help="Stop when so many trials in a row brought no better value.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the study.")] = None,
    optimizer: Annotated[list[str] | None, typer.Option(help="Optimizer to search; may be repeated.")] = None,
    family: Annotated[list[str] | None, typer.Option(help="Schedule family to search; may be repeated.")] = None,
    metric: Annotated[str | None, typer.Option(help="Objective metric.")] = None,
    direction: Annotated[str | None, typer.Option(help="minimize or maximize.")] = None,
    sampler: Annotated[str | None, typer.Option(help="tpe, random, qmc, grid, cmaes or gp.")] = None,
    pruner: Annotated[str | None, typer.Option(help="none, median, halving, hyperband or patient.")] = None,
    priority: Annotated[int | None, typer.Option(help="Studies of higher priority get workers first.")] = None,
    device: Annotated[
        list[str] | None, typer.Option(help="Kind of device to train on: cpu, cuda or other; may be repeated.")
    ] = None,
    trials_per_device: Annotated[int | None, typer.Option(help="Trials that train on one device at once.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="NAME=VALUE; may be repeated.")] = None,
    option: Annotated[list[str] | None, typer.Option(help="Task option NAME=VALUE; may be repeated.")] = None,
    acknowledge: Annotated[
        list[str] | None, typer.Option(help="Id of a rule whose warning you know; may be repeated.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow the study to its end.")] = False,
    url: Url = None,
    project: Project = "default",
    as_json: Json = False,
) -> None:
    """Post a study, from a file or a preset, from flags, or from both: flags win."""
    options = pairs("--option", option or ())
    flags = {
        "task": task,
        "name": name,
        "epochs": epochs,
        "budget.trials": trials,
        "budget.seconds": max_seconds,
        "budget.target": target,
        "budget.no_improvement_trials": no_improvement,
        "seed": seed,
        "space.optimizers": optimizer,
        "space.families": family,
        "objective.metric": metric,
        "objective.direction": direction,
        "sampler.kind": sampler,
        "pruner.kind": pruner,
        "priority": priority,
        "devices.kinds": device,
        "trials_per_device": trials_per_device,
        "acknowledge": acknowledge,
        "labels": pairs("--label", label or ()),
        "task_options": options and {key: scalar(value) for key, value in options.items()},
    }
    request = study_request(_document(file, preset), flags)
    with client(url, project) as service:
        study = service.create_study(request)
        if not watch:
            _show_posted(service, study, as_json=as_json)
            return
        if not as_json:
            print_findings(out(), study.findings)
        study = watch_study(service, study.name)
        if as_json:
            print_json(study)
        else:
            show_answers(service, study)
    raise typer.Exit(exit_of_state(study.state))


def _document(file: str | None, preset: str | None) -> dict[str, Any]:
    """What the flags are laid over."""
    if file is not None and preset is not None:
        raise Stop(Exit.USAGE, f"name a file or a preset, not both: {file} and {preset}")
    if preset is not None:
        return find_preset(preset).request.model_dump(mode="json", exclude_unset=True)
    return {} if file is None else read_document(file)


def _show_posted(service: Client, study: StudyDetailOut, *, as_json: bool) -> None:
    if as_json:
        print_json(study)
        return
    out().print(
        f"study [bold]{study.name}[/] is {coloured(study.state)}: {study.request.budget.trials} trials "
        f"of {updates_line(study.plan)}\n  etude watch {study.name}\n  {service.url}/dashboard"
    )
    if study.waiting_for is not None:
        out().print(f"  waits for {plain(study.waiting_for)}")
    print_findings(out(), study.findings)


def studies(
    state: Annotated[StudyState | None, typer.Option(help="Only studies in this state.")] = None,
    url: Url = None,
    project: Project = "default",
    as_json: Json = False,
) -> None:
    """List the studies, newest first."""
    with client(url, project) as service:
        found = service.studies(state=state)
        if as_json:
            print_json(list(found))
            return
        shown = list(islice(found, LISTED + 1))
    if not shown:
        out().print("no studies yet: `etude submit --task digits-mlp --watch` posts one")
        return
    out().print(studies_table(shown[:LISTED]))
    if len(shown) > LISTED:
        out().print(f"… and more: only the newest {LISTED} are shown; --json lists all")


def show(
    name: Name,
    trial: Annotated[
        int | None, typer.Argument(help="A trial's number: its detail, and the traceback of a failure.")
    ] = None,
    trials: Annotated[bool, typer.Option("--trials", help="List every trial.")] = False,
    url: Url = None,
    project: Project = "default",
    as_json: Json = False,
) -> None:
    """Show a study with its leaderboard, all its trials, or one trial whole."""
    with client(url, project) as service:
        if trial is not None:
            detail = service.trial(name, trial)
            print_json(detail) if as_json else print_trial(out(), detail)
        elif trials:
            listed = list(service.trials(name))
            print_json(listed) if as_json else out().print(trials_table(listed))
        else:
            study = service.study(name)
            print_json(study) if as_json else _show_study(service, study)


def _show_study(service: Client, study: StudyDetailOut) -> None:
    console = out()
    console.print(f"study [bold]{study.name}[/]: {coloured(study.state)}  {stopped_line(study)}".rstrip())
    plan, progress = study.plan, study.progress
    console.print(f"  task      {study.task}, {updates_line(plan)}, {plan.updates_per_epoch} per epoch")
    console.print(f"  objective {plan.direction} {plan.metric}, {plan.at}")
    console.print(f"  trials    {progress.finished} of {progress.budget}: {counts_line(study)}")
    if study.waiting_for is not None:
        console.print(f"  waits for {plain(study.waiting_for)}")
    console.print(f"  time      {seconds(progress.seconds)}, left: {seconds(progress.seconds_left)}")
    print_findings(console, study.findings)
    console.print()
    _show_board(service, study)


def show_answers(service: Client, study: StudyDetailOut, *, limit: int = 10) -> None:
    """The leaderboard, and the best recipe as JSON and as a program for torch."""
    _show_board(service, study, limit=limit)
    if study.best is None:
        return
    console = out()
    console.print(f"\n[bold]Best recipe[/]: {plain(study.best.summary)}\n")
    console.print(study.best.recipe.model_dump_json(indent=2), markup=False, soft_wrap=True)
    console.print("\n[bold]In torch[/]:\n")
    console.print(service.best_torch(study.name).rstrip(), markup=False, soft_wrap=True)


def _show_board(service: Client, study: StudyDetailOut, *, limit: int = 10) -> None:
    board = service.leaderboard(study.name, limit=limit)
    if board.items:
        out().print(leaderboard_table(board))
    else:
        out().print("no trial has completed yet")


def best(
    name: Name,
    to: Annotated[str, typer.Option(help="json or torch.")] = "json",
    url: Url = None,
    project: Project = "default",
    as_json: Json = False,
) -> None:
    """Print the best recipe, as JSON or as a program for torch."""
    if to not in ("json", "torch"):
        raise Stop(Exit.USAGE, f"--to takes json or torch, not {to!r}")
    if as_json and to == "torch":
        raise Stop(Exit.USAGE, "--json and --to torch exclude each other: leave one out")
    with client(url, project) as service:
        if to == "torch":
            out().print(service.best_torch(name).rstrip(), markup=False, soft_wrap=True)
        else:
            print_json(service.best(name).recipe)


def watch(name: Name, url: Url = None, project: Project = "default", as_json: Json = False) -> None:
    """Follow a study to its end: bar, best value, trials per state, time left."""
    with client(url, project) as service:
        study = watch_study(service, name)
        print_json(study) if as_json else _show_board(service, study)
    raise typer.Exit(exit_of_state(study.state))


def pause(name: Name, url: Url = None, project: Project = "default", as_json: Json = False) -> None:
    """Hand out nothing new; what runs finishes."""
    _change(url, project, lambda service: service.pause_study(name), as_json=as_json)


def resume(name: Name, url: Url = None, project: Project = "default", as_json: Json = False) -> None:
    """Hand out trials again."""
    _change(url, project, lambda service: service.resume_study(name), as_json=as_json)


def cancel(name: Name, url: Url = None, project: Project = "default", as_json: Json = False) -> None:
    """End a study; running trials are told at their next report."""
    _change(url, project, lambda service: service.cancel_study(name), as_json=as_json)


def tasks(url: Url = None, as_json: Json = False) -> None:
    """List the tasks that a study may name."""
    with client(url) as service:
        found = list(service.tasks())
    if as_json:
        print_json(found)
        return
    for task in found:
        metrics = ", ".join(task.metrics)
        out().print(f"[bold]{task.name}[/]  {plain(task.description)}")
        out().print(f"  metrics: {plain(metrics)}; objective: {plain(task.objective)}")


def _change(url: str | None, project: str, act: Callable[[Client], StudyDetailOut], *, as_json: bool) -> None:
    with client(url, project) as service:
        study = act(service)
    if as_json:
        print_json(study)
    else:
        out().print(f"study {study.name} is {coloured(study.state)} ({number(study.progress.fraction * 100)} % done)")
