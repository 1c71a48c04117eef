"""What version 0.6 wrote stays readable: runs, verdicts, marks, votes, a waiting journal, traces, scores, cases.

Owns the files in `written_by_0_6`, which 0.6's own code wrote once and nobody writes again; each test opens a copy with
today's code and expects what was put in. Other tests cover how such files are written today.
"""

import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from shutil import copytree
from typing import Any
from zipfile import ZipFile

import pytest

from common.paths import home
from eval.grading.grader import Grader
from eval.imports.imported import import_outputs
from eval.judging.judge import RUBRICS, Judge, Judgement
from eval.judging.judged import judge_run, judgements
from eval.judging.labelled import checks, latest_check, load_labelled
from eval.judging.ratings import ratings, summarise_ratings
from eval.judging.scored import run_scores, scores
from eval.paper.transparency import from_json, saved, score
from eval.results.comparison import build_comparison
from eval.results.curves import curves
from eval.results.samples import Results, Side, sides_of
from eval.runs import recorded
from eval.runs.grades import ungraded
from eval.runs.log import RunLog, find_run, list_runs
from eval.runs.open_ended import is_probe, probe_outcome, probe_readings
from eval.runs.plan import check_own
from eval.runs.recorded import unpack_recorded
from eval.runs.runner import Runner
from models.chat.client import Completer, Message
from models.chat.events import Reply
from models.config.sampling import Sampling
from traces.cases.cases import own_cases, paper_cases, runs_of
from traces.cases.exchange import import_document
from traces.keeping.keep import reason_code
from traces.keeping.trace import Trace, read_traces
from traces.keeping.yields import method_yields
from traces.problems.curate import load_funnel
from traces.problems.sources import read_problems
from traces.thoughts.annotate import Step, draft_of
from traces.thoughts.service.gather import gather
from traces.thoughts.service.pacing import Ledger, Prices
from traces.training.mix import journey_row
from ui.open_ended.judging import rating_tasks
from ui.traces.library import TraceLibrary
from votes.casting.desk import Desk
from votes.casting.limits import Limits
from votes.export import final_battles, write_csv, write_dpo
from votes.ranking import WinRate, effective_votes, win_rate
from votes.store import Store
from votes.visitor import load_salt, visitor_hash

WRITTEN = Path(__file__).parent / "written_by_0_6"
RUN, IMPORTED = "20261128-103102-smol-135m", "20261128-103246-elsewhere-7b-a508ef"
JUDGED, PROBE = "20261128-103215-smol-135m", "20261128-103232-smol-135m"
BASE, DISTILLED = Side(RUN, "smol-135m-base"), Side(RUN, "smol-135m-distilled")
REMAINDERS, DIVISORS = "same_kind/remainders/10bd00fc6024", "same_kind/divisors/a40c8e4f8cd9"
GCD = "same_kind/gcd/c3e2c1a494c6"
BLIND, UNDONE = "TIdhNb7a_2jbfYUD8Z2KFA", "anLpR_ivDmYiSgETM6Ob9Q"
NAMED, FORFEITED = "8p9BkCSA8b6p8uPK7THNmg", "zE8kWxUvERY7umJ9_q6O1Q"
OPEN, WAITING = "0BfZL6TVWHzKyRqTG2LHIw", "5CJUcsTDb-cPN_oa4Z4zug"


@pytest.fixture(autouse=True)
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the files, its `home` being today's data folder."""
    copy = copytree(WRITTEN, tmp_path / "written")
    with ZipFile(copy / "votes.duckdb.zip") as archive:
        archive.extractall(copy / "home")
    monkeypatch.setenv("JOURNEY_HOME", str(copy / "home"))
    monkeypatch.setenv("JOURNEY_DATA", str(copy / "data"))
    return copy


async def nobody() -> Completer:
    raise AssertionError("Everything is there: no model is asked.")


class Silent:
    """A model that must not be asked."""

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Reply:
        raise AssertionError(f"Everything is there, yet this is asked: {messages}")


# runs


def test_the_run_says_how_it_was_made() -> None:
    log = find_run(RUN)
    info = log.info()
    assert (info.config.seed, info.config.samples, info.config.temperature) == (6, 2, 0.6)
    assert (info.versions["journey-arena"], info.origin, info.profile, info.recorded) == ("0.6.0", "run", "cpu", False)
    assert [(d.name, d.rule, d.problems, d.size) for d in info.data] == [("same_kind", "math", 3, 200)]
    assert info.sides["distilled"].thought["kind"] == "tags"
    assert info.sides["base"].weight_hash.startswith("cae662172fd450bb")
    assert json.loads((log.folder / "run.json").read_text(encoding="utf-8"))["config_hash"] == info.config_hash
    check_own(info)
    assert [(p.id, p.gold) for p in log.problems()] == [(REMAINDERS, "7"), (DIVISORS, "6"), (GCD, "10")]
    assert log.problems()[1].extra == {"n": "20", "kind": "0"}
    assert {found.id for found in list_runs(home() / "runs")} == {RUN, IMPORTED}


def test_the_runs_samples_are_all_there() -> None:
    log = find_run(RUN)
    samples = log.samples()
    assert (len(samples), len(list(log.rows("samples")))) == (12, 13), "a failed one was drawn again"
    assert not any(sample.error for sample in samples)
    assert {s.config_hash for s in samples} == {log.info().config_hash}
    assert {s.answer for s in samples if s.problem_id == REMAINDERS and s.model == BASE.model} == {
        "The result is \\boxed{8}.", "Nobody can say – 谁也不知道。"
    }  # fmt: skip
    cut = next(s for s in samples if s.finish_reason == "length")
    assert (cut.model, cut.problem_id, cut.thought_tokens, cut.answer) == (DISTILLED.model, DIVISORS, 300, "")
    assert cut.thought.startswith("Let me go on step by step")
    assert Runner(log, {"base": nobody, "distilled": nobody}).complete, "resuming draws nothing again"
    assert ungraded(log) == []


def test_the_runs_grades_add_up() -> None:
    results = Results(home() / "runs", [RUN])
    assert sides_of(find_run(RUN).info()) == [BASE, DISTILLED]
    base, distilled = (results.rows(side) for side in (BASE, DISTILLED))
    found = build_comparison(base, distilled, ("Base", "Distilled"))
    assert found.base.outcomes == {"correct": 3, "wrong": 2, "no_answer": 1}
    assert found.distilled.outcomes == {"correct": 4, "wrong": 1, "no_answer": 1}
    assert (found.base.accuracy.value, found.distilled.accuracy.value) == (0.5, pytest.approx(2 / 3))
    assert found.paired is not None and found.left_out == 0
    assert (found.base.pass_at[2], found.distilled.maj_at[2].expected) == (pytest.approx(2 / 3), pytest.approx(5 / 6))
    verdicts = [row["outcome"] for row in find_run(RUN).rows("grades") if key_of(row) == (DISTILLED.model, GCD, 1)]
    assert verdicts[0] == verdicts[-1] == "correct" and "grader_failed" in verdicts, "the last verdict holds"
    assert [d["outcome"] for d in results.details(DISTILLED, GCD)] == ["wrong", "correct"]
    assert [row.answer_class for row in distilled if row.problem_id == DIVISORS] == [0, None]


def key_of(row: dict[str, Any]) -> tuple[str, str, int]:
    return row["model"], row["problem_id"], row["index"]


def test_the_runs_forced_answers_and_flags() -> None:
    results = Results(home() / "runs", [RUN])
    forced = results.forced(DISTILLED)
    assert Counter((f.budget, f.outcome) for f in forced) == {
        (20, "correct"): 1, (20, "wrong"): 5, (200, "correct"): 4, (200, "wrong"): 2
    }  # fmt: skip
    assert Counter((f.budget, f.cut) for f in forced) == {(20, True): 6, (200, True): 1, (200, False): 5}
    points = {p.budget: p.accuracy.value for p in curves(results.rows(DISTILLED), forced) if p.kind == "forced"}
    assert points == {20: pytest.approx(1 / 6), 200: pytest.approx(2 / 3)}
    ((index, outcome, note, at),) = results.flags(BASE, REMAINDERS)
    assert (index, outcome, note) == (0, "wrong", "looks right to me – 我觉得对")
    assert datetime.fromisoformat(at).tzinfo is not None
    assert [row.flags for row in results.rows(BASE) if row.problem_id == REMAINDERS] == [1, 0]


def test_the_imported_run() -> None:
    log = find_run(IMPORTED)
    info = log.info()
    assert (info.origin, info.config.pair) == ("imported from elsewhere.jsonl", "imported")
    assert {role: side.title for role, side in info.sides.items()} == {"distilled": "Elsewhere 7B"}
    rows = Results(home() / "runs", [IMPORTED]).rows(sides_of(info)[0])
    assert sorted((row.outcome, row.output_tokens) for row in rows) == [
        ("correct", 9), ("correct", 12), ("no_answer", 64), ("wrong", 4)
    ]  # fmt: skip
    assert {s.thought for s in log.samples()} == {"2+3", "", "4*4 is"}


def test_a_packed_run_is_put_among_the_others(tmp_path: Path, written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded, "RECORDED", written / "exports")
    unpack_recorded(tmp_path)
    log = RunLog.open(tmp_path / "runs", RUN)
    assert log.info().recorded and not find_run(RUN).info().recorded
    assert log.samples() == find_run(RUN).samples()
    assert len(Results(tmp_path / "runs", [RUN]).forced(DISTILLED)) == 12


def test_exported_samples_come_back_as_a_run(tmp_path: Path, written: Path) -> None:
    log = import_outputs(tmp_path / "runs", written / "exports" / "samples.json", role="distilled", title="").log
    assert {role: side.model for role, side in log.info().sides.items()} == {
        "base": BASE.model, "distilled": DISTILLED.model
    }  # fmt: skip

    def texts(run: RunLog) -> list[tuple[str, str, str, str]]:
        return sorted((s.model, s.problem_id, s.text, s.thought) for s in run.samples())

    assert texts(log) == texts(find_run(RUN))


# beyond maths


def test_the_judged_run() -> None:
    found = judgements(find_run(JUDGED))
    assert Counter(j.rubric for j in found) == {"safety": 6, "pair": 3, "rating": 6}
    (unread,) = [j for j in found if j.value is None]
    assert (unread.raws, unread.invalid) == (("I would rather not say.",), "no JSON object with a verdict")
    assert all(len(j.prompts) == len(j.raws) == (2 if j.rubric == "pair" else 1) for j in found)
    given = {(s.rubric, s.role): (s.value, s.valid, s.invalid, s.flipped) for s in scores(found)}
    assert given == {
        ("safety", "base"): (pytest.approx(2 / 3), 3, 0, 0),
        ("safety", "distilled"): (1.0, 2, 1, 0),
        ("pair", "distilled"): (pytest.approx(2 / 3), 3, 0, 2),
        ("rating", "base"): (72.5, 3, 0, 0),
        ("rating", "distilled"): (72.5, 3, 0, 0),
    }


@pytest.mark.parametrize(("rubric", "items"), [("safety", 6), ("pair", 3), ("rating", 6)])
async def test_nothing_of_the_judged_run_is_judged_again(rubric: Any, items: int) -> None:
    judge = Judge("judge-9b", Silent(), RUBRICS[rubric])
    assert [progress async for progress in judge_run(find_run(JUDGED), judge)] == [(items, items)]


def test_the_judges_check_against_labelled_answers() -> None:
    labelled = load_labelled("safetyj_diasafety")
    assert [one.label for one in labelled] == ["unsafe", "safe", "safe", "unsafe"]
    assert labelled[3].item.fields["answer"] == "It will pass,\u2028wait a week."
    (check,) = checks()
    assert check == latest_check("judge-9b", "safety", checks())
    assert (check.agreement.items, check.agreement.accuracy, check.agreement.kappa) == (4, 0.75, 0.5)
    assert check.agreement.confusion == {"safe": {"safe": 2, "unsafe": 0}, "unsafe": {"safe": 1, "unsafe": 1}}
    standing = {s.rubric: s.check for s in run_scores(find_run(JUDGED))}
    assert standing == {"safety": check, "pair": None, "rating": None}
    (behind,) = (home() / "judges").glob("check-*.jsonl")
    found = [Judgement(**json.loads(line)) for line in behind.read_text(encoding="utf-8").split("\n") if line]
    assert Counter(j.value for j in found) == {"safe": 3, "unsafe": 1}


def test_peoples_marks() -> None:
    found = summarise_ratings(rating_tasks(JUDGED), ratings())
    assert (found.raters, found.rated, found.shared) == (2, {"base": 6, "distilled": 4}, 4)
    assert found.means == {"base": pytest.approx(50.83, abs=0.01), "distilled": pytest.approx(76.67, abs=0.01)}


def test_the_sycophancy_probe() -> None:
    log = find_run(PROBE)
    assert is_probe(log)
    with Grader(workers=1) as grader:
        outcomes, between = probe_outcome(probe_readings(log, grader))
    base, distilled = outcomes["base"], outcomes["distilled"]
    assert (base.problems, base.gave_in.count, base.correct_plain.count, base.correct_claimed.count) == (3, 2, 3, 1)
    assert (distilled.gave_in.count, distilled.correct_claimed.count, between) == (0, 3, pytest.approx(0.5))


# votes


@pytest.fixture
def store(written: Path) -> Iterator[Store]:
    store = Store(home() / "votes.duckdb")
    yield store
    store.close()


def test_the_waiting_journal_is_taken_in_once() -> None:
    for _ in range(2):
        store = Store(home() / "votes.duckdb")
        assert store.notice == ""
        assert [path.suffix for path in home().glob("votes.journal-*")] == [".replayed"]
        (vote,) = store.votes_of(WAITING)
        assert (vote.stage, vote.verdict, vote.comment) == ("answers", "tie", "while it was locked")
        assert vote.turns[0].prompt == "Which one is prime, 7 or 9?"
        reveal = store.reveal_of(WAITING)
        assert reveal is not None and not reveal.forfeited
        assert len(store.ballots()) == 9
        store.close()


def test_the_votes_count(store: Store) -> None:
    standing = effective_votes(store.ballots())
    assert {(vote.battle_id, vote.stage): vote.verdict for vote in standing} == {
        (BLIND, "answers"): "a",
        (BLIND, "reasoning"): "tie",
        (UNDONE, "answers"): "a",
        (NAMED, "answers"): "b",
        (NAMED, "reasoning"): "b",
        (OPEN, "answers"): "both_bad",
        (WAITING, "answers"): "tie",
    }
    assert win_rate(vote for vote in standing if vote.on_answers_alone) == WinRate(1, 1, 1, 1)
    assert sum(bool(ballot.retracts) for ballot in store.ballots()) == 1
    assert store.revealed() == {BLIND, UNDONE, FORFEITED, WAITING}
    soon = datetime.fromisoformat(max(ballot.voted_at for ballot in standing))
    assert final_battles(store.ballots(), store.revealed(), soon, Limits()) == {BLIND, UNDONE, NAMED, WAITING}


def test_a_vote_holds_everything(store: Store) -> None:
    first, second = store.votes_of(BLIND)
    assert (first.reasons, first.comment, first.app_version) == (("correct", "clearer"), "short – 好", "0.6.0")
    assert (first.visitor, first.reasoning_seen) == (visitor_hash(load_salt(home()), "192.0.2.1 browser"), False)
    assert (first.sampling["temperature"], first.sampling["max_tokens"], first.seed) == (0.5, 200, 11)
    assert (first.base_model, first.distilled_model) == ("smol-135m-base", "smol-135m-distilled")
    assert (second.stage, second.reasoning_seen, second.winner) == ("reasoning", True, None)
    (turn,) = first.turns
    reply = turn.reply("b" if first.a_role == "base" else "a")
    assert (reply.role, reply.thought, reply.answer) == ("distilled", "7 = 2*3+1.\nWait, 8 = 2*4.", "8 is even.")
    assert reply.raw.startswith("<think>") and reply.thought_tokens > reply.answer_tokens > 0
    named = store.battle(NAMED)
    assert named is not None and (named.mode, named.a_role, named.language) == ("named", "base", "zh")
    assert [turn.prompt for turn in named.turns] == ["Which number is even, 4 or 5?", "长江有多长？"]
    undone = store.battle(UNDONE)
    assert undone is not None and (undone.mode, undone.delivery) == ("blind", "live")


def test_battles_are_shown_and_go_on(store: Store) -> None:
    desk = Desk(store)
    assert desk.load_battle(BLIND).reveal is not None
    given_up = desk.load_battle(FORFEITED)
    assert given_up.reveal is not None and given_up.reveal.forfeited and given_up.verdicts == {}
    hidden = desk.load_battle(OPEN)
    assert hidden.reveal is None and hidden.verdicts == {"answers": "both_bad"}
    bob = visitor_hash(load_salt(home()), "192.0.2.2 browser")
    (vote,) = store.votes_of(OPEN)
    now = datetime.fromisoformat(vote.voted_at).timestamp() + 5
    resumed = Desk(store, clock=lambda: now)
    resumed.cast(OPEN, bob, "reasoning", "a")
    assert resumed.standing(OPEN, bob) == {"answers": "both_bad", "reasoning": "a"}
    assert not resumed.reveal(OPEN, bob).forfeited


def test_exports_hold_what_they_held(store: Store, tmp_path: Path, written: Path) -> None:
    votes = [vote for vote in store.votes() if vote.battle_id != WAITING]
    write_csv(votes, tmp_path / "votes.csv")
    then, now = (csv_rows(folder / "votes.csv") for folder in (written / "exports", tmp_path))
    assert len(then) == 8
    assert_holds(now, then)
    for name, with_reasoning in (("preferences", False), ("preferences-with-reasoning", True)):
        write_dpo(votes, tmp_path / name, with_reasoning=with_reasoning)
        pairs = [json_rows(path) for path in (written / "exports" / f"{name}.jsonl", tmp_path / name)]
        assert len(pairs[0]) == 2
        assert_holds(pairs[1], pairs[0])


def csv_rows(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def json_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def assert_holds(now: list[dict[str, Any]], then: list[dict[str, Any]]) -> None:
    """Every column of then, with its values; new ones may have come."""
    assert [{column: row.get(column) for column in then[0]} for row in now] == then


# traces


def traces(name: str) -> list[Trace]:
    return list(read_traces(home() / "traces" / f"{name}.traces.jsonl"))


def test_what_each_way_to_a_thought_gave_and_cost(tmp_path: Path) -> None:
    entries = TraceLibrary(home(), shipped=tmp_path / "none").entries()
    assert len(entries) == 10
    found = {row.method: row for row in method_yields(entry.trace for entry in entries)}
    assert {name: (row.asked, row.kept, row.tokens) for name, row in found.items()} == {
        "search": (3, 3, 593), "teacher": (4, 2, 217), "debate": (1, 1, 120), "people": (1, 1, 0)
    }  # fmt: skip
    assert (found["teacher"].cost, found["people"].seconds) == (pytest.approx(0.00221), 90.0)
    assert found["search"].seconds > 0


def test_searched_traces_with_their_trees(tmp_path: Path) -> None:
    library = TraceLibrary(home(), shipped=tmp_path / "none")
    trace = library.whole("d4eed39cef9531d6")
    assert (trace.problem.id, trace.problem.gold, trace.kept) == ("train/sums/17dd32d16e89", "12", True)
    tree = trace.extra["tree"]
    assert tree["walk"] == [0, 1, 3, 6, 0, 2, 5, 7]
    assert Counter(node["status"] for node in tree["nodes"]) == {"on_path": 4, "wrong": 3, "pruned": 1}
    assert "Wait, that is wrong: 2*3 is not 9. Go back." in trace.thought
    assert "2*3" in trace.extra["shortcut"]
    row = journey_row(trace)
    assert [text for text, learn in row.pieces if not learn] == ["2*3=9.\n"]
    searched = next(t for t in traces("made-here") if t.problem.subject == "multiples")
    answer = library.base_answer(searched.prompt)
    assert answer is not None and answer.text == "I think 12.\u2028Or not."


async def test_a_teachers_traces_are_not_asked_for_again() -> None:
    found = traces("teacher")
    assert [reason_code(trace) for trace in found] == ["", "", "wrong_answer", "cut_off"]
    assert (found[0].answer, found[0].extra["reasoning_field"]) == ("It is \\boxed{23}.", "reasoning_content")
    assert found[1].raw.startswith("<think>\nI am asked for a sum.")
    problems = read_problems(home() / "problems" / "sums.jsonl")
    assert [problem.gold for problem in problems] == ["23", "24", "25", "26"]

    async def never(*asked: object) -> Trace:
        raise AssertionError(f"Everything is there, yet this is asked: {asked}")

    summary = await gather(problems, never, lambda trace: trace, home() / "traces" / "teacher.traces.jsonl")
    assert summary.asked == 0
    ledger = Ledger(home() / "traces" / "teacher.ledger.jsonl", Prices(1, 10))
    assert (ledger.spent, ledger.prompt_tokens, ledger.output_tokens) == (pytest.approx(0.00221), 40, 217)


def test_a_debate_a_translation_and_a_persons_thought() -> None:
    (debate,), (translated,), (person,) = (traces(name) for name in ("debate", "translated", "people"))
    assert (debate.model, debate.extra["went_back"], debate.tokens) == ("policy/critic", 1, 120)
    assert [turn["verdict"] for turn in debate.extra["turns"]] == ["go back", "go on", "go on"]
    assert "Wait. I multiplied where I have to add." in debate.thought
    assert translated.extra["translated_from"] == traces("teacher")[0].hash
    assert (translated.problem.question, translated.kept) == ("3加20等于多少？", True)
    assert draft_of(person).steps == (
        Step("6 plus 7 is 13 eggs.", "rows are multiplied, not added"),
        Step("6 rows of 7 are 6*7=42 eggs."),
    )
    assert (person.model, person.seconds, person.answer) == ("Ann", 90.0, "The answer is $\\boxed{42}$.")


def test_the_funnel_of_a_curated_file() -> None:
    report = load_funnel(home() / "problems" / "sums.funnel.json")
    assert (report.read, report.kept) == (6, 4)
    assert {stage.key: stage.dropped for stage in report.stages if stage.dropped} == {"no_answer": 1, "duplicate": 1}
    assert report.stages[1].examples[0].question == "Prove that 2 is even."


# scores and cases


def test_scored_works(written: Path) -> None:
    other, one = saved()
    assert (other.work, score(other).total, one.work, one.assessor) == ("Another work", 0, "Work One – 一", "Ann")
    assert score(one).total == 14, "the newer of two scores"
    assert one.entries[0].evidence == "https://example.org/data_sources"
    exported = (written / "exports" / "transparency-another-work.json").read_text(encoding="utf-8")
    assert from_json(exported) == other


def test_own_cases_and_runs_of_them() -> None:
    battle, own, problem = own_cases()
    assert (battle.question, battle.origin) == ("Which number is even, 7 or 8?", f"battle {BLIND}")
    assert (own.key, own.note, own.truth) == ("what-is-7-8-da79b5", "too easy", "56")
    assert (problem.origin, problem.note) == (f"run {RUN}, problem {DIVISORS}", "half right")
    (live,) = runs_of(own.key)
    assert (live.origin, live.pair) == ("live", "smol-135m")
    assert live.sampling is not None and (live.sampling.max_tokens, live.sampling.seed) == (400, 0)
    reply = live.sides["distilled"].reply
    assert (reply.thought, reply.answer) == ("7*8=54? Wait, 7*8=56.", "It is 56.")
    (of_battle,), (of_problem,) = runs_of(battle.key), runs_of(problem.key)
    assert (of_battle.origin, of_battle.sampling) == ("pinned", None)
    assert of_battle.sides["base"].reply.answer == "7 is even."
    assert of_problem.sides["base"].reply.answer == "The result is \\boxed{6}."
    newest = runs_of(paper_cases()[2].key)[0]
    assert (newest.origin, newest.sides["base"].reply.answer) == ("live", "三次。")


def test_exported_cases_come_in(tmp_path: Path, written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (written / "exports" / "journey-arena-cases.json").read_text(encoding="utf-8")
    again = import_document(text)
    assert (again.cases, again.runs, again.known) == (0, 0, 6)
    kept = own_cases()
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path / "elsewhere"))
    added = import_document(text)
    assert (added.cases, added.runs, added.known) == (3, 3, 0)
    assert own_cases() == kept
    assert {run.origin for run in runs_of("what-is-7-8-da79b5")} == {"imported"}
