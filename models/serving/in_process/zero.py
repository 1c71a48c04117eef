"""ZeroGPU lends a GPU to single function calls, for a time requested in advance, from the visitor's quota."""

from collections.abc import Callable, Sequence
from typing import Any

from common.errors import ServerError
from models.config.machine import on_zero_gpu
from models.serving.in_process.generation import Job, Pieces

Generate = Callable[[Sequence[Job]], Pieces]
START_SECONDS = 15
"""Time to start a process and move both models to the GPU. A conservative assumption."""
TOKENS_A_SECOND = 20
"""Transformers' speed with a model of up to 8 billion parameters while the other side generates too. A conservative
assumption: unused time is returned to the quota."""
LESS = "Lower the token limit, or try again later."


def with_gpu(generate: Generate) -> Generate:
    """`generate`, wrapped so that each call gets a GPU on ZeroGPU; unchanged elsewhere.

    Call it before the page is launched: that is when ZeroGPU looks for functions that need a GPU.
    """
    if not on_zero_gpu():
        return generate
    import spaces  # part of every Gradio Space

    lent: Generate = spaces.GPU(generate, duration=seconds)
    return lent


def seconds(jobs: Sequence[Job]) -> int:
    """Seconds of GPU time to request: enough for the longest of these replies to reach its token limit."""
    return START_SECONDS + -(-max(job.limit for job in jobs) // TOKENS_A_SECOND)


def refusal(error: Exception) -> ServerError:
    """Why no GPU was available, or why it was withdrawn. `spaces` raises gradio's error with one of a few titles."""
    title, words = str(getattr(error, "title", "")), _plain(getattr(error, "message", error))
    if "quota" in title or "credits" in title:
        return ServerError(
            f"ZeroGPU gives you no more GPU time now: {words}",
            "Sign in to Hugging Face for a larger quota, or try again later.",
        )
    if "illegal duration" in title:
        return ServerError(
            f"ZeroGPU does not lend a GPU for so long: {words}", "Lower the token limit.", "limit_too_high"
        )
    if "queue" in title:
        return ServerError("No GPU became free within a minute.", "Try again later.")
    if "worker" in title:
        return ServerError(f"ZeroGPU took its GPU back before the reply was complete: {words}", LESS)
    return ServerError(f"ZeroGPU did not answer: {words}", "Try again later.")


def _plain(message: Any) -> str:
    text = " ".join(str(message).split()).rstrip(".")
    return f"{text}." if text else ""
