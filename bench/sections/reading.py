"""A thought of thirty thousand tokens under the lens, in Chromium: how long until it can be read, and how it scrolls.

Compared with the same marked text in one block, i.e. without sections that are drawn only when in view.
"""

import re
import time
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from bench.context import Bench
from bench.report import Measure, Section, middle, percentile
from common.jsonl import read_text
from ui.lens.view import SCRIPT, STYLE, Thought, lens_pair

TOKENS = 30_000
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu"]
SIZES = {"wide": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
OFTEN = {
    3: "Check: divided by the first factor it is whole. ",
    5: "Wait, that is wrong: a term is missing. Let me go back to the line before.\n",
    11: "Hmm, maybe a calculator would help; let me try another way.\n\n",
}
"""Interval in steps → sentence inserted at that interval."""
ONE_BLOCK = ".lens-section { content-visibility: visible !important; }"
OPEN = """(html) => new Promise((done) => {
  const begun = performance.now();
  document.querySelector("main").innerHTML = html;
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begun)));
})"""
SCROLL = """() => new Promise((done) => {
  const text = document.querySelector(".lens-text");
  const frames = [];
  let last = performance.now();
  const frame = (now) => {
    frames.push(now - last);
    last = now;
    text.scrollTop += 300;
    if (frames.length < 120) requestAnimationFrame(frame);
    else done(frames.slice(1));
  };
  requestAnimationFrame(frame);
})"""


def long_thought(tokens: int = TOKENS) -> str:
    """About `tokens` tokens, at four characters each, with work, checks, doubts and turns like a long thought."""
    lines = []
    number, length = 0, 0
    while length < 4 * tokens:
        number += 1
        a, b = 17 * number % 89 + 11, 23 * number % 97 + 5
        line = f"Step {number}: we multiply {a} by {b}, which gives {a}*{b}={a * b}, and add {number} to it.\n"
        line += f"So far the sum is {a * b + number}. "
        for every, more in OFTEN.items():
            line += more if number % every == 0 else ""
        lines.append(line)
        length += len(line)
    return "".join(lines)


def run(bench: Bench) -> Section:
    thought = long_thought()
    other = thought[: thought.index("Step 40:")] + thought[thought.index("Step 400:") :]
    begun = time.perf_counter()
    html = lens_pair(Thought(thought, "Base", "base"), Thought(other, "Distilled", "distilled"))
    made = time.perf_counter() - begun
    times = 1 if bench.quick else 5
    measures = [Measure("pair of thoughts made HTML", made, "s"), Measure("HTML", len(html.encode()) / 2**20, "MiB")]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for name, size in SIZES.items():
            lens, block = (measured(browser, size, html, style, times) for style in ("", ONE_BLOCK))
            against = "in one block"
            measures += [
                Measure(f"opened, {name}", middle(lens["open"]), "ms", middle(block["open"]), against),
                Measure(
                    f"frame while scrolling, {name}", middle(lens["scroll"]), "ms", middle(block["scroll"]), against
                ),
                Measure(
                    f"95 of 100 frames, {name}",
                    percentile(lens["scroll"], 0.95),
                    "ms",
                    percentile(block["scroll"], 0.95),
                    against,
                ),
            ]
        browser.close()
    parts = len(re.findall('<span class="part', html))
    return Section(
        "Reading",
        measures,
        [f"Two thoughts of {len(thought):,} characters, about {TOKENS:,} tokens each, {parts:,} marked pieces in all."],
    )


def measured(browser: Browser, size: Any, html: str, style: str, times: int) -> dict[str, list[float]]:
    """Milliseconds from setting the HTML to its second frame, and per frame while the text scrolls."""
    milliseconds: dict[str, list[float]] = {"open": [], "scroll": []}
    for _ in range(times):
        page = browser.new_page(viewport=size)
        look, script = read_text(STYLE) + style, read_text(SCRIPT)
        page.set_content(f"<style>{look}</style><main></main><script>{script}</script>")
        milliseconds["open"].append(page.evaluate(OPEN, html))
        milliseconds["scroll"] += page.evaluate(SCROLL)
        page.close()
    return milliseconds
