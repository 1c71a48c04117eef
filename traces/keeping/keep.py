"""Which traces are kept: format rules, then two independent checks of the answer; every reject carries its reason.

The two checks share no code except the search for the last box: `eval.grading.grader` (extraction and math-verify in
worker processes) and the exact number grammar of `traces.problems.numeric`. For generated families the second check
uses the family's own solver instead of the stored gold. Both must find the answer right.

`Trace.reason` reads "code: detail"; the codes and their rules are `REASONS`.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from eval.grading.extraction import last_box
from eval.grading.grader import GradeItem, Grader
from eval.problems.families import SPLITS, TRAINED, UNSEEN
from eval.records import Grade, Problem
from traces.keeping.trace import Trace
from traces.problems.decontaminate import words
from traces.problems.numeric import read_number, same_number

REASONS: dict[str, str] = {
    "request": "the request itself failed: timeout, broken reply, refused",
    "cut_off": "the token limit cut the response off",
    "budget": "the budget of turns or tokens ended before an answer",
    "no_thought": "there is no thought",
    "short_thought": "the thought is shorter than a step of reasoning",
    "no_box": "the answer has no \\boxed{…}",
    "leaked": "the thought states the answer before any reasoning, or speaks of a given answer",
    "loop": "the thought repeats itself",
    "mixed_language": "the thought is not in the language of the question",
    "untranslated": "the translation lacks a part, is in the wrong language or has other numbers than the original",
    "no_reference": "there is no reference answer to check by",
    "wrong_answer": "no check finds the answer right, and at least one finds it wrong",
    "checks_disagree": "one check finds the answer right and the other wrong",
    "one_check": "only one of the two checks could read the answer",
}

_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_LETTER = re.compile(r"[^\W\d_]")
_FIRST_SENTENCE = re.compile(r"\s*.+?(?:[.!?。！？](?=\s|$|[\u4e00-\u9fff])|\n|$)", re.DOTALL)
_STATED = re.compile(
    r"(?:answer|result|答案|结果)(?:\s+to\b[^.\n]{0,40})?\s*(?:is|=|:|：|为|是|must be)\s*\$?(-?[\d.,/]*\d)",
    re.IGNORECASE,
)
_GIVEN_ANSWER = re.compile(
    r"\b(?:given|provided|reference|known|expected|labell?ed|gold) (?:final )?answer\b|参考答案|标准答案|给定的?答案",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class KeepRules:
    """Thresholds of the format rules."""

    needs_thought: bool = True
    """False for plain solutions, such as the reformatted ones of phase 1."""
    shortest_thought: int = 20
    """Characters."""
    line_repeats: int = 5
    """A line of at least 15 characters that occurs this often is a loop."""
    run_repeats: int = 5
    """A run of 12 words (in Chinese 24 characters) that occurs this often is a loop."""
    same_language: bool = True


class Fault(NamedTuple):
    """Why a trace is rejected."""

    code: str
    detail: str = ""

    @property
    def reason(self) -> str:
        return f"{self.code}: {self.detail or REASONS[self.code]}"


SecondCheck = Callable[[Problem, str], bool | None]
"""Problem and boxed answer → right, wrong, or cannot tell."""


def reason_code(trace: Trace) -> str:
    """The code of a reject's reason; empty for a kept trace."""
    return "" if trace.kept else trace.reason.split(":", 1)[0].strip()


def reject(trace: Trace, code: str, detail: str = "") -> Trace:
    """The trace, not kept, with its reason."""
    return replace(trace, kept=False, reason=Fault(code, detail).reason)


def form_fault(trace: Trace, rules: KeepRules = KeepRules()) -> Fault | None:
    """The first format rule the trace breaks, or None. Pure."""
    thought = trace.thought.strip()
    if trace.extra.get("finish_reason") == "length":
        return Fault("cut_off")
    if not thought and rules.needs_thought:
        return Fault("no_thought")
    if thought and len(thought) < rules.shortest_thought:
        return Fault("short_thought", f"{len(thought)} characters; at least {rules.shortest_thought} are needed")
    if not last_box(trace.answer):
        return Fault("no_box")
    text = thought or trace.answer
    leak = _leak(thought, trace.problem) if thought else None
    return leak or _loop(text, rules) or _language(text, trace.problem, rules)


def _leak(thought: str, problem: Problem) -> Fault | None:
    if mention := _GIVEN_ANSWER.search(thought):
        return Fault("leaked", f"the thought speaks of a “{mention.group()}”")
    first = _FIRST_SENTENCE.match(thought)
    opening = first.group() if first else thought
    boxed, stated = last_box(opening), _STATED.search(opening)
    claim = boxed or (stated.group(1) if stated else "")
    if claim and (claim == problem.gold or same_number(claim, problem.gold)):
        return Fault("leaked", f"the first sentence states {claim}")
    return None


def _loop(thought: str, rules: KeepRules) -> Fault | None:
    lines = Counter(line.strip() for line in thought.splitlines() if len(line.strip()) >= 15)
    if lines and (most := lines.most_common(1)[0])[1] >= rules.line_repeats:
        return Fault("loop", f"“{most[0][:60]}” occurs {most[1]} times")
    # Chinese has no spaces: each character counts as a word, and a run is longer (see `traces.problems.decontaminate`).
    chinese = chinese_share(thought) > 0.5
    tokens, size = (words(thought), 24) if chinese else (thought.split(), 12)
    runs = Counter(tuple(tokens[start : start + size]) for start in range(len(tokens) - size + 1))
    if runs and (run := runs.most_common(1)[0])[1] >= rules.run_repeats:
        return Fault("loop", f"“{('' if chinese else ' ').join(run[0])[:60]}” occurs {run[1]} times")
    return None


def _language(thought: str, problem: Problem, rules: KeepRules) -> Fault | None:
    if not rules.same_language:
        return None
    in_question, in_thought = chinese_share(problem.question), chinese_share(thought)
    if in_question < 0.1 and in_thought > 0.05:
        return Fault("mixed_language", f"{in_thought:.0%} of the thought's letters are Chinese, the question is not")
    if in_question > 0.5 and in_thought < 0.2:
        return Fault("mixed_language", "the question is Chinese, the thought is not")
    return None


def chinese_share(text: str) -> float:
    """Share of letters that are Chinese, ignoring LaTeX commands, 0 to 1."""
    letters = len(_LETTER.findall(re.sub(r"\\[a-zA-Z]+", "", text)))
    return len(_CHINESE.findall(text)) / letters if letters else 0.0


def number_check(problem: Problem, answer: str) -> bool | None:
    """Exact comparison of the box with the gold; None if the grammar cannot read one of them."""
    return same_number(answer, problem.gold)


def solver_check(problem: Problem, answer: str) -> bool | None:
    """For a generated problem, the result of its family's solver on its numbers; otherwise `number_check`."""
    family = TRAINED.get(problem.subject) or UNSEEN.get(problem.subject)
    if problem.benchmark not in SPLITS or family is None or not problem.extra:
        return number_check(problem, answer)
    return same_number(answer, str(family.solve({name: int(value) for name, value in problem.extra.items()})))


def answer_fault(trace: Trace, grade: Grade, second: SecondCheck = solver_check) -> Fault | None:
    """The combined result of the two checks; None if both find the answer right."""
    boxed = last_box(trace.answer)
    other = second(trace.problem, boxed)
    first = {"correct": True, "wrong": False, "no_answer": False}.get(grade.outcome)
    detail = f"{boxed} where {trace.problem.gold} is right"
    if first and other:
        return None
    if first is None and other is None:
        return Fault("one_check", f"neither check could read {boxed}")
    if first is None or other is None:
        # The number grammar cannot read words, sets and the like; for those, a “wrong” from the other check suffices.
        clearly_wrong = (first is False or other is False) and read_number(boxed) is None
        return Fault("wrong_answer", detail) if clearly_wrong else Fault("one_check", f"only one could read {boxed}")
    if first != other:
        return Fault("checks_disagree", detail)
    return Fault("wrong_answer", detail)


class Verifier:
    """Applies every rule, with a grader that its owner starts and stops."""

    def __init__(
        self,
        grader: Grader,
        rules: KeepRules = KeepRules(),
        second: SecondCheck = solver_check,
    ) -> None:
        self._grader, self._rules, self._second = grader, rules, second

    def verify(self, trace: Trace) -> Trace:
        """The trace with `kept` and `reason` set. One that is rejected already stays rejected."""
        return next(self.verify_all([trace]))

    def verify_all(self, traces: Iterable[Trace]) -> Iterator[Trace]:
        """Each trace, in order, with `kept` and `reason` set."""
        batch = list(traces)
        faults = [None if trace.kept is False else self._fault_before_grading(trace) for trace in batch]
        formed = [
            trace for trace, fault in zip(batch, faults, strict=True) if fault is None and trace.kept is not False
        ]
        grades = iter(self._grader.grade_many([GradeItem(trace.answer, trace.problem.gold) for trace in formed]))
        for trace, early in zip(batch, faults, strict=True):
            if trace.kept is False:
                yield trace
                continue
            fault = early or answer_fault(trace, next(grades), self._second)
            yield replace(trace, kept=fault is None, reason=fault.reason if fault else "")

    def _fault_before_grading(self, trace: Trace) -> Fault | None:
        """The form decides first: what breaks its rules is worth nothing with a reference either."""
        return form_fault(trace, self._rules) or (None if trace.problem.gold.strip() else Fault("no_reference"))


def reject_counts(traces: Sequence[Trace]) -> dict[str, int]:
    """Rejects by code, most first."""
    return dict(Counter(reason_code(trace) for trace in traces if trace.kept is False).most_common())
