"""The three readings of a store's votes together: preference, correctness, topics."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from common.errors import ArenaError
from common.paths import home
from eval.grading.grader import Grader
from eval.problems.benchmark import Benchmark
from eval.problems.benchmark_sets import GENERATED, KNOWN, load_benchmark
from eval.problems.rows import data_folder
from eval.records import Problem
from eval.runs.log import RUNS
from insights.preference import NotEnough, PreferenceModel, fit_preference
from insights.stored import stored_benchmarks
from insights.style import build_design, words_alike
from insights.topics import UNSORTED, Topic, map_topics
from insights.truth import GradedVote, Truth, compare_with_truth, find_problem, grade_votes, index_problems
from traces.problems.decontaminate import Decontaminator, Embedder
from votes.ballot import Vote
from votes.ranking import Interval, WinRate, effective_votes, wilson, win_rate

MOST_TOPICS, FEWEST_VOTES = 12, 30
"""Maximum number of topics in the preference model, and the votes each needs; votes on other topics form one more. If
all votes on a topic agree, which easily happens with few, no model can be fitted."""

MOST_QUESTIONS = 2000
"""Maximum number of distinct questions on the map: clustering compares all pairs. This many take one to three seconds
besides the embedding, twice as many four times that."""


class Once(NamedTuple):
    """A win rate in which near-copies of a question count once."""

    questions: int
    """Number of distinct questions."""
    rate: float | None
    """The mean over questions of the mean of their votes; ties and both-bad as halves."""
    interval: Interval | None
    """Wilson's interval with questions as trials: not too narrow, however often one was voted on."""


@dataclass(frozen=True)
class TopicVotes:
    """A topic, and the blind votes on the answers alone for its prompts."""

    topic: Topic
    rate: WinRate
    """Win rate over all its votes, copies included."""
    once: Once
    votes: tuple[Vote, ...]

    @property
    def different(self) -> int:
        """Number of prompts that are not near-copies of others."""
        return self.once.questions


@dataclass(frozen=True)
class TopicReading:
    """Topics with their votes, and where each vote lies on the map."""

    topics: tuple[TopicVotes, ...]
    points: tuple[tuple[float, float], ...]
    """The point of each vote in `votes`."""
    votes: tuple[Vote, ...]
    """Those on the `MOST_QUESTIONS` questions with most votes, the newest among equals."""
    copies: int
    """Votes on a near-copy of another vote's prompt."""
    copied: Mapping[str, str]
    """Battle id → title of the benchmark whose problem is asked there or shares eight words in a row with it."""

    left_out: int = 0
    """Votes on questions that are not mapped."""
    first_copy: Mapping[str, str] = field(default_factory=dict)
    """Prompt text → text of the first prompt that it is a near-copy of, or its own."""

    @property
    def benchmark_copies(self) -> int:
        """Votes on a problem of a benchmark."""
        return len(self.copied)

    def topic_of(self) -> dict[str, str]:
        """Battle id → topic name for the preference model: the largest topics, and `other` for the rest."""
        large = [one for one in self.topics if one.topic.name != UNSORTED and len(one.votes) >= FEWEST_VOTES]
        return {vote.battle_id: one.topic.name for one in large[:MOST_TOPICS] for vote in one.votes}


def known_benchmarks(runs: Path | None = None) -> list[Benchmark]:
    """The sets whose problems are recognised offline: generated ones, those under JOURNEY_DATA, and others used by the
    runs in this folder (default: this installation's)."""
    names = [*GENERATED, *(KNOWN if data_folder() else ())]
    benchmarks = []
    for name in names:
        try:
            benchmarks.append(load_benchmark(name))
        except ArenaError:  # one that is not in the folder
            continue
    return benchmarks + stored_benchmarks(runs or home() / RUNS, benchmarks)


def read_preference(
    votes: Sequence[Vote], topics: Mapping[str, str] | None = None, first_copy: Mapping[str, str] | None = None
) -> PreferenceModel | NotEnough:
    """The preference model of all votes that stand. It also controls for `topics` (`TopicReading.topic_of`), unless the
    votes on one of them make that impossible. Near-copies (`TopicReading.first_copy`) count as one prompt."""
    standing = effective_votes(votes)
    if topics:
        model = fit_preference(build_design(standing, lambda vote: topics.get(vote.battle_id, UNSORTED), first_copy))
        if not isinstance(model, NotEnough):
            return model
    return fit_preference(build_design(standing, first_copy=first_copy))


def read_truth(votes: Sequence[Vote], benchmarks: Sequence[Benchmark]) -> Truth:
    """Preference against correctness."""
    return compare_with_truth(graded_votes(effective_votes(votes), benchmarks))


def graded_votes(votes: Sequence[Vote], benchmarks: Sequence[Benchmark]) -> list[GradedVote]:
    """The votes on problems with a known answer, graded. Grading workers start only if there are any."""
    known = index_problems(benchmarks)
    on_known_problems = [vote for vote in votes if vote.turns and find_problem(vote.turns[0].prompt, known)]
    if not on_known_problems:
        return []
    with Grader(workers=1) as grader:
        return grade_votes(on_known_problems, known, lambda item: next(grader.grade_many([item])))


def read_topics(
    votes: Sequence[Vote], embedder: Callable[[], Embedder], benchmarks: Sequence[Benchmark]
) -> TopicReading:
    """Topics of the prompts of all first votes that stand. `embedder` loads the model, if there are votes."""
    first = [vote for vote in effective_votes(votes) if vote.before_reading]
    if not first:
        return TopicReading((), (), (), 0, {})
    prompts = _most_asked([vote.turns[0].prompt for vote in first])
    topic_map = map_topics(prompts, embedder())
    place = {prompt: at for at, prompt in enumerate(prompts)}
    placed = [(place[vote.turns[0].prompt], vote) for vote in first if vote.turns[0].prompt in place]
    votes = tuple(vote for _, vote in placed)
    copies = [topic_map.copies[at] for at, _ in placed]
    topics = [_votes_on(topic, placed, topic_map.copies) for topic in topic_map.topics]
    return TopicReading(
        tuple(sorted(topics, key=lambda one: (one.topic.name == UNSORTED, -len(one.votes)))),
        tuple((float(x), float(y)) for x, y in (topic_map.points[at] for at, _ in placed)),
        votes,
        len(copies) - len(set(copies)),
        find_copied(votes, benchmarks),
        len(first) - len(votes),
        {words_alike(prompt): words_alike(prompts[at]) for prompt, at in zip(prompts, topic_map.copies, strict=True)},
    )


def _most_asked(prompts: Sequence[str]) -> list[str]:
    """The distinct prompts to map, in order of their first votes."""
    counts, last = Counter(prompts), {prompt: at for at, prompt in enumerate(prompts)}
    most = set(sorted(counts, key=lambda prompt: (-counts[prompt], -last[prompt]))[:MOST_QUESTIONS])
    return [prompt for prompt in counts if prompt in most]


def _votes_on(topic: Topic, placed: Sequence[tuple[int, Vote]], copies: Sequence[int]) -> TopicVotes:
    members = set(topic.prompts)
    votes = [(copies[at], vote) for at, vote in placed if at in members]
    alone = tuple(vote for _, vote in votes)
    return TopicVotes(topic, win_rate(alone), count_once(votes), alone)


def count_once(votes: Sequence[tuple[int, Vote]]) -> Once:
    """Votes, each with the number of its question, with every question counted once."""
    by_question: dict[int, list[float]] = {}
    for question, vote in votes:
        won = {"distilled": 1.0, "base": 0.0, None: 0.5}[vote.winner]
        by_question.setdefault(question, []).append(won)
    means = [fmean(each) for each in by_question.values()]
    if not means:
        return Once(0, None, None)
    return Once(len(means), fmean(means), wilson(sum(means), len(means)))


def find_copied(votes: Sequence[Vote], benchmarks: Sequence[Benchmark]) -> dict[str, str]:
    """Battle id → title of the benchmark that its first question is copied from, if it is."""
    known = index_problems(benchmarks)
    titles = {problem.id: one.title or one.name for one in benchmarks for problem in one.problems}
    near = Decontaminator([problem for one in benchmarks for problem in one.problems])
    asked = [Problem(vote.battle_id, vote.turns[0].prompt, "", "") for vote in votes]
    copied = {}
    for problem, hit in zip(asked, near.find(asked, "eight_gram"), strict=True):
        if known_problem := find_problem(problem.question, known):
            copied[problem.id] = titles[known_problem.problem.id]
        elif hit:
            copied[problem.id] = titles[hit.problem_id]
    return copied


def count_copied(copied: Mapping[str, str]) -> str:
    """E.g. “MATH500 3, GSM8K 1”."""
    return ", ".join(f"{title} {number}" for title, number in Counter(copied.values()).most_common())
