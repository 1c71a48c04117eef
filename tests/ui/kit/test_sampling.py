"""The token sliders: as far as the servers go, for each model that they are for."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from models.config.registry import load_config
from ui.cases import tab as cases
from ui.compare import tab as compare

CONFIG = load_config()
WAYS: list[tuple[Callable[..., Any], bool]] = [(compare.build_settings, True), (cases.build_settings, False)]


@pytest.mark.parametrize(("build", "has_own"), WAYS)
@pytest.mark.parametrize(
    ("pair", "profile", "common", "own"),
    [
        ("llama-70b-r1", "l40s-4", 8192, 8192),  # the models' own context is 131,072
        ("qwen-math-7b-r1", "l40s", 8192, 8192),  # the base's own context is 4096
        ("smol-135m", "cpu", 4096, 4096),
    ],
)
def test_a_reply_may_have_half_of_the_served_context(
    build: Callable[..., Any], has_own: bool, pair: str, profile: str, common: int, own: int
) -> None:
    served = SimpleNamespace(pair=CONFIG.pairs[pair], profile=CONFIG.profiles[profile])
    with gr.Blocks():
        widgets = build(SimpleNamespace(served=served))
    sliders = [widget for widget in widgets if getattr(widget, "label", "") in ("Token limit", "Thinking budget")]
    assert [slider.maximum for slider in sliders] == [common, common] + ([own, own] if has_own else [])
    assert all(slider.minimum <= slider.value <= slider.maximum for slider in sliders)
