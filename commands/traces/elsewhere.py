"""`arena traces import`, and `arena traces teacher` through batch files: `--batch-out` and `--batch-in`."""

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from commands.kit.arguments import Commands, count, leaf
from commands.kit.files import check_writable
from commands.kit.printing import show
from common import jsonl
from common.errors import ConfigError
from common.paths import home

if TYPE_CHECKING:
    from eval.records import Problem
    from traces.keeping.trace import Trace
    from traces.thoughts.service.past import Maker, Past

NAMES = ("limo", "openr1-math", "openthoughts-114k", "openthoughts3", "s1k", "s1k-1.1")
"""The keys of `traces.thoughts.elsewhere.published.PUBLISHED`, copied so that help need not import it."""


def add_import(commands: Commands) -> None:
    text = "take over a published dataset of long thoughts, checked as our own are"
    example = "arena traces import limo --against math500 aime2024"
    parser = leaf(commands, "import", import_command, text, example)
    parser.add_argument("dataset", choices=NAMES, help="which dataset")
    parser.add_argument("--file", type=Path, help="a JSONL file with the dataset's columns, instead of the hub")
    parser.add_argument("--limit", type=count, help="read only this many rows")
    parser.add_argument("--against", nargs="*", default=[], metavar="BENCHMARK", help="drop problems of these sets")
    parser.add_argument("--no-embedding", action="store_true", help="skip the rule that compares embeddings")
    parser.add_argument(
        "--unchecked", action="store_true", help="keep thoughts whose dataset has no answer to check by"
    )
    parser.add_argument("--out", type=Path, help="traces file (default: <home>/traces/<dataset>.traces.jsonl)")


def import_command(options: argparse.Namespace) -> None:
    """Write a new traces file, including rejects with their reasons, and show the counts."""
    from commands.kit.collecting import claim
    from eval.grading.grader import Grader
    from eval.problems.benchmark_sets import load_benchmark
    from traces.keeping.keep import Verifier
    from traces.keeping.trace import write_traces
    from traces.problems.decontaminate import Decontaminator, minilm_embedder
    from traces.thoughts.elsewhere.published import published_traces, verified, without_benchmarks

    out = options.out or home() / "traces" / f"{options.dataset}.traces.jsonl"
    check_writable(out)
    benchmarks = [problem for name in options.against for problem in load_benchmark(name).problems]
    embed = minilm_embedder() if benchmarks and not options.no_embedding else None
    near: Counter[str] = Counter()
    counts: Counter[str] = Counter()
    with claim(out), Grader() as grader:
        traces: Iterable[Trace] = published_traces(options.dataset, options.file, options.limit)
        if benchmarks:
            clean = Decontaminator(benchmarks, embed)
            traces = without_benchmarks(traces, clean, lambda number: near.update(dropped=number))
        write_traces(out, counted(verified(traces, Verifier(grader), unchecked=options.unchecked), counts))
    kept = counts.pop("kept", 0)
    read = kept + counts.total() + near["dropped"]
    value = {"read": read, "kept": kept, "near_benchmarks": near["dropped"], "rejected": dict(counts), "file": out}
    reasons = ", ".join(f"{number} {code}" for code, number in counts.most_common()) or "none"
    lines = [
        f"{kept} of {read} thoughts kept; rejected: {reasons}; near a benchmark: {near['dropped']}.",
        f"Traces are in {out}.",
    ]
    if not benchmarks:
        lines.append("They were not compared with any benchmark. Give --against if you will measure with one.")
    show(options, value, "\n".join(lines))


def counted(traces: "Iterable[Trace]", counts: "Counter[str]") -> "Iterator[Trace]":
    """The traces, each counted under `kept` or the code of its reject."""
    from traces.keeping.keep import reason_code

    for trace in traces:
        counts["kept" if trace.kept else reason_code(trace)] += 1
        yield trace


def add_batch_options(parser: argparse.ArgumentParser) -> None:
    """Options of a command that can ask its service through batch files."""
    group = parser.add_argument_group("as files, without --url")
    group.add_argument(
        "--batch-out", type=Path, metavar="FILE", help="write the requests, for `vllm run-batch -i FILE`"
    )
    group.add_argument("--batch-in", type=Path, metavar="FILE", help="read the answers, from vllm run-batch -o FILE")


def batch_command(
    options: argparse.Namespace, problems: "Sequence[Problem]", out: Path, by: "Maker", prompt: str
) -> int:
    """Write the requests of all attempts missing from `out`, or append the missing answers from a file. `by`: what the
    attempts are."""
    from commands.kit.collecting import claim

    if options.batch_out and options.batch_in:
        raise ConfigError("--batch-out and --batch-in are two steps.", "Give one at a time.")
    if options.url:
        raise ConfigError("--url does not go with files.", "Leave it out: the batch is answered elsewhere.")
    if options.batch_out:
        return _write_batch(options, problems, out, by, prompt)
    with claim(out):
        return _read_batch(options, problems, out, by, prompt)


def _write_batch(
    options: argparse.Namespace, problems: "Sequence[Problem]", out: Path, by: "Maker", prompt: str
) -> int:
    from commands.kit.collecting import service_options_from
    from traces.thoughts.elsewhere.batch import requests
    from traces.thoughts.service.gather import retry_sentence
    from traces.thoughts.service.past import read_past

    check_writable(options.batch_out)
    service, past = service_options_from(options), read_past(out, problems, by)
    again = past.failed if options.retry_failed else {}
    wanted = [problem for problem in problems if options.all_attempts or problem.id not in past.kept]
    lines = list(requests(wanted, prompt, options.model, service,
                          attempts=options.attempts, seed=options.seed, done=past.done, failed=again))  # fmt: skip
    jsonl.write(options.batch_out, lines)
    text = (
        f"{len(lines)} requests: {options.batch_out}\n"
        f"Answer them with: vllm run-batch -i {options.batch_out} -o ANSWERS --model {options.model}\n"
        f"Then give this command again with --batch-in ANSWERS in place of --batch-out."
    )
    if not options.retry_failed and (retry := retry_sentence(_unanswered(options, problems, past))):
        text += f"\n{retry}"
    show(options, {"requests": len(lines), "file": options.batch_out}, text)
    return 0


def _read_batch(options: argparse.Namespace, problems: "Sequence[Problem]", out: Path, by: "Maker", prompt: str) -> int:
    from eval.grading.grader import Grader
    from traces.keeping.keep import Verifier
    from traces.keeping.trace import append_trace
    from traces.thoughts.elsewhere.batch import answers
    from traces.thoughts.service.gather import retry_sentence
    from traces.thoughts.service.past import read_past

    past, counts = read_past(out, problems, by), Counter[str]()
    given = answers(options.batch_in, problems, prompt, options.model)
    new = (trace for trace in given if trace.attempt not in past.done[trace.problem.id])
    with Grader() as grader:
        for trace in counted(map(Verifier(grader).verify, new), counts):
            append_trace(out, trace)
            past.add(trace)  # an answer may be there twice
    kept = counts.pop("kept", 0)
    total = kept + counts.total()
    reasons = ", ".join(f"{number} {code}" for code, number in counts.most_common()) or "none"
    value = {"read": total, "kept": kept, "rejected": dict(counts), "file": out}
    lines = [f"{total} answers, {kept} kept, rejected: {reasons}.", f"Traces are in {out}."]
    if retry := retry_sentence(_unanswered(options, problems, past)):
        lines.append(retry)
    show(options, value, "\n".join(lines))
    return 0


def _unanswered(options: argparse.Namespace, problems: "Sequence[Problem]", past: "Past") -> int:
    return past.unanswered(problems, options.attempts, until_kept=not options.all_attempts)
