"""The command `python -m commands.runs sets`: which benchmarks there are, and whether each is whole and gradable.

Knows arguments and printing; the loading and checking is done in `eval.problems.maths`.
"""

import argparse

from common.errors import ArenaError
from eval.grading.grader import Grader, gold_faults
from eval.problems.maths import GENERATED, GENERATED_COUNT, KNOWN, load_benchmark


def add_sets_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser("sets", help="the benchmarks there are; with --check, whether they are whole")
    parser.add_argument("name", nargs="*", help="only these (names, or paths of .jsonl files)")
    parser.add_argument("--check", action="store_true", help="load each, and grade every gold answer against itself")
    parser.set_defaults(action=sets_command)


def sets_command(options: argparse.Namespace) -> int:
    """Prints a line a set; with --check its hash, its source, warnings and failing golds.

    Returns 1 when a gold fails, or when a set that was named cannot be had; else 0.
    """
    names = options.name or [*GENERATED, *KNOWN]
    if not options.check:
        for name in names:
            print(f"{name:16} {_described(name)}")
        return 0
    with Grader() as grader:
        passed = [_checked(name, grader, required=bool(options.name)) for name in names]
    return int(not all(passed))


def _checked(name: str, grader: Grader, required: bool) -> bool:
    try:
        benchmark = load_benchmark(name)
    except ArenaError as error:
        print(f"{name}: {error}")
        return not required
    print(f"{name}: {len(benchmark)} problems, sha256 {benchmark.sha256}, {benchmark.source}")
    if benchmark.warning:
        print(f"  warning: {benchmark.warning}")
    faults = gold_faults(benchmark, grader)
    for problem, reason in faults:
        print(f"  the gold answer of {problem.id} fails: {problem.gold} ({reason})")
    if not faults:
        print("  every gold answer is graded correct against itself")
    return not faults


def _described(name: str) -> str:
    if name in GENERATED:
        return f"{GENERATED[name]}: {GENERATED_COUNT} problems, generated here"
    if name in KNOWN:
        known = KNOWN[name]
        return f"{known.title}: {known.size} problems, {f'hub {known.hub}' if known.hub else 'from a folder only'}"
    return "a file of yours"
