"""All sets of a pair in one table: which run stands for a set, and what is said of them."""

import json
from pathlib import Path

import pytest

from commands.arena import main
from eval.records import Grade, Problem, Sample
from eval.results.overview import SetResult, in_words, overview
from eval.runs.log import DataInfo, Role, RunConfig, RunInfo, RunLog, SideInfo
from ui.benchmarks.overview import overview_html

ROLES: tuple[Role, ...] = ("base", "distilled")
STARTED = "2026-01-01T00:00:00.000+00:00"


def make_run(
    runs: Path, right: dict[str, int], of: int = 20, *, when: str = "2026-01-01", missing: int = 0, pair: str = "p",
    unmarked: int = 0, unread: int = 0, name: str = "toy", samples: int = 1,
    budget: int | None = None, weights: str = "", recorded: bool = False,
) -> None:  # fmt: skip
    """A graded run; the last `missing` problems of the distilled model are not there yet.

    Of several samples the first alone can be right. The first `unmarked` answers of the base that are not right end in
    the right number without marking it; on its last `unread` the grader failed.
    """
    problems = [Problem(f"{name}/{number}", f"{number}?", "1", name) for number in range(of)]
    sides = {role: SideInfo(f"{role}-model", role, weights) for role in ROLES}
    data = (DataInfo(name, name.capitalize(), "", "", "math", of, of),)
    run = f"{when}-{pair}"
    config = RunConfig(pair, (name,), samples=samples, temperature=0.6 if samples > 1 else 0.0, thinking_budget=budget)
    info = RunInfo(run, f"{when}T00:00:00+00:00", config, data, sides, "", recorded=recorded)
    log = RunLog.create(runs, info, problems)
    for role in ROLES:
        for at, problem in enumerate(problems[: of - missing if role == "distilled" else of]):
            loose = role == "base" and right[role] <= at < right[role] + unmarked
            text = "so 1" if loose else "a"
            failed = role == "base" and at >= of - unread
            for index in range(samples):
                key = {"model": f"{role}-model", "problem_id": problem.id, "index": index}
                sample = Sample(
                    run, key["model"], problem.id, index, "", text, "", text, 3, 4, "stop", 5, 0.1, STARTED, ""
                )
                outcome = "correct" if at < right[role] and not index else "grader_failed" if failed else "wrong"
                log.append("samples", [vars(sample)])
                grade = (Grade("no_answer", "none", "") if loose else Grade(outcome, "boxed", "1")).row()
                log.append("grades", [{**key, **grade, "graded_at": "", "grader": ""}])


def test_the_largest_complete_run_stands_for_a_set(tmp_path: Path) -> None:
    make_run(tmp_path, {"base": 2, "distilled": 18})
    make_run(tmp_path, {"base": 6, "distilled": 0}, of=6, when="2026-02-01")
    make_run(tmp_path, {"base": 30, "distilled": 0}, of=30, when="2026-03-01", missing=1)
    make_run(tmp_path, {"base": 40, "distilled": 0}, of=40, pair="other")
    (result,) = overview(tmp_path, "p")
    assert (result.n, result.k, result.base, result.distilled) == (20, 1, 0.1, 0.9)
    assert result.low > 0 and result.base_tokens == 7
    assert overview(tmp_path, "nobody") == []


def test_runs_of_earlier_weights_stand_for_nothing(tmp_path: Path) -> None:
    make_run(tmp_path, {"base": 2, "distilled": 18}, of=40, weights="first")
    make_run(tmp_path, {"base": 5, "distilled": 6}, when="2026-02-01", weights="second")
    make_run(tmp_path, {"base": 1, "distilled": 1}, when="2026-03-01", weights="second", missing=1)
    (result,) = overview(tmp_path, "p")
    assert (result.n, result.distilled) == (20, 0.3)
    make_run(tmp_path, {"base": 1, "distilled": 9}, of=30, when="2025-01-01", weights="elsewhere", recorded=True)
    assert [one.n for one in overview(tmp_path, "p")] == [30]
    make_run(tmp_path, {"base": 1, "distilled": 9}, of=50, when="2025-02-01")  # not known
    assert [one.n for one in overview(tmp_path, "p")] == [50]


@pytest.mark.parametrize("samples", [1, 3])
def test_a_run_whose_thoughts_were_cut_short_stands_for_a_set_only_if_there_is_no_other(
    tmp_path: Path, samples: int
) -> None:
    make_run(tmp_path, {"base": 1, "distilled": 15}, when="2026-02-01", budget=1500, samples=samples, of=40)
    (result,) = overview(tmp_path, "p")
    assert (result.title, result.thinking_budget) == ("Toy with thoughts of at most 1,500 tokens", 1500)
    assert "better on Toy with thoughts of at most 1,500 tokens (+" in overview_html([result])
    make_run(tmp_path, {"base": 2, "distilled": 3}, of=4)
    (result,) = overview(tmp_path, "p")
    assert (result.title, result.n, result.thinking_budget) == ("Toy", 4, None)


def test_an_answer_that_could_not_be_read_leaves_out_its_problem_and_not_the_set(tmp_path: Path) -> None:
    make_run(tmp_path, {"base": 2, "distilled": 18}, unread=1)
    (result,) = overview(tmp_path, "p")
    assert (result.n, result.left_out) == (19, 1) and "19 problems × 1 (1 left out)" in overview_html([result])
    assert "greedy, at most 1,024 tokens" in overview_html([result])
    assert "temperature 0.6, at most 512 tokens" in overview_html([result._replace(temperature=0.6, max_tokens=512)])


def test_few_problems_that_differ_make_no_winner_whatever_the_bootstrap_says(tmp_path: Path) -> None:
    make_run(tmp_path, {"base": 0, "distilled": 4}, of=30, samples=4)
    (result,) = overview(tmp_path, "p")
    assert result.low > 0 and result.p == pytest.approx(2 / 2**4)
    assert in_words([result]) == "On Toy the two cannot be told apart."


def test_a_winner_on_one_of_many_sets_has_to_survive_the_correction(tmp_path: Path) -> None:
    make_run(tmp_path, {"base": 0, "distilled": 6})
    (alone,) = overview(tmp_path, "p")
    for number in range(3):
        make_run(tmp_path, {"base": 3, "distilled": 9}, when=f"2026-02-0{number + 1}", name=f"set{number}")
        make_run(tmp_path, {"base": 1, "distilled": 3}, of=3, when=f"2026-03-0{number + 1}", name=f"small{number}")
    of_four = next(result for result in overview(tmp_path, "p") if result.set == "toy")
    assert alone.decided and not of_four.decided and of_four.p == pytest.approx(4 * alone.p)


@pytest.mark.parametrize(("base", "distilled", "counts"), [(0, 0, False), (3, 8, False), (8, 3, False), (3, 9, True)])
def test_sets_on_which_no_winner_is_possible_do_not_count_in_the_correction(
    base: int, distilled: int, counts: bool, tmp_path: Path
) -> None:
    make_run(tmp_path, {"base": 0, "distilled": 6})
    (alone,) = overview(tmp_path, "p")
    make_run(tmp_path, {"base": base, "distilled": distilled}, when="2026-02-01", name="other", of=40)
    other, toy = overview(tmp_path, "p")
    assert toy.p == pytest.approx(2 * alone.p if counts else alone.p)
    assert not other.decided and "Other the two cannot be told apart" in in_words([other])


def test_a_newer_set_of_a_few_problems_comes_last_and_is_not_spoken_of(tmp_path: Path) -> None:
    make_run(tmp_path, {"base": 2, "distilled": 18})
    make_run(tmp_path, {"base": 1, "distilled": 1}, of=4, when="2026-02-01", name="tiny")
    make_run(tmp_path, {"base": 3, "distilled": 4}, of=6, when="2026-03-01", name="small")
    results = overview(tmp_path, "p")
    assert [result.set for result in results] == ["toy", "small", "tiny"]
    assert "Tiny" not in in_words(results) and "On Small the two cannot be told apart." in in_words(results)


def test_a_gain_in_form_shows_beside_the_lenient_reading(tmp_path: Path) -> None:
    make_run(tmp_path, {"base": 2, "distilled": 18}, unmarked=10)
    (result,) = overview(tmp_path, "p")
    assert (result.base, result.base_no_answer, result.lenient_base) == (0.1, 0.5, 0.6)
    assert (result.distilled, result.distilled_no_answer, result.lenient_distilled) == (0.9, 0.0, 0.9)
    assert result.lenient_difference == pytest.approx(0.3) and result.lenient_high < result.high
    html = overview_html([result])
    assert "no answer: 50 %<br>lenient: 60.0 %" in html and "lenient: +30.0" in html


def test_a_few_unmarked_answers_are_not_spoken_of(tmp_path: Path) -> None:
    make_run(tmp_path, {"base": 2, "distilled": 90}, of=100, unmarked=4)
    (result,) = overview(tmp_path, "p")
    assert result.lenient_base > result.base and "lenient" not in overview_html([result])


def test_the_papers_figures_stand_apart_and_say_whose_they_are() -> None:
    html = overview_html([one("A", 0.2, 0.1, 0.3)._replace(set="aime2024"), one("B", 0.1, 0.05, 0.2)])
    assert "its 72B student" in html and "9,083 tokens" in html and "another token budget" in html
    assert html.count("<table") == 2 and "MATH500" not in html
    alone = overview_html([one("B", 0.1, 0.05, 0.2)])
    assert "solved 13 of 30 on AIME 2024 with 8,016 tokens" in alone and "87.2 % of MATH500 with 2,235" in alone
    assert alone.count("<table") == 1 and "no run on those sets" in alone


def one(title: str, difference: float, low: float, high: float) -> SetResult:
    shares = (0.5, 0.5 + difference, difference, low, high)
    p = 0.01 if low > 0 or high < 0 else 0.3
    return SetResult(title, title, "r", False, 10, 0, 1, 0.0, 512, *shares, p, 1.0, 2.0, 0.0, 0.0, *shares)


def test_the_sentence_names_what_is_better_worse_and_open() -> None:
    results = [
        one("A", 0.2, 0.1, 0.3),
        one("B", 0.1, 0.05, 0.2),
        one("C", -0.1, -0.2, -0.05),
        one("D", 0.01, -0.1, 0.1),
    ]
    assert in_words(results) == (
        "The distilled model is better on A (+20.0 points) and B (+10.0 points). It is worse on C (−10.0 points). "
        "On D the two cannot be told apart."
    )
    assert in_words([]) == ""
    html = overview_html(results)
    assert html.count("<tr>") == 5 and "+20.0" in html and "better on A" in html
    assert overview_html([]) == ""


def test_the_command_prints_the_recorded_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    assert main(["report", "--pair", "smol-135m", "--json"]) == 0
    sets = json.loads(capsys.readouterr().out)["sets"]
    assert {row["set"] for row in sets} == {"same_kind", "larger_numbers", "unseen_families"}
    assert all((row["n"], row["k"]) == (60, 4) and row["low"] <= row["difference"] <= row["high"] for row in sets)
    assert main(["report", "--pair", "qwen2.5-72b"]) == 1
    told = capsys.readouterr().err
    assert "no complete run" in told and "arena run --pair qwen2.5-72b --benchmark same_kind" in told
    assert main(["report", "--pair", "mien"]) == 1
    assert "There is no pair mien" in capsys.readouterr().err
    assert main(["report"]) == 1
    assert main(["report", "r", "--pair", "p"]) == 1
