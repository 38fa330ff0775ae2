"""What the doctor says of one thing that it looked at."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

Level = Literal["ok", "warn", "fail"]


class Diagnosis(BaseModel):
    """One thing that was looked at, and what to do about it.

    Attributes:
        check: what was looked at, in a word or two.
        level: ``warn`` for what works and may disappoint, ``fail`` for what does not work.
        sentence: what was found.
        todo: what to do, in a sentence; empty where nothing is to be done.
        figures: what was measured, for scripts.
        detail: lines for whoever has to find the cause, such as a traceback.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")

    check: str
    level: Level
    sentence: str
    todo: str = ""
    figures: dict[str, JsonValue] = {}
    detail: str = ""


def fine(check: str, sentence: str, **figures: Any) -> Diagnosis:
    """Nothing is to be done."""
    return Diagnosis(check=check, level="ok", sentence=sentence, figures=figures)


def warning(check: str, sentence: str, todo: str, **figures: Any) -> Diagnosis:
    """It works, and may disappoint."""
    return Diagnosis(check=check, level="warn", sentence=sentence, todo=todo, figures=figures)


def failing(check: str, sentence: str, todo: str, *, detail: str = "", **figures: Any) -> Diagnosis:
    """It does not work."""
    return Diagnosis(check=check, level="fail", sentence=sentence, todo=todo, figures=figures, detail=detail)


def size(n_bytes: float) -> str:
    """A number of bytes as people read it: ``640 B``, ``1.5 MiB``, ``70 GiB``."""
    value, unit = float(n_bytes), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.2g} {unit}"
