"""Sentences, groups of them and halves of a thought."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.thoughts.sentences import first_half, grouped, sentences

TEXT = "We add. Then 3.5 is left!\n2+2=4\n\nDone。好。"
texts = st.text(alphabet=st.sampled_from("ab 1.!?\n。 "))


def test_a_sentence_ends_at_its_mark_or_its_line() -> None:
    found = [TEXT[span.start : span.end] for span in sentences(TEXT)]
    assert found == ["We add. ", "Then 3.5 is left!\n", "2+2=4\n\n", "Done。", "好。"]


@given(texts)
def test_sentences_and_groups_cover_the_text(text: str) -> None:
    for spans in (sentences(text), grouped(sentences(text), 3)):
        assert "".join(text[span.start : span.end] for span in spans) == text
    assert len(grouped(sentences(text), 3)) == min(3, len(sentences(text)))


@given(texts)
def test_a_half_is_the_beginning_and_ends_with_a_sentence(text: str) -> None:
    half = first_half(text)
    assert text.startswith(half)
    assert half in ("", *(text[: span.end].rstrip() for span in sentences(text)))


HALVES = {
    "empty": ("", ""),
    "one sentence": ("One.", "One."),
    "two": ("One. Two.", "One."),
    "four": ("A. B. C. D.", "A. B."),
    "a long first one": ("A long first one. B.", "A long first one."),
}


@pytest.mark.parametrize(("text", "half"), HALVES.values(), ids=HALVES)
def test_first_half(text: str, half: str) -> None:
    assert first_half(text) == half
