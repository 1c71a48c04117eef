"""The sampling controls, and the Sampling their values stand for."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import gradio as gr
from gradio.components import Component

from common.errors import ConfigError
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


class SamplingLimits(NamedTuple):
    """Tokens that a reply may have: of both models alike, and of the distilled one alone."""

    both: int
    distilled: int


def read_sampling(max_tokens: float, budget: float, temperature: float, top_p: float, seed: float | None) -> Sampling:
    return Sampling(
        max_tokens=int(max_tokens),
        thinking_budget=int(budget) or None,
        temperature=float(temperature),
        top_p=float(top_p),
        seed=None if seed is None or seed < 0 else int(seed),
    )


def check_settings(values: Sequence[Any], longest: int) -> None:
    """Raises ConfigError unless these are possible values of the controls: a browser may send anything."""
    bounds = ((1, longest), (0, longest), (0, 2), (0.01, 1), (-1, 2**63 - 1))
    numbers = [-1 if place == 4 and value is None else value for place, value in enumerate(values)]
    if len(numbers) != len(bounds) or not all(
        isinstance(number, int | float) and not isinstance(number, bool) and least <= number <= most
        for number, (least, most) in zip(numbers, bounds, strict=True)
    ):
        raise ConfigError("A setting is out of range.", "Change it under “Settings for the next battle”.")


def read_samplings(mode: Mode, values: Sequence[Any], limits: SamplingLimits) -> dict[Role, Sampling]:
    """The settings' widgets → what each model is asked with; they differ only in named mode and when switched on.

    ConfigError if one is out of its bounds.
    """
    common, own = values[:5], values[6:]
    check_settings(common, limits.both)
    base = read_sampling(*common)
    if mode != "named" or values[5] is not True:
        return {"base": base, "distilled": base}
    check_settings(own, limits.distilled)
    return {"base": base, "distilled": read_sampling(*own)}
