"""Sets beyond maths: loaders, judged runs, the judge's check, people's marks."""

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import nan
from pathlib import Path
from typing import Any

import pytest

from commands.arena import main
from common.errors import ConfigError, DataError, Refusal, ServerError
from eval.judging.judge import RUBRICS, Judge, JudgeItem, Judgement
from eval.judging.judged import JUDGEMENTS, judge_items, judge_run, judgements
from eval.judging.labelled import (
    LABELLED,
    JudgeCheck,
    Labelled,
    check_judge,
    check_sentence,
    checks,
    checks_file,
    latest_check,
    load_labelled,
    save_check,
    trustworthy,
)
from eval.judging.ratings import RatingTask, add_rating, next_task, order_for, ratings, ratings_file, summarise_ratings
from eval.judging.scored import score_sentence, scores
from eval.problems.open_ended import SETS, load_open_ended
from eval.records import Problem, Sample
from eval.runs.log import DataInfo, RunConfig, RunInfo, RunLog, SideInfo, find_run
from eval.statistics.agreement import Agreement
from models.chat.client import Message
from models.chat.events import Reply
from models.config.sampling import Sampling

needs_data = pytest.mark.skipif(not os.environ.get("JOURNEY_DATA"), reason="JOURNEY_DATA is not set")

STARTED = "2026-01-01T00:00:00.000+00:00"


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path / "home"))


def write_rows(path: Path, rows: Sequence[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))


@pytest.mark.parametrize("key", [key for key, known in SETS.items() if not known.shipped])
def test_every_set_loads_from_a_folder(key: str, tmp_path: Path) -> None:
    known = SETS[key]
    cell = ["问题 1", "an answer"] if key == "lima" else "问题 1"
    row = {known.question: cell, known.gold or "x": "gold", known.subject or "y": "s"}
    write_rows(tmp_path / known.path, [row, row])
    found = load_open_ended(key, data=tmp_path)
    assert found.rule == "judged"
    assert [(p.question, p.gold) for p in found.problems] == [("问题 1", "gold" if known.gold else "")]
    assert found.problems[0].extra == {"prompt": "plain", "rubric": known.rubric}
    assert bool(found.warning) == (known.size is not None)


def test_everyday_prompts_ship_in_both_languages(tmp_path: Path) -> None:
    found = load_open_ended("everyday", data=tmp_path)  # whatever lies there
    assert Counter(problem.subject for problem in found.problems) == {"English": 20, "Chinese": 20}
    assert all(bool(re.search("[一-鿿]", p.question)) == (p.subject == "Chinese") for p in found.problems)
    assert (found.rule, found.warning) == ("judged", "")


@pytest.mark.parametrize("ids", [(1, 0), (7, 7), (2, None), ("", 1)])
def test_no_two_questions_share_an_id(ids: tuple[object, object], tmp_path: Path) -> None:
    rows = [{"prompt": f"q{number}", "id": own} for number, own in enumerate(ids)]
    write_rows(tmp_path / "mine.jsonl", rows)
    keys = [problem.id for problem in load_open_ended(str(tmp_path / "mine.jsonl")).problems]
    assert len(set(keys)) == 2
    assert all(own in ("", None) or f"mine/{own}" in keys for own in ids)


def test_drawing_is_repeatable_and_said(tmp_path: Path) -> None:
    write_rows(tmp_path / "flames/test.jsonl", [{"prompt": f"q{i}"} for i in range(50)])
    first, again = (load_open_ended("flames", data=tmp_path, count=7, seed=3) for _ in range(2))
    assert first == again
    assert len(first.problems) == 7
    assert "7 drawn with seed 3" in first.source


def test_a_missing_set_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="JOURNEY_DATA"):
        load_open_ended("flames", data=tmp_path)
    with pytest.raises(ConfigError, match="flames"):
        load_open_ended("humour")


@needs_data
@pytest.mark.parametrize(
    ("key", "count"),
    [("flames", 1000), ("diasafety", 1046), ("chinese_simpleqa", 3000), ("chinesefacteval", 125)],
)
def test_the_public_sets(key: str, count: int) -> None:
    found = load_open_ended(key)
    assert found.warning == ""
    assert len(found.problems) == count


@needs_data
@pytest.mark.parametrize("key", LABELLED)
def test_the_labelled_sets(key: str) -> None:
    labelled = load_labelled(key)
    assert len(labelled) == {"safetyj_diasafety": 1095, "safetyj_flames": 300, "autoj_pairs": 696}[key]
    assert {one.label for one in labelled} <= set(RUBRICS[LABELLED[key].rubric].verdicts)


@pytest.mark.parametrize("rows", [1, 0])
def test_labels_are_read_past_line_separators_within_texts(rows: int, tmp_path: Path) -> None:
    row = {"query": "q", "response": "one\u2028two", "label": "Safe"}
    write_rows(tmp_path / "safetyj/diasafety_labels.json", [row] * rows)
    if rows:
        assert load_labelled("safetyj_diasafety", tmp_path)[0].item.fields["answer"] == "one\u2028two"
    else:
        with pytest.raises(DataError, match="no rows"):
            load_labelled("safetyj_diasafety", tmp_path)


def test_a_set_without_rows_is_named(tmp_path: Path) -> None:
    write_rows(tmp_path / "flames/test.jsonl", [])
    for name in ("flames", str(tmp_path / "flames/test.jsonl")):
        with pytest.raises(DataError, match="no rows"):
            load_open_ended(name, data=tmp_path)


def test_a_wrong_label_names_its_row(tmp_path: Path) -> None:
    rows = [{"query": "q", "response": "r", "label": "Safe"}, {"query": "q", "response": "r", "label": "Perhaps"}]
    write_rows(tmp_path / "safetyj/diasafety_labels.json", rows)
    with pytest.raises(DataError, match="row 2"):
        load_labelled("safetyj_diasafety", tmp_path)


class ByWord:
    """A judge's model that calls everything with a certain word unsafe, breaks down at another, and counts requests."""

    def __init__(self) -> None:
        self.requests = 0

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Reply:
        self.requests += 1
        text = messages[0].content
        if "garble" in text:
            return Reply(answer="I would rather not say.")
        if "unreachable" in text:
            return Reply(finish_reason="failed", error="no route")
        if "endless" in text or "nearly" in text:
            refusal: Refusal = "too_long" if "endless" in text else "limit_too_high"
            return Reply(finish_reason="failed", error="Its context holds 4096 tokens.", refusal=refusal)
        if "<first>" in text:
            better = "first" if text.index("good") < text.index("<second>") else "second"
            return Reply(answer=f'{{"verdict": "{better}"}}')
        return Reply(answer='{"verdict": "unsafe"}' if "bomb" in text else '{"verdict": "safe"}')


def labelled(*rows: tuple[str, str]) -> list[Labelled]:
    return [Labelled(JudgeItem(str(i), {"question": "q", "answer": a}), label) for i, (a, label) in enumerate(rows)]


async def test_a_check_counts_agreement_and_is_kept() -> None:
    judge = Judge("word", ByWord(), RUBRICS["safety"])
    assert "never checked" in check_sentence(latest_check("word", "safety", checks()), "safety")
    rows = labelled(("bomb", "unsafe"), ("tea", "safe"), ("knife", "unsafe"), ("garble", "safe"))
    check, verdicts = await check_judge(judge, "mine", rows)
    save_check(check, verdicts)
    assert (check.agreement.items, check.agreement.invalid, check.agreement.accuracy) == (4, 1, 0.5)
    assert latest_check("word", "safety", checks()) == check == checks()[0]
    assert "kappa" in check_sentence(check, "safety")
    assert latest_check("other", "safety", checks()) is None


async def test_a_check_says_in_words_when_a_judge_knows_nothing() -> None:
    judge = Judge("word", ByWord(), RUBRICS["safety"])
    rows = labelled(*[("garble", "safe")] * 3, ("tea", "safe"))
    unreadable, _ = await check_judge(judge, "mine", rows)
    assert not trustworthy(unreadable)
    assert "3 of 4 verdicts invalid (75%)" in check_sentence(unreadable, "safety")
    assert "could not be read: its scores say nothing" in check_sentence(unreadable, "safety")
    by_chance, _ = await check_judge(judge, "mine", labelled(("tea", "safe"), ("tea", "unsafe")))
    assert "not shown to do better than chance: its scores say nothing" in check_sentence(by_chance, "safety")
    good, _ = await check_judge(judge, "mine", labelled(*[("bomb", "unsafe"), ("tea", "safe")] * 10, ("tea", "unsafe")))
    assert trustworthy(good)
    assert "say nothing" not in check_sentence(good, "safety")


@pytest.mark.parametrize(("copies", "enough"), [(1, False), (3, False), (4, True), (50, True)])
async def test_few_verdicts_that_all_agree_make_no_trustworthy_judge(copies: int, enough: bool) -> None:
    rows = labelled(*[("bomb", "unsafe"), ("tea", "safe")] * copies)
    check, _ = await check_judge(Judge("word", ByWord(), RUBRICS["safety"]), "mine", rows)
    older = replace(check, agreement=replace(check.agreement, kappa_low=1.0, kappa_high=1.0))
    for each in (check, older):
        assert trustworthy(each) is enough
        assert "Cohen's kappa 1.00; 0 of" in check_sentence(each, "safety"), "no interval of no width"
        assert ("not shown to do better than chance" in check_sentence(each, "safety")) is not enough


async def test_an_unreachable_judge_is_no_bad_judge() -> None:
    with pytest.raises(ServerError, match="no route"):
        await check_judge(Judge("word", ByWord(), RUBRICS["safety"]), "mine", labelled(("unreachable", "safe")))


PROBLEMS = [Problem(f"flames/{i}", f"question {i}", "", "flames", extra={"rubric": "safety"}) for i in range(3)]


def sample(model: str, problem: Problem, answer: str, error: str = "") -> Sample:
    return Sample(
        "r1", model, problem.id, 0, "p", answer, "secret thought", answer, 1, 1, "stop", 0, 0.1, STARTED, "", error
    )


def make_run(tmp_path: Path, samples: Sequence[Sample]) -> RunLog:
    sides = {"base": SideInfo("model-b", "B"), "distilled": SideInfo("model-d", "D")}
    data = (DataInfo("flames", "Flames", "", "", "judged", 3, 3),)
    log = RunLog.create(tmp_path / "runs", RunInfo("r1", "", RunConfig("p", ("flames",)), data, sides, ""), PROBLEMS)
    log.append("samples", [vars(s) for s in samples])
    return log


async def drain(log: RunLog, judge: Judge) -> list[tuple[int, int]]:
    return [progress async for progress in judge_run(log, judge)]


async def test_a_run_is_judged_blind_once_and_resumes(tmp_path: Path) -> None:
    base = [sample("model-b", p, a) for p, a in zip(PROBLEMS, ["bomb", "tea", "garble"], strict=True)]
    distilled = [sample("model-d", p, a) for p, a in zip(PROBLEMS, ["tea", "tea", "unreachable"], strict=True)]
    log = make_run(tmp_path, [*base, *distilled])
    model = ByWord()
    judge = Judge("word", model, RUBRICS["safety"])
    assert (await drain(log, judge))[-1] == (5, 6)
    kept = judgements(log)
    assert all("model-" not in prompt and "secret" not in prompt for j in kept for prompt in j.prompts)
    assert {j.raws[0] for j in kept if j.value is None} == {"I would rather not say."}
    asked = model.requests
    with pytest.raises(ServerError, match="does not answer"):
        await drain(log, judge)
    assert model.requests == asked + 1, "only the failed request is asked again"
    found = {s.role: s for s in scores(judgements(log))}
    assert (found["base"].valid, found["base"].invalid, found["base"].value) == (2, 1, 0.5)
    assert (found["distilled"].valid, found["distilled"].value) == (2, 1.0)
    assert found["base"].check is None


@pytest.mark.parametrize("copies", [1, 9])
async def test_a_judge_that_cannot_be_reached_is_named_and_not_asked_for_ever(tmp_path: Path, copies: int) -> None:
    several = [replace(sample(f"model-{side}", p, "unreachable"), index=n)
               for side in "bd" for p in PROBLEMS for n in range(copies)]  # fmt: skip
    log, model = make_run(tmp_path, several), ByWord()
    with pytest.raises(ServerError, match=r"The judge does not answer: request failed.*no route"):
        await drain(log, Judge("word", model, RUBRICS["safety"]))
    assert not judgements(log) and model.requests < 6 * copies + (copies == 1)


@pytest.mark.parametrize(("judged", "left"), [(0, 6), (3, 3), (5, 1)])
async def test_a_judge_that_is_down_is_named_however_few_answers_are_left(
    tmp_path: Path, judged: int, left: int
) -> None:
    answers = ["tea"] * judged + ["unreachable"] * left
    both = [(side, p) for side in "bd" for p in PROBLEMS]
    log = make_run(tmp_path, [sample(f"model-{s}", p, a) for (s, p), a in zip(both, answers, strict=True)])
    done = [(f"model-{s}|{p.id}|0") for s, p in both[:judged]]
    log.append(JUDGEMENTS, [vars(Judgement(item, "safety", "word", "safe", "", "", (), ())) for item in done])
    with pytest.raises(ServerError, match="The judge does not answer"):
        await drain(log, Judge("word", ByWord(), RUBRICS["safety"]))


@pytest.mark.parametrize("words", ["endless", "nearly"])
async def test_an_answer_that_is_too_long_for_the_judge_is_an_invalid_verdict_that_says_so(
    tmp_path: Path, words: str
) -> None:
    several = [replace(sample(f"model-{side}", p, words), index=n) for side in "bd" for p in PROBLEMS for n in range(4)]
    log, model = make_run(tmp_path, several), ByWord()
    assert (await drain(log, Judge("word", model, RUBRICS["safety"])))[-1] == (24, 24)
    assert {j.invalid for j in judgements(log)} == {"too long for the judge: Its context holds 4096 tokens."}
    asked = model.requests
    await drain(log, Judge("word", model, RUBRICS["safety"]))
    assert model.requests == asked, "the judge would refuse them again"


@pytest.mark.parametrize(("last", "code"), [("unreachable", 1), ("endless", 0), ("tea", 0)])
def test_the_command_says_by_its_exit_code_whether_a_verdict_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], last: str, code: int
) -> None:
    class Client(ByWord):
        async def __aenter__(self) -> "Client":
            return self

        async def __aexit__(self, *_: object) -> None: ...

    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    monkeypatch.setattr("eval.judging.judged.judge_client", lambda url, model: Client())
    answers = ["tea", "bomb", "tea", "tea", "tea", last]
    both = [(side, p) for side in "bd" for p in PROBLEMS]
    make_run(tmp_path, [sample(f"model-{s}", p, a) for (s, p), a in zip(both, answers, strict=True)])
    assert main(["judge", "run", "r1", "--url", "http://127.0.0.1:9/v1", "--model", "m"]) == code
    said = capsys.readouterr()
    told = "1 request failed, so the scores are without those verdicts. Run the same command again to continue."
    assert (told in said.err) is bool(code)
    assert "flames, base" in said.out


def test_samples_of_one_question_do_not_narrow_a_judges_interval() -> None:
    def verdicts(samples: int) -> list[Judgement]:
        return [
            Judgement(f"m|q{q}|{n}", "safety", "word", "safe" if q < 4 else "unsafe", "", "", (), (),
                      extra={"role": "base", "problem": f"q{q}"})
            for q in range(8) for n in range(samples)
        ]  # fmt: skip

    (once,), (often,) = scores(verdicts(1)), scores(verdicts(5))
    assert (once.valid, often.valid) == (8, 40)
    assert (
        (once.value, once.low, once.high)
        == (often.value, often.low, often.high)
        == pytest.approx((0.5, 1 - once.high, once.high))
    )


async def test_a_pair_judge_gives_the_distilled_models_win_rate(tmp_path: Path) -> None:
    base = [sample("model-b", p, a) for p, a in zip(PROBLEMS, ["good", "plain", "plain"], strict=True)]
    distilled = [sample("model-d", p, a) for p, a in zip(PROBLEMS, ["plain", "good", "good"], strict=True)]
    log = make_run(tmp_path, [*base, *distilled])
    await drain(log, Judge("word", ByWord(), RUBRICS["pair"]))
    (found,) = scores(judgements(log))
    assert (found.role, found.valid, found.flipped) == ("distilled", 3, 0)
    assert found.value == pytest.approx(2 / 3)
    assert len(list(log.rows(JUDGEMENTS))) == 3


@pytest.mark.parametrize(
    ("rubric", "values", "expected"),
    [
        ("pair", ["second"] * 4, (1.0, 0.5101, 1.0)),  # Wilson's lower bound of 4/4
        ("pair", ["second", "first", "tie", "tie"], (0.5, 0.15, 0.85)),  # and its bounds of 2/4
        ("rating", [70.0] * 4, (70.0, nan, nan)),
        ("rating", [70.0, 80.0], (75.0, 75 - 63.531, 75 + 63.531)),  # 12.706 × 7.0711 / √2
        ("rating", [], (nan, nan, nan)),
    ],
)
def test_scores_never_claim_certainty(rubric: Any, values: list[Any], expected: tuple[float, ...]) -> None:
    places = {"first": "base", "second": "distilled", "benchmark": "own"}
    found = [Judgement(f"i{n}", rubric, "j", value, "", "", (), (), extra=places) for n, value in enumerate(values)]
    unread = Judgement("i", rubric, "j", None, "", "empty reply", (), (), extra=places)
    (score,) = scores([*found, unread])
    assert (score.value, score.low, score.high) == pytest.approx(expected, abs=1e-3, nan_ok=True)
    assert "nan to" not in score_sentence(score)


def test_runs_of_either_kind_are_found_by_their_id() -> None:
    home = Path(os.environ["JOURNEY_HOME"])
    made = make_run(home, [])
    shutil.copytree(made.folder, home / "beyond" / "b1")
    assert find_run("b1").folder == home / "beyond" / "b1"
    assert find_run("r1").folder == home / "runs" / "r1"
    with pytest.raises(DataError, match="no run"):
        find_run("r2")


def test_failed_samples_are_not_judged(tmp_path: Path) -> None:
    log = make_run(tmp_path, [sample("model-b", PROBLEMS[0], "", "no route")])
    assert judge_items(log.info(), log.problems(), log.samples(), "safety") == []


ROLES = ("base", "distilled")
TASKS = [RatingTask(f"{role}/{i}", f"q{i}", "an answer", role, str(i)) for role in ROLES for i in range(6)]


def test_raters_mark_blind_in_orders_of_their_own() -> None:
    assert [t.id for t in order_for("Ann", TASKS)] != [t.id for t in order_for("Bob", TASKS)]
    assert order_for("Ann", TASKS) == order_for("Ann", reversed(TASKS))
    seen = []
    while task := next_task("Ann", TASKS, ratings()):
        seen.append(task.id)
        add_rating(task, " Ann ", 60)
    assert sorted(seen) == sorted(t.id for t in TASKS)


def test_marks_make_means_and_agreement() -> None:
    for task in TASKS:
        number = int(task.group)
        mark = 40 + 5 * number if task.role == "base" else 60 + 5 * number
        add_rating(task, "Ann", mark)
        add_rating(task, "Bob", mark)
    found = summarise_ratings(TASKS, ratings())
    assert found.means == {"base": pytest.approx(52.5), "distilled": pytest.approx(72.5)}
    assert (found.raters, found.shared, found.alpha, found.icc) == (2, 12, pytest.approx(1.0), pytest.approx(1.0))
    add_rating(TASKS[0], "Bob", 100)
    again = summarise_ratings(TASKS, ratings())
    assert again.alpha is not None
    assert again.alpha < 1
    assert again.rated["base"] == 12


@pytest.mark.parametrize(("rater", "mark"), [("", 50), ("  ", 50), ("Ann", -1), ("Ann", 101), ("Ann", float("nan"))])
def test_marks_that_cannot_count_are_refused(rater: str, mark: float) -> None:
    with pytest.raises(ConfigError):
        add_rating(TASKS[0], rater, mark)


def test_a_mark_and_a_check_that_a_crash_cut_short_cost_no_other(tmp_path: Path) -> None:
    task = RatingTask("t", "q", "a", "base")
    add_rating(task, "Ann", 50)
    with ratings_file().open("a", encoding="utf-8") as file:
        file.write('{"task": "t", "rater": "B')
    add_rating(task, "Ann", 70)
    assert [rating.score for rating in ratings()] == [50, 70]
    agreement = Agreement(1, 0, 1.0, 0.2, 1.0, None, None, None, {})
    for at in ("first", "second"):
        save_check(JudgeCheck("judge", "safety", "safetyj_flames", agreement, None, at), [])
        with checks_file().open("a", encoding="utf-8") as file:
            file.write('{"judge": "ju')
    assert [check.at for check in checks()] == ["first", "second"]
