"""The benchmarks: which there are, where their problems come from, and whether they are what they claim to be.

Does not know how problems are put to a model or how answers are graded.

A row of MATH500, as it lies on disk and on the hub:
{"problem": "Convert the point …", "solution": "We have …", "answer": "\\left( 3, \\frac{\\pi}{2} \\right)",
 "subject": "Precalculus", "level": 2, "unique_id": "test/precalculus/807.json"}
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from common.errors import ConfigError, DataError
from eval.problems.loader import Benchmark, Rule, _problems, content_hash, data_folder, gold_hash, read_rows


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


def load_file(path: Path) -> Benchmark:
    """A user's own JSONL: each row has problem (or question) and answer (or gold), and maybe id, subject, level."""
    name = f"own_{path.stem}" if path.stem in {*KNOWN, *GENERATED} else path.stem  # never taken for the published set
    problems = tuple(_problems(name, read_rows(path), str(path)))
    return Benchmark(name, problems, content_hash(problems), f"file {path}", "math", name)


def generate_benchmark(name: str, count: int, seed: int, families: Sequence[str] | None = None) -> Benchmark:
    """Problems of our own generators, which need no download; the same arguments give the same problems.

    families: only these of the split's problem families.
    """
    from eval.problems.families import Split, generate

    problems = tuple(generate(cast(Split, name), count, seed, families))
    only = f", only {', '.join(families)}" if families else ""
    source = f"generated here, {count} problems, seed {seed}{only}"
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
