"""The benchmarks: which ones there are, where their problems come from, and whether a copy is the published set.

A row of MATH500, as it lies on disk and on the hub:
{"problem": "Convert the point …", "solution": "We have …", "answer": "\\left( 3, \\frac{\\pi}{2} \\right)",
 "subject": "Precalculus", "level": 2, "unique_id": "test/precalculus/807.json"}
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from common.errors import ConfigError, DataError
from eval.problems.benchmark import Benchmark, Rule, content_hash, gold_hash, problems_of
from eval.problems.choices import gpqa_row, options_of
from eval.problems.rows import KnownSet, Row, fetch, how_to_get, read_rows


@dataclass(frozen=True, kw_only=True)
class PublishedSet(KnownSet):
    """A benchmark, and the hashes its content must have."""

    size: int
    sha256: str = ""
    """`content_hash` of the copy this project was checked with; empty if there was none."""
    golds: str = ""
    """`gold_hash` of the same copy, which does not change with wording or typesetting."""
    rule: Rule = "math"
    as_row: Callable[[Row], Row] = dict
    """Converts a publisher's row into one with the columns that `problems_of` reads."""


GSM8K_REVISION = "740312add88f781978c0658806c59bc2815b9866"
KNOWN: Mapping[str, PublishedSet] = {
    "aime2024": PublishedSet(
        title="AIME 2024",
        size=30,
        sha256="714565810a95b18bf697e4dee4ed6198735d7431784404fb4b648d74cd719db3",
        golds="d5c0989a943a83fd941c9c8ba9d2b6051baf4fa427a2ae714445641bf39bba68",
        path="aime24/test.jsonl",
        hub="HuggingFaceH4/aime_2024",
        split="train",
        rule="integer",
    ),
    "aime2025": PublishedSet(
        title="AIME 2025",
        size=30,
        sha256="d502645998e265abe40b71c3f1ab33d7510b2edc0760ed76c50513d03ed9229d",
        golds="4d54cb1dd8772598e9da163fbe008d88e5c7dbe040fe7dec56da571158fa94ba",
        path="aime25/test.jsonl",
        hub="math-ai/aime25",
        rule="integer",
    ),
    "aime2026": PublishedSet(
        title="AIME 2026", size=30, path="aime26/test.jsonl", hub="MathArena/aime_2026", split="train", rule="integer"
    ),
    "math500": PublishedSet(
        title="MATH500",
        size=500,
        sha256="d3ab2921fc58c1d54bd85bf0e27d43f8e9dab7235166c2b5bd43f1bf605543be",
        golds="428c541fbd205e654ef8545102868cac794c36d3522ceec06fbfee46e177308a",
        path="math500/test.jsonl",
        hub="HuggingFaceH4/MATH-500",
    ),
    "math2024": PublishedSet(
        title="MATH2024",
        size=30,
        sha256="306fbd7a86d55664497a3ca3ae8a2ed748537cfd752ce5f881065c2b388db1f8",
        golds="88fec52fc217533cb20b5767c5a6e88f528fe57fadb1ddcb160a311e2485eb05",
        path="math2024/test.jsonl",
    ),
    "amc2023": PublishedSet(
        title="AMC 2023",
        size=40,
        sha256="30712cd0c1ecc228f8bbbf59e6ae8a6b63b738db19c66edf241266ad3b740c4b",
        golds="ad3d7d5e94fd317d9519461a6d3a0310e1690508d0b8de869d4e233810cb9bab",
        path="amc23/test.jsonl",
        hub="math-ai/amc23",
        rule="integer",
    ),
    "gsm8k": PublishedSet(
        title="GSM8K",
        size=1319,
        sha256="04a66a70bdf4237d4547ef2fb2c5199e0ae028d89d2565fac3ed76edb487fcee",
        golds="a011955038d9016ebf1bbf6b21e32f702c7e454067562390402c6883f5f8c4d0",
        path="gsm8k/test.jsonl",
        hub="openai/gsm8k",
        config="main",
        revision=GSM8K_REVISION,
        answer_mark="####",
        rule="integer",
    ),
    "mmlu_pro": PublishedSet(
        title="MMLU-Pro",
        size=12_032,
        path="mmlu_pro/test.jsonl",
        question="question",
        hub="TIGER-Lab/MMLU-Pro",
        rule="choice",
    ),
    "gpqa_diamond": PublishedSet(
        title="GPQA Diamond",
        size=198,
        path="gpqa/gpqa_diamond.jsonl",
        question="Question",
        gold="Correct Answer",
        hub="Idavidrein/gpqa",
        config="gpqa_diamond",
        split="train",
        rule="choice",
        as_row=gpqa_row,
    ),
}
TRAINING: Mapping[str, KnownSet] = {
    "gsm8k/train": KnownSet(
        title="GSM8K, training half",
        size=7473,
        path="gsm8k/train.jsonl",
        hub="openai/gsm8k",
        config="main",
        revision=GSM8K_REVISION,
        split="train",
        answer_mark="####",
    ),
}
"""Problems to train on; nothing is measured on them."""
GENERATED: Mapping[str, str] = {
    "same_kind": "Same kind as trained",
    "larger_numbers": "Larger numbers",
    "unseen_families": "Unseen families",
}
GENERATED_COUNT = 200
GENERATED_SEED = 20_241_125


def load_benchmark(
    name: str, *, data: Path | None = None, count: int | None = None, seed: int | None = None
) -> Benchmark:
    """The benchmark of that name, or a user's own set when `name` is the path of a JSONL file.

    name: a key of KNOWN (from the folder `data` or JOURNEY_DATA if given, else the hub), a key of GENERATED
    (with `count` problems drawn from `seed`), or a path ending in .jsonl.
    Raises DataError, saying how to get the set, if it is not available; ConfigError for an unknown name.
    """
    if name.endswith(".jsonl"):
        return load_file(Path(name))
    if name in GENERATED:
        return generate_benchmark(name, count or GENERATED_COUNT, GENERATED_SEED if seed is None else seed)
    if name not in KNOWN:
        names = ", ".join([*GENERATED, *KNOWN])
        raise ConfigError(
            f"There is no benchmark “{name}”.", f"Choose one of {names}, or give the path of a .jsonl file."
        )
    return _checked(name, *fetch(KNOWN[name], data))


def load_file(path: Path) -> Benchmark:
    """A user's own JSONL: each row has problem (or question) and answer (or gold), and maybe id, subject, level. Where
    every row has options (or choices), it is multiple choice."""
    name = f"own_{path.stem}" if path.stem in {*KNOWN, *GENERATED} else path.stem  # else taken for the published set
    rows = read_rows(path)
    problems = tuple(problems_of(name, rows, str(path)))
    return Benchmark(name, problems, content_hash(problems), f"file {path}", _rule_of(rows, path), name)


def _rule_of(rows: Sequence[Row], path: Path) -> Rule:
    """`choice` if the rows have options, else `math`. Raises DataError for a file in which only some rows have any."""
    choices = sum(bool(options_of(row)) for row in rows)
    if 0 < choices < len(rows):
        raise DataError(
            f"{path}: {choices} of {len(rows)} rows have options to choose from.",
            "Put multiple choice into a file of its own: its answers are graded in another way.",
        )
    return "choice" if choices else "math"


def generate_benchmark(name: str, count: int, seed: int, families: Sequence[str] | None = None) -> Benchmark:
    """Problems of our own generators, which need no download; the same arguments give the same problems.

    families: only these of the split's problem families.
    """
    from eval.problems.families import Split, generate

    problems = tuple(generate(cast(Split, name), count, seed, families))
    only = f", only {', '.join(families)}" if families else ""
    source = f"generated here, {count} problems, seed {seed}{only}"
    return Benchmark(name, problems, content_hash(problems), source, "math", GENERATED[name])


def _checked(name: str, rows: Iterable[Row], source: str) -> Benchmark:
    known = KNOWN[name]
    read = [known.as_row(row) for row in rows]
    if known.rule == "choice" and not all(map(options_of, read)):
        raise DataError(f"{source}: a row of {known.title} has no options to choose from.", how_to_get(known))
    problems = tuple(problems_of(name, read, source))
    digest = content_hash(problems)
    warning = ""
    if len(problems) != known.size:
        warning = f"{len(problems)} problems where {known.title} has {known.size}."
    elif not known.sha256:
        warning = f"This project has seen no copy of {known.title}, so the content was not compared with any."
    elif gold_hash(problems) != known.golds:
        warning = f"Some gold answers differ from the {known.title} this project was checked with."
    elif digest != known.sha256:
        warning = f"The golds are those of {known.title}; the wording or typesetting of some questions differs."
    return Benchmark(name, problems, digest, source, known.rule, known.title, warning)
