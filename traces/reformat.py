"""Phase 1's data: a known solution rewritten by an LLM, step by step, in detail, with the answer in a box.

Does not know the wire or how runs are resumed. Problems of the generated families need no LLM: the search's own
shortcut path is such a solution (`traces.journey`, `extra["shortcut"]`), and the rewritten text takes the same place:
`python -m traces rows` makes the same kind of row of both.
"""

import argparse
from pathlib import Path

from eval.problem import Problem
from eval.prompts import maths_prompt
from models.client import Message
from models.errors import DataError
from models.paths import home
from traces.endpoint import Asker
from traces.endpoint_options import add_attempt_arguments, add_endpoint_arguments, collect
from traces.gather import MakeAttempt
from traces.keep import KeepRules, reject
from traces.sources import read_problems
from traces.trace import Trace

REFORMAT_PROMPT = """Here are a maths problem and its solution.

Problem:
{question}

Solution:
{solution}

Rewrite the solution so that a student can follow every step: one step a paragraph, each calculation written out, \
nothing skipped, longer than the original. Keep its method and its result. Do not mention that a solution was given. \
End with the final answer in \\boxed{{}}."""
RULES = KeepRules(needs_thought=False)


def reformat_attempt(asker: Asker, prompt: str = REFORMAT_PROMPT) -> MakeAttempt:
    """How `traces.gather` gets one rewritten solution. The problem's `extra` must hold the known "solution"."""

    async def attempt(problem: Problem, number: int, seed: int) -> Trace:
        sent = prompt.format(question=problem.question, solution=problem.extra["solution"])
        said = await asker.ask([Message("user", sent)], seed=seed)
        text = said.text.strip()
        trace = Trace(
            problem=problem,
            prompt=maths_prompt(problem),
            raw=text,
            thought="",
            answer=text,
            method="teacher",
            model=asker.endpoint.model,
            tokens=said.output_tokens,
            seconds=round(said.seconds, 3),
            cost=said.cost,
            attempt=number,
            seed=seed,
            extra={"phase": 1, "sent": sent, "finish_reason": said.finish_reason, "shortcut": text},
        )
        return reject(trace, "request", f"{said.failure}, {said.detail}") if said.failure else trace

    return attempt


def with_solutions(problems: list[Problem]) -> list[Problem]:
    """The problems that come with a solution. Raises DataError if none does."""
    found = [problem for problem in problems if problem.extra.get("solution")]
    if not found:
        raise DataError("None of these problems has a solution.", "Curate a source with a solution column.")
    return found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m traces reformat`."""
    parser.add_argument("problems", type=Path, help="a curated problem file whose problems have solutions")
    add_endpoint_arguments(parser)
    add_attempt_arguments(parser)
    parser.add_argument("--out", type=Path, help="file (default: <home>/traces/phase1/reformatted.jsonl)")


def run(args: argparse.Namespace) -> int:
    """Rewrite the solutions; returns as `collect` does."""
    out = args.out or home() / "traces" / "phase1" / "reformatted.jsonl"
    return collect(args, with_solutions(read_problems(args.problems)), out, reformat_attempt, RULES)
