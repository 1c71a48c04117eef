"""Search by meaning, with the real embedding model and with a stand-in that counts its work."""

from collections.abc import Sequence

import numpy as np
import pytest

from insights import likeness
from insights.likeness import Likeness
from traces.problems.decontaminate import minilm_embedder

TEXTS = [
    "Translate this into German.",
    "What is the probability of two sixes?",
    "How long do I boil pasta?",
    "长城是哪个朝代修的？",
    "写一首关于大海的诗",
]


def test_search_by_meaning() -> None:
    found = Likeness(minilm_embedder)
    assert found.nearest("chance of rolling dice", TEXTS)[0].place == 1
    assert found.nearest("cooking noodles", TEXTS)[0].place == 2
    assert [match.place for match in found.nearest("长城是什么时候修的", TEXTS)] == [3]
    assert found.nearest("cooking noodles", TEXTS, count=0) == [] == found.nearest("anything", [])
    assert found.nearest(TEXTS[1], TEXTS)[0].likeness == pytest.approx(1.0, abs=1e-5)


class Counting:
    """The first letter is the meaning; what was embedded is noted."""

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.embedded += texts
        return np.stack([np.eye(128, dtype=np.float32)[ord(text[0]) % 128] for text in texts])


def test_a_text_is_embedded_once_and_equal_texts_are_all_found() -> None:
    model = Counting()
    found = Likeness(lambda: model)
    texts = ["apple", "bear", "apple", "", "ant"]
    assert [match.place for match in found.nearest("a question", texts)] == [0, 2, 4]
    assert [match.place for match in found.nearest("bee", texts)] == [1]
    assert sorted(model.embedded) == ["a question", "ant", "apple", "bear", "bee"]


def test_memory_is_bounded_and_nothing_is_loaded_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Counting()
    small = Likeness(lambda: model, most=2)
    assert small.embed(["a", "b", "c", "a"]).shape == (4, 128) and len(small._known) == 2
    assert small.embed(["a", "b", "c"]).argmax(axis=1).tolist() == [ord("a"), ord("b"), ord("c")]

    def load() -> Counting:
        raise AssertionError("the model was loaded for nothing")

    for query, texts in (("", ["a"]), ("a", []), ("a", ["", " "]), ("a", ["大海"])):
        assert Likeness(load).nearest(query, texts) == []
    monkeypatch.setattr(likeness, "SEARCHED", 1)
    assert [match.place for match in found_first(model)] == [0, 2]


def found_first(model: Counting) -> list[likeness.Match]:
    return Likeness(lambda: model).nearest("a", ["a1", "a2", "a1"])
