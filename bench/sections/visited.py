"""The servers of the visitors' section, a process each.

`python -m bench.sections.visited models | bare | ours ADDRESS ADDRESS`
"""

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gradio as gr
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from bench.sections.visitors import SECONDS_A_TOKEN, TOKENS
from models.config.registry import ROLES, load_config
from models.config.sampling import Sampling
from models.config.sources import AddressSource
from models.config.thought_format import ThoughtFormat
from models.serving.pair import ServedPair
from models.serving.server import free_port
from ui.layout import QUEUE, build_app, launch_options
from ui.services import Services
from votes.casting.desk import Desk
from votes.casting.limits import Limits, Rate
from votes.store import Store

os.environ.setdefault("MPLBACKEND", "agg")  # as app.py does
WORDS = [f"word{number} " for number in range(20)]


async def tokens(_: Request) -> StreamingResponse:
    """A reply at a steady pace, as vLLM streams it."""

    async def stream() -> AsyncIterator[str]:
        begun = time.monotonic()
        for number in range(TOKENS):
            await asyncio.sleep(max(0.0, begun + (number + 1) * SECONDS_A_TOKEN - time.monotonic()))
            choice = {"delta": {"content": WORDS[number % len(WORDS)]}, "finish_reason": None}
            usage = {"prompt_tokens": 9, "completion_tokens": number + 1}
            yield f"data: {json.dumps({'choices': [choice], 'usage': usage})}\n\n"
        yield f"data: {json.dumps({'choices': [{'delta': {}, 'finish_reason': 'stop'}]})}\n\ndata: [DONE]\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream")


async def known(_: Request) -> JSONResponse:
    return JSONResponse({"data": [{"id": "scripted"}]})


def serve_models() -> None:
    routes = [Route("/v1/chat/completions", tokens, methods=["POST"]), Route("/v1/models", known)]
    ports = [free_port(), free_port()]
    for port in ports:
        config = uvicorn.Config(Starlette(routes=routes), host="127.0.0.1", port=port, log_level="error")
        threading.Thread(target=uvicorn.Server(config).run, daemon=True).start()
    time.sleep(2)
    say(*(f"http://127.0.0.1:{port}/v1" for port in ports))


def serve_bare() -> None:
    """Two chatbots, a button, and a handler that streams two growing texts."""

    async def answer() -> AsyncIterator[list[list[dict[str, str]]]]:
        begun, text = time.monotonic(), ""
        for number in range(TOKENS):
            await asyncio.sleep(max(0.0, begun + (number + 1) * SECONDS_A_TOKEN - time.monotonic()))
            text += WORDS[number % len(WORDS)]
            yield [[{"role": "assistant", "content": text}]] * 2

    with gr.Blocks() as app:
        panels = [gr.Chatbot(), gr.Chatbot()]
        button = gr.Button("Ask", elem_id="ask")
        button.click(answer, None, panels, concurrency_limit=None)
    launch(app, max_threads=400)


def serve_ours(addresses: list[str]) -> None:
    config = load_config()
    pair = config.pairs["smol-135m"]
    changes: dict[str, Any] = {
        role: pair.model(role).model_copy(
            update={
                "weights": AddressSource(address=address),
                "thought": ThoughtFormat("tags"),
                "sampling": Sampling(max_tokens=4000),
            }
        )
        for role, address in zip(ROLES, addresses, strict=True)
    }
    served = ServedPair(config, pair.model_copy(update=changes), config.profiles["cpu"])
    served.start()
    home = Path(os.environ["JOURNEY_HOME"])
    store = Store(home / "votes.duckdb")
    free = {action: Rate(10**6, 10**6) for action in Limits().rates}  # all visitors come from one address
    desk = Desk(store, limits=Limits(rates=free, running=10**6))
    app = build_app(Services(config, served, desk, store, home, b"bench")).queue(**QUEUE)
    launch(app, **launch_options())


def launch(app: gr.Blocks, **options: object) -> None:
    _, url, _ = app.launch(server_name="127.0.0.1", quiet=True, prevent_thread_lock=True, **options)  # type: ignore[arg-type]
    say(url)


def say(*addresses: str) -> None:
    print("serving", *addresses, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    kind, *addresses = sys.argv[1:]
    {"models": serve_models, "bare": serve_bare}.get(kind, lambda: serve_ours(addresses))()
