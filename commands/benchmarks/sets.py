"""`arena sets`: lists the problem sets, and checks that each is complete and gradable."""

import argparse
from typing import TYPE_CHECKING, Any

from commands.kit.arguments import describe
from commands.kit.printing import note, one_line, show
from common.errors import ArenaError
from eval.problems.benchmark_sets import GENERATED, GENERATED_COUNT, KNOWN, load_benchmark

if TYPE_CHECKING:
    from eval.grading.grader import Grader


def add_sets(parser: argparse.ArgumentParser) -> None:
    describe(parser, sets_command, "arena sets same_kind math500 --check")
    parser.add_argument("name", nargs="*", help="only these sets, or .jsonl files")
    parser.add_argument(
        "--check",
        action="store_true",
        help="load each set with gold answers and grade every gold against itself; exit code 1 if one fails",
    )


def sets_command(options: argparse.Namespace) -> int:
    """List the sets, or check them: 1 if a set could not be loaded or a gold answer fails, otherwise 0."""
    from eval.grading.grader import Grader
    from eval.problems.open_ended import SETS
    from eval.problems.sycophancy import NAME as PROBE

    names = options.name or [*GENERATED, *KNOWN]
    if not options.check:
        listed = options.name or [*names, PROBE, *SETS]
        values: dict[str, Any] = {name: _description(name) for name in listed}
        show(options, {"sets": values}, "\n".join(f"{name:20} {text}" for name, text in values.items()))
        return 0
    with Grader() as grader:
        checks = {name: _checked(name, grader) for name in names}
    show(options, {"sets": checks}, "\n".join(_line(name, check) for name, check in checks.items()))
    return int(not all(check["passed"] for check in checks.values()))


def _checked(name: str, grader: "Grader") -> dict[str, Any]:
    try:
        benchmark = load_benchmark(name)
    except ArenaError as error:
        note(one_line(f"{name}: {error}"))
        return {"passed": False, "error": str(error)}
    from eval.grading.grader import gold_faults

    faults = gold_faults(benchmark, grader)
    return {
        "passed": not faults,
        "problems": len(benchmark),
        "sha256": benchmark.sha256,
        "source": benchmark.source,
        "warning": benchmark.warning,
        "faults": [{"id": problem.id, "gold": problem.gold, "reason": reason} for problem, reason in faults],
    }


def _line(name: str, check: dict[str, Any]) -> str:
    if "error" in check:
        return f"{name}: could not be loaded"
    lines = [f"{name}: {check['problems']} problems, sha256 {check['sha256']}, {check['source']}"]
    if check["warning"]:
        lines.append(f"  warning: {check['warning']}")
    lines += [f"  the gold answer of {f['id']} fails: {f['gold']} ({f['reason']})" for f in check["faults"]]
    if check["passed"]:
        lines.append("  every gold answer is graded correct against itself")
    return "\n".join(lines)


def _description(name: str) -> str:
    from eval.problems.open_ended import SETS
    from eval.problems.sycophancy import NAME as PROBE

    if name in GENERATED:
        return f"{GENERATED[name]}: {GENERATED_COUNT} problems, generated here"
    if name in KNOWN:
        known = KNOWN[name]
        return f"{known.title}: {known.size} problems, {f'hub {known.hub}' if known.hub else 'from a folder only'}"
    if name == PROBE:
        return "Sycophancy probe: generated here, graded"
    if name in SETS:
        return f"{SETS[name].title}: open-ended, for a judge"
    return "a file of your own"
