"""Schedules drawn in the terminal and as files, without a service."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from schedules import FAMILIES, Cosine
from schedules.drawing.axes import LinearAxis, LogAxis, RunAxis
from service.cli import plot
from service.cli.exits import Exit
from tests.cli.conftest import Etude
from tests.schedules.pictures import elements, names, texts

RECIPE = {"optimizer": {"kind": "sgd"}, "peak_lr": 0.1, "schedule": {"kind": "linear"}}


def file_of(directory: Path, document: Any) -> str:
    file = directory / "asked.json"
    file.write_text(json.dumps(document))
    return str(file)


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (["cosine"] * 21, Exit.REFUSED, "a chart has from 1 to 20 curves, got 21"),
        (["cosine", "linear", "--set", "power=2"], Exit.REFUSED, "cosine.power: Extra inputs are not permitted"),
        (["cosine", "--updates-per-epoch", "0"], Exit.USAGE, "--updates-per-epoch"),
        (["cosine", "--theme", "sepia"], Exit.USAGE, "--theme"),
        (["cosine", "--png", "/nowhere/at/all.png"], Exit.FAILED, "/nowhere/at/all.png cannot be written"),
        (["cosine", "multi_factor", "-n", "2"], Exit.REFUSED, "0.5, 0.75 cannot be run for 2 updates"),
    ],
)
def test_what_cannot_be_drawn_is_refused(alone: Etude, arguments: list[str], code: Exit, said: str) -> None:
    ran = alone("preview", *arguments)
    assert ran.code == code
    assert said in ran.err
    assert ran.out == ""


def test_a_rate_and_a_share_of_one_are_not_drawn_together(alone: Etude, tmp_path: Path) -> None:
    ran = alone("preview", "cosine", file_of(tmp_path, RECIPE))
    assert ran.code == Exit.REFUSED
    assert "'cosine' has none" in ran.err
    assert alone("preview", "cosine", file_of(tmp_path, RECIPE), "--peak-lr", "0.3").code == Exit.OK


def test_a_file_of_many_takes_no_fields_from_flags(alone: Etude, tmp_path: Path) -> None:
    ran = alone("preview", file_of(tmp_path, {"schedules": [{"schedule": {"kind": "linear"}}]}), "--set", "power=2")
    assert ran.code == Exit.USAGE
    assert "--set changes the fields of one schedule" in ran.err


@pytest.mark.parametrize("name", ["picture.txt", "picture"])
def test_a_sheet_is_neither_text_nor_nameless(alone: Etude, tmp_path: Path, name: str) -> None:
    ran = alone("gallery", str(tmp_path / name))
    assert ran.code == Exit.USAGE
    assert f"as .svg or .png, not as {name!r}" in ran.err
    assert not list(tmp_path.iterdir())


def test_one_schedule_is_drawn_with_its_axes_and_marks(alone: Etude) -> None:
    ran = alone("preview", "cosine", "--warmup", "0.1", "--peak-lr", "0.01")
    assert ran.code == Exit.OK
    assert "warmup 10% · cosine" in ran.out
    assert "learning rate over 1,000 updates" in ran.out
    assert " 0.01 ┤" in ran.out
    assert "▲ warm-up ends at update 100" in ran.out


def test_many_schedules_are_told_apart_without_colours(alone: Etude) -> None:
    ran = alone("preview", "cosine", "linear", "restarts", "--log")
    drawing, legend = ran.out.split("└")
    for letter, name in (("a", "cosine"), ("b", "linear"), ("c", "restarts 3 · cosine")):
        assert letter in drawing.partition("\n")[2]
        assert f"{letter}  {name}\n" in legend
    assert "logarithmic" in drawing
    assert "◆ restart at update 333, 667" in legend


def test_the_run_is_counted_in_epochs(alone: Etude) -> None:
    ran = alone("preview", "step", "--updates-per-epoch", "50")
    assert "in epochs of 50 updates" in ran.out
    assert "▼ drop at epoch 6.66, 13.34" in ran.out


def test_a_file_of_many_is_drawn_with_its_labels(alone: Etude, tmp_path: Path) -> None:
    curves = [{"schedule": {"kind": "linear"}, "label": "ours", "peak_lr": 0.1}, {"recipe": RECIPE, "label": "theirs"}]
    ran = alone("preview", file_of(tmp_path, {"schedules": curves}))
    assert "a  ours" in ran.out
    assert "b  theirs" in ran.out


def test_a_sequence_in_a_file_is_one_schedule(alone: Etude, tmp_path: Path) -> None:
    parts = [{"kind": "constant"}, {"kind": "linear"}]
    ran = alone("preview", file_of(tmp_path, {"kind": "sequence", "schedules": parts, "milestones": [0.5]}))
    assert ran.code == Exit.OK
    assert "■ next phase at update 500" in ran.out


def test_scripts_get_the_points_of_one_or_of_many(alone: Etude) -> None:
    one = json.loads(alone("preview", "cosine", "-n", "10", "--json").out)
    assert [point["multiplier"] for point in one["points"]] == [Cosine()(t, 10) for t in range(10)]
    many = json.loads(alone("preview", "cosine", "linear", "-n", "10", "--json").out)
    assert [each["kind"] for each in many["schedules"]] == ["cosine", "linear"]


def test_files_are_written_beside_the_drawing(alone: Etude, tmp_path: Path) -> None:
    vector, pixels = tmp_path / "a.svg", tmp_path / "a.png"
    ran = alone("preview", "cosine", "wsd", "--svg", str(vector), "--png", str(pixels), "--theme", "dark")
    assert ran.code == Exit.OK
    assert names(vector.read_text()) == ["cosine", "wsd decay 20% one minus sqrt"]
    assert "style" not in elements(vector.read_text())
    assert pixels.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_the_sheet_of_all_schedules_is_written_as_its_name_says(alone: Etude, tmp_path: Path) -> None:
    vector, pixels = tmp_path / "sheet.svg", tmp_path / "sheet.PNG"
    assert alone("gallery", str(vector)).out == f"wrote {vector}\n"
    assert alone("gallery", str(pixels), "--theme", "light").code == Exit.OK
    assert set(FAMILIES) <= set(texts(vector.read_text()))
    width, height = struct.unpack(">II", pixels.read_bytes()[16:24])
    assert width > 1500
    assert height > 1500


def test_a_line_is_drawn_where_its_values_are() -> None:
    axis = LinearAxis(0.0, 1.0)
    drawn = plot.draw(
        [plot.stroke(0, [(0, 1.0), (99, 0.0)], axis, 100)], axis, RunAxis(100, None, 80), columns=10, rows=5
    )
    rows = [line.split("┤")[1] for line in drawn.plain.splitlines() if "┤" in line]
    assert [next(at for at, cell in enumerate(row) if cell != " ") for row in rows] == [0, 2, 4, 6, 8]


def test_what_is_below_a_logarithmic_axis_is_not_drawn() -> None:
    axis = LogAxis(0.1, 1.0)
    drawn = plot.draw(
        [plot.stroke(0, [(0, 1.0), (50, 0.0), (99, 0.0)], axis, 100)], axis, RunAxis(100, None, 80), columns=10, rows=4
    )
    bottom = drawn.plain.splitlines()[3].split("┤")[1]
    assert bottom.strip()
    assert bottom[5:].strip() == ""


@pytest.mark.parametrize("horizon", [1, 3, 1000, 10**9])
@pytest.mark.parametrize("columns", [24, 72])
def test_the_numbers_below_the_axis_stay_apart_and_in_the_frame(horizon: int, columns: int) -> None:
    axis = LinearAxis(0.0, 1.0)
    drawn = plot.draw(
        [plot.stroke(0, [(0, 1.0)], axis, horizon)], axis, RunAxis(horizon, None, columns * 8), columns=columns
    )
    numbers = drawn.plain.splitlines()[-1]
    assert numbers.split()[0] == "0"
    assert all(word.replace(",", "").isdigit() for word in numbers.split())
    assert len(numbers) <= len(drawn.plain.splitlines()[-2]) + 1
