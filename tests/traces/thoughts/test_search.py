"""The search finds the answer, its judge finds planted errors, and the thought is a true walk of the tree."""

import pytest

from common.errors import DataError
from eval.problems.families import TRAINED, generate
from eval.records import Problem
from traces.thoughts.journey import journey
from traces.thoughts.search import SearchSettings, false_claims, judge, search
from traces.thoughts.steps.step import SolutionStep

ALWAYS = SearchSettings(slips=1.0)
NEVER = SearchSettings(slips=0.0)
PROBLEMS = generate("train", 240, seed=4) + generate("larger_numbers", 120, seed=4)


def test_every_trained_family_is_solved() -> None:
    assert {p.subject for p in PROBLEMS} == set(TRAINED)
    for problem in PROBLEMS:
        nodes = search(problem, ALWAYS, seed=1)
        final = [n for n in nodes if n.status == "on_path"][-1]
        assert final.step.final
        assert str(final.step.value) == problem.gold


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("7*8=56. 56+5=61.", []),
        ("7*8=54.", ["7*8 is not 54"]),
        ("12*8: 10*8=80, 2*8=16, 80+16=86.", ["80+16 is not 86"]),
        ("3-5=-2.", []),
        ("x = 7, so 3x = 21.", []),
    ],
)
def test_the_judge_redoes_every_calculation(text: str, wrong: list[str]) -> None:
    assert false_claims(text) == wrong
    assert (judge(SolutionStep("m", text)).score < 0.2) == bool(wrong)


@pytest.mark.parametrize("problem", PROBLEMS[:120], ids=lambda p: p.id)
def test_false_steps_are_corrected_and_not_learned(problem: Problem) -> None:
    trace = journey(problem, 2, ALWAYS)
    for text, learn in trace.extra["segments"]:
        if not text.startswith("Wait"):
            assert learn == (not false_claims(text))
    if any(not learn for _, learn in trace.extra["segments"]):
        assert "Wait, that is wrong" in trace.thought
    assert trace.answer == f"The answer is $\\boxed{{{problem.gold}}}$."
    assert trace.raw.startswith(f"<think>\n{trace.thought}\n</think>")


def test_slips_lead_to_checks_that_fail() -> None:
    failed = [t for t in (journey(p, 2, ALWAYS) for p in PROBLEMS) if "Not the same." in t.thought]
    assert len(failed) > 20
    assert all("Wait, that is wrong" in trace.thought for trace in failed)


def test_without_slips_no_thought_is_false() -> None:
    assert not any(false_claims(journey(p, 1, NEVER).thought) for p in PROBLEMS)


def test_the_tree_is_a_tree_and_the_walk_is_in_it() -> None:
    for problem in PROBLEMS[:60]:
        tree = journey(problem, 3, ALWAYS).extra["tree"]
        ids = [node["id"] for node in tree["nodes"]]
        assert ids == list(range(len(ids)))
        assert all(node["parent"] < node["id"] for node in tree["nodes"])
        assert {node["status"] for node in tree["nodes"]} <= {"on_path", "wrong", "pruned"}
        status = {node["id"]: node["status"] for node in tree["nodes"]}
        assert tree["walk"][0] == 0
        assert all(status[node] != "pruned" for node in tree["walk"])
        assert {i for i, s in status.items() if s == "on_path"} <= set(tree["walk"])


def test_the_shortcut_is_shorter_and_has_no_excursion() -> None:
    for problem in PROBLEMS[:60]:
        trace = journey(problem, 3, ALWAYS)
        shortcut = trace.extra["shortcut"]
        assert len(shortcut) < len(trace.raw)
        assert "Wait" not in shortcut
        assert "Go back" not in shortcut
        assert not false_claims(shortcut)
        assert shortcut.endswith(f"\\boxed{{{problem.gold}}}$.")


def test_the_same_seed_gives_the_same_trace() -> None:
    assert journey(PROBLEMS[0], 1) == journey(PROBLEMS[0], 1)
    assert journey(PROBLEMS[0], 1).hash == journey(PROBLEMS[0], 1).hash


def test_a_problem_without_moves_is_refused() -> None:
    with pytest.raises(DataError, match="no family"):
        journey(Problem("x", "What?", "1", "own"), 0)
