"""All schedules on one sheet, each in a frame of its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from schedules.cycles import Cyclic
from schedules.decays import Cosine, Factor, InverseSqrt, Linear, OneMinusSqrt, Polynomial
from schedules.drawing.axes import LinearAxis
from schedules.drawing.colours import Theme, line_style
from schedules.drawing.curves import Curve
from schedules.drawing.keys import write_key
from schedules.drawing.lines import SIGNS, Frame, line, sign, trace
from schedules.drawing.marks import MarkKind, marks
from schedules.drawing.page import MARGIN, Page
from schedules.drawing.words import escaped, shortened
from schedules.drops import Constant, MultiFactor, Step
from schedules.families import SCHEDULES
from schedules.joins import Cooldown, Product, Restarts, Sequence, Warmup
from schedules.knots import Knot, Piecewise
from schedules.phases import OneCycle, Wsd
from schedules.plateau import Plateau

_COLUMNS = 4
_CELL, _GAP = 232.0, 28.0
_FRAME_HEIGHT = 96.0
_CAPTION, _LINE_HEIGHT = 11.5, 17.0
_HORIZON = 2000
_POINTS = 300

_KNOTS: tuple[Knot, ...] = ((0.0, 0.3), (0.25, 1.0), (0.6, 0.35), (1.0, 0.0))
_READINGS = (1.0, 0.8, 0.7, 0.64, 0.6, *(0.6 for _ in range(4)), 0.5, 0.45, *(0.45 for _ in range(9)))

EXAMPLES: Mapping[str, tuple[Curve, ...]] = MappingProxyType(
    {
        "constant": (Curve(Constant(), "the peak rate"),),
        "factor": (Curve(Factor(), "to 0.01"), Curve(Factor(total_decay=0.1, final_ratio=0.25), "to 0.1, floor 0.25")),
        "step": (Curve(Step(gamma=0.3), "2 drops by 0.3"), Curve(Step(drops=6, gamma=0.7), "6 drops by 0.7")),
        "multi_factor": (
            Curve(MultiFactor(gamma=0.3), "by 0.3 at 0.5 and 0.75"),
            Curve(MultiFactor(milestones=(0.2, 0.4, 0.9), gamma=0.5), "by 0.5 at 0.2, 0.4 and 0.9"),
        ),
        "linear": (Curve(Linear(), "to 0"), Curve(Linear(final_ratio=0.25), "to 0.25")),
        "polynomial": (Curve(Polynomial(power=2.0), "power 2"), Curve(Polynomial(power=0.5), "power 0.5")),
        "one_minus_sqrt": (Curve(OneMinusSqrt(), "to 0"), Curve(OneMinusSqrt(final_ratio=0.25), "to 0.25")),
        "inverse_sqrt": (
            Curve(InverseSqrt(), "timescale 5% of the run"),
            Curve(InverseSqrt(timescale_fraction=0.3), "timescale 30%"),
        ),
        "cosine": (
            Curve(Cosine(), "to 0"),
            Curve(Cosine(final_ratio=0.25), "to 0.25"),
            Curve(Cosine(k_decay=2.0), "to 0, k-decay 2"),
        ),
        "cyclic": (
            Curve(Cyclic(rise_fraction=0.125), "triangular"),
            Curve(Cyclic(rise_fraction=0.125, mode="triangular2"), "triangular2"),
            Curve(Cyclic(rise_fraction=0.125, mode="exp_range", total_decay=0.2), "exp_range"),
        ),
        "one_cycle": (
            Curve(OneCycle(), "two phases, cosine"),
            Curve(OneCycle(phases=3, start_ratio=0.2, curve="linear"), "three phases, linear"),
        ),
        "wsd": (
            Curve(Wsd(decay_fraction=0.4), "1 - sqrt"),
            Curve(Wsd(decay_fraction=0.4, decay="linear"), "linear"),
            Curve(Wsd(decay_fraction=0.4, decay="cosine"), "cosine"),
            Curve(Wsd(decay_fraction=0.4, decay="exponential", final_ratio=0.02), "exponential to 0.02"),
        ),
        "piecewise": (
            Curve(Piecewise(knots=_KNOTS), "monotone cubic"),
            Curve(Piecewise(knots=_KNOTS, curve="linear"), "linear"),
            Curve(Piecewise(knots=_KNOTS, curve="cosine"), "cosine"),
        ),
        "plateau": (Curve(Plateau(factor=0.5, patience=2), "when a metric stops improving", readings=_READINGS),),
        "warmup": (
            Curve(Warmup(fraction=0.25, then=Cosine()), "linear, then a cosine"),
            Curve(Warmup(fraction=0.25, ramp="cosine", then=Cosine()), "cosine"),
            Curve(Warmup(fraction=0.25, ramp="exponential", start_ratio=0.02, then=Cosine()), "exponential from 0.02"),
        ),
        "cooldown": (
            Curve(Cooldown(first=InverseSqrt(timescale_fraction=0.1)), "inverse_sqrt, then 1 - sqrt"),
            Curve(Cooldown(decay="linear", fraction=0.4, final_ratio=0.2), "constant, then linear to 0.2"),
        ),
        "restarts": (
            Curve(Restarts(cycles=3, t_mult=2.0), "3 cosines, each twice as long"),
            Curve(Restarts(cycles=4, peak_decay=0.7, then=Linear(final_ratio=0.2)), "4 lines, peaks by 0.7"),
        ),
        "sequence": (
            Curve(
                Sequence(schedules=(OneCycle(), Constant(), Linear()), milestones=(0.5, 0.7)),
                "one_cycle, constant, linear",
            ),
        ),
        "product": (
            Curve(Product(schedules=(Cyclic(base_ratio=0.5, rise_fraction=0.0625), Linear())), "cyclic × linear"),
            Curve(Product(schedules=(Cosine(), Step(gamma=0.5))), "cosine × step"),
        ),
    }
)
"""What is drawn of each schedule, by its kind."""


def gallery(theme: Theme = "auto") -> str:
    """Draw every family and every join on one sheet, as SVG."""
    page = Page(2 * MARGIN + _COLUMNS * _CELL + (_COLUMNS - 1) * _GAP, theme)
    page.write("Schedules", size=18)
    page.write("across: the updates of a run; up: the learning rate, from 0 to its peak", colour="soft", size=12)
    kinds = list(SCHEDULES)
    for first in range(0, len(kinds), _COLUMNS):
        _draw_row(page, kinds[first : first + _COLUMNS])
    _write_key(page)
    return page.finished("Every schedule, drawn")


def examples(kind: str) -> tuple[Curve, ...]:
    """Return what is drawn of a kind of schedule; one that has no examples is drawn as a search would begin with it."""
    if kind in EXAMPLES:
        return EXAMPLES[kind]
    family = SCHEDULES[kind]
    return (Curve(family.build({name: one.default for name, one in family.searched.items()})),)


def _draw_row(page: Page, kinds: list[str]) -> None:
    page.skip(20)
    for column, kind in enumerate(kinds):
        _draw_cell(page, kind, MARGIN + column * (_CELL + _GAP))
    page.skip(20 + _FRAME_HEIGHT + 4 + _LINE_HEIGHT * max(len(examples(kind)) for kind in kinds))


def _draw_cell(page: Page, kind: str, left: float) -> None:
    page.put(kind, left, page.y + 12, "ink", 14)
    frame = Frame(left, page.y + 24, _CELL, _FRAME_HEIGHT)
    axis = LinearAxis(0.0, 1.0)
    page.rule(left, frame.top, frame.right, frame.top, "grid")
    page.rule(left, frame.bottom, frame.right, frame.bottom, "axis")
    for number, curve in enumerate(examples(kind)):
        points = curve.points(_HORIZON, _POINTS)
        page.add(line(trace(points, _HORIZON, axis, frame), number, page.theme, escaped(curve.name)))
        _draw_signs(page, curve, dict(points), frame, line_style(number)[0])
        y = frame.bottom + _LINE_HEIGHT * (number + 1)
        page.add(line(f"M{left:g} {y - 4:g}h28", number, page.theme))
        page.put(shortened(curve.name, _CAPTION, _CELL - 36), left + 36, y, "soft", _CAPTION)


def _draw_signs(page: Page, curve: Curve, values: dict[int, float], frame: Frame, colour: str) -> None:
    for mark in marks(curve.what, _HORIZON):
        if mark.kind in SIGNS and mark.update in values:
            place = frame.x(mark.update / _HORIZON), frame.y(values[mark.update])
            page.add(sign(mark.kind, place, colour, page.theme))


def _write_key(page: Page) -> None:
    """What the signs on the lines mean."""
    page.skip(8)
    shown = {mark.kind for kind in SCHEDULES for curve in examples(kind) for mark in marks(curve.what, _HORIZON)}
    kinds = [kind for kind in MarkKind if kind in SIGNS and kind in shown]
    write_key(page, ((kind, kind.value) for kind in kinds))
