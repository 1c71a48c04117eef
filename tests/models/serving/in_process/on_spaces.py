"""A program, since it forks: two tiny models on the real package `spaces`, which asks for GPUs at the address in
SPACES_ZERO_DEVICE_API_URL. Prints one JSON object about six questions.

`spaces` forks a process for its calls, so what is asked must be picklable, what is answered comes through a pipe, and a
wish to stop must reach another process. All of it is as on ZeroGPU, except that no GPU is found there.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.chat.events import Reply
from models.config.registry import ROLES
from models.config.sampling import Sampling
from models.serving.in_process import engine
from models.serving.in_process.generation import generate
from models.serving.pair import ServedPair
from tests.models.serving.in_process.tiny import ASK, LONG, ask_both, tiny_client, tiny_served


async def stopped(served: ServedPair) -> tuple[Reply, Reply]:
    """One side stopped at its first word, while the other writes on."""
    engine.ASKED_TOGETHER.set(object())
    first, second = [await tiny_client(served, role) for role in ROLES]
    stream = first.stream(ASK, LONG)
    other = asyncio.create_task(second.complete(ASK, Sampling(max_tokens=40)))
    await anext(stream)
    stream.stop()
    return [event async for event in stream][-1].reply, await other


async def taken(served: ServedPair, pids: Callable[[], list[int]]) -> Reply:
    """A reply whose process ends in the middle of it, as when ZeroGPU takes its GPU back."""
    stream = (await tiny_client(served, "base")).stream(ASK, LONG)
    await anext(stream)
    os.kill(pids()[-1], signal.SIGKILL)
    return [event async for event in stream][-1].reply


def told(*replies: Reply) -> list[dict[str, Any]]:
    return [
        {"raw": reply.raw, "finish": reply.finish_reason, "tokens": reply.output_tokens, "error": reply.error}
        for reply in replies
    ]


def main(folder: Path, noting: Path) -> None:
    def pids() -> list[int]:
        return [int(line) for line in noting.read_text().split()]

    sys.modules["torch"] = None  # type: ignore[assignment]  # what `spaces` does to torch takes a torch with CUDA
    import spaces  # type: ignore[import-not-found]  # noqa: F401

    del sys.modules["torch"]

    def noted(*jobs: Any) -> Any:
        with noting.open("a") as file:
            file.write(f"{os.getpid()}\n")
        yield from generate(*jobs)

    engine.generate = noted
    with tiny_served(folder, "zero") as served:
        import gradio

        with gradio.Blocks() as page:
            pass
        page.launch(prevent_thread_lock=True, quiet=True)  # only now `spaces` reports which functions want a GPU
        asked = asyncio.run(ask_both(served, (40, 40))), asyncio.run(ask_both(served, (40, 40)))
        one = asyncio.run(stopped(served))
        lost = asyncio.run(taken(served, pids))
        again = asyncio.run(ask_both(served, (40, 40)))
        refused = asyncio.run(ask_both(served, (40, 40)))
        page.close()
    answer = {
        "first": told(*asked[0]), "second": told(*asked[1]), "stopped": told(*one), "taken": told(lost),
        "after": told(*again), "refused": told(*refused), "here": os.getpid(), "calls": pids(),
    }  # fmt: skip
    print(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
