"""One visitor in Chromium: from navigation to a usable page, and from a click to the first sign and the whole answer.

Our page against a bare gradio page with two chatbots, in the same run; the models are scripts
(`bench.sections.visited`).
"""

import time
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from bench.context import Bench
from bench.pictures import Wire
from bench.report import Measure, Section, middle
from bench.sections.reading import CHROMIUM, FLAGS, SIZES
from bench.sections.visitors import IDEAL, TOKENS, model_servers, page

PATIENCE_MS = 60_000
SETTLE_MS = 2_000
Times = dict[str, float]


def run(bench: Bench) -> Section:
    repeats = 1 if bench.quick else 5
    measures: list[Measure] = []
    with model_servers() as addresses, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        with page("bare", addresses) as (bare_url, _), page("ours", addresses) as (url, _):
            for name, size in SIZES.items():
                bare = typical([visit(browser, bare_url, size, ask_bare) for _ in range(repeats)])
                ours = typical([visit(browser, url, size, ask_ours) for _ in range(repeats)])
                measures += compare(name, ours, bare)
        browser.close()
    how = f"Medians of {repeats} visits with an empty cache. {TOKENS} tokens a side take {IDEAL:.0f} s by themselves."
    return Section("The page in Chromium", measures, [how])


def compare(name: str, ours: Times, bare: Times) -> list[Measure]:
    against = "bare page"
    return [
        Measure(f"{name}: opened until a question can be asked", ours["open"], "s", bare["open"], against, most=1.5),
        Measure(f"{name}: transferred by then", ours["bytes"] / 1000, "kB", bare["bytes"] / 1000, against, most=150.0),
        Measure(f"{name}: click until the first sign", ours["first"], "s", bare["first"], against, most=1.0),
        Measure(f"{name}: click until the whole answer", ours["whole"], "s", bare["whole"], against, most=1.2 * IDEAL),
        Measure(f"{name}: vote until it is saved", ours["vote"], "s", most=0.5),
    ]


def typical(visits: list[Times]) -> Times:
    return {what: middle([visit[what] for visit in visits]) for what in visits[0]}


def visit(browser: Browser, url: str, size: Any, ask: Any) -> Times:
    """One visit in a fresh browser: seconds, and bytes over the wire."""
    context = browser.new_context(viewport=size, reduced_motion="reduce")
    try:
        tab = context.new_page()
        tab.set_default_timeout(PATIENCE_MS)
        wire = Wire(tab)
        begun = time.perf_counter()
        tab.goto(url, wait_until="commit")
        tab.locator("#ask").wait_for()
        times = {"open": time.perf_counter() - begun, "bytes": wire.bytes}
        tab.wait_for_timeout(SETTLE_MS)
        return times | ask(tab)
    finally:
        context.close()


def ask_bare(tab: Page) -> Times:
    begun = time.perf_counter()
    tab.locator("#ask").click()
    tab.locator(".message-row").first.wait_for()
    first = time.perf_counter() - begun
    tab.wait_for_function(f"document.body.innerText.split('word').length > {2 * TOKENS}")
    return {"first": first, "whole": time.perf_counter() - begun, "vote": 0.0}


def ask_ours(tab: Page) -> Times:
    """A blind battle with both answers at once; its first sign of life is the progress line."""
    tab.locator("#question textarea").fill("What is 6 times 7?")
    begun = time.perf_counter()
    tab.locator("#ask").click()
    tab.locator("#progress .progress").wait_for()
    first = time.perf_counter() - begun
    tab.locator("#vote-a").wait_for()
    whole = time.perf_counter() - begun
    begun = time.perf_counter()
    tab.locator("#vote-a").click()
    tab.locator("#vote-a").wait_for(state="hidden")  # nobody thought, so no second vote is offered
    return {"first": first, "whole": whole, "vote": time.perf_counter() - begun}
