"""Topics: embeds prompts, counts near-copies once, clusters them, and names each cluster by its most telling words.

Chinese prompts have a space of their own, of characters and pairs of characters. The embedding model that ships in a
package, all-MiniLM-L6-v2, was trained on English: of eighty Chinese prompts on eight topics it put all into one cluster
(12 % in the cluster of their topic); characters put 79 % right, and the model 92 % of the English ones (docs/votes.md).
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from traces.problems.decontaminate import Embedder
from votes.ballot import detect_language

Vectors = NDArray[np.float32]
"""(n, d), each row of length 1."""
NEAR = 0.95
"""Cosine similarity from which two prompts count as near-copies."""
SMALLEST = 3
"""Minimum number of prompts in a topic, counting near-copies once."""
APART, APART_CHINESE = 0.75, 0.9
"""Cosine distance below which clusters are joined, on average over their members (average linkage); chosen on the two
hundred prompts of tests/insights/prompts.yaml."""
UNSORTED = "other"
MOST_TERMS = 8192
"""How many of the most common characters and pairs are used as features, to limit memory for long texts."""
_BLOCK = 256
"""How many rows are compared with all earlier ones at once."""
_HAN = re.compile(r"[\u3400-\u9fff]{2,}")
_PUNCTUATION = re.compile(r"[\W_]+")
_WORD = re.compile(r"[^\W\d_\u3400-\u9fff]{3,}")
_ASKING = frozenset("give find write tell explain please make use using long say mean plan good best many".split())  # noqa: SIM905
"""Stop words of questions on any topic, in addition to scikit-learn's list."""
_GRAMMAR = frozenset("的是么什怎哪个几多少吗呢了在有和要请给用一可以不这那为天")


@dataclass(frozen=True)
class Topic:
    """A cluster of prompts."""

    name: str
    """Its most telling words."""
    prompts: tuple[int, ...]
    """Indices in the given list, copies included."""


@dataclass(frozen=True)
class TopicMap:
    """All prompts by topic."""

    topics: tuple[Topic, ...]
    """The largest first; what fits nowhere comes last, as `other`."""
    copies: tuple[int, ...]
    """For each prompt, the index of the first prompt that it is a near-copy of, or its own."""
    points: NDArray[np.float64]
    """(n, 2): where each prompt lies on a plane, by principal components."""

    def topic_of(self) -> list[str]:
        """The topic's name for each prompt."""
        names = [UNSORTED] * len(self.copies)
        for topic in self.topics:
            for place in topic.prompts:
                names[place] = topic.name
        return names

    @property
    def weights(self) -> list[float]:
        """For each prompt 1 / (number of its copies, itself included)."""
        sizes = Counter(self.copies)
        return [1 / sizes[first] for first in self.copies]


def map_topics(prompts: Sequence[str], embed: Embedder) -> TopicMap:
    """Embed and cluster prompts. The same prompts give the same topics. `embed` sees only those not in Chinese."""
    chinese = [place for place, prompt in enumerate(prompts) if detect_language(prompt) == "zh"]
    others = sorted(set(range(len(prompts))) - set(chinese))
    copies, points = list(range(len(prompts))), np.zeros((len(prompts), 2))
    members: list[list[int]] = []
    for at, (places, space, apart) in enumerate(((others, embed, APART), (chinese, characters, APART_CHINESE))):
        if not places:
            continue
        vectors = space([prompts[place] for place in places])
        firsts = near_copies(vectors)
        for place, first in zip(places, firsts, strict=True):
            copies[place] = places[first]
        members += [[places[i] for i in cluster] for cluster in _cluster(vectors, firsts, apart)]
        points[places] = plane(vectors)
        points[places, 0] += 2 * at  # side by side, since distances between the two spaces mean nothing
    large = [cluster for cluster in members if len({copies[place] for place in cluster}) >= SMALLEST]
    large.sort(key=lambda cluster: (-len(cluster), cluster[0]))
    names = _names([[prompts[place] for place in cluster] for cluster in large])
    topics = [Topic(name, tuple(cluster)) for name, cluster in zip(names, large, strict=True)]
    if rest := sorted(set(range(len(prompts))) - {place for cluster in large for place in cluster}):
        topics.append(Topic(UNSORTED, tuple(rest)))
    return TopicMap(tuple(topics), tuple(copies), points)


def characters(texts: Sequence[str]) -> Vectors:
    """The tf-idf vectors of texts over their characters and character pairs."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(
        preprocessor=lambda text: _PUNCTUATION.sub("", text.casefold()),
        analyzer="char",
        ngram_range=(1, 2),
        sublinear_tf=True,
        max_features=MOST_TERMS,
    )
    return np.asarray(vectorizer.fit_transform(texts).toarray(), dtype=np.float32)


def near_copies(vectors: Vectors, near: float = NEAR) -> list[int]:
    """For each row, the most similar earlier original, or itself if none is this close. Rows have length 1."""
    copies = np.arange(len(vectors))
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK]
        likeness = block @ vectors[: start + len(block)].T
        for place, row in enumerate(likeness, start):
            firsts = np.flatnonzero(copies[:place] == np.arange(place))
            if len(firsts) and row[firsts].max() >= near:
                copies[place] = firsts[row[firsts].argmax()]
    return [int(first) for first in copies]


def _cluster(vectors: Vectors, firsts: Sequence[int], apart: float) -> list[list[int]]:
    """Clusters as lists of indices, with each copy in the cluster of its original."""
    from sklearn.cluster import AgglomerativeClustering

    once = sorted(set(firsts))
    labels = [0]
    if len(once) > 1:
        clustering: Any = AgglomerativeClustering(
            n_clusters=None, distance_threshold=apart, metric="precomputed", linkage="average"
        )
        labels = clustering.fit_predict(np.maximum(0, 1 - vectors[once] @ vectors[once].T))
    label_of = dict(zip(once, map(int, labels), strict=True))
    clusters: dict[int, list[int]] = {}
    for place, first in enumerate(firsts):
        clusters.setdefault(label_of[first], []).append(place)
    return list(clusters.values())


def _names(clusters: Sequence[Sequence[str]]) -> list[str]:
    """Three words each: frequent in the cluster's prompts, rare in the others' (class-based tf-idf, as in BERTopic). A
    word counts once per prompt."""
    counts = [Counter(word for text in texts for word in _words(text)) for texts in clusters]
    everywhere: Counter[str] = Counter()
    for count in counts:
        everywhere.update(count)
    average = sum(everywhere.values()) / max(1, len(counts))
    names: list[str] = []
    for count in counts:
        scored = sorted(count, key=lambda word: (-count[word] * math.log(1 + average / everywhere[word]), word))
        name = ", ".join(scored[:3]) or "topic"
        names.append(name if name not in names else f"{name} ({len(names) + 1})")
    return names


def _words(text: str) -> set[str]:
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    pairs = {run[at : at + 2] for run in _HAN.findall(text) for at in range(len(run) - 1)}
    words = set(_WORD.findall(text.casefold())) - ENGLISH_STOP_WORDS - _ASKING
    return words | {pair for pair in pairs if not _GRAMMAR & set(pair)}


def plane(vectors: Vectors) -> NDArray[np.float64]:
    """The first two principal components, from the smaller of the two Gram matrices (of rows or of columns)."""
    from scipy.linalg import eigh

    centred = vectors.astype(np.float64) - vectors.mean(axis=0)
    wide = centred.shape[1] > centred.shape[0]
    products = centred @ centred.T if wide else centred.T @ centred
    values, axes = eigh(products, subset_by_index=(max(0, len(products) - 2), len(products) - 1))
    points = (axes * np.sqrt(np.maximum(values, 0)) if wide else centred @ axes)[:, ::-1]
    return np.pad(points, ((0, 0), (0, 2 - points.shape[1])))
