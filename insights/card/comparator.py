"""Exports battles and runs as JSON for LLM Comparator (PAIR), to view both models' answers side by side.

The distilled model is A there, the base is B. A score above 0 favours A, so its win rate is the distilled model's.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.results.samples import Results, Side
from insights.card.benchmarks import SetRun
from votes.agreement import agreed
from votes.ballot import STAGES, Vote, other_role
from votes.ranking import effective_votes

BETWEEN_TURNS = "\n\n———\n\n"
BATTLE_FIELDS = (("battle", "string"), ("mode", "category"), ("thought", "per_model_text"),
                 ("tokens", "per_model_number"))  # fmt: skip
RUN_FIELDS = (("problem", "string"), ("level", "category"), ("gold", "text"), ("outcome", "per_model_category"),
              ("thought", "per_model_text"), ("tokens", "per_model_number"))  # fmt: skip
FOR_A: dict[str, float] = {"distilled": 1.0, "base": -1.0}


def battles(votes: Sequence[Vote], titles: tuple[str, str]) -> dict[str, Any]:
    """One example a battle whose visitor agreed to publication. `titles`: those of the distilled model and the base.

    The score is the first vote; a second one, cast after reading the reasoning, is another rating of the example.
    """
    by_battle: dict[str, list[Vote]] = {}
    for vote in effective_votes(votes):
        if agreed(vote) and vote.turns and not vote.blocked:
            by_battle.setdefault(vote.battle_id, []).append(vote)
    examples = [_battle(sorted(own, key=lambda vote: list(STAGES).index(vote.stage))) for own in by_battle.values()]
    return _document("votes of Journey Arena", titles, BATTLE_FIELDS, examples)


def runs(folder: Path, sets: Sequence[SetRun], titles: tuple[str, str]) -> dict[str, Any]:
    """One example a problem: the first answer of each model, 1 or −1 where exactly one of them is right.

    `folder`: the folder with the runs. Problems that one of the models has not answered are left out.
    """
    examples = []
    for run in dict.fromkeys(one.result.run for one in sets):
        own = {one.result.set: one for one in sets if one.result.run == run}
        results, sides = Results(folder, [run]), next(iter(own.values())).info.sides
        firsts = {
            role: {row["problem_id"]: row for row in results.details(Side(run, side.model)) if row["index"] == 0}
            for role, side in sides.items()
        }
        examples += [
            _problem(row, firsts["base"][problem])
            for problem, row in firsts["distilled"].items()
            if problem in firsts["base"] and row["benchmark"] in own
        ]
    return _document("benchmark runs of Journey Arena", titles, RUN_FIELDS, examples)


def _document(
    source: str, titles: tuple[str, str], fields: Sequence[tuple[str, str]], examples: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "metadata": {
            "source_path": source,
            "custom_fields_schema": [{"name": name, "type": kind} for name, kind in fields],
        },
        "models": [{"name": title} for title in titles],
        "examples": list(examples),
    }


def _battle(votes: Sequence[Vote]) -> dict[str, Any]:
    first = votes[0]
    replies = {
        first.a_role: [turn.a for turn in first.turns],
        other_role(first.a_role): [turn.b for turn in first.turns],
    }
    both = (replies["distilled"], replies["base"])
    return {
        "input_text": BETWEEN_TURNS.join(turn.prompt for turn in first.turns),
        "tags": [first.language],
        "output_text_a": BETWEEN_TURNS.join(reply.answer for reply in both[0]),
        "output_text_b": BETWEEN_TURNS.join(reply.answer for reply in both[1]),
        "score": FOR_A.get(first.winner or "", 0.0),
        "individual_rater_scores": [
            {
                "score": FOR_A.get(vote.winner or "", 0.0),
                "rating_label": vote.winner or vote.verdict,
                "is_flipped": vote.a_role == "base",
                "rationale": ", ".join((STAGES[vote.stage].lower(), *vote.reasons)),
            }
            for vote in votes
        ],
        "custom_fields": {
            "battle": first.battle_id,
            "mode": first.mode,
            "thought": [BETWEEN_TURNS.join(reply.thought for reply in side) for side in both],
            "tokens": [sum(reply.output_tokens for reply in side) for side in both],
        },
    }


def _problem(distilled: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    both = (distilled, base)
    right = [row["outcome"] == "correct" for row in both]
    return {
        "input_text": distilled["question"],
        "tags": list(filter(None, (distilled["benchmark"], distilled["subject"]))),
        "output_text_a": distilled["answer"],
        "output_text_b": base["answer"],
        "score": float(right[0]) - float(right[1]),
        "individual_rater_scores": [],
        "custom_fields": {
            "problem": distilled["problem_id"],
            "level": distilled["level"],
            "gold": distilled["gold"],
            "outcome": [row["outcome"] for row in both],
            "thought": [row["thought"] for row in both],
            "tokens": [row["output_tokens"] for row in both],
        },
    }
