"""The lens as HTML: it loses no text, escapes what models wrote, and marks what is known of a thought."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.thoughts.importance import SentenceImportance
from traces.keeping.anatomy import KINDS
from ui.lens.marks import LONGEST_SECTION, SECTION, columns, pieces, sections, shares
from ui.lens.view import SIGNS, STYLE, Thought, known_importance, lens, lens_pair, thought_of

WORDS = ["3*4=12. ", "Wait, that is wrong. ", "Check: 12. ", "\n", "等等，再算。", "Let me see, ", "<b>", "x" * 50]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=400).map("".join) | st.text(max_size=300)
SPANS = st.lists(st.tuples(st.integers(-5, 400), st.integers(-5, 400), st.floats(-1, 2)), max_size=8)


def text_in(shown: str) -> str:
    """What stands in the parts of a lens."""
    return html.unescape("".join(re.findall(r'<span class="part[^>]*>([^<]*)</span>', shown)))


@given(TEXTS)
def test_no_text_is_lost(text: str) -> None:
    if text.strip():
        assert text_in(lens(Thought(text))) == text


@given(TEXTS, SPANS, st.integers(0, 300))
def test_pieces_are_the_whole_text_whatever_is_marked(text: str, spans: list[tuple[int, int, float]], at: int) -> None:
    found = list(pieces(text, spans, at))
    assert "".join(piece.text for piece in found) == text
    assert all(text[piece.start : piece.start + len(piece.text)] == piece.text for piece in found)
    assert all(piece.importance is None or 0 <= piece.importance <= 1 for piece in found)
    assert sum(piece.opens for piece in found) == len({piece.number for piece in found})
    if 0 < at < len(text):
        assert [piece.start for piece in found if piece.parts_here] == [at]
    cut = sections(found)
    assert "".join(piece.text for section in cut for piece in section.pieces) == text
    assert all(sum(len(p.text) for p in section.pieces) <= SECTION + LONGEST_SECTION for section in cut)


def test_importance_colours_exactly_its_piece() -> None:
    text = "First this. Then that. Wait, no."
    found = [(p.text, p.importance) for p in pieces(text, [(12, 23, 0.5), (13, 20, 1.0)])]
    assert found == [("First this. ", None), ("Then that. ", 0.5), ("Wait, no.", None)]
    assert "--importance:0.50" in lens(Thought(text, importance=((12, 23, 0.5),)))
    assert "Colour by importance" not in lens(Thought(text))


def test_only_parts_that_can_be_told_from_chance_are_coloured(monkeypatch: pytest.MonkeyPatch) -> None:
    for p_values, coloured in (
        ((0.2, 0.01, 0.002), ((1, 2, 0.5), (2, 3, 0.5))),
        ((0.03,), ((0, 1, 0.5),)),
        ((0.03, 0.04, 0.2), ()),
        ((), ()),
    ):
        weights = tuple(SentenceImportance(n, n + 1, 0.5, None, p, 6, 6) for n, p in enumerate(p_values))
        monkeypatch.setattr("ui.lens.view.importance_of", lambda thought, found=weights: found)
        assert known_importance("abc") == coloured


def test_a_section_ends_with_a_line_where_it_can() -> None:
    text = "".join(f"Line {number} is 3*{number}.\n" for number in range(3000))
    cut = sections(list(pieces(text)))
    assert len(cut) > 10
    assert all(section.pieces[-1].text.endswith("\n") for section in cut)
    assert sum(section.lines for section in cut) == 3000
    one_line = sections(list(pieces("abc " * 20_000)))
    assert all(len(section.pieces[0].text) <= LONGEST_SECTION for section in one_line)


@given(TEXTS)
def test_shares_add_up(text: str) -> None:
    found = shares(text)
    assert sum(share.characters for share in found) == len(text)
    if text:
        assert sum(share.share for share in found) == pytest.approx(1)


@given(st.lists(st.tuples(st.text(max_size=4), st.floats(0, 20)), max_size=600))
def test_a_strip_has_its_highest_value_at_full_height(tokens: list[tuple[str, float]]) -> None:
    found = columns(tokens, 50)
    assert len(found) <= 50 and all(0 <= value <= 1 for value in found)
    seen = [value for text, value in tokens if text]
    if found and seen and max(seen) == max(value for _, value in tokens):
        assert max(found) == 1


def test_the_strip_names_the_tokens_where_the_models_differ_most() -> None:
    shown = lens(Thought("Wait, <b>.", divergence=(("Wait", 3.5), (",", 0.0), (" <b>", 1.25), (".", 0.0))))
    assert "lens-strip" in shown and "<code>Wait</code> 3.50" in shown and "<code>&lt;b&gt;</code> 1.25" in shown
    assert "lens-strip" not in lens(Thought("Wait."))


def test_two_thoughts_show_where_they_part() -> None:
    a = Thought("We add 3 and 4. That is 7. So \\boxed{7}.", "Side <A>")
    b = Thought("We add 3 and 4. That is 8, I guess.", "Side B", "distilled")
    shown = lens_pair(a, b)
    assert shown.count("They part here") == 2
    assert "They part after a step that is alike: at step 2 of 3 and step 2 of 2." in shown
    assert "Side &lt;A&gt;" in shown and 'class="lens-title name distilled"' in shown
    assert "They part from the start" in lens_pair(Thought("One."), Thought("Two apples."))
    assert "They part" not in lens_pair(a, a)
    assert lens_pair(Thought(""), Thought(" ")) == ""


def test_what_models_wrote_is_text() -> None:
    shown = lens_pair(Thought('<img src=x onerror="a">Wait, {{ 1 }} ${value}', "<i>"), Thought("</span><script>"))
    assert "<img" not in shown and "<script" not in shown and "<i>" not in shown
    assert "{{ 1 }} ${value}" in shown


def test_a_reply_without_a_thought_shows_its_answer_and_says_so() -> None:
    assert thought_of("", "4", "Base").remark.startswith("No thought")
    assert thought_of("Hm.", "4").text == "Hm."
    assert thought_of("", "").remark == ""
    assert "There is no thought." in lens(thought_of("", ""))


def test_every_kind_has_a_sign_and_a_colour() -> None:
    style = STYLE.read_text(encoding="utf-8")
    assert set(SIGNS) == set(KINDS)
    assert all(f"--lens-{kind}:" in style for kind in KINDS)
    assert len({SIGNS[kind] for kind in KINDS}) == len(KINDS), "kinds are told apart without colour"
