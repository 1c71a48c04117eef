"""Judged scores: what they count, what speaks against them, and how they travel with a run that ships."""

import json
from dataclasses import asdict
from pathlib import Path
from zipfile import ZipFile

import pytest

from commands.arena import main
from common import jsonl
from common.errors import ConfigError
from eval.judging.judge import RUBRICS, Judge, Judgement
from eval.judging.judged import JUDGEMENTS, judge_run
from eval.judging.labelled import JudgeCheck, checks, checks_file
from eval.judging.scored import JudgedScore, pair_scores, run_scores, score_lines, scores
from eval.problems.open_ended import RubricKey, load_open_ended
from eval.records import Problem, Sample
from eval.runs import recorded
from eval.runs.log import DataInfo, RunConfig, RunInfo, RunLog, SideInfo, find_run
from eval.runs.recorded import NOTE, unpack_recorded
from eval.statistics.agreement import agreement
from models.chat.client import Message
from models.chat.events import Reply
from models.config.sampling import Sampling

SIDES = {"base": SideInfo("model-b", "B"), "distilled": SideInfo("model-d", "D")}
JUDGE = "judge-9b"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def verdict(
    number: int, value: str | None, *, flipped: bool = False, rubric: RubricKey = "pair", of: str = "everyday"
) -> Judgement:
    places = {"first": "base", "second": "distilled", "problem": f"{of}/{number}", "benchmark": of}
    return Judgement(f"{of}/{number}|0", rubric, JUDGE, value, "", "" if value else "empty reply", ("read",),
                     ("one", "two"), flipped, places)  # fmt: skip


def check(at: str = "2026-01-01", human: str = "first") -> JudgeCheck:
    labels = [human, "second"] * 30
    return JudgeCheck(JUDGE, "pair", "autoj_pairs", agreement(labels, labels), 0, at)


def make_run(runs: Path, name: str, of: str = "everyday", count: int = 4, pair: str = "smol-135m") -> RunLog:
    """A run of an open-ended set in which every question has an answer of both models."""
    problems = [Problem(f"{of}/{n}", f"Question {n}?", "", of, extra={"rubric": "pair"}) for n in range(count)]
    data = (DataInfo(of, f"The set {of}", "abc", "made here", "judged", count, count),)
    log = RunLog.create(runs, RunInfo(name, name, RunConfig(pair, (of,)), data, SIDES, "{question}"), problems)
    for side in SIDES.values():
        answers = [Sample(name, side.model, p.id, 0, p.question, "Yes.", "", f"Yes to {p.question}", 0, 2, "stop", 0,
                          0.1, "2026-01-01", "h") for p in problems]  # fmt: skip
        log.append("samples", map(asdict, answers))
    return log


def judged(log: RunLog, *verdicts: Judgement) -> RunLog:
    log.append(JUDGEMENTS, map(asdict, verdicts))
    return log


def only(found: list[JudgedScore]) -> JudgedScore:
    (score,) = found
    return score


def test_a_win_rate_says_how_it_came_about() -> None:
    given = [*[verdict(n, "second") for n in range(5)], verdict(5, "first"), verdict(6, "tie")]
    score = only(scores([*given, verdict(7, "tie", flipped=True), verdict(8, None)]))
    assert (score.won, score.lost, score.tied, score.flipped, score.invalid) == (5, 1, 2, 1, 1)
    assert score.value == pytest.approx(6 / 8)
    (line,) = score_lines([score])
    assert "distilled preferred to base: 75.0%" in line
    assert "5 won, 1 lost, 2 ties (1 by a change with the order), 1 invalid" in line
    assert "never checked" in line


@pytest.mark.parametrize(
    ("sure", "flipped", "unread", "flaw"),
    [
        (10, 0, 0, ""),
        (10, 5, 5, ""),
        (9, 6, 5, "changed with the order"),
        (2, 38, 0, "changed with the order"),
        (4, 0, 36, "could not be read"),
        (0, 0, 3, "could not be read"),
    ],
)
def test_verdicts_that_say_nothing_are_called_so(sure: int, flipped: int, unread: int, flaw: str) -> None:
    given = [verdict(n, "second") for n in range(sure)]
    given += [verdict(100 + n, "tie", flipped=True) for n in range(flipped)]
    score = only(scores([*given, *(verdict(200 + n, None) for n in range(unread))]))
    assert flaw in score.flaw
    assert bool(score.flaw) == bool(flaw)
    assert "nan" not in score_lines([score])[0]


def test_a_run_that_is_judged_in_part_says_so(home: Path) -> None:
    log = judged(make_run(home / "beyond", "r1"), verdict(0, "first"), verdict(1, None))
    score = only(run_scores(log))
    assert (score.due, score.valid, score.invalid) == (4, 1, 1)
    assert "2 of 4 judged" in score_lines([score])[0]
    judged(log, verdict(2, "tie"), verdict(3, "tie"))
    assert "judged" not in score_lines(run_scores(log))[0]


def test_a_pair_is_shown_by_its_newest_judged_run_of_each_set(home: Path) -> None:
    runs = home / "beyond"
    assert pair_scores(runs, "smol-135m") == []
    judged(make_run(runs, "r1"), verdict(0, "first"))
    judged(make_run(runs, "r2"), verdict(0, "second"))
    make_run(runs, "r3")
    judged(make_run(runs, "r4", pair="mine"), verdict(0, "tie"))
    judged(make_run(runs, "r5", of="flames"), verdict(0, "first", of="flames"))
    assert [(score.benchmark, score.value) for score in pair_scores(runs, "smol-135m")] == [
        ("flames", 0.0),
        ("everyday", 1.0),
    ]


async def test_answers_are_not_compared_with_references_that_there_are_not(home: Path) -> None:
    class Never:
        async def complete(self, messages: list[Message], sampling: Sampling) -> Reply:
            raise AssertionError("nothing is asked")

    judge = Judge(JUDGE, Never(), RUBRICS["reference"])
    with pytest.raises(ConfigError, match="no reference answers"):
        async for _ in judge_run(make_run(home / "beyond", "r1"), judge):
            pass


def test_a_recorded_run_brings_its_judges_check_and_no_other_counts(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(recorded, "RECORDED", tmp_path / "ships")
    judged(make_run(home / "beyond", "r1"), *(verdict(n, "second") for n in range(4)))
    jsonl.append(checks_file(), [asdict(check()), asdict(check("2026-02-02"))])
    assert main(["record", "r1"]) == 0
    assert str(tmp_path / "ships" / "beyond" / "r1.zip") in capsys.readouterr().out
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path / "elsewhere"))
    jsonl.append(checks_file(), [asdict(check("2026-03-03"))])
    unpack_recorded(tmp_path / "elsewhere")
    log = find_run("r1")
    assert (log.folder.parent.name, log.info().recorded) == ("beyond", True)
    assert only(run_scores(log)).check == check("2026-02-02") != checks()[-1]
    assert main(["report", "r1"]) == 0
    assert "distilled preferred to base: 100.0%" in capsys.readouterr().out
    assert main(["report", "--pair", "smol-135m", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["judged"][0]["won"] == 4


def test_a_recorded_run_without_a_check_does_not_borrow_one(home: Path) -> None:
    log = judged(make_run(home / "beyond", "r1"), verdict(0, "first"))
    jsonl.append(checks_file(), [asdict(check())])
    assert only(run_scores(log)).check == check()
    path = log.folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "recorded": True}))
    assert only(run_scores(log)).check is None


@pytest.mark.parametrize(("of", "quoted"), [("everyday", True), ("flames", False), ("mine", True)])
def test_prompts_of_others_do_not_ship(
    of: str, quoted: bool, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "RECORDED", tmp_path / "ships")
    make_run(home / "beyond", "r1", of)
    assert main(["record", "r1"]) == 0
    with ZipFile(tmp_path / "ships" / "beyond" / "r1.zip") as archive:
        text = "".join(archive.read(name).decode() for name in archive.namelist())
    assert ("Question 1?" in text, NOTE in text) == (quoted, not quoted)


@pytest.mark.parametrize("stem", ["everyday", "flames", "sycophancy"])
def test_ones_own_file_is_not_taken_for_a_set_of_its_name(stem: str, tmp_path: Path) -> None:
    path = tmp_path / f"{stem}.jsonl"
    path.write_text('{"prompt": "Is tea safe?"}\n')
    found = load_open_ended(str(path))
    assert found.name == f"own_{stem}" == found.problems[0].benchmark
