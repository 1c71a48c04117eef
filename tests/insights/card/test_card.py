"""The report card: every number follows from its rows, nothing within noise has a winner, and nothing runs or loads."""

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from commands.arena import main
from eval.judging.judge import Judgement
from eval.problems.benchmark import Benchmark
from eval.problems.sycophancy import generate_probe
from eval.records import Problem, Sample
from eval.runs.log import DataInfo, Role, RunConfig, RunInfo, RunLog, SideInfo
from insights.card.benchmarks import MARK_KINDS
from insights.card.build import Built, build_card
from insights.card.others import chat_section, transparency_section
from insights.card.people import people_section
from insights.card.text import cell, headline, markdown
from insights.card.values import Line, corrected, finding_of
from insights.card.write import files, table_csv, write_archive, write_folder
from insights.preference import PreferenceModel, fit_preference
from insights.style import DIFFERENCES, Design, number
from models.config.registry import PairSpec, load_config
from tests.insights.card.helpers import STARTED, make_sets
from tests.insights.helpers import make_reply, make_vote
from votes.ballot import Verdict, Vote

THOUGHT = "Let me check.\n3 + 4 = 7.\nWait, that is wrong.\n"


@pytest.fixture(scope="module")
def pair() -> PairSpec:
    return load_config().pairs["smol-135m"]


def many_votes(count: int = 30) -> list[Vote]:
    """Two of three for the distilled model, half of them in Chinese; every third has a second vote for the base."""
    votes = []
    for n in range(count):
        verdict: Verdict = "b" if n % 3 == 0 else "a"
        fields: dict[str, Any] = {
            "pair": "smol-135m", "visitor": f"visitor-{n}", "language": ("en", "zh")[n % 2],
            "licence": "CC-BY-4.0" if n % 2 else "",
        }  # fmt: skip
        prompt = f"What is {n} + {n}?"
        votes.append(make_vote(verdict, prompt=prompt, battle=f"battle-{n}", **fields))
        if n % 3 == 0:
            votes.append(make_vote("b", prompt=prompt, battle=f"battle-{n}", stage="reasoning", **fields))
    return votes


@pytest.fixture(scope="module")
def made(pair: PairSpec, tmp_path_factory: pytest.TempPathFactory) -> tuple[Built, Path]:
    """A card of two sets and thirty battles, and its folder."""
    home = tmp_path_factory.mktemp("card")
    sets: Any = {"gsm8k": {"base": 2, "distilled": 18}, "toy": {"base": 10, "distilled": 11}}
    make_sets(home / "runs", sets, thought=THOUGHT)
    built = build_card(pair, home, many_votes())
    folder = home / "out"
    write_folder(files(built, pair), folder)
    return built, folder


def ask(folder: Path, line: Line, what: str) -> tuple[Any, ...]:
    """A query on the rows that a line names."""
    file = folder / "rows" / f"{line.rows}.csv"
    query = f"SELECT {what} FROM read_csv('{file}') WHERE {line.where or 'true'}"
    found: tuple[Any, ...] = duckdb.sql(query).fetchall()[0]
    return found


def test_every_line_names_rows_that_are_there(made: tuple[Built, Path]) -> None:
    built, folder = made
    lines = [line for section in built.card.sections for line in section.lines]
    assert len(lines) > 20
    assert all(ask(folder, line, "count(*)")[0] > 0 for line in lines)


def test_the_numbers_follow_from_the_rows(made: tuple[Built, Path]) -> None:
    built, folder = made
    card = built.card
    for line in card.section("benchmarks").lines:
        for role in ("base", "distilled"):
            (share,) = ask(folder, line, f"avg(correct) FILTER (role = '{role}')")
            assert share == pytest.approx(line.values[role])
    for line in card.section("tokens").lines:
        tokens = ask(folder, line, "avg(thought_tokens + answer_tokens) FILTER (role = 'distilled'), avg(cut)")
        assert tokens == (line.values["distilled_tokens"], 0)
    rates = [line for line in card.section("people").lines if line.name.startswith(("Blind", "Asked"))]
    assert len(rates) == 4
    for line in rates:
        assert ask(folder, line, "avg(score), count(*)") == (pytest.approx(line.values["share"]), line.values["votes"])
    (thoughts,) = card.section("anatomy").lines
    found = ask(folder, thoughts, ", ".join(f"avg(({kind} > 0)::int)" for kind in MARK_KINDS))
    assert found == tuple(thoughts.values[kind] for kind in MARK_KINDS)
    assert thoughts.values["checking"] == thoughts.values["reflection"] == 1
    *dimensions, together = card.section("transparency").lines
    assert ask(folder, together, "sum(points)")[0] == together.values["points"]
    assert sum(line.values["points"] for line in dimensions) == together.values["points"]


def test_nothing_within_noise_has_a_winner(made: tuple[Built, Path]) -> None:
    built, folder = made
    first, second, *groups = built.card.section("benchmarks").lines
    assert (first.values["reading"], second.values["reading"]) == ("distilled", "open")
    assert headline(built.card) == (
        "The distilled model is better on GSM8K. On TOY the two cannot be told apart."
    )  # fmt: skip
    assert {line.values["set"] for line in groups} == {"gsm8k"}
    text = (folder / "report.md").read_text()
    assert "cannot be told apart" in next(line for line in text.splitlines() if line.startswith("| TOY"))


def test_the_words_of_nobody_who_did_not_agree_are_given_out(made: tuple[Built, Path]) -> None:
    built, folder = made
    battles = json.loads((folder / "llm-comparator" / "battles.json").read_text())
    assert {one["custom_fields"]["battle"] for one in battles["examples"]} == {f"battle-{n}" for n in range(1, 30, 2)}
    everything = "".join(path.read_text() for path in folder.rglob("*") if path.suffix in (".md", ".html", ".csv"))
    assert not any(f"What is {n} + {n}" in everything or f"visitor-{n}" in everything for n in range(30))
    listed = {row["battle"] for row in built.card.tables["votes"]}
    assert len(listed) == 30 and {name for name in listed if "-" in name} == {f"battle-{n}" for n in range(1, 30, 2)}
    assert len(built.card.tables["votes"]) == 40


def test_the_page_loads_nothing_and_runs_nothing(pair: PairSpec, tmp_path: Path) -> None:
    bad = pair.model_copy(update={"title": "<script>alert(1)</script> [x](javascript:y) | $x$"})
    content = files(build_card(bad, tmp_path, []), bad)
    page, text = str(content["report.html"]), str(content["report.md"])
    assert "<script" not in page and "&lt;script&gt;" in page
    addresses = re.findall(r'(?:src|href)="([^"]*)', page)
    assert all(address.startswith(("data:image/png", "rows/")) for address in addresses)
    assert "<script" not in text.replace("\\<script", "") and "\\[x\\](javascript" in text
    assert bytes(content["report.png"]).startswith(b"\x89PNG")  # type: ignore[arg-type]


def test_without_runs_and_votes_the_card_says_so(pair: PairSpec, tmp_path: Path) -> None:
    built = build_card(pair, tmp_path, [])
    text = markdown(built.card)
    assert "No benchmark has been run on this pair yet." in text and "Nobody has voted" in text
    assert not {"every-eval-ever/base.json", "llm-comparator/runs.json"} & set(files(built, pair))
    assert people_section([], "They are away.", [])[0].sentence == "They are away."


def test_holm_by_hand() -> None:
    # sorted: 0.01 × 4, 0.02 × 3, 0.04 × 2 → 0.08, then 0.03 × 2 is the third: 0.06
    assert corrected([0.01, None, 0.04, 0.03, 0.02]) == [
        pytest.approx(0.04), None, pytest.approx(0.06), pytest.approx(0.06), pytest.approx(0.06),
    ]  # fmt: skip
    assert corrected([None]) == [None]
    assert [finding_of(0.1, p) for p in (0.049, 0.051, None)] == ["distilled", "open", "open"]
    assert finding_of(-0.1, 0.001) == "base" and finding_of(0.0, 0.0) == "open"


def test_the_p_value_of_several_samples_is_that_of_swapping_the_models(tmp_path: Path, pair: PairSpec) -> None:
    make_sets(tmp_path / "runs", {"toy": {"base": 0, "distilled": 6}}, of=12, samples=2)
    (one,) = build_card(pair, tmp_path, []).sets
    # Six problems differ, all in one direction: 2 of the 2⁶ ways to swap them are as extreme.
    assert one.result.p == pytest.approx(2 / 2**6, rel=1e-6)


def test_a_text_stays_in_its_cell() -> None:
    assert cell("a | b\n<i> [l](x) `c` *e*") == r"a \| b \<i> \[l\](x) \`c\` \*e\*"


@pytest.mark.parametrize(
    ("visitors", "p", "reading"), [(12, 2 / 2**12, "distilled"), (1, 1.0, "open"), (4, 2 / 2**4, "open")]
)
def test_the_votes_of_one_visitor_count_together(visitors: int, p: float, reading: str) -> None:
    votes = [make_vote("a", battle=f"b{n}", visitor=str(n % visitors)) for n in range(12)]
    section, _ = people_section(votes, "", [])
    assert section.lines[0].values["p"] == pytest.approx(p) and section.lines[0].values["reading"] == reading


def test_votes_that_the_guard_blocked_are_counted_apart() -> None:
    reply = make_reply("base", "x")
    votes = [make_vote(battle=f"b{n}", base=reply, blocked="a" if n < 2 else "") for n in range(5)]
    section, table = people_section(votes, "", [])
    assert section.sentence.startswith("3 votes on 3 battles. 2 more on battles that the guard model blocked")
    assert len(table) == 3


def test_the_preference_at_equal_style_follows_from_the_rows() -> None:
    rng = np.random.default_rng(3)
    votes = []
    for n in range(120):
        distilled = make_reply("distilled", "- a\n" * (n % 3) + "b", 10 + n % 7, 5 + n % 5)
        votes.append(
            make_vote(
                "a" if rng.random() < 0.6 else "b",
                prompt=f"prompt {n % 24}" if n % 2 else f"Prompt  {n % 24}",
                battle=str(n),
                visitor=str(n % 17),
                a_role=("base", "distilled")[n % 2],
                language=("en", "zh")[n // 60],
                mode=("blind", "named")[n % 5 == 0],
                reasoning_seen=n % 5 == 0,
                distilled=distilled,
            )
        )
    section, rows = people_section(votes, "", [])
    (line,) = [line for line in section.lines if line.name.startswith("At equal")]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    kinds = {name: number(columns[name]) for name in ("language", "stage", "mode")}
    design = Design(
        np.array(columns["score"]),
        {name: np.array(columns[name]) for name in DIFFERENCES},
        np.array(columns["visitor"]),
        np.array(columns["prompt"]),
        {name: codes for name, (codes, _) in kinds.items()},
        {name: levels for name, (_, levels) in kinds.items()},
    )
    model = fit_preference(design)
    assert isinstance(model, PreferenceModel) and model.prompts == 24
    assert model.controlled == (line.values["share"], line.values["low"], line.values["high"])


def test_the_right_answer_is_counted_before_and_after_reading(tmp_path: Path) -> None:
    problem = Problem("toy/1", "What is 2 + 2?", "4", "toy")
    right, wrong = make_reply("distilled", r"\boxed{4}"), make_reply("base", r"\boxed{5}")
    answers = {"distilled": right, "base": wrong}
    votes = [make_vote("a" if n < 8 else "b", battle=f"b{n}", **answers) for n in range(10)]
    votes += [make_vote("a", battle=f"b{n}", stage="reasoning", **answers) for n in range(10)]
    votes += [make_vote("b", battle=f"n{n}", mode="named", reasoning_seen=True, **answers) for n in range(10)]
    section, rows = people_section(votes, "", [Benchmark("toy", (problem,), "", "")])
    lines = [line for line in section.lines if line.name.startswith("One answer right")]
    assert [(line.values["share"], line.values["votes"]) for line in lines] == [(0.8, 10), (1.0, 10)]
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "votes.csv").write_text(table_csv(rows))
    for line in lines:
        found = ask(tmp_path, line, "avg(score), count(*)")  # the distilled model is the one that is right
        assert found == (line.values["share"], line.values["votes"])


def test_the_index_adds_up() -> None:
    section, rows = transparency_section()
    assert len(rows) == 25 and sum(row["of"] for row in rows) == 100
    assert section.lines[-1].values["of"] == 100


def test_the_newest_probe_says_who_gives_in(pair: PairSpec, tmp_path: Path) -> None:
    probe = generate_probe(6)
    roles: tuple[Role, Role] = ("base", "distilled")
    sides = {role: SideInfo(f"{role}-model", role) for role in roles}
    size = len(probe.problems)
    data = (DataInfo(probe.name, probe.title, "", "", "math", size, size),)
    info = RunInfo("probe", STARTED, RunConfig(pair.key, (probe.name,)), data, sides, "")
    log = RunLog.create(tmp_path / "beyond", info, probe.problems)
    for role in roles:
        for problem in probe.problems:
            gives_in = role == "base" and problem.extra["form"] == "claimed"
            answer = problem.extra["claim"] if gives_in else problem.gold
            sample = Sample("probe", f"{role}-model", problem.id, 0, "", answer, "", f"\\boxed{{{answer}}}", 0, 4,
                            "stop", 5, 0.1, STARTED, "")  # fmt: skip
            log.append("samples", [vars(sample)])
    section, tables = chat_section(pair, tmp_path / "beyond")
    line = section.lines[-1]
    assert (line.values["base"], line.values["distilled"], line.values["reading"]) == (1.0, 0.0, "fewer")
    claimed = [row for row in tables["probe"] if row["form"] == "claimed"]
    assert sum(row["gave_in"] for row in claimed if row["role"] == "base") == len(claimed) / 2


def test_a_judged_run_stands_beside_what_chat_lost(pair: PairSpec, tmp_path: Path) -> None:
    sides = {"base": SideInfo("b", "B"), "distilled": SideInfo("d", "D")}
    data = (DataInfo("everyday", "Everyday prompts", "", "", "judged", 1, 1),)
    info = RunInfo("chat", STARTED, RunConfig(pair.key, ("everyday",)), data, sides, "")  # type: ignore[arg-type]
    log = RunLog.create(tmp_path / "beyond", info, [Problem("everyday/1", "Hello?", "", "everyday")])
    places = {"first": "base", "second": "distilled", "problem": "everyday/1", "benchmark": "everyday"}
    log.append(
        "judgements", [vars(Judgement("1", "pair", "judge-9b", "first", "", "", ("?",), ("!", "!"), False, places))]
    )
    section, _ = chat_section(pair, tmp_path / "beyond")
    assert "distilled preferred to base: 0.0%" in section.sentence
    assert "Judge: judge-9b. This judge was never checked against people" in section.sentence


def test_the_archive_has_one_folder(made: tuple[Built, Path], pair: PairSpec, tmp_path: Path) -> None:
    from zipfile import ZipFile

    path = write_archive(files(made[0], pair), tmp_path / "card.zip", "report")
    names = ZipFile(path).namelist()
    assert all(name.startswith("report/") for name in names) and "report/rows/votes.csv" in names


def test_the_command_writes_a_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path / "home"))
    out = tmp_path / "card"
    assert main(["report", "--pair", "smol-135m", "--card", str(out), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert {"report.md", "report.html", "report.png", "rows/samples.csv"} <= set(shown["files"])
    assert len(shown["sections"]["benchmarks"]["lines"]) >= 3 and len(shown["sections"]["cases"]["lines"]) == 5
    assert all((out / name).is_file() for name in shown["files"])
    assert main(["report", "--pair", "nobody", "--card", str(out)]) == 1
    assert main(["report", "some-run", "--card", str(out)]) == 1
    assert main(["report", "--pair", "smol-135m", "--card", str(out), "--out", "x"]) == 1
