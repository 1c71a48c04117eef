"""The page's texts in other languages: `GET /arena/texts/<language>`, a JSON object by English for `ui/language.js`."""

from pathlib import Path

import gradio as gr
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import Route

PATH = "/arena/texts/{language}"
FOLDER = Path(__file__).parents[1] / "text"
LANGUAGES = ("zh",)
"""Beside English, in which everything is written."""


def catalogue(language: str) -> Path:
    return FOLDER / f"{language}.json"


def serve_languages(app: gr.Blocks) -> None:
    """Add the address to a page that is about to be launched."""

    async def add() -> None:
        app.app.router.routes.insert(0, Route(PATH, answer))  # before gradio's own, which take any address

    app.extra_startup_events.append(add)


async def answer(request: Request) -> Response:
    language = request.path_params["language"]
    if language not in LANGUAGES:
        return PlainTextResponse("There is no such language.", 404)
    return FileResponse(catalogue(language), media_type="application/json", headers={"Cache-Control": "max-age=600"})
