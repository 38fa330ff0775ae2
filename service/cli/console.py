"""Where the command line writes: answers to standard output, everything else to standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence

from pydantic import BaseModel, JsonValue
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from search.study import Plan
from service.schemas import (
    FindingOut,
    LeaderboardOut,
    StudyDetailOut,
    StudyFindingOut,
    StudyOut,
    TrialDetailOut,
    TrialOut,
)

PIPE_COLUMNS = 160
COLOURS = {
    "queued": "dim",
    "running": "cyan",
    "paused": "yellow",
    "completed": "green",
    "pruned": "yellow",
    "diverged": "magenta",
    "cancelled": "dim",
    "failed": "red",
    "training": "cyan",
    "idle": "dim",
    "silent": "yellow",
    "ok": "green",
    "warn": "yellow",
    "fail": "bold red",
}


def out() -> Console:
    """For answers. Made anew each time, so that it follows a redirected standard output."""
    # A pipe has no width: lines stay whole there, so that grep finds them.
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPE_COLUMNS
    return Console(highlight=False, soft_wrap=width is not None, width=width)


def err() -> Console:
    """For progress and complaints."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(value: BaseModel | Sequence[BaseModel]) -> None:
    """One JSON document on standard output, for scripts."""
    dumped: JsonValue
    if isinstance(value, BaseModel):
        dumped = value.model_dump(mode="json")
    else:
        dumped = [each.model_dump(mode="json") for each in value]
    sys.stdout.write(json.dumps(dumped, ensure_ascii=False, indent=2) + "\n")


def plain(text: str) -> str:
    """Somebody else's text: no markup of ours, and nothing that a terminal would obey."""
    return escape("".join(letter for letter in text if letter.isprintable() or letter in "\n\t"))


def coloured(state: str) -> str:
    colour = COLOURS.get(state, "default")
    return f"[{colour}]{state}[/]"


def number(value: float | None) -> str:
    """A metric in a table; a dash where there is none."""
    return "–" if value is None else f"{value:.5g}"


def seconds(value: float | None) -> str:
    """A duration as people read it: ``0.8 s``, ``3 min 20 s``, ``2 h 05 min``."""
    if value is None:
        return "–"
    if value < 9.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def counts_line(study: StudyDetailOut) -> str:
    """Trials per state, those without any left out."""
    found = [f"{count} {coloured(state)}" for state, count in study.counts.items() if count]
    return " · ".join(found) or "no trials yet"


def updates_line(plan: Plan) -> str:
    """How much a trial trains."""
    if not plan.runs:
        return f"{plan.horizon} updates"
    *before, last = map(str, plan.runs)
    return f"up to {plan.total_updates} updates, in runs of {', '.join(before)} and {last}"


def stopped_line(study: StudyOut) -> str:
    """Which limit of its budget a study has reached, and why; empty while it has reached none."""
    if study.stopped_by is None:
        return plain(study.reason)
    return f"stopped by {study.stopped_by} {plain(study.reason)}".rstrip()


def studies_table(studies: Sequence[StudyOut]) -> Table:
    listed = table("study", "task", "state", "budget", "created", "")
    for study in studies:
        created = study.created_at.astimezone().strftime("%Y-%m-%d %H:%M")
        listed.add_row(
            study.name,
            study.task,
            coloured(study.state),
            str(study.request.budget.trials),
            created,
            plain(study.reason),
        )
    return listed


def leaderboard_table(board: LeaderboardOut) -> Table:
    listed = table("#", "trial", board.metric, "test", "recipe", "time", title=f"Leaderboard of {board.study}")
    for trial in board.items:
        test = plain(next(iter(_test_metrics(trial)), "–"))
        listed.add_row(
            str(trial.rank),
            str(trial.number),
            number(trial.value),
            test,
            plain(trial.summary),
            seconds(trial.train_seconds),
        )
    return listed


def trials_table(trials: Sequence[TrialOut]) -> Table:
    listed = table("trial", "state", "value", "recipe", "")
    for trial in trials:
        listed.add_row(
            str(trial.number), coloured(trial.state), number(trial.value), plain(trial.summary), plain(trial.reason)
        )
    return listed


def print_trial(console: Console, trial: TrialDetailOut) -> None:
    """All that people ask about one trial; the traceback of a failure whole and unmarked."""
    console.print(f"trial {trial.number} of {trial.study}: {coloured(trial.state)}  {plain(trial.reason)}".rstrip())
    console.print(f"  recipe   {plain(trial.summary)}")
    console.print(f"  seed     {trial.seed}")
    console.print(f"  updates  {trial.update} of {trial.total_updates}, attempt {trial.attempt}")
    for title, metrics in (("metrics ", trial.metrics), ("test    ", trial.test_metrics)):
        if metrics:
            told = ", ".join(f"{name} {number(value)}" for name, value in metrics.items())
            console.print(f"  {title} {plain(told)}")
    if trial.spared:
        console.print(f"  {plain(trial.spared)}")
    for attempt in trial.attempts:
        ending = attempt.ending or "running"
        console.print(plain(f"  attempt {attempt.attempt} by {attempt.worker}: {ending} {attempt.message}".rstrip()))
    if trial.log:
        console.print("\nlog:")
        console.print(plain(trial.log.rstrip()), soft_wrap=True)


def print_findings(console: Console, findings: Sequence[FindingOut]) -> None:
    """What the rules found; a warning that nobody has acknowledged stands out, with its evidence."""
    for finding in findings:
        known = isinstance(finding, StudyFindingOut) and finding.acknowledged
        said = f"{plain(finding.id)}: {plain(finding.sentence)}"
        if known:
            console.print(f"[dim]acknowledged {said}[/]")
            continue
        if finding.level == "note":
            console.print(f"[dim]note {said}\n  see {plain(finding.citation)}[/]")
            continue
        plans = finding.plans if isinstance(finding, StudyFindingOut) else ()
        where = plain(", ".join(plans) or ".".join(map(str, finding.where)))
        console.print(f"[bold yellow]warning[/] {said}\n  found in {where}\n  see {plain(finding.citation)}")


def _test_metrics(trial: TrialOut) -> list[str]:
    """The metrics of the test split, an accuracy first."""
    ordered = sorted(trial.test_metrics.items(), key=lambda item: ("accuracy" not in item[0], item[0]))
    return [f"{name.removeprefix('test_')} {number(value)}" for name, value in ordered]


def table(*columns: str, title: str | None = None) -> Table:
    """An empty table in the house's style."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold", expand=False)
    for name in columns:
        made.add_column(name, overflow="fold")
    return made
