"""Preference against correctness: votes on problems with a known answer, joined with grades of both answers.

Only first questions are joined, since later ones depend on the conversation before them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from eval.grading.grader import GradeItem
from eval.problems.benchmark import Benchmark, Rule
from eval.problems.prompts import MATHS_PROMPT
from eval.records import CUT_OFF, Grade, Problem
from insights.confidence import TONES, Tone, tone_of
from insights.style import words_alike
from votes.ballot import RecordedReply, Role, Stage, Vote
from votes.ranking import Interval, wilson

MIN_CHOICES = 10
"""Minimum number of votes between a right and a wrong answer for showing a share."""
_INSTRUCTION = MATHS_PROMPT.replace("{question}", "").replace("{{", "{").replace("}}", "}")
Quadrant = tuple[bool, bool]
"""(the distilled model's answer is right, the base's is right)."""


class KnownProblem(NamedTuple):
    """A problem with a gold answer, and how answers to it are compared."""

    problem: Problem
    rule: Rule


@dataclass(frozen=True)
class GradedVote:
    """A vote, and whether each model's answer was right."""

    vote: Vote
    problem: Problem
    right: Mapping[Role, bool]
    tone: Mapping[Role, Tone]
    """How confident each answer sounds."""

    @property
    def quadrant(self) -> Quadrant:
        return self.right["distilled"], self.right["base"]

    @property
    def chose_right(self) -> bool | None:
        """Whether the right answer was preferred; None if both are right, both are wrong, or neither was preferred."""
        winner = self.vote.winner
        return self.right[winner] if winner and self.one_is_right else None

    @property
    def one_is_right(self) -> bool:
        """Whether one answer is right and the other wrong."""
        return self.right["base"] != self.right["distilled"]

    @property
    def right_is_longer(self) -> bool:
        """Whether the right answer has more tokens than the wrong one; meaningful where one is right."""
        right, wrong = self._right_and_wrong()
        return right.answer_tokens > wrong.answer_tokens

    @property
    def right_thinks_longer(self) -> bool:
        """Whether the thought before the right answer is the longer one; meaningful where one is right."""
        right, wrong = self._right_and_wrong()
        return right.thought_tokens > wrong.thought_tokens

    @property
    def wrong_tone(self) -> Tone:
        """How confident the wrong answer sounds; meaningful if exactly one is right."""
        return self.tone["base" if self.right["distilled"] else "distilled"]

    def _right_and_wrong(self) -> tuple[RecordedReply, RecordedReply]:
        turn = self.vote.turns[0]
        a_is_right = self.right[self.vote.a_role]
        return (turn.a, turn.b) if a_is_right else (turn.b, turn.a)


class Choices(NamedTuple):
    """Votes that chose between a right and a wrong answer."""

    right: int
    total: int
    battles: tuple[str, ...]

    @property
    def share(self) -> float | None:
        """Share that preferred the right answer; None below MIN_CHOICES."""
        return self.right / self.total if self.total >= MIN_CHOICES else None

    @property
    def interval(self) -> Interval | None:
        """Wilson's interval of the share."""
        return wilson(self.right, self.total) if self.total >= MIN_CHOICES else None

    @property
    def wrong(self) -> "Choices":
        """The same votes, counted by whether they preferred the wrong answer."""
        return self._replace(right=self.total - self.right)


class Reading(NamedTuple):
    """Battles with one right and one wrong answer that were voted on before and after reading the reasoning."""

    battles: int
    to_right: int
    """How many moved towards the right answer after reading."""
    to_wrong: int
    """How many moved away from it."""
    p_value: float | None
    """Exact McNemar test of the two; None if nobody moved."""


@dataclass(frozen=True)
class Truth:
    """How preference relates to correctness."""

    graded: int
    """Votes on known problems whose two answers could be graded."""
    quadrants: Mapping[Quadrant, Mapping[str, tuple[str, ...]]]
    """For blind votes before the reasoning was seen: the battles by quadrant and verdict (`base`, `distilled`, `tie`,
    `both_bad`)."""
    by_stage: Mapping[Stage, Choices]
    """Of blind votes: before the reasoning was seen, and after."""
    named: Choices
    """Of votes in named mode, where names and thoughts are shown from the start."""
    by_length: Mapping[str, Choices]
    """Of blind votes before: where the right answer is the longer one, and where it is not."""
    by_thought: Mapping[str, Choices]
    """Of blind votes after: where the thought before the right answer is the longer one, and where it is not."""
    by_tone: Mapping[Tone, Choices]
    """Of blind votes before: by how confident the wrong answer sounds."""
    reading: Reading


def index_problems(benchmarks: Iterable[Benchmark]) -> dict[str, KnownProblem]:
    """Known problems by their question, as `find_problem` looks them up. Sets graded by a judge are left out."""
    return {
        question_key(problem.question): KnownProblem(problem, benchmark.rule)
        for benchmark in benchmarks
        if benchmark.rule != "judged"
        for problem in benchmark.problems
    }


def find_problem(prompt: str, known: Mapping[str, KnownProblem]) -> KnownProblem | None:
    """The known problem that this prompt asks, with or without the benchmarks' instruction after it."""
    return known.get(question_key(prompt))


def question_key(prompt: str) -> str:
    """A key that is equal for prompts with the same question, with or without the benchmarks' instruction after it."""
    return words_alike(prompt.removesuffix(_INSTRUCTION))


def grade_votes(
    votes: Sequence[Vote], known: Mapping[str, KnownProblem], grade: Callable[[GradeItem], Grade]
) -> list[GradedVote]:
    """The votes on known problems, graded. A vote is left out where the grader fails on either answer."""
    graded = []
    for vote in votes:
        turn = vote.turns[0]
        if len(vote.turns) > 1 or (known_problem := find_problem(turn.prompt, known)) is None:
            continue
        grades = {reply.role: grade(_item(reply, known_problem)) for reply in (turn.a, turn.b)}
        if all(one.outcome != "grader_failed" for one in grades.values()):
            right = {role: one.outcome == "correct" for role, one in grades.items()}
            tone = {
                reply.role: tone_of(reply.answer, states_answer=grades[reply.role].extraction_method != "none")
                for reply in (turn.a, turn.b)
            }
            graded.append(GradedVote(vote, known_problem.problem, right, tone))
    return graded


def _item(reply: RecordedReply, known: KnownProblem) -> GradeItem:
    return GradeItem(reply.answer, known.problem.gold, known.rule, reply.finish_reason in CUT_OFF)


def compare_with_truth(graded: Sequence[GradedVote]) -> Truth:
    """Join preference and correctness over votes that stand (`votes.ranking.effective_votes`)."""
    first = [one for one in graded if one.vote.before_reading]
    after = [one for one in graded if one.vote.after_reading]
    return Truth(
        graded=len(graded),
        quadrants={
            quadrant: _battles_by_vote(one for one in first if one.quadrant == quadrant)
            for quadrant in ((True, True), (True, False), (False, True), (False, False))
        },
        by_stage={"answers": _choices(first), "reasoning": _choices(after)},
        named=_choices(one for one in graded if one.vote.mode == "named"),
        by_length={
            "longer": _choices(one for one in first if one.right_is_longer),
            "not longer": _choices(one for one in first if not one.right_is_longer),
        },
        by_thought={
            "longer": _choices(one for one in after if one.right_thinks_longer),
            "not longer": _choices(one for one in after if not one.right_thinks_longer),
        },
        by_tone={tone: _choices(one for one in first if one.one_is_right and one.wrong_tone == tone) for tone in TONES},
        reading=_reading(first, after),
    )


def _battles_by_vote(graded: Iterable[GradedVote]) -> dict[str, tuple[str, ...]]:
    battles: dict[str, list[str]] = {}
    for one in graded:
        battles.setdefault(one.vote.winner or one.vote.verdict, []).append(one.vote.battle_id)
    return {vote: tuple(ids) for vote, ids in battles.items()}


def _choices(graded: Iterable[GradedVote]) -> Choices:
    chosen = [one for one in graded if one.chose_right is not None]
    return Choices(
        sum(bool(one.chose_right) for one in chosen), len(chosen), tuple(one.vote.battle_id for one in chosen)
    )


def _reading(first: Iterable[GradedVote], after: Iterable[GradedVote]) -> Reading:
    """A tie before or after counts as choosing neither answer, which is a step away from either."""
    from scipy.stats import binomtest

    before = {one.vote.battle_id: one for one in first if one.one_is_right}
    both = [(before[one.vote.battle_id], one) for one in after if one.vote.battle_id in before]
    steps = Counter(_standing(later) - _standing(earlier) for earlier, later in both)
    up, down = sum(n for step, n in steps.items() if step > 0), sum(n for step, n in steps.items() if step < 0)
    return Reading(len(both), up, down, float(binomtest(up, up + down).pvalue) if up + down else None)


def _standing(one: GradedVote) -> int:
    """1 for the right answer, −1 for the wrong one, 0 for neither."""
    return 0 if one.chose_right is None else 1 if one.chose_right else -1
