"""The three readings of a store's votes together: preference, correctness, topics."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from common.errors import ArenaError
from eval.grading.grader import Grader
from eval.problems.benchmark import Benchmark
from eval.problems.maths import GENERATED, KNOWN, load_benchmark
from eval.problems.rows import data_folder
from insights.preference import NotEnough, PreferenceModel, fit_preference
from insights.style import build_design
from insights.topics import Topic, map_topics
from insights.truth import Truth, compare_with_truth, find_problem, grade_votes, index_problems
from traces.problems.decontaminate import Embedder
from votes.ballot import Vote
from votes.ranking import WinRate, effective_votes, win_rate


@dataclass(frozen=True)
class TopicVotes:
    """A topic, and the blind votes on the answers alone to its prompts."""

    topic: Topic
    rate: WinRate
    different: int
    """Prompts that are no near-copies of others."""
    votes: tuple[Vote, ...]


@dataclass(frozen=True)
class TopicReading:
    """Topics with their votes, and where each vote lies on the map."""

    topics: tuple[TopicVotes, ...]
    points: tuple[tuple[float, float], ...]
    """Of each vote in `votes`."""
    votes: tuple[Vote, ...]
    copies: int
    """Votes on a near-copy of another vote's prompt."""
    benchmark_copies: int
    """Votes on a problem of a benchmark."""


def known_benchmarks() -> list[Benchmark]:
    """The sets whose problems are recognised without a network: generated ones, and those below JOURNEY_DATA."""
    names = [*GENERATED, *(KNOWN if data_folder() else ())]
    benchmarks = []
    for name in names:
        try:
            benchmarks.append(load_benchmark(name))
        except ArenaError:  # one that is not in the folder
            continue
    return benchmarks


def read_preference(votes: Sequence[Vote]) -> PreferenceModel | NotEnough:
    """The preference model of all votes that stand."""
    return fit_preference(build_design(effective_votes(votes)))


def read_truth(votes: Sequence[Vote], benchmarks: Sequence[Benchmark]) -> Truth:
    """Preference against correctness. Starts grading workers only if there is something to grade."""
    known = index_problems(benchmarks)
    standing = [vote for vote in effective_votes(votes) if find_problem(vote.turns[0].prompt, known)]
    if not standing:
        return compare_with_truth([])
    with Grader(workers=1) as grader:
        return compare_with_truth(grade_votes(standing, known, lambda item: next(grader.grade_many([item]))))


def read_topics(
    votes: Sequence[Vote], embedder: Callable[[], Embedder], benchmarks: Sequence[Benchmark]
) -> TopicReading:
    """Topics of the prompts of all first votes that stand. `embedder` loads the model, if there are votes."""
    first = [vote for vote in effective_votes(votes) if vote.on_answers_alone and vote.mode == "blind"]
    if not first:
        return TopicReading((), (), (), 0, 0)
    found = map_topics([vote.turns[0].prompt for vote in first], embedder())
    known = index_problems(benchmarks)
    topics = tuple(
        TopicVotes(
            topic,
            win_rate([first[place] for place in topic.prompts]),
            len({found.copies[place] for place in topic.prompts}),
            tuple(first[place] for place in topic.prompts),
        )
        for topic in found.topics
    )
    return TopicReading(
        topics,
        tuple((float(x), float(y)) for x, y in found.points),
        tuple(first),
        len(first) - len(set(found.copies)),
        sum(find_problem(vote.turns[0].prompt, known) is not None for vote in first),
    )
