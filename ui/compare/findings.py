"""What is known about the loaded pair from its runs: results of its sets, measured questions and their answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import ArenaError
from eval.grading.grader import compare_at_once, read_answer
from eval.records import CUT_OFF
from eval.results.measured import Measured, measured_questions
from eval.results.overview import SetResult, overview
from insights.style import words_alike
from models.chat.events import Reply


@dataclass(frozen=True)
class Findings:
    """Read once, when the page is built."""

    results: Sequence[SetResult] = ()
    measured: Sequence[Measured] = ()
    _by_question: Mapping[str, Measured] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_question", {words_alike(one.question): one for one in self.measured})

    def verdict(self, question: str, reply: Reply) -> str:
        """`right`, `wrong` or `no answer`; empty if the gold answer is not known, or grading would take a while."""
        one = self._by_question.get(words_alike(question))
        if one is None:
            return ""
        extraction = read_answer(reply.answer, one.gold, one.rule, cut_off=reply.finish_reason in CUT_OFF)
        if not extraction.answer:
            return "no answer"
        equal = compare_at_once(extraction.answer, one.gold, one.rule)
        if equal is None or equal.same is None:
            return ""
        return "right" if equal.same else "wrong"

    def recorded_sentence(self, question: str) -> str:
        """How often both models were right on this question in a run; empty where it was not measured."""
        one = self._by_question.get(words_alike(question))
        if one is None:
            return ""
        return (
            f"Measured on this question: the distilled model was right {one.distilled} of {one.of} times, "
            f"its base {one.base} of {one.of}. The answer is {one.gold}."
        )


def read_findings(runs: Path, pair: str) -> Findings:
    """Read the findings from the runs on disk. An unreadable run must not keep the page from opening."""
    try:
        results = overview(runs, pair)
        return Findings(results, measured_questions(runs, results))
    except ArenaError:
        return Findings()
