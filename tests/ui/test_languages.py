"""The catalogue of Chinese texts is whole, and `ui/server/languages.py` hands it out."""

import json
import re
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Browser
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from battles.battle import Battle, begin, receive
from common.paths import ROOT
from models.chat.events import Reply
from ui.kit.replies import progress_line
from ui.server.languages import LANGUAGES, PATH, answer, catalogue

LANGUAGE_SCRIPT = ROOT / "ui" / "language.js"
GAP = re.compile(r"\{(\d)\}")


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    again = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
    assert again == []
    return dict(pairs)


@pytest.fixture(scope="module", params=LANGUAGES)
def texts(request: pytest.FixtureRequest) -> dict[str, str]:
    found: dict[str, str] = json.loads(catalogue(request.param).read_text(encoding="utf-8"), object_pairs_hook=unique)
    return found


def test_every_text_has_a_translation(texts: dict[str, str]) -> None:
    assert len(texts) > 500
    assert [english for english, other in texts.items() if not english.strip() or not other.strip()] == []


def test_keys_are_written_as_the_page_looks_them_up(texts: dict[str, str]) -> None:
    assert [english for english in texts if english != " ".join(english.split())] == []


def test_gaps_are_the_same_on_both_sides(texts: dict[str, str]) -> None:
    assert [e for e, other in texts.items() if Counter(GAP.findall(e)) != Counter(GAP.findall(other))] == []


def test_what_fills_a_gap_can_be_told_from_what_fills_the_next(texts: dict[str, str]) -> None:
    assert [english for english in texts if re.search(r"\}\s*\{", english)] == []


def test_no_pattern_is_gaps_and_punctuation_alone(texts: dict[str, str]) -> None:
    patterns = [english for english in texts if GAP.search(english)]
    assert [english for english in patterns if not re.search(r"[^\W\d_]", GAP.sub("", english))] == []


SECONDS = r"[\d–]+"
GOOD, BAD = Reply(raw="15", answer="15"), Reply(finish_reason="failed", error="busy")
ASKED = begin(Battle(), "What is 8 + 7?")


@pytest.mark.parametrize("usually", ["", "usually about 9 s here", "usually 4–9 s here"])
@pytest.mark.parametrize(
    ("battle", "ready"),
    [
        (ASKED, False),
        (ASKED, True),
        (replace(ASKED, delivery="live"), True),
        (receive(ASKED, {"a": BAD}, frozenset({"b"})), True),
        (receive(replace(ASKED, mode="named"), {"a": GOOD}, frozenset({"b"})), True),
        (receive(replace(ASKED, mode="named"), {"b": GOOD}, frozenset({"a"})), True),
    ],
)
def test_every_line_of_progress_is_translated(texts: dict[str, str], battle: Battle, ready: bool, usually: str) -> None:
    shown = re.sub("<.*?>", "", progress_line(battle, 7.0, ready, usually, 9.0))
    patterns = [SECONDS.join(map(re.escape, re.split(r"\{\d\}", english))) for english in texts]
    for part in shown.split(" · "):
        assert any(re.fullmatch(pattern, part) for pattern in patterns), part


def test_a_known_language_is_handed_out_and_no_other() -> None:
    client = TestClient(Starlette(routes=[Route(PATH, answer)]))
    known = client.get(PATH.format(language="zh"))
    assert known.status_code == 200
    assert known.headers["content-type"].startswith("application/json")
    assert known.json()["Compare"] == "对比"
    for unknown in ("en", "xx", "..", "zh.json"):
        assert client.get(PATH.format(language=unknown)).status_code == 404


COMPOSED = [
    ("Stopping. Finished answers are kept.", "正在停止。已完成的回答会保留。"),
    ("The step is empty. Write what you think in this step.", "步骤为空。请写下这一步的想法。"),
    ("The run is odd. Try again.", "The run is odd. 请重试。"),
    ("extracted: 7 (last box) · 12 tokens of thought, 3 of answer · seed 5", None),
    ("There is nothing to compare; waiting for the other model to end · 8 s", None),
    ("A sentence of nobody. Another one.", "A sentence of nobody. Another one."),
    ("6 * 4 = 24. · 24 - 6 = 18.", "6 * 4 = 24. · 24 - 6 = 18."),
]


@pytest.mark.browser
def test_sentences_and_facts_in_a_row_are_exchanged_each_by_itself(browser: Browser, texts: dict[str, str]) -> None:
    """Through the page's own script; None: whatever it says, no English word is left."""
    page = browser.new_context(locale="en-US").new_page()
    page.add_script_tag(path=LANGUAGE_SCRIPT)
    shown = page.evaluate(
        "([texts, said]) => said.map((text) => new Catalogue(texts).find(text))",
        [texts, [said for said, _ in COMPOSED]],
    )
    for (said, wanted), now in zip(COMPOSED, shown, strict=True):
        assert now == wanted if wanted else not re.search("[A-Za-z]{2,}", now.replace("token", "")), (said, now)
    page.context.close()
