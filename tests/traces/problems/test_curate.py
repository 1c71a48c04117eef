"""Curation: each rule on cases it must drop and cases it must leave, and the funnel it tells."""

import json
from pathlib import Path

import pytest

from commands.arena import main
from common.errors import DataError
from eval.records import Problem
from traces.problems.curate import curate, load_funnel
from traces.problems.decontaminate import Decontaminator
from traces.problems.sources import Source, read_problems, read_source, write_problems


def source(*rows: tuple[str, str]) -> Source:
    problems = tuple(Problem(f"own/{i}", question, gold, "own") for i, (question, gold) in enumerate(rows))
    return Source("own", problems, (), "0" * 64)


def dropped_by(question: str, gold: str = "7") -> str:
    """Key of the stage that drops this problem, or "kept"."""
    report = curate(source((question, gold)), decontaminator=Decontaminator([])).report
    return next((stage.key for stage in report.stages if stage.dropped), "kept")


CASES = [
    ("What is 3 plus 4?", "7", "kept"),
    ("Find $x$ if $x^2 = 2$ and $x > 0$.", "\\sqrt{2}", "kept"),
    ("求最小的正整数。", "7", "kept"),
    ("What is 3 plus 4?", "", "no_answer"),
    ("What is 3 plus 4?", "N/A", "no_answer"),
    ("Find the area. [asy] draw((0,0)--(1,1)); [/asy]", "7", "image"),
    ("In the figure, what is the angle?", "7", "image"),
    ("What is the area of the triangle in the diagram below?", "7", "image"),
    ("如图，求角A的度数。", "7", "image"),
    ("How many figures of 5 digits are there?", "7", "kept"),
    ("Figure out how many apples are left.", "7", "kept"),
    ("The graph of $y = x^2 + 7$ crosses the y axis where?", "7", "kept"),
    ("Prove that 7 is prime.", "7", "proof"),
    ("Show that the sum is 7.", "7", "proof"),
    ("证明这个数是质数。", "7", "proof"),
    ("Seven proved to be enough. How many?", "7", "kept"),
    ("Which sign is it?", "(A)", "not_numeric"),
    ("Solve for the interval.", "(1, 2)", "not_numeric"),
    ("Simplify.", "x+1", "not_numeric"),
]


@pytest.mark.parametrize(("question", "gold", "stage"), CASES)
def test_rules(question, gold, stage):
    assert dropped_by(question, gold) == stage


def test_duplicates_and_conflicts():
    long = "A farmer has 12 cows and 30 hens and sells a third of the hens at the market today. How many animals stay?"
    rows = [
        (long, "32"),
        (long.replace("  ", " ").upper(), "32.0"),
        (long.replace("A farmer", "The farmer"), "32"),
        (long.replace("30 hens", "60 hens"), "52"),
        ("What is 2 plus 2?", "4"),
        ("What is  2 plus 2?", "5"),
    ]
    curated = curate(source(*rows), decontaminator=Decontaminator([]))
    assert [problem.id for problem in curated.problems] == ["own/0", "own/3"]
    by_key = {stage.key: stage for stage in curated.report.stages}
    assert (by_key["conflict"].dropped, by_key["duplicate"].dropped, by_key["near_duplicate"].dropped) == (2, 1, 1)
    assert by_key["duplicate"].examples[0].why == "same as own/0"
    assert by_key["conflict"].examples[0].why == "answers given: 4, 5"


def test_the_funnel_adds_up_and_is_saved(tmp_path):
    rows = [("What is 3 plus 4?", "7"), ("Prove that 7 is odd.", "7"), ("Name it.", "x"), ("What is 5 times 5?", "25")]
    benchmark = [Problem("b/1", "What is 5 times 5?", "25", "b")]
    report = curate(source(*rows), benchmark, decontaminator=Decontaminator(benchmark)).report
    left = report.read
    for stage in report.stages:
        left -= stage.dropped
        assert stage.left == left
        assert len(stage.examples) == min(stage.dropped, 5)
        assert stage.rule
    assert (report.read, report.kept, report.benchmarks) == (4, 1, ("b",))
    assert [stage.key for stage in report.stages[-2:]] == ["copy_eight_gram", "copy_template"], (
        "a rule without its model"
    )
    nothing = curate(source(*rows), decontaminator=Decontaminator([])).report
    assert not [stage.key for stage in nothing.stages if stage.key.startswith("copy")], "compared with no benchmark"
    report.save(tmp_path / "x.funnel.json")
    assert load_funnel(tmp_path / "x.funnel.json") == report


def test_a_broken_funnel_file(tmp_path):
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(DataError, match="not a funnel report"):
        load_funnel(tmp_path / "x.json")


def test_reading_a_file(tmp_path):
    path = tmp_path / "mine.jsonl"
    rows = [
        {"problem": "What is 3 plus 4?", "answer": 7, "level": 2},
        {"question": "What is 5 plus 4?", "solution": "It is \\boxed{8}, no: \\boxed{9}."},
        {"prompt": "How many?", "gold": "3", "image": "x.png"},
        {"text": "no question here"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + "\nnot json\n")
    found = read_source(str(path))
    assert [(p.id, p.gold, p.level) for p in found.problems] == [
        ("mine/1", "7", "2"),
        ("mine/2", "9", ""),
        ("mine/3", "3", ""),
    ]
    assert found.problems[1].extra["solution"].startswith("It is")
    assert [example.id for example in found.unreadable] == ["mine/4", "mine/5"]
    report = curate(found, decontaminator=Decontaminator([])).report
    assert (report.read, report.kept) == (5, 2)
    assert {stage.key for stage in report.stages if stage.dropped} == {"unreadable", "image"}


@pytest.mark.parametrize("content", ["", '{"text": 1}\n'])
def test_a_file_without_problems(tmp_path, content):
    (tmp_path / "x.jsonl").write_text(content)
    with pytest.raises(DataError, match="holds no problem"):
        read_source(str(tmp_path / "x.jsonl"))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_source(str(tmp_path / "none.jsonl"))


def test_a_dataset_of_the_hub_is_read_by_its_configuration_and_split(tmp_path):
    (tmp_path / "maths").mkdir()
    configs = [{"config_name": c, "data_files": [{"split": "test", "path": f"{c}.jsonl"}]} for c in ("easy", "hard")]
    (tmp_path / "maths" / "README.md").write_text(f"---\n{json.dumps({'configs': configs})}\n---\n")
    (tmp_path / "maths" / "easy.jsonl").write_text('{"question": "What is 1 + 1?", "answer": "2"}\n')
    (tmp_path / "maths" / "hard.jsonl").write_text('{"question": "What is 17 · 23?", "answer": "391"}\n')
    read = read_source(f"hub:{tmp_path}/maths:hard", split="test")
    assert [(p.id, p.gold) for p in read.problems] == [("maths/1", "391")]
    for wrong, split in (("maths", "test"), ("maths:harder", "test"), ("maths:hard", "train")):
        with pytest.raises(DataError, match="could not be fetched"):
            read_source(f"hub:{tmp_path}/{wrong}", split=split)


def test_curated_problems_are_read_back(tmp_path):
    problems = [Problem("a/1", "什么是 1+1？", "2", "a", "sums", "1", {"solution": "2"})]
    write_problems(tmp_path / "p.jsonl", problems)
    assert read_problems(tmp_path / "p.jsonl") == problems
    (tmp_path / "q.jsonl").write_text('{"problem": "x"}\n')
    with pytest.raises(DataError, match="line 1"):
        read_problems(tmp_path / "q.jsonl")


def test_generated_problems_need_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    problems = read_problems(Path("families:30"))
    assert {problem.benchmark for problem in problems} == {"train"} and len({p.subject for p in problems}) > 10
    assert read_problems(Path("families:20")) == problems[:20], "more of them are the same ones and others"
    for wrong in ("families:0", "families:many", "families:"):
        with pytest.raises(DataError, match=wrong):
            read_problems(Path(wrong))


def test_the_command(tmp_path, capsys):
    path = tmp_path / "mine.jsonl"
    path.write_text(
        '{"problem": "What is 3 plus 4?", "answer": "7"}\n{"problem": "Prove that 7 is odd.", "answer": "7"}\n'
    )
    benchmark = tmp_path / "bench.jsonl"
    benchmark.write_text('{"problem": "What is 8 plus 4 ?", "answer": "12"}\n')
    arguments = [str(path), "--against", str(benchmark), "--no-embedding", "--out", str(tmp_path / "out")]
    assert main(["traces", "curate", *arguments]) == 0
    assert "0 of 2 kept" in capsys.readouterr().out, "the template rule finds the sum with other numbers"
    assert load_funnel(tmp_path / "out" / "mine.funnel.json").benchmarks == ("bench",)


def test_what_is_kept_of_a_file_does_not_replace_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    mine = tmp_path / "problems" / "mine.jsonl"
    mine.parent.mkdir()
    mine.write_text(json.dumps({"problem": "What is 1 + 1?", "answer": "2", "own": "column"}) + "\n")
    before = mine.read_bytes()
    assert main(["traces", "curate", str(mine)]) == 1
    assert "--out" in capsys.readouterr().err and mine.read_bytes() == before
    assert main(["traces", "curate", str(mine), "--out", str(tmp_path / "curated")]) == 0
