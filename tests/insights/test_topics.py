"""Topics of two hundred prompts in two languages, near-copies, and search by meaning, with the real embedding model."""

import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml

from insights.topics import MOST_TERMS, UNSORTED, characters, map_topics, near_copies, plane
from traces.problems.decontaminate import Embedder, minilm_embedder

WRITTEN = yaml.safe_load((Path(__file__).parent / "prompts.yaml").read_text())
PROMPTS = [
    (language, topic, prompt) for language, topics in WRITTEN.items() for topic in topics for prompt in topics[topic]
]


@pytest.fixture(scope="module")
def embed() -> Embedder:
    model = minilm_embedder()
    known: dict[str, np.ndarray] = {}

    def cached(texts):  # type: ignore[no-untyped-def]
        if new := [text for text in dict.fromkeys(texts) if text not in known]:
            known.update(zip(new, model(new), strict=True))
        return np.stack([known[text] for text in texts])

    return cached


def test_topics_are_found_in_both_languages(embed: Embedder) -> None:
    prompts = [prompt for _, _, prompt in PROMPTS]
    found = map_topics(prompts, embed)
    assert len(prompts) == 200 and sorted(place for topic in found.topics for place in topic.prompts) == list(
        range(200)
    )
    right: Counter[str] = Counter()
    for topic in found.topics:
        if topic.name != UNSORTED:
            ((language, _), most), *_ = Counter(PROMPTS[place][:2] for place in topic.prompts).most_common()
            right[language] += most
    assert right["en"] / 120 >= 0.85 and right["zh"] / 80 >= 0.7
    names = [topic.name for topic in found.topics]
    assert len(set(names)) == len(names)
    assert any("prime" in name for name in names) and any("旅行" in name for name in names)
    assert np.isfinite(found.points).all() and found.points.shape == (200, 2)
    assert map_topics(prompts, embed).topic_of() == found.topic_of()


def test_near_copies_count_once(embed: Embedder) -> None:
    prompts = [
        "Is 391 a prime number?",
        "is 391 a prime number",
        "Write a poem about the sea.",
        "长城是哪个朝代修的？",
        "长城是哪个朝代修的",
    ]
    found = map_topics(prompts, embed)
    assert found.copies == (0, 0, 2, 3, 3)
    assert found.weights == [0.5, 0.5, 1.0, 0.5, 0.5]
    assert [topic.name for topic in found.topics] == [UNSORTED], "three different prompts make a topic, not five copies"


def test_no_prompts_and_one(embed: Embedder) -> None:
    assert map_topics([], embed).topics == ()
    one = map_topics(["Hello"], embed)
    assert one.topic_of() == [UNSORTED] and one.points.shape == (1, 2)


def test_vectors_have_length_one_and_copies_point_back() -> None:
    vectors = characters(["写一首诗", "写一首诗。", "三加五等于几"])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0)
    assert near_copies(vectors, 0.5) == [0, 0, 2]


def test_near_copies_are_those_that_a_plain_loop_finds() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(300, 16))
    vectors = np.concatenate([vectors, vectors + rng.normal(size=vectors.shape) * 0.3])[rng.permutation(600)]
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    expected: list[int] = []
    for place, vector in enumerate(vectors):
        like = {first: float(vectors[first] @ vector) for first in sorted(set(expected))}
        best = max(like, key=like.__getitem__, default=place)
        expected.append(best if best != place and like[best] >= 0.95 else place)
    assert len(set(expected)) < 550 and near_copies(vectors) == expected


def test_thousands_of_prompts_are_compared_in_time() -> None:
    vectors = np.random.default_rng(0).normal(size=(4000, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    started = time.process_time()
    assert near_copies(vectors) == list(range(4000))
    assert time.process_time() - started < 4


def test_the_plane_is_that_of_the_principal_components() -> None:
    rng = np.random.default_rng(1)
    for shape in ((30, 8), (8, 30)):
        vectors = rng.normal(size=shape).astype(np.float32)
        centred = vectors - vectors.mean(axis=0)
        axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
        assert np.abs(plane(vectors)) == pytest.approx(np.abs(centred @ axes.T), abs=1e-4)


def test_long_texts_do_not_take_more_terms_than_are_kept() -> None:
    texts = ["".join(chr(0x4E00 + (7 * place + number) % 9000) for place in range(9000)) for number in range(2)]
    assert characters(texts).shape == (2, MOST_TERMS)
