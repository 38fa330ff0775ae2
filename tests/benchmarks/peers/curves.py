"""Lane-updates per second against the number of lanes, as pictures: ``python -m tests.benchmarks.peers.curves FOLDER``.

Measured as a worker measures, and kept in lanes.json beside the pictures; what lies there is not measured again.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import torch

from schedules.drawing import png
from schedules.drawing.colours import LINES, paint
from schedules.drawing.page import MARGIN, Page
from search.tasks import registry
from search.training.data import Datasets
from search.training.lanes.calibration import Calibration
from tests.benchmarks.peers.values import Workload
from tests.benchmarks.peers.workloads import WORKLOADS, why_not, write_files

WIDTH: Final = 560.0
HEIGHT: Final = 260.0
LEFT: Final = 86.0


def main(folder: Path) -> None:
    """Measure every workload, and draw it."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as files:
        write_files(WORKLOADS, Path(files))
        write_curves(WORKLOADS.values(), folder)


def write_curves(workloads: Iterable[Workload], folder: Path) -> None:
    """Measure how many lanes pay in these workloads, and draw every curve in the folder."""
    file = folder / "lanes.json"
    calibration, datasets = Calibration(file), Datasets(torch.device("cpu"))
    for workload in workloads:
        if why_not(workload) is None:
            task = registry.load(workload.task)
            print(f"lanes of {workload.key}", end=" ", flush=True)
            print(calibration(task, dict(task.info.complete(workload.options)), datasets), flush=True)
    for key, found in json.loads(file.read_text()).items():
        curve = {int(lanes): float(rate) for lanes, rate in found["updates_per_second"].items()}
        if curve:
            draw(_title(found), curve, int(found["lanes"]), folder / f"lanes-{found['holds_for']['task']}-{key[:8]}")


def draw(title: str, curve: Mapping[int, float], chosen: int, path: Path) -> None:
    """Write the picture of one calibration as SVG and as PNG."""
    drawn = curve_page(title, curve, chosen)
    path.with_suffix(".svg").write_text(drawn)
    path.with_suffix(".png").write_bytes(png(drawn))


def curve_page(title: str, curve: Mapping[int, float], chosen: int) -> str:
    """Draw one curve; lanes as powers of two to the right, updates of all lanes per second upwards from 0."""
    page = Page(LEFT + WIDTH + 2 * MARGIN, "light")
    page.write(title, size=16)
    gain = curve[chosen] / curve[1]
    page.write(f"{chosen} lanes are used: {gain:.2f} times one trial at a time", colour="soft")
    page.skip(18)
    top, most = page.y, max(curve.values())
    last = max(1.0, math.log2(max(curve)))
    places = {
        n_lanes: (LEFT + WIDTH * math.log2(n_lanes) / last, top + HEIGHT * (1 - rate / most))
        for n_lanes, rate in sorted(curve.items())
    }
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = top + HEIGHT * (1 - share)
        page.rule(LEFT, y, LEFT + WIDTH, y, "axis", faint=share > 0)
        page.put(f"{share * most:,.0f}", LEFT - 8, y + 4, "soft", 12, "end")
    way = "L".join(f"{x:.1f} {y:.1f}" for x, y in places.values())
    page.add(f'<path d="M{way}" {paint("light", stroke=LINES[0])} stroke-width="2"/>')
    for n_lanes, (x, y) in places.items():
        page.add(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{6 if n_lanes == chosen else 3.5}" {paint("light", fill=LINES[0])}/>'
        )
        page.put(str(n_lanes), x, top + HEIGHT + 18, "soft", 12, "middle")
    page.put("lanes", LEFT + WIDTH / 2, top + HEIGHT + 38, "soft", 12, "middle")
    page.put("updates/s of all lanes", LEFT - 66, top - 10, "soft", 12)
    page.y = top + HEIGHT + 48
    return page.finished(title)


def _title(found: Mapping[str, Any]) -> str:
    held = found["holds_for"]
    return f"{held['task']}, batches of {held['options'].get('batch_size', held['batch_size'])}, {held['device']}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
