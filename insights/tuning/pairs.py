"""Preference pairs to tune a distilled model on: from votes, or from its own graded samples where votes are few."""

import hashlib
import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from eval.problems.benchmark import Benchmark, content_hash
from eval.problems.families import LEVELS, families_of, generate
from eval.records import CUT_OFF
from eval.results.samples import Results, Side
from eval.runs.log import RunLog
from insights.preference import votes_to_tell
from insights.style import words_alike
from insights.truth import KnownProblem, find_problem
from traces.keeping.preferences import MOST_RATIO, alike
from traces.training.dataset import PreferenceRow
from votes.agreement import agreed
from votes.ballot import Vote
from votes.export import last_votes, preference_pairs

VOTES, SAMPLES = "votes", "graded samples"
"""The values of a pair's `source`."""
HELD_OUT = 0.2
"""Share of the prompts whose pairs are never trained on."""
FOLLOWED = 0.65
"""Share of held-out pairs that a usefully tuned model follows; 0.5 is chance."""
MOST_PAIRS = 2
"""Maximum number of pairs from one problem's samples."""


class Pairs(NamedTuple):
    """Pairs, and what was left out."""

    rows: tuple[PreferenceRow, ...]
    left_out: Mapping[str, int]
    """Reason → votes or problems."""


class Split(NamedTuple):
    """Pairs to train on, and pairs on other prompts to look at afterwards."""

    train: tuple[PreferenceRow, ...]
    held_out: tuple[PreferenceRow, ...]


def pairs_of_votes(votes: Iterable[Vote], known: Mapping[str, KnownProblem], *, private: bool = False) -> Pairs:
    """One pair for each vote that names a winner, with complete replies, thoughts included.

    If there is a vote cast after reading the reasoning, it is the one that counts. Votes on benchmark problems are left
    out, since training on them would invalidate the tuned model's results (`known`: from `index_problems`). `private`:
    include votes without consent to publication, whose texts the tuned model may repeat.
    """
    left_out: Counter[str] = Counter()
    usable = []
    for vote in last_votes(votes):
        reason = _unusable(vote, private)
        if not reason and find_problem(vote.turns[0].prompt, known):
            reason = "a benchmark's problem"
        left_out[reason] += 1
        if not reason:
            usable.append(vote)
    rows = [
        PreferenceRow(
            pair["prompt"][0]["content"],
            pair["chosen"][0]["content"],
            pair["rejected"][0]["content"],
            pair["battle_id"],
            VOTES,
        )
        for pair in preference_pairs(usable, with_reasoning=True)
    ]
    left_out["both replies equal, or one empty"] = len(usable) - len(rows)
    return Pairs(tuple(rows), {reason: count for reason, count in left_out.items() if reason and count})


def _unusable(vote: Vote, private: bool) -> str:
    """Why nothing is learned from a vote; empty for one that can be used."""
    if vote.blocked:
        return "blocked by the guard model"
    if vote.verdict not in ("a", "b"):
        return "no winner"
    if not private and not agreed(vote):
        return "visitor did not agree to publication"
    if len(vote.turns) != 1:
        return "several turns"
    if any(reply.finish_reason in CUT_OFF for reply in (vote.turns[0].a, vote.turns[0].b)):
        return "a reply was cut off"
    return ""


def training_problems(count: int, seed: int) -> Benchmark:
    """Problems of the training split, which no benchmark measures on, drawn from all families and levels alike."""
    whole = LEVELS * len(families_of("train", None))
    every = generate("train", whole * math.ceil(count / whole), seed)
    problems = tuple(random.Random(seed).sample(every, count))
    source = f"generated here, {count} problems, seed {seed}"
    return Benchmark("train", problems, content_hash(problems), source, "integer", "Training problems")


def pairs_of_samples(log: RunLog) -> Pairs:
    """Pairs of a right and a wrong complete reply of the distilled model to the same problem, of similar length."""
    side = log.info().sides["distilled"]
    thought = side.thought
    opened = f"{thought.get('open', '')}\n" if thought.get("prefilled") else ""
    right: dict[str, list[tuple[str, str]]] = {}
    wrong: dict[str, list[tuple[str, str]]] = {}
    for row in Results(log.folder.parent, [log.folder.name]).details(Side(log.folder.name, side.model)):
        outcome = {"correct": right, "wrong": wrong}.get(row["outcome"])
        if outcome is not None and row["finish_reason"] not in CUT_OFF:
            outcome.setdefault(row["problem_id"], []).append((row["prompt"], opened + row["text"]))
    rows = [
        PreferenceRow(chosen[0], chosen[1], rejected[1], problem, SAMPLES)
        for problem, solutions in right.items()
        for chosen, rejected in alike(
            solutions, wrong.get(problem, []), lambda one: (len(one[1]), one[1]), MOST_PAIRS, MOST_RATIO
        )
    ]
    without = len(log.problems()) - len({row.problem for row in rows})
    return Pairs(tuple(rows), {"problems without a right and a wrong sample alike in length": without})


def split(rows: Sequence[PreferenceRow], seed: int) -> Split:
    """A fifth of the prompts held out, drawn by a hash; all pairs on one prompt stay on one side.

    Of a single prompt nothing is held out.
    """
    prompts = sorted({words_alike(row.prompt) for row in rows}, key=lambda key: _hash(key, seed))
    held_out = set(prompts[: math.ceil(HELD_OUT * len(prompts))] if len(prompts) > 1 else ())
    return Split(
        tuple(row for row in rows if words_alike(row.prompt) not in held_out),
        tuple(row for row in rows if words_alike(row.prompt) in held_out),
    )


def pairs_needed() -> int:
    """How many pairs from votes are needed to train on votes alone and to show an effect."""
    return math.ceil(votes_to_tell(FOLLOWED) / HELD_OUT)


def enough_sentence(pairs: int) -> str:
    """A sentence on whether this many pairs from votes are enough to train on, and how many are needed."""
    needed = pairs_needed()
    why = (
        f"a fifth is held out, and {votes_to_tell(FOLLOWED)} held-out pairs tell a model that follows "
        f"{100 * FOLLOWED:.0f} % of them from chance (power 80 %)"
    )
    if pairs >= needed:
        return f"Votes give {pairs} pairs, which is enough to learn from ({needed} are needed: {why})."
    return f"Votes give {pairs} pairs, too few to learn from: it takes about {needed}, because {why}."


def _hash(key: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}|{key}".encode()).hexdigest()
