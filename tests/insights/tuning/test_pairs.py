"""Which votes and samples become preference pairs, how they are split, and how many it takes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eval.problems.families import MEASURED, SPLITS, generate
from insights.preference import votes_to_tell
from insights.truth import index_problems
from insights.tuning.pairs import (
    SAMPLES,
    VOTES,
    Pairs,
    enough_sentence,
    pairs_needed,
    pairs_of_samples,
    pairs_of_votes,
    split,
    training_problems,
)
from tests.insights.card.helpers import make_sets
from tests.insights.helpers import make_reply, make_vote
from traces.training.dataset import PreferenceRow, read_preferences, write_preferences

AGREED: dict[str, Any] = {"licence": "CC-BY-4.0"}


def thinking(answer: str) -> Any:
    reply = make_reply("distilled", answer)
    return replace(reply, thought="2 and 2.", raw=f"<think>\n2 and 2.\n</think>\n\n{answer}")


def test_a_vote_gives_a_pair_of_whole_replies() -> None:
    (row,) = pairs_of_votes([make_vote("a", distilled=thinking("4"), **AGREED)], {}).rows
    assert row == PreferenceRow("What is 2 + 2?", "<think>\n2 and 2.\n</think>\n\n4", "5", "battle", VOTES)
    swapped = make_vote("a", distilled=thinking("4"), a_role="base", **AGREED)
    assert pairs_of_votes([swapped], {}).rows[0].chosen == "5"


def test_the_vote_after_reading_counts() -> None:
    votes = [make_vote("a", **AGREED), make_vote("b", stage="reasoning", **AGREED)]
    (row,) = pairs_of_votes(votes, {}).rows
    assert row.chosen == "5"
    withdrawn = [make_vote("a", **AGREED), make_vote("tie", stage="reasoning", **AGREED)]
    assert pairs_of_votes(withdrawn, {}) == Pairs((), {"no winner": 1})


def test_what_cannot_be_learned_from_is_counted() -> None:
    cut = replace(make_reply("base", "5 and"), finish_reason="length")
    turns = make_vote().turns
    votes = [
        make_vote("tie", battle="1", **AGREED),
        make_vote("a", battle="2"),
        make_vote("a", battle="3", base=cut, **AGREED),
        make_vote("a", battle="4", turns=turns * 2, **AGREED),
        make_vote("a", battle="5", blocked="b", **AGREED),
        make_vote("a", battle="6", base=make_reply("base", "4"), **AGREED),
        make_vote("a", battle="7", **AGREED),
    ]
    found = pairs_of_votes(votes, {})
    assert [row.problem for row in found.rows] == ["7"]
    assert found.left_out == {
        "no winner": 1, "visitor did not agree to publication": 1, "a reply was cut off": 1, "several turns": 1,
        "blocked by the guard model": 1, "both replies equal, or one empty": 1,
    }  # fmt: skip
    assert {row.problem for row in pairs_of_votes(votes, {}, private=True).rows} == {"2", "7"}


def test_votes_on_a_benchmarks_problem_are_left_out() -> None:
    from eval.problems.benchmark_sets import generate_benchmark

    benchmark = generate_benchmark("same_kind", 3, 1)
    votes = [make_vote("a", prompt=benchmark.problems[0].question, **AGREED)]
    assert pairs_of_votes(votes, index_problems([benchmark])).left_out == {"a benchmark's problem": 1}


def test_a_right_and_a_wrong_sample_of_one_problem_make_a_pair(tmp_path: Path) -> None:
    log = make_sets(tmp_path / "runs", {"train": {"base": 0, "distilled": 2}}, of=3, samples=2, thought="t")
    assert pairs_of_samples(log).rows == ()  # both samples of each problem have the same grade
    key = {"model": "distilled-model", "problem_id": "train/0", "index": 1}
    log.append("grades", [{**key, "outcome": "wrong", "rung": "boxed", "extracted": "2", "note": "",
                           "graded_at": "", "grader": ""}])  # fmt: skip
    assert pairs_of_samples(log).rows == ()  # the two texts are the same, so there is nothing to prefer
    samples = [json.loads(line) for line in log.path("samples").read_text().splitlines()]
    changed = [{**row, "text": "tb"} if key.items() <= row.items() else row for row in samples]
    log.path("samples").write_text("".join(json.dumps(row) + "\n" for row in changed))
    found = pairs_of_samples(log)
    assert found.rows == (PreferenceRow("", "ta", "tb", "train/0", SAMPLES),)
    assert list(found.left_out.values()) == [2]


def test_a_split_keeps_all_pairs_on_a_prompt_together() -> None:
    rows = [PreferenceRow(f"Prompt  {n % 10}", "a", "b", str(n)) for n in range(30)]
    rows.append(PreferenceRow("prompt 3", "c", "d"))
    train, held_out = split(rows, 1)
    assert len(train) + len(held_out) == 31
    prompts = [{" ".join(row.prompt.split()).casefold() for row in part} for part in (train, held_out)]
    assert len(prompts[1]) == 2 and not prompts[0] & prompts[1]
    assert split(rows, 1) == (train, held_out) and split(rows, 2) != (train, held_out)
    assert split(rows[:1], 1).train == tuple(rows[:1])


def test_training_problems_are_measured_nowhere() -> None:
    own = training_problems(300, 1)
    asked = {problem.question for split_name in MEASURED for problem in generate(split_name, 200, 2024)}
    assert {problem.level for problem in training_problems(40, 1).problems} == set("12345")
    assert "train" in SPLITS and not asked & {problem.question for problem in own.problems}


def test_how_many_votes_it_takes() -> None:
    assert votes_to_tell(0.65) == pytest.approx(90, abs=1)
    assert votes_to_tell(0.35) == votes_to_tell(0.65) < votes_to_tell(0.55)
    assert pairs_needed() == pytest.approx(450, abs=5)
    assert f"it takes about {pairs_needed()}" in enough_sentence(12) and "enough" in enough_sentence(10_000)


def test_a_source_is_written_and_a_file_without_one_keeps_its_bytes(tmp_path: Path) -> None:
    bare, labelled = PreferenceRow("p", "a", "b", "x"), PreferenceRow("p", "a", "b", "x", SAMPLES)
    write_preferences(tmp_path / "pairs.jsonl", [bare, labelled])
    first, second = (tmp_path / "pairs.jsonl").read_text().splitlines()
    assert first == '{"prompt": "p", "chosen": "a", "rejected": "b", "problem": "x"}'
    assert second.endswith('"source": "graded samples"}')
    assert read_preferences(tmp_path / "pairs.jsonl") == [bare, labelled]
