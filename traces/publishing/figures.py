"""Figures computed from a run's answers: accuracy, cost, and whether the model's self-corrections help."""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from eval.grading.numerals import last_number_right
from eval.records import Problem, Sample
from eval.runs.log import RunLog
from eval.statistics.metrics import accuracy
from traces.thoughts.search import false_claims

_TRIAL_LEFT = re.compile(r", (no|too small|too big|not in the list)\b")


@dataclass(frozen=True)
class Answer:
    """One graded sample with its problem."""

    role: str
    problem: Problem
    sample: Sample
    correct: bool
    found: bool
    """Whether the reply has an answer where the prompt asks for it."""

    @property
    def cut_off(self) -> bool:
        return self.sample.finish_reason == "length"

    @property
    def last_number_right(self) -> bool:
        """Whether the reply's last number is right: the most generous reading, reported beside the grade."""
        return last_number_right(self.sample.answer, self.problem.gold)


def read_answers(log: RunLog) -> list[Answer]:
    """Every graded sample of a run, in the order of its problems, base before distilled."""
    info = log.info()
    grades = {(row["model"], row["problem_id"], row["index"]): row for row in log.rows("grades")}  # the last one holds
    problems = {problem.id: problem for problem in log.problems()}
    order = {problem_id: place for place, problem_id in enumerate(problems)}
    answers = [
        Answer(
            info.role_of(sample.model),
            problems[sample.problem_id],
            sample,
            grade["outcome"] == "correct",
            grade["rung"] != "none",
        )
        for sample in log.samples()
        if (grade := grades.get((sample.model, sample.problem_id, sample.index)))
        and grade["outcome"] != "grader_failed"  # which says nothing about the answer
    ]
    return sorted(answers, key=lambda answer: (order[answer.problem.id], answer.role, answer.sample.index))


def figures(answers: Sequence[Answer]) -> dict[str, Any]:
    """Accuracy with its 95 % interval and mean output tokens of one model on one set."""
    by_problem: dict[str, list[bool]] = defaultdict(list)
    for answer in answers:
        by_problem[answer.problem.id].append(answer.correct)
    estimate = accuracy(list(by_problem.values()))
    return {
        "problems": len(by_problem),
        "samples": len(answers),
        "accuracy": round(estimate.value, 4),
        "low": round(estimate.low, 4),
        "high": round(estimate.high, 4),
        "interval": estimate.method,
        "mean_tokens": round(fmean(answer.sample.output_tokens for answer in answers), 1),
        "cut_off": round(fmean(answer.cut_off for answer in answers), 4),
        "boxed": round(fmean(answer.found for answer in answers), 4),
        "last_number_right": round(fmean(answer.last_number_right for answer in answers), 4),
        "thought": round(fmean(bool(answer.sample.thought) for answer in answers), 4),
    }


def corrections(answers: Sequence[Answer]) -> dict[str, int]:
    """Does the model really go back and correct itself? Counts over thoughts.

    `dead_ends`: an approach is abandoned; `false_steps`: thoughts with a wrong calculation; `failed_checks`: the final
    check finds an error; `saved`: the answer is right after a failed check; `sham_checks`: the last check passes, yet
    the answer is wrong.
    """
    thoughts = [(answer.sample.thought, answer.correct) for answer in answers if answer.sample.thought]
    false_steps = [correct for thought, correct in thoughts if false_claims(thought)]
    failed = [correct for thought, correct in thoughts if "Not the same." in thought]
    passed = [correct for thought, correct in thoughts if thought.rstrip().endswith("Good.")]
    return {
        "thoughts": len(thoughts),
        "dead_ends": sum("leads nowhere" in thought for thought, _ in thoughts),
        "trials_left": sum(bool(_TRIAL_LEFT.search(thought)) for thought, _ in thoughts),
        "false_steps": len(false_steps),
        "false_steps_right_in_the_end": sum(false_steps),
        "failed_checks": len(failed),
        "saved": sum(failed),
        "checks_said_good": len(passed),
        "sham_checks": len(passed) - sum(passed),
    }


def summarize_answers(answers: Sequence[Answer]) -> dict[str, Any]:
    """Nested figures: split → role → its figures, `by_family`, `by_level` and `corrections`."""
    return {
        split: {
            role: {
                **figures(own),
                "by_family": _figures_by(own, lambda answer: answer.problem.subject),
                "by_level": _figures_by(own, lambda answer: answer.problem.level),
                "corrections": corrections(own),
            }
            for role, own in _grouped(of_split, lambda answer: answer.role).items()
        }
        for split, of_split in _grouped(answers, lambda answer: answer.problem.benchmark).items()
    }


def _figures_by(answers: Sequence[Answer], key: Callable[[Answer], str]) -> dict[str, Any]:
    return {name: figures(own) for name, own in sorted(_grouped(answers, key).items())}


def _grouped(answers: Sequence[Answer], key: Callable[[Answer], str]) -> dict[str, list[Answer]]:
    groups: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        groups[key(answer)].append(answer)
    return groups
