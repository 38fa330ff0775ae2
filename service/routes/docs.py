"""Documentation in the browser, from files of the package: no request leaves the machine."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter
from fastapi import Path as InPath
from fastapi.responses import FileResponse

ASSETS = Path(str(files("service") / "static"))
# Swagger UI writes styles as it draws; everything else comes from files of ours.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False)

Asset = Annotated[Literal["swagger-ui-bundle.js", "swagger-ui.css", "docs.js"], InPath()]


@router.get("/docs")
async def docs() -> FileResponse:
    """The API's documentation, to read and to try."""
    return FileResponse(ASSETS / "docs.html", headers={"Content-Security-Policy": POLICY})


@router.get("/docs/{asset}")
async def docs_asset(asset: Asset) -> FileResponse:
    """A file of the documentation."""
    return FileResponse(ASSETS / asset, headers={"Cache-Control": "private, max-age=3600"})
