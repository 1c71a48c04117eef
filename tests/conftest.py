"""Fixtures that more than one test file needs: the real pair, served once for the whole run, and the page on it.

Each fixture imports what it needs itself: most test files need neither an engine nor a page, and start at once.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from models.serving.pair import ServedPair
    from ui.services import Services

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ["JOURNEY_PAIR"] = "smol-135m"  # whatever this machine would take by itself

# How long an example takes says something about the machine, not about the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def served_pair(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[ServedPair]":
    """The embedded base and distilled models on real vLLM servers; waits until both answer."""
    from models.config.registry import load_config
    from models.serving.pair import serving

    os.environ["JOURNEY_HOME"] = str(tmp_path_factory.mktemp("home"))
    config = load_config()
    with serving(config, config.pairs["smol-135m"], config.profiles["cpu"]) as served:
        yield served


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """Debian's browser. Playwright's own download is not used."""
    path = Path("/usr/bin/chromium")
    if not path.exists():
        pytest.skip("chromium is not installed: make chromium")
    return path


@pytest.fixture(scope="session")
def services(served_pair: "ServedPair", tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Services]":
    """Everything the page works with, on the real pair and a database of its own."""
    from models.config.registry import load_config
    from ui.services import Services
    from votes.casting.desk import Desk
    from votes.store import Store
    from votes.visitor import load_salt

    home = tmp_path_factory.mktemp("services")
    store = Store(home / "votes.duckdb")
    yield Services(load_config(), served_pair, Desk(store), store, home, load_salt(home))
    store.close()


@pytest.fixture(scope="session")
def page_url(services: "Services") -> Iterator[str]:
    """The address of the whole app, launched as `app.py` launches it."""
    from ui.layout import build_app, launch_options

    app = build_app(services).queue(default_concurrency_limit=8)
    _, url, _ = app.launch(server_name="127.0.0.1", quiet=True, prevent_thread_lock=True, **launch_options())
    yield url
    app.close()


@pytest.fixture(scope="module")
def browser(chromium_path: Path) -> "Iterator[Browser]":
    # One a module, not one a session: while playwright runs, no async test can.
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=chromium_path, args=flags)
        yield chromium
        chromium.close()
