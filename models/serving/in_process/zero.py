"""ZeroGPU lends a GPU to one function call at a time, for seconds asked for in advance, from the visitor's quota."""

from collections.abc import Callable, Sequence
from typing import Any

from common.errors import ServerError
from models.config.machine import on_zero_gpu
from models.serving.in_process.generation import Job, Pieces

Generate = Callable[[Sequence[Job]], Pieces]
START_SECONDS = 15
"""For starting a process and moving both models to the GPU. An assumption, on the safe side."""
TOKENS_A_SECOND = 20
"""Of a model of up to 8 billion parameters by Transformers, while the other side writes too. An assumption, on the safe
side: what is asked for and not used is given back."""
LESS = "Lower the token limit, or try again later."


def with_gpu(generate: Generate) -> Generate:
    """`generate`, lent a GPU for each call where this is ZeroGPU; elsewhere as it is.

    Call it before the page is launched: ZeroGPU looks then for functions that want a GPU.
    """
    if not on_zero_gpu():
        return generate
    import spaces  # part of every Gradio Space

    lent: Generate = spaces.GPU(generate, duration=seconds)
    return lent


def seconds(jobs: Sequence[Job]) -> int:
    """How long to ask the GPU for: until the longest of these replies would reach its token limit."""
    return START_SECONDS + -(-max(job.limit for job in jobs) // TOKENS_A_SECOND)


def refusal(error: Exception) -> ServerError:
    """Why there was no GPU, or no longer. `spaces` raises gradio's own error, with one of a few titles."""
    title, words = str(getattr(error, "title", "")), _plain(getattr(error, "message", error))
    if "quota" in title or "credits" in title:
        return ServerError(
            f"ZeroGPU gives you no more GPU time now: {words}",
            "Sign in to Hugging Face for a larger quota, or try again later.",
        )
    if "illegal duration" in title:
        return ServerError(f"ZeroGPU does not lend a GPU for so long: {words}", "Lower the token limit.", "too_long")
    if "queue" in title:
        return ServerError("No GPU became free within a minute.", "Try again later.")
    if "worker" in title:
        return ServerError(f"ZeroGPU took its GPU back before the reply was complete: {words}", LESS)
    return ServerError(f"ZeroGPU did not answer: {words}", "Try again later.")


def _plain(message: Any) -> str:
    text = " ".join(str(message).split()).rstrip(".")
    return f"{text}." if text else ""
