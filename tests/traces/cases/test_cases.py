"""The cases that ship, the five as the paper tells them; own cases outlive a crash; documents return as they went."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from commands.arena import main
from common.errors import ConfigError, DataError
from eval.paper.figures import TABLE_2
from models.chat.events import Reply
from models.config.registry import load_config
from models.config.sampling import Sampling
from traces.cases.cases import (
    CaseRun,
    SideRun,
    all_cases,
    annotate,
    find_case,
    folder,
    keep_run,
    new_run,
    own_cases,
    paper_cases,
    pin,
    recorded_runs,
    runs_of,
    shipped_cases,
    unpin,
)
from traces.cases.exchange import export_document, import_document
from traces.cases.record import write_recorded


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path / "home"))


def side(answer: str) -> SideRun:
    reply = Reply(thought="Hm.", answer=answer, raw=answer, thought_tokens=2, answer_tokens=3)
    return SideRun("m", "Model", reply, "ab")


def run_of(case_key: str, answer: str = "yes") -> CaseRun:
    case = find_case(case_key)
    assert case is not None
    return new_run(case, "pair", Sampling(seed=1), {"base": side(answer), "distilled": side("no")})


def test_the_five_are_whole() -> None:
    cases = paper_cases()
    assert [c.key for c in cases] == [
        "e-bike", "rosenblatt-award", "world-cup", "second-longest-river", "asyncio-sleep",
    ]  # fmt: skip
    for case in cases:
        assert all((case.title, case.area, case.question, case.before, case.after, case.truth, case.why))
        assert all((case.remaining, case.look_for, case.origin))
        assert bool(case.translation) == (case.language == "zh")


@pytest.mark.parametrize(
    ("key", "facts"),
    [
        ("rosenblatt-award", ["Michio Sugeno", "2010"]),
        ("world-cup", ["1978", "1986", "2022"]),
        ("second-longest-river", ["6,300 km", "5,464 km", "2,200 km", "Yellow River", "Huang He"]),
        ("asyncio-sleep", ["event loop"]),
        ("e-bike", ["stairwell"]),
    ],
)
def test_the_facts_of_each_case(key: str, facts: list[str]) -> None:
    case = find_case(key)
    assert case is not None
    text = " ".join((case.question, case.translation, case.before, case.after, case.truth, case.why))
    assert [fact for fact in facts if fact not in text] == []


def test_the_numbers_that_cases_quote_are_those_of_table_2() -> None:
    scores = {r.key: (f"{r.baseline:.{r.decimals}f}", f"{r.ours:.{r.decimals}f}") for r in TABLE_2}
    for key, benchmark in (("e-bike", "wildsafety"), ("second-longest-river", "chinesefacteval")):
        case = find_case(key)
        assert case is not None
        assert all(number in case.remaining for number in scores[benchmark])


def shipped_run(case: str, pair: str = "smol-135m") -> CaseRun:
    (run,) = (run for run in runs_of(case) if run.pair == pair)
    return run


def test_the_products_own_show_a_thought_that_turns_back_and_a_check_that_sees_nothing() -> None:
    turning, unseeing = (case for case in shipped_cases() if case.source == "product")
    for case, answer in ((turning, "24"), (unseeing, "7")):
        assert all((case.title, case.area, case.question, case.truth, case.why, case.look_for, case.remaining))
        run = shipped_run(case.key)
        assert f"boxed{{{answer}}}" in run.sides["distilled"].reply.answer
        assert not run.sides["base"].reply.thought
    assert shipped_run(turning.key).sides["distilled"].reply.thought.count("leads nowhere. Go back.") == 2
    assert "12*3=32" in shipped_run(unseeing.key).sides["distilled"].reply.thought


def test_recorded_runs_belong_to_cases_that_ship_and_say_how_they_were_made() -> None:
    recorded = Counter((run.pair, run.case) for run in recorded_runs())
    pairs = load_config().default_pairs
    assert recorded == Counter((pair, case.key) for pair in pairs for case in shipped_cases())
    for run in recorded_runs():
        assert run.origin == "recorded"
        assert run.versions
        assert all(s.weight_hash and s.reply.raw and s.reply.output_tokens for s in run.sides.values())


def test_an_own_case_is_pinned_annotated_and_taken_away_without_loss() -> None:
    case = pin("What is 7 * 8?", note="easy", origin="battle abc")
    assert pin("What is 7 * 8?", note="easy", origin="battle abc").key == case.key
    assert annotate(case, "too easy").key == case.key
    assert [c.note for c in own_cases()] == ["too easy"]
    assert all_cases()[-1].key == case.key
    unpin(own_cases()[0])
    assert own_cases() == ()
    assert len((folder() / "cases.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("question", ["", "  \n", "x" * 9000])
def test_a_question_that_cannot_be_pinned(question: str) -> None:
    with pytest.raises(ConfigError, match="characters"):
        pin(question)


def test_cases_that_ship_cannot_be_changed() -> None:
    with pytest.raises(ConfigError, match="cannot be changed"):
        annotate(paper_cases()[0], "mine")
    with pytest.raises(ConfigError, match="cannot be changed"):
        unpin(replace(paper_cases()[0], source="own"))


def test_runs_are_kept_newest_first() -> None:
    first, second = replace(run_of("world-cup", "two"), at="2030-01-01T00:00:00"), run_of("world-cup", "three")
    second = replace(second, at="2030-01-02T00:00:00")
    keep_run(first)
    keep_run(second)
    assert runs_of("world-cup")[:2] == [second, first]
    assert first not in runs_of("e-bike")


def test_a_line_torn_by_a_crash_costs_only_itself() -> None:
    kept = run_of("world-cup")
    keep_run(kept)
    with (folder() / "runs.jsonl").open("a") as file:
        file.write('{"id": "torn')
    assert runs_of("world-cup")[0] == kept
    keep_run(run_of("world-cup"))
    assert len([r for r in runs_of("world-cup") if r.origin == "live"]) == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(st.text(min_size=1, max_size=80).filter(str.strip), st.text(max_size=200))
def test_a_document_comes_back_as_it_went(question: str, note: str) -> None:
    case = pin(question, note=note)
    run = replace(run_of("world-cup"), case=case.key)
    text = export_document([case], [run])
    unpin(case)
    import_document(text)
    assert find_case(case.key) == case
    assert replace(run, origin="imported") in runs_of(case.key)
    again = import_document(text)
    assert (again.cases, again.runs, again.known) == (0, 0, 2)


def test_an_import_takes_only_what_is_newer() -> None:
    case = pin("What is 7 * 8?", note="first")
    first = export_document([case], [])
    annotate(case, "second")
    assert import_document(first).cases == 0
    assert [c.note for c in own_cases()] == ["second"]
    newer = replace(case, note="third", pinned_at="2999-01-01T00:00:00+00:00")
    assert import_document(export_document([newer], [])).cases == 1
    assert own_cases() == (newer,)


def test_a_note_is_newer_than_the_case_it_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    case = pin("What is 7 * 8?")
    monkeypatch.setattr("traces.cases.cases._now", lambda: "2999-01-01T00:00:00+00:00")
    assert annotate(case, "easy").pinned_at > case.pinned_at


def test_an_import_takes_no_case_away() -> None:
    case = pin("What is 7 * 8?")
    import_document(export_document([replace(case, removed=True, pinned_at="2999-01-01T00:00:00+00:00")], []))
    assert [c.key for c in own_cases()] == [case.key]


BROKEN = [
    ("", "not JSON"),
    ("[]", "not an export"),
    ('{"format": "other"}', "not an export"),
    ('{"format": "journey-arena-cases-1", "cases": {}}', "must be lists"),
    ('{"format": "journey-arena-cases-1", "cases": [{"key": "a"}]}', "case 1"),
    ('{"format": "journey-arena-cases-1", "cases": [{"key": "../a", "title": "t", "question": "q"}]}', "usable key"),
    ('{"format": "journey-arena-cases-1", "cases": [{"key": "a", "title": "t", "question": " "}]}', "usable key"),
    ('{"format": "journey-arena-cases-1", "runs": [{"id": "a"}]}', "run 1"),
    ('{"format": "journey-arena-cases-1", "runs": [{"id": "a", "case": "c", "pair": "p", "at": "yesterday", '
     '"sampling": null, "sides": {}}]}', "no usable date"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "why"), BROKEN)
def test_a_broken_document_says_why_and_adds_nothing(text: str, why: str) -> None:
    with pytest.raises(DataError, match=why):
        import_document(text, "mine.json")
    assert own_cases() == ()


def test_one_broken_case_keeps_out_the_others() -> None:
    good = json.loads(export_document([pin("q")], []))
    unpin(own_cases()[0])
    good["cases"].append({"key": "b"})
    with pytest.raises(DataError, match="case 2"):
        import_document(json.dumps(good))
    assert own_cases() == ()


def test_an_imported_paper_case_changes_nothing() -> None:
    text = export_document([replace(paper_cases()[0], truth="A lock is enough.")], [])
    assert import_document(text).cases == 0
    assert find_case("e-bike") == paper_cases()[0]


def test_the_command_exports_and_imports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pin("What is 7 * 8?")
    file = tmp_path / "new" / "folder" / "cases.json"
    assert main(["cases", "export", str(file)]) == 0
    assert main(["cases", "import", str(file)]) == 0
    assert "here already: 1" in capsys.readouterr().out
    file.write_text("[]")
    assert main(["cases", "import", str(file)]) == 1
    assert main(["cases", "export", str(file / "below a file.json")]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_a_recording_is_read_back(tmp_path: Path) -> None:
    run = run_of("world-cup")
    write_recorded([run], tmp_path)
    assert json.loads((tmp_path / "pair-world-cup.json").read_text())["case"] == "world-cup"
