"""`arena traces sample` and `arena traces keep`: sample many plain solutions, and select training data from them."""

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from commands.kit.arguments import AGAIN, PROBLEMS, Commands, count, leaf, positive, seed
from commands.kit.files import check_apart, check_writable
from commands.kit.printing import SECONDS_BETWEEN, overwrite, show
from commands.kit.service_options import add_service_options
from common.errors import ConfigError
from common.paths import home

if TYPE_CHECKING:
    from traces.keeping.preferences import Preference
    from traces.keeping.trace import Trace
    from traces.training.dataset import PreferenceRow

SECONDS_BETWEEN_LINES = 60.0
"""Interval between progress lines where they cannot be overwritten."""


def add_sample(commands: Commands) -> None:
    example = "arena traces sample problems.jsonl --served qwen-1.5b --samples 2 --hours 3"
    text = "ask a model for several plain solutions of each problem"
    parser = leaf(commands, "sample", sample_command, text, example, continues=AGAIN)
    parser.add_argument("problems", type=Path, help=PROBLEMS)
    parser.add_argument("--out", type=Path, help="traces file (default: <home>/traces/solutions.traces.jsonl)")
    parser.add_argument("--samples", type=count, default=2, help="of each problem (default: 2)")
    parser.add_argument("--hours", type=positive, help="ask nothing new after this time (default: no limit)")
    parser.add_argument("--limit", type=count, help="make at most this many samples in this run")
    parser.add_argument("--retry-failed", action="store_true", help="repeat requests that failed")
    parser.add_argument("--seed", type=seed, default=0, help="of the samples and of the order of the problems")
    add_service_options(parser, max_tokens=640, served=True)


def sample_command(options: argparse.Namespace) -> int:
    """Append every sample missing from the file, right or wrong, with the problems in random order."""
    from commands.kit.collecting import collect
    from commands.kit.serving import asking
    from traces.problems.sources import read_problems
    from traces.thoughts.service.gather import Attempts
    from traces.thoughts.service.past import Maker
    from traces.thoughts.solutions import RULES, solution_attempt

    out = options.out or home() / "traces" / "solutions.traces.jsonl"
    problems = read_problems(options.problems)
    Random(f"sample/{options.seed}").shuffle(problems)  # if time runs out, the problems asked are a random sample
    check_writable(out)
    attempts = Attempts(
        most=options.samples,
        until_kept=False,
        retry_failed=options.retry_failed,
        seed=options.seed,
        at_once=options.concurrency,
        limit=options.limit,
        seconds=options.hours and options.hours * 3600,
    )
    with asking(options) as chosen:
        by = Maker("solutions", chosen.model)
        return collect(chosen, problems, out, by, solution_attempt, RULES, attempts, counting())


def counting() -> "Callable[[Trace], None]":
    """Counts the samples of this run on one line of a terminal, or once a minute in a file."""
    started = time.monotonic()
    last, samples, right, tokens = [0.0], [0], [0], [0]

    def report(trace: "Trace") -> None:
        samples[0] += 1
        right[0] += bool(trace.kept)
        tokens[0] += trace.tokens
        now = time.monotonic()
        if now - last[0] > (SECONDS_BETWEEN if sys.stderr.isatty() else SECONDS_BETWEEN_LINES):
            last[0] = now
            speed = tokens[0] / max(now - started, 1.0)
            overwrite(f"{samples[0]} samples, {right[0]} right, {speed:.0f} tokens a second")

    return report


def add_keep(commands: Commands) -> None:
    example = "arena traces keep solutions.traces.jsonl --rows solutions.rows.jsonl --pairs preference.jsonl"
    text = "choose among plain solutions: rows to train on, and pairs of a right and a wrong one"
    parser = leaf(commands, "keep", keep_command, text, example)
    parser.add_argument("traces", type=Path, nargs="+", help="traces files; .xz is unpacked")
    parser.add_argument("--rows", type=Path, help="training rows to write: right solutions, one for each way")
    parser.add_argument("--pairs", type=Path, help="preference pairs to write, for DPO")
    parser.add_argument("--most", type=count, default=4, help="solutions of a problem (default: 4)")
    parser.add_argument("--most-pairs", type=count, default=2, help="pairs of a problem (default: 2)")
    parser.add_argument("--plain", action="store_true", help="write solutions as replies, not as thoughts")
    parser.add_argument("--phrasings", action="store_true", help="ask in varied words, not always as in benchmarks")


def keep_command(options: argparse.Namespace) -> None:
    """Select solutions, write the requested files, and report how many were left out and why."""
    from traces.keeping.preferences import preferences
    from traces.keeping.roads import select
    from traces.keeping.trace import read_traces
    from traces.training.dataset import write_preferences, write_rows
    from traces.training.mix import refuse_measured, rows_of

    if not options.rows and not options.pairs:
        raise ConfigError("There is nothing to write.", "Give --rows FILE, --pairs FILE, or both.")
    for path in filter(None, (options.rows, options.pairs)):
        check_writable(path)
        check_apart(path, options.traces)
    traces = [trace for path in options.traces for trace in read_traces(path)]
    selection = select(traces, options.most)
    shape = shaped(options.plain, options.phrasings)
    value: dict[str, object] = {"traces": len(traces), "dropped": dict(selection.dropped.most_common())}
    lines = [f"{len(traces)} solutions, left out: {reasons(value['dropped'])}."]
    if options.rows:
        rows = rows_of(map(shape, selection.chosen)).rows
        value |= {"rows": len(rows), "sha256": write_rows(options.rows, rows), "file": options.rows}
        lines.append(f"{len(rows)} rows: {options.rows}, sha256 {value['sha256']}")
    if options.pairs:
        pairs = preferences(traces, options.most_pairs)
        refuse_measured(pair.chosen for pair in pairs)
        value |= {"pairs": len(pairs), "pairs_sha256": write_preferences(options.pairs, pair_rows(pairs, shape))}
        value |= {"pairs_file": options.pairs}
        lines.append(f"{len(pairs)} pairs: {options.pairs}, sha256 {value['pairs_sha256']}")
    show(options, value, "\n".join(lines))


def shaped(plain: bool, phrasings: bool = False) -> "Callable[[Trace], Trace]":
    """How a solution is presented to the student: as a plain reply or as a thought followed by its answer, to the
    prompt that it was made for or to a phrasing of its own."""
    from traces.thoughts.solutions import as_solution, as_thought
    from traces.training.prompts import asked

    def shape(trace: "Trace") -> "Trace":
        prompt = asked(trace.problem, trace.seed) if phrasings else trace.prompt
        return replace((as_solution if plain else as_thought)(trace), prompt=prompt)

    return shape


def pair_rows(pairs: "list[Preference]", shape: "Callable[[Trace], Trace]") -> "Iterator[PreferenceRow]":
    """Both solutions of each pair as the student would write them."""
    from traces.training.dataset import PreferenceRow
    from traces.training.mix import row_of

    for pair in pairs:
        chosen, rejected = (row_of(shape(trace)).completion for trace in pair)
        yield PreferenceRow(shape(pair.chosen).prompt, chosen, rejected, pair.chosen.problem.id)


def reasons(dropped: object) -> str:
    """E.g. "12 wrong_answer, 3 same_road"."""
    assert isinstance(dropped, dict)
    return ", ".join(f"{number} {code}" for code, number in dropped.items()) or "none"
