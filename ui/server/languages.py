"""The page's texts in other languages: `GET /arena/texts/<language>`, a JSON object by English for `ui/language.js`."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

PATH = "/arena/texts/{language}"
FOLDER = Path(__file__).parents[1] / "text"
LANGUAGES = ("zh",)
"""Beside English, in which everything is written."""


def catalogue(language: str) -> Path:
    return FOLDER / f"{language}.json"


async def answer(request: Request) -> Response:
    language = request.path_params["language"]
    if language not in LANGUAGES:
        return PlainTextResponse("There is no such language.", 404)
    return FileResponse(catalogue(language), media_type="application/json", headers={"Cache-Control": "max-age=600"})
