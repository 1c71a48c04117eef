"""Pictures of every tab and state of a running page, wide, dark and on a phone, with what axe-core finds in each.

    python -m bench.pictures http://127.0.0.1:7860/ build/pictures

The first battle of each size is a real one: it is asked, waited for, voted on and revealed. Also printed: kilobytes on
the wire and seconds until a question can be asked, and the seconds from click to first sign of life and to the end.
"""

import argparse
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from playwright.sync_api import Page, TimeoutError, expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
QUESTION = "Mia has 4 bags with 7 apples in each bag and gives away 13 apples. How many apples are there now?"
TABS = ("Preferences", "Benchmarks", "Case studies", "Traces", "Transparency")
REPLY_MS = 300_000
STOP_MS = 10_000
SETTLE_MS = 3000
"""Wait after opening a tab until its figures are drawn."""
DRAW_ALL = "* { content-visibility: visible !important }"
"""Chromium leaves out what is not in sight, also where the picture is of the whole page."""


class Size(NamedTuple):
    name: str
    width: int
    height: int
    dark: bool = False


SIZES = (Size("wide", 1280, 900), Size("dark", 1280, 900, True), Size("phone", 390, 844))


class Wire:
    """Counts the bytes that a page has loaded over the network."""

    def __init__(self, page: Page) -> None:
        self.bytes = 0
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.loadingFinished", self._add)

    def _add(self, event: Any) -> None:
        self.bytes += int(event["encodedDataLength"])


class Camera:
    """Takes the pictures of one size, and asks axe-core about each where it is installed."""

    def __init__(self, page: Page, size: Size, folder: Path) -> None:
        self.page, self.size, self.folder = page, size, folder
        self.faults: list[str] = []

    def take(self, state: str) -> None:
        path = self.folder / f"{self.size.name}-{state}.png"
        self.page.screenshot(path=path, full_page=True, style=DRAW_ALL)
        for fault in violations(self.page):
            self.faults.append(f"{self.size.name}, {state}: {fault}")


def violations(page: Page) -> list[str]:
    """What axe-core finds on the page as it is: rule, how serious, and the first elements. Nothing if not installed."""
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        return []
    broken_rules = Axe().run(page).response["violations"]
    return [
        f"{one['id']} ({one['impact']}, {len(one['nodes'])}): "
        + "; ".join(node["html"][:160] for node in one["nodes"][:3])
        for one in broken_rules
    ]


@contextmanager
def opened(address: str, size: Size) -> Iterator[tuple[Page, Wire]]:
    """A page of this size in a fresh browser, so that nothing is cached from another."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(
            viewport={"width": size.width, "height": size.height}, color_scheme="dark" if size.dark else "light"
        )
        page = context.new_page()
        wire, begun = Wire(page), time.monotonic()
        page.goto(f"{address}?__theme=dark" if size.dark else address)
        expect(page.locator("#question textarea")).to_be_editable(timeout=REPLY_MS)
        print(
            f"{size.name}: {wire.bytes / 1000:.0f} kB, {time.monotonic() - begun:.1f} s until a question can be asked"
        )
        page.wait_for_timeout(1500)
        yield page, wire
        browser.close()


def battle(camera: Camera) -> None:
    """Every state of the Compare tab."""
    page = camera.page
    camera.take("0-first")
    page.locator("#question textarea").fill(QUESTION)
    begun = time.monotonic()
    page.locator("#question textarea").press("Enter")
    expect(page.locator(".progress")).to_be_visible(timeout=REPLY_MS)
    sign = time.monotonic() - begun
    page.wait_for_timeout(1500)
    camera.take("1-waiting")
    expect(page.locator("#vote-a")).to_be_visible(timeout=REPLY_MS)
    print(
        f"{camera.size.name}: {sign:.2f} s to the first sign of life, {time.monotonic() - begun:.1f} s to both answers"
    )
    page.wait_for_timeout(1000)
    camera.take("2-answered")
    page.locator("#vote-a").click()
    page.wait_for_timeout(2000)
    camera.take("3-voted")
    page.locator("#show-names").click()
    expect(page.locator("#facts .reveal")).to_be_visible(timeout=REPLY_MS)
    page.wait_for_timeout(1000)
    camera.take("4-revealed")
    for thought in page.locator(".panel .thought-group .title").all():
        thought.click()
    page.wait_for_timeout(1000)
    camera.take("5-thoughts")
    page.locator("#next-battle").click()
    expect(page.locator(".welcome")).to_be_visible(timeout=REPLY_MS)
    page.get_by_label("Named").check()
    page.locator("#question textarea").fill(QUESTION)
    page.locator("#question textarea").press("Enter")
    with suppress(TimeoutError):  # the models may finish before the click
        page.locator("#tool-stop").click(timeout=STOP_MS)
    page.wait_for_timeout(2500)
    camera.take("6-stopped")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", help="of the running page")
    parser.add_argument("folder", type=Path, help="for the pictures")
    parser.add_argument("--sizes", nargs="*", default=[size.name for size in SIZES])
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    faults: list[str] = []
    for size in (size for size in SIZES if size.name in arguments.sizes):
        with opened(arguments.address, size) as (page, _):
            camera = Camera(page, size, arguments.folder)
            battle(camera)
            for tab in TABS:
                page.get_by_role("tab", name=tab, exact=True).click()
                expect(page.get_by_text(re.compile("^Reading .*…$")).filter(visible=True)).to_have_count(
                    0, timeout=REPLY_MS
                )
                page.wait_for_timeout(SETTLE_MS)
                camera.take(tab.lower().replace(" ", "-"))
            sideways = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            faults += camera.faults + ([f"{size.name}: scrolls sideways by {sideways} pixels"] if sideways > 1 else [])
    print("\n".join(faults) or "axe-core found nothing, or is not installed.")


if __name__ == "__main__":
    main()
