"""The benchmarks: which there are, where their problems come from, and whether they are what they claim to be.

Does not know how problems are put to a model or how answers are graded.

A row of MATH500, as it lies on disk and on the hub:
{"problem": "Convert the point …", "solution": "We have …", "answer": "\\left( 3, \\frac{\\pi}{2} \\right)",
 "subject": "Precalculus", "level": 2, "unique_id": "test/precalculus/807.json"}
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from eval.grading import Grader
from eval.problem import Problem
from models.errors import ConfigError, DataError

Rule = Literal["math", "integer", "judged"]
"""How answers are compared: as mathematics, as whole numbers (AIME), or not by a grader but by a judge."""


@dataclass(frozen=True)
class Benchmark:
    """A set of problems with one rule of grading."""

    name: str
    problems: tuple[Problem, ...]
    sha256: str
    """Of the questions and golds, whatever their order and other columns: see `content_hash`."""
    source: str
    """Where these problems came from, in words: a folder, a hub id, a generator and its seed."""
    rule: Rule = "math"
    title: str = ""
    warning: str = ""
    """Set when the size or the content is not that of the published set; shown wherever its results are."""

    def __len__(self) -> int:
        return len(self.problems)


@dataclass(frozen=True)
class KnownSet:
    """A public set: how to find it, and what it must hold."""

    title: str
    size: int
    sha256: str
    """`content_hash` of the copy this project was checked with."""
    golds: str
    """`gold_hash` of the same: copies that differ in wording or typesetting agree in it."""
    folder: str
    """Its name below JOURNEY_DATA."""
    hub: str = ""
    """Its id on the Hugging Face hub; empty when it is not there."""
    split: str = "test"
    rule: Rule = "math"


KNOWN: Mapping[str, KnownSet] = {
    "aime2024": KnownSet(
        "AIME 2024",
        30,
        "714565810a95b18bf697e4dee4ed6198735d7431784404fb4b648d74cd719db3",
        "d5c0989a943a83fd941c9c8ba9d2b6051baf4fa427a2ae714445641bf39bba68",
        "aime24",
        "HuggingFaceH4/aime_2024",
        "train",
        "integer",
    ),
    "aime2025": KnownSet(
        "AIME 2025",
        30,
        "d502645998e265abe40b71c3f1ab33d7510b2edc0760ed76c50513d03ed9229d",
        "4d54cb1dd8772598e9da163fbe008d88e5c7dbe040fe7dec56da571158fa94ba",
        "aime25",
        "math-ai/aime25",
        "test",
        "integer",
    ),
    "math500": KnownSet(
        "MATH500",
        500,
        "d3ab2921fc58c1d54bd85bf0e27d43f8e9dab7235166c2b5bd43f1bf605543be",
        "428c541fbd205e654ef8545102868cac794c36d3522ceec06fbfee46e177308a",
        "math500",
        "HuggingFaceH4/MATH-500",
    ),
    "math2024": KnownSet(
        "MATH2024",
        30,
        "306fbd7a86d55664497a3ca3ae8a2ed748537cfd752ce5f881065c2b388db1f8",
        "88fec52fc217533cb20b5767c5a6e88f528fe57fadb1ddcb160a311e2485eb05",
        "math2024",
    ),
    "amc2023": KnownSet(
        "AMC 2023",
        40,
        "30712cd0c1ecc228f8bbbf59e6ae8a6b63b738db19c66edf241266ad3b740c4b",
        "ad3d7d5e94fd317d9519461a6d3a0310e1690508d0b8de869d4e233810cb9bab",
        "amc23",
        "math-ai/amc23",
        "test",
        "integer",
    ),
}
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
    Raises DataError with the way to get the set when it cannot be had; ConfigError for an unknown name.
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
    folder = data or data_folder()
    return _from_folder(name, folder) if folder else _from_hub(name)


def data_folder() -> Path | None:
    """The folder of public sets, from JOURNEY_DATA; None when it is not set."""
    name = os.environ.get("JOURNEY_DATA")
    return Path(name) if name else None


def content_hash(problems: Iterable[Problem]) -> str:
    """sha256 over the sorted (question, gold) pairs with white space squeezed: the same whatever the order, the ids
    and the other columns of a copy."""
    return _digest(sorted([squeeze(p.question), _plain(p.gold)] for p in problems))


def gold_hash(problems: Iterable[Problem]) -> str:
    """sha256 over the sorted golds alone."""
    return _digest(sorted(_plain(p.gold) for p in problems))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False).encode()).hexdigest()


def squeeze(text: str) -> str:
    """The text with every run of white space made one space."""
    return " ".join(text.split())


def _plain(gold: str) -> str:
    """Copies differ in leading zeros: 025 is 25."""
    return str(int(gold)) if gold.isdecimal() else squeeze(gold)


class GoldFault(NamedTuple):
    """A gold answer that would not be graded correct against itself."""

    problem: Problem
    reason: str


def gold_faults(benchmark: Benchmark, grader: Grader) -> list[GoldFault]:
    """The problems whose gold fails against itself; a run shows them before it starts. Empty for judged sets."""
    if benchmark.rule == "judged":
        return []
    faults = ((problem, grader.gold_fault(problem.gold, benchmark.rule)) for problem in benchmark.problems)
    return [GoldFault(problem, reason) for problem, reason in faults if reason]


def load_file(path: Path) -> Benchmark:
    """A user's own JSONL: each row has problem (or question) and answer (or gold), and maybe id, subject, level."""
    name = f"own_{path.stem}" if path.stem in {*KNOWN, *GENERATED} else path.stem  # never taken for the published set
    problems = tuple(_problems(name, read_rows(path), str(path)))
    return Benchmark(name, problems, content_hash(problems), f"file {path}", "math", name)


def generate_benchmark(name: str, count: int, seed: int) -> Benchmark:
    """Problems of our own generators, which need no download; the same count and seed give the same problems."""
    from eval.families import Split, generate  # only a generated set needs the generators

    problems = tuple(generate(cast(Split, name), count, seed))
    source = f"generated here, {count} problems, seed {seed}"
    return Benchmark(name, problems, content_hash(problems), source, "math", GENERATED[name])


def _from_folder(name: str, folder: Path) -> Benchmark:
    path = folder / KNOWN[name].folder / "test.jsonl"
    if not path.is_file():
        raise DataError(f"{KNOWN[name].title} is not in {folder}: {path} does not exist.", how_to_get(name))
    return _checked(name, read_rows(path), f"folder {folder}")


def _from_hub(name: str) -> Benchmark:
    known = KNOWN[name]
    if not known.hub:
        raise DataError(f"{known.title} is not on the Hugging Face hub.", how_to_get(name))
    from datasets import load_dataset
    from datasets.exceptions import DatasetsError
    from huggingface_hub.errors import HfHubHTTPError

    try:
        rows = load_dataset(known.hub, split=known.split)
    except (DatasetsError, HfHubHTTPError, OSError, ValueError) as error:
        raise DataError(
            f"{known.title} could not be fetched from the hub ({known.hub}): {error}.", how_to_get(name)
        ) from error
    return _checked(name, [dict(row) for row in rows], f"hub {known.hub}, split {known.split}")


def how_to_get(name: str) -> str:
    """What to do to have a known set, in a sentence."""
    known = KNOWN[name]
    own = f"set JOURNEY_DATA to a folder that holds {known.folder}/test.jsonl (rows with problem and answer)"
    return f"Connect to the Hugging Face hub ({known.hub}), or {own}." if known.hub else f"To have it, {own}."


def _checked(name: str, rows: Iterable[Mapping[str, Any]], source: str) -> Benchmark:
    known = KNOWN[name]
    problems = tuple(_problems(name, rows, source))
    digest = content_hash(problems)
    warning = ""
    if len(problems) != known.size:
        warning = f"{len(problems)} problems where {known.title} has {known.size}."
    elif gold_hash(problems) != known.golds:
        warning = f"Some gold answers differ from the {known.title} this project was checked with."
    elif digest != known.sha256:
        warning = f"The golds are those of {known.title}; the wording or typesetting of some questions differs."
    return Benchmark(name, problems, digest, source, known.rule, known.title, warning)


def _problems(name: str, rows: Iterable[Mapping[str, Any]], source: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for number, row in enumerate(rows):
        question = _first(row, "problem", "question")
        gold = gold_text(_first(row, "answer", "gold"))
        if not question or not gold:
            missing = "problem" if not question else "answer"
            raise DataError(f"{source}: row {number + 1} has no {missing}.", "Each row needs a problem and an answer.")
        if not isinstance(question, str):
            raise DataError(f"{source}: the problem of row {number + 1} is not text.", "Put it in quotation marks.")
        key = problem_key(row, number, seen)
        yield Problem(f"{name}/{key}", question, gold, name, str(row.get("subject") or ""), str(row.get("level") or ""))
    if not seen:
        raise DataError(f"{source} holds no problems.", "Each row needs a problem and an answer.")


def problem_key(row: Mapping[str, Any], number: int, seen: set[str]) -> str:
    """The row's own id, or its number where it has none; unlike all of `seen`, to which it is added."""
    own = _first(row, "unique_id", "id")
    key = str(number if own == "" else own)
    key = key if key not in seen else f"{key}#{number}"
    seen.add(key)
    return key


def _first(row: Mapping[str, Any], *keys: str) -> Any:
    return next((row[key] for key in keys if row.get(key) not in (None, "")), "")


def gold_text(value: object) -> str:
    """A gold answer as text; 27.0 is the whole number 27, since copies of AMC keep their golds as floats."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file, or of one that is a JSON list; DataError names the line that is none."""
    remedy = "Give a UTF-8 file with one JSON object a line, or a JSON list of objects."
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}.", remedy) from error
    rows = []
    # splitlines would also part at U+2028 within a text
    for number, piece in enumerate([text] if text.lstrip().startswith("[") else text.split("\n"), 1):
        if not piece.strip():
            continue
        try:
            value = json.loads(piece)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {number} is not JSON: {error}.", remedy) from error
        if "\\ud" in piece.lower():
            value = _with_whole_characters(value)
        found = value if isinstance(value, list) else [value]
        if not all(isinstance(row, dict) for row in found):
            raise DataError(f"{path}, line {number} is not a JSON object.", remedy)
        rows += found
    return rows


def _with_whole_characters(value: Any) -> Any:
    """The value with every half of a character (a lone surrogate, which JSON can hold and UTF-8 cannot) replaced."""
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
