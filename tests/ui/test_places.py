"""No place that shows text is left unguarded: the whole page is built, and each is given hostile text by a handler."""

import ast
import asyncio
import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.state_holder import SessionState
from markupsafe import Markup, escape

from models.config.registry import load_config
from models.serving.status import Status
from tests.ui.attacks import IDS, loads
from ui.kit import places
from ui.kit.typeset import Typeset, typeset
from ui.layout import build_app
from ui.services import Services
from votes.casting.desk import Desk
from votes.store import Store

UI = Path(__file__).parents[2] / "ui"
ALL = "\n\n".join([*loads().values(), IDS])
STATUSES = {"base": Status("loading"), "distilled": Status("loading")}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("places")
    config = load_config()
    served = SimpleNamespace(
        pair=config.pairs["smol-135m"],
        profile=config.profiles["cpu"],
        status=STATUSES.__getitem__,
        weight_hash=lambda role: "",
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOURNEY_HOME", str(home))
        store = Store(home / "votes.duckdb")
        yield build_app(Services(config, served, Desk(store), store, home, b"salt"))  # type: ignore[arg-type]
        store.close()


def sent(app: gr.Blocks, block: Any, value: Any) -> str:
    """What the browser gets when a handler gives this value to this component, as a value and as an update."""
    function = SimpleNamespace(
        outputs=[block], batch=False, is_validator_function=False, postprocess=True, name="handler", fn=None
    )
    state = SessionState(app)
    values = [asyncio.run(app.postprocess_data(function, given, state))[0]  # type: ignore[arg-type]
              for given in (value, gr.update(value=value, visible=True), value)]  # fmt: skip
    plain = [each["value"] if isinstance(each, dict) else each for each in values]
    assert plain[0] == plain[1] == plain[2], "a visitor's copy of a component checks as well"
    return str(plain[0])


def test_every_place_that_shows_markdown_or_html_takes_text_as_text(app: gr.Blocks) -> None:
    shown = [block for block in app.blocks.values() if isinstance(block, gr.Markdown | gr.HTML)]
    assert len(shown) > 40
    for block in shown:
        right = inspect.cleandoc(typeset(ALL)) if isinstance(block, gr.Markdown) else str(escape(ALL))
        assert sent(app, block, ALL) == right, block
        assert block.get_block_name() in ("markdown", "html"), "the browser knows it by gradio's own name"


def test_what_our_own_builders_made_is_left_alone(app: gr.Blocks) -> None:
    blocks = list(app.blocks.values())
    markdown = next(block for block in blocks if isinstance(block, gr.Markdown))
    html = next(block for block in blocks if isinstance(block, gr.HTML))
    assert sent(app, markdown, Typeset("[here](?case=a)")) == "[here](?case=a)"
    assert sent(app, html, Markup("<b>bold</b>")) == "<b>bold</b>"
    assert sent(app, html, "<b>bold</b>") == "&lt;b&gt;bold&lt;/b&gt;"


def test_a_page_opens_with_the_status_of_now_and_not_of_when_it_was_built(
    app: gr.Blocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    (opened,) = (function.fn for function in app.fns.values() if function.name == "open_page")
    assert opened is not None
    monkeypatch.setitem(STATUSES, "base", Status("failed", "no memory"))
    tab, line = opened(SimpleNamespace(query_params={"tab": "cases"}))
    assert tab["selected"] == "cases" and "no memory" in line and 'class="chip bad"' in line


def test_notices_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(gr, "Warning", said.append)
    monkeypatch.setattr(gr, "Info", said.append)
    places.warn(ValueError(ALL))
    places.tell(ALL)
    assert len(said) == 2 and not any("<img" in text for text in said)


@pytest.mark.parametrize("file", sorted(UI.rglob("*.py")), ids=lambda path: str(path.relative_to(UI)))
def test_nothing_notifies_past_the_guard(file: Path) -> None:
    """Gradio's notices are HTML: only constants may be said without `warn`, `tell` and `spoken`."""
    if file.name in ("places.py", "events.py"):
        return
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("gr.Info", "gr.Warning", "gr.Error", "gr.Success"):
            assert isinstance(node.args[0], ast.Constant), f"{file}:{node.lineno}: use ui.kit.places"
