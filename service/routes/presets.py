"""The studies that come with Etude."""

from __future__ import annotations

from fastapi import APIRouter

from search.presets import PRESETS
from service.routes.parts import REFUSALS, StrictRoute
from service.schemas import PageOut, PresetOut

router = APIRouter(prefix="/v1/presets", tags=["studies"], route_class=StrictRoute, responses=REFUSALS)


@router.get("")
async def list_presets() -> PageOut[PresetOut]:
    """List the studies that come with Etude; post a preset's `request`, with another task or budget if you like."""
    return PageOut[PresetOut](
        items=[
            PresetOut(name=preset.name, question=preset.question, reading=preset.reading, request=preset.request)
            for preset in PRESETS.values()
        ]
    )
