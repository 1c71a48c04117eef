"""The sampling controls, and the Sampling their values stand for."""

from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.components import Component

from models.config.sampling import Sampling
from votes.ballot import Mode, Role


def build_sampling_controls(default: Sampling, longest: int) -> list[Component]:
    """Controls in the order `read_sampling` takes them. `longest`: tokens a reply may have at most."""
    with gr.Row():
        max_tokens = gr.Slider(
            16,
            longest,
            min(default.max_tokens, longest),
            step=16,
            label="Token limit",
            info="Thought and answer together",
        )
        budget = gr.Slider(
            0,
            longest,
            min(default.thinking_budget or 0, longest),
            step=16,
            label="Thinking budget",
            info="Tokens after which thinking stops; 0: no limit",
        )
    with gr.Row():
        temperature = gr.Slider(
            0, 2, default.temperature, step=0.05, label="Temperature", info="0 always takes the likeliest token"
        )
        top_p = gr.Slider(0.05, 1, default.top_p, step=0.05, label="Top-p")
        seed = gr.Number(
            -1 if default.seed is None else default.seed,
            label="Seed",
            precision=0,
            minimum=-1,
            info="-1 picks a new one each time",
        )
    return [max_tokens, budget, temperature, top_p, seed]


def read_sampling(max_tokens: float, budget: float, temperature: float, top_p: float, seed: float | None) -> Sampling:
    return Sampling(
        max_tokens=int(max_tokens),
        thinking_budget=int(budget) or None,
        temperature=float(temperature),
        top_p=float(top_p),
        seed=None if seed is None or seed < 0 else int(seed),
    )


def read_samplings(mode: Mode, values: Sequence[Any]) -> dict[Role, Sampling]:
    """The settings' widgets → what each model is asked with; they differ only in named mode and when switched on."""
    common, differ, own = values[:5], values[5], values[6:]
    base = read_sampling(*common)
    return {"base": base, "distilled": read_sampling(*own) if differ and mode == "named" else base}
