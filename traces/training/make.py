"""Generating a recipe's training files from its seed: problems, searched and verified traces, rows.

The output is determined by the recipe: the same recipe gives the same rows, byte for byte.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from common.errors import DataError
from eval.grading.grader import Grader
from eval.problems.families import generate
from eval.records import Problem
from models.weights.files import sha256_of
from traces.keeping.keep import Verifier, reject
from traces.keeping.trace import Trace, write_traces
from traces.thoughts.journey import journey
from traces.thoughts.search import SearchSettings
from traces.thoughts.sentences import told
from traces.training.dataset import read_preferences, read_rows, write_rows
from traces.training.mix import mixed_rows, rows_path
from traces.training.prompts import asked
from traces.training.recipe import Mix, Recipe, base_here


class Made(NamedTuple):
    """The file of one phase."""

    phase: str
    path: Path
    rows: int
    sha256: str


def token_counter(name: str = "embedded") -> Callable[[str], int]:
    """Counts tokens as a recipe's base does; 0, shown as unknown, where its tokenizer is not on this machine."""
    base = base_here(name)
    if base is None or not (base / "tokenizer.json").is_file():
        return lambda _: 0
    from tokenizers import Tokenizer  # not needed on a Space whose models are remote

    tokenizer = Tokenizer.from_file(str(base / "tokenizer.json"))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def searched(problem: Problem, seed: int, settings: SearchSettings, count: Callable[[str], int]) -> Trace:
    """A searched trace with its time and tokens, not yet verified; a reject if the search finds nothing.

    Its prompt is one of the phrasings of `traces.training.prompts`; `count` comes from `token_counter`.
    """
    prompt = asked(problem, seed)
    started = time.perf_counter()
    try:
        trace = journey(problem, seed, settings)
    except DataError as error:
        nothing = Trace(problem, prompt, "", "", "", "search", "tree search", seed=seed)
        trace = reject(nothing, "budget", str(error))
    return replace(trace, prompt=prompt, seconds=round(time.perf_counter() - started, 6), tokens=count(trace.raw))


def traces_of(mix: Mix, recipe: Recipe) -> Iterator[Trace]:
    """A searched trace for each problem the mix needs, then those told in sentences."""
    seed, families = recipe.seed, recipe.families
    problems = generate("train", mix.skip + mix.problems, seed, families)[mix.skip :] if mix.problems else []
    settings, count = SearchSettings(slips=mix.slips), token_counter(recipe.base)
    for problem in problems:
        yield searched(problem, seed, settings, count)
    retold = generate("train", mix.skip + mix.told, seed, recipe.tellable)[mix.skip :] if mix.told else []
    for problem in retold:
        trace = told(problem, seed)
        yield replace(trace, prompt=asked(problem, seed), tokens=count(trace.raw))


def check_files(recipe: Recipe) -> None:
    """Raise DataError if a file in a phase's `data` is missing. Call it before fetching a base."""
    if missing := [str(file) for phase in recipe.phases for file in phase.files if not file.is_file()]:
        raise DataError(
            f"The recipe needs {', '.join(dict.fromkeys(missing))}, which is not there.",
            "Make it first: the recipe's comments may say how, or see docs/training.md.",
        )


def make(recipe: Recipe, folder: Path) -> list[Made]:
    """Write `<phase>.rows.jsonl` for every phase with a mix or several files; rows of files follow the generated ones.

    The traces behind the generated rows go to `<phase>.traces.jsonl`.
    Every trace goes through the two checks of `traces.keeping.keep`; rejects stay in the traces file with their reason.
    Raises DataError if a file in a phase's `data` is missing, or a file gets another hash than the recipe names.
    """
    check_files(recipe)
    files = []
    for number, phase in enumerate(recipe.phases):
        path, made = rows_path(phase, folder), []
        if phase.mix is not None:
            seed = recipe.seed * 100 + number
            with Grader(workers=1) as grader:
                traces = list(Verifier(grader).verify_all(traces_of(phase.mix, recipe)))
            made = mixed_rows(phase.mix, traces, seed)
            write_traces(folder / f"{phase.name}.traces.jsonl", traces)
        if path not in phase.files:
            write_rows(path, [*made, *(row for file in phase.files for row in read_rows(file))])
        rows = read_preferences(path, phase.sha256) if phase.beta else read_rows(path, phase.sha256)
        files.append(Made(phase.name, path, len(rows), sha256_of(path)))
    return files
