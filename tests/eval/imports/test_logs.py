"""Logs of other harnesses become runs: thoughts, golds and names of each format, pairs, bad rows told in words."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from commands.arena import main
from common.errors import DataError
from eval.grading.grader import Grader
from eval.imports.agreement import agreement
from eval.imports.files import read_file
from eval.imports.imported import Source, import_outputs, import_pair
from eval.imports.messages import gold_of, spoken, task_of, verdict_of
from eval.problems.benchmark import Benchmark
from eval.records import Problem
from eval.results.report import run_comparisons
from eval.runs.grades import grade_run
from tests.eval.imports import logs

RIGHT = ["5", "42", "5"]
WRONG = ["6", "42", "7"]
Write = Callable[[Path, str, list[str]], Path]


def inspect_eval(folder: Path, model: str, answers: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    return logs.write_inspect(folder / "log.eval", model, logs.inspect_samples(answers))


def inspect_zstd(folder: Path, model: str, answers: list[str]) -> Path:
    return logs.zstd_packed(inspect_eval(folder, model, answers))


def inspect_json(folder: Path, model: str, answers: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "log.json"
    path.write_text(json.dumps({**logs.inspect_header(model), "samples": logs.inspect_samples(answers)}))
    return path


def older_lighteval(folder: Path, model: str, answers: list[str]) -> Path:
    return logs.write_lighteval(folder, model, answers, logs.older_lighteval_row)


def older_evalscope(folder: Path, model: str, answers: list[str]) -> Path:
    return logs.write_evalscope(folder, model, answers, logs.older_review)


WRITERS: dict[str, tuple[str, Write]] = {
    "evalscope": ("evalscope", logs.write_evalscope),
    "evalscope, older": ("evalscope", older_evalscope),
    "inspect, json": ("inspect_ai", inspect_json),
    "inspect, zip": ("inspect_ai", inspect_eval),
    "inspect, zstd": ("inspect_ai", inspect_zstd),
    "lighteval": ("lighteval", logs.write_lighteval),
    "lighteval, older": ("lighteval", older_lighteval),
    "lm-evaluation-harness": ("lm-evaluation-harness", logs.write_harness),
}


@pytest.fixture(scope="module")
def grader() -> Any:
    with Grader(workers=1) as made:
        yield made


@pytest.mark.parametrize(("harness", "write"), WRITERS.values(), ids=WRITERS)
def test_a_log_is_read_with_its_thoughts_golds_and_names(tmp_path: Path, harness: str, write: Write) -> None:
    path = write(tmp_path, "org/model", RIGHT)
    file = read_file(path)
    assert (file.harness, file.faults) == (harness, [])
    assert [(row.question, row.gold) for row in file.rows] == list(logs.QUESTIONS.items())
    made = import_outputs(tmp_path / "runs", path, role="base", title="")
    samples = made.log.samples()
    assert [sample.thought for sample in samples] == [logs.THOUGHT] * 3
    assert all("\\boxed" in sample.answer and "think" not in sample.answer for sample in samples)
    assert made.log.info().data[0].name.startswith("gsm8k") and made.left_out == ()
    assert made.log.info().sides["base"].title.replace("-", "/") == "org/model"


@pytest.mark.parametrize(("harness", "write"), WRITERS.values(), ids=WRITERS)
def test_two_logs_are_a_paired_comparison(tmp_path: Path, harness: str, write: Write, grader: Grader) -> None:
    base, distilled = write(tmp_path / "a", "org/base", WRONG), write(tmp_path / "b", "org/long", RIGHT)
    made = import_pair(tmp_path / "runs", Source(base, "base", "Base"), Source(distilled, "distilled", "Long"))
    grade_run(made.log, grader)
    (comparison,) = run_comparisons(tmp_path / "runs", made.log.folder.name)
    assert comparison.paired is not None and comparison.paired.problems == 3
    assert (comparison.base.title, comparison.distilled.title) == ("Base", "Long")
    assert (round(comparison.base.accuracy.value, 2), comparison.distilled.accuracy.value) == (0.33, 1.0)


def test_a_question_that_a_log_asks_twice_stays_two_problems(tmp_path: Path, grader: Grader) -> None:
    def log(folder: str, model: str, answers: list[str]) -> Path:
        (tmp_path / folder).mkdir()
        samples = logs.inspect_samples(answers[:3])
        (question, gold), *_ = logs.QUESTIONS.items()
        samples.append(logs.inspect_sample(9, question, gold, answers[3]))
        return logs.write_inspect(tmp_path / folder / "log.eval", model, samples)

    base, distilled = log("a", "org/base", [*WRONG, "5"]), log("b", "org/long", [*RIGHT, "5"])
    made = import_pair(tmp_path / "runs", Source(base, "base"), Source(distilled, "distilled"))
    grade_run(made.log, grader)
    (comparison,) = run_comparisons(tmp_path / "runs", made.log.folder.name)
    paired = comparison.paired
    assert paired is not None and paired.problems == 4 and paired.p_value is not None
    assert (paired.base, paired.distilled) == (0.5, 1.0)


def test_repeats_of_evalscope_are_samples_of_one_problem(tmp_path: Path) -> None:
    (question, gold), *_ = logs.QUESTIONS.items()
    path = logs.write_evalscope(tmp_path, "org/model", RIGHT)
    rows = [logs.review(number, question, gold, "5") for number in range(4)]
    for row in rows:
        row["sample_score"]["group_id"] = 0
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = import_outputs(tmp_path / "runs", path, role="base", title="")
    assert len(made.log.problems()) == 1 and sorted(sample.index for sample in made.log.samples()) == [0, 1, 2, 3]


def test_a_question_asked_twice_under_each_of_two_golds_is_four_problems(tmp_path: Path) -> None:
    (question, _), *_ = logs.QUESTIONS.items()
    samples = [logs.inspect_sample(n, question, gold, "5") for n, gold in enumerate(["5", "6", "5", "6"])]
    path = logs.write_inspect(tmp_path / "log.eval", "m", samples)
    made = import_outputs(tmp_path / "runs", path, role="base", title="")
    assert sorted(problem.gold for problem in made.log.problems()) == ["5", "5", "6", "6"]


def test_it_is_said_how_far_the_grades_agree_with_the_logs_own(tmp_path: Path, grader: Grader) -> None:
    base = logs.write_harness(tmp_path, "org/base", WRONG)  # by whose verdicts all three are right
    made = import_outputs(tmp_path / "runs", base, role="base", title="")
    grade_run(made.log, grader)
    assert agreement(made) == (
        "The grades agree with 1 of 3 verdicts in the logs; 2 are right only by the log, 0 only here."
    )
    right = import_outputs(tmp_path / "runs", inspect_eval(tmp_path / "b", "m", RIGHT), role="base", title="")
    grade_run(right.log, grader)
    assert agreement(right) == "The grades agree with 3 of 3 verdicts in the logs."
    plain = tmp_path / "plain.jsonl"
    plain.write_text('{"problem": "q", "gold": "1", "output": "1"}\n')
    assert agreement(import_outputs(tmp_path / "runs", plain, role="base", title="")) == ""


@pytest.mark.parametrize(
    ("scores", "right"),
    [
        ({"acc": 1.0, "f1": 0.3}, True), ({"em": 0}, False), ("C", True), ("I", False), (True, True),
        (0.5, None), ("P", None), ({}, None), (None, None), ([1], None),
    ],
)  # fmt: skip
def test_only_a_plain_yes_or_no_is_a_verdict(scores: Any, right: bool | None) -> None:
    assert verdict_of(scores) is right


def test_logs_of_two_harnesses_pair_by_their_questions(tmp_path: Path) -> None:
    base = logs.write_harness(tmp_path, "org/base", WRONG)
    long = logs.write_inspect(tmp_path / "a.eval", "org/long", logs.inspect_samples(RIGHT)[::-1])
    made = import_pair(tmp_path / "runs", Source(base, "base"), Source(long, "distilled"))
    assert len(made.log.problems()) == 3 and len(made.log.samples()) == 6
    assert {role: side.title for role, side in made.log.info().sides.items()} == {
        "base": "org/base", "distilled": "org/long"
    }  # fmt: skip


def written(path: Path, golds: list[str], **more: Any) -> Path:
    rows = [{"question": f"Q{n}?", "gold": gold, "output": "1", **more} for n, gold in enumerate(golds)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def harness_log(path: Path, golds: list[str], **more: Any) -> Path:
    samples = [logs.inspect_sample(n, f"Q{n}?", gold, "1") for n, gold in enumerate(golds)]
    return logs.write_inspect(path.with_suffix(".eval"), path.stem, samples)


@pytest.mark.parametrize("write", [written, harness_log])
@pytest.mark.parametrize(
    ("gold", "other"), [("1/2", "0.5"), ("025", "25"), ("\\frac{3}{4}", "0.75"), ("1,234", "1234"), ("B", "B")]
)
def test_two_files_pair_though_they_spell_a_gold_differently(tmp_path: Path, write: Any, gold: str, other: str) -> None:
    base, long = write(tmp_path / "a.jsonl", ["7", gold]), write(tmp_path / "b.jsonl", ["7", other])
    made = import_pair(tmp_path / "runs", Source(base, "base", "A"), Source(long, "distilled", "B"))
    assert [problem.gold for problem in made.log.problems()] == ["7", gold] and not made.left_out
    assert len(made.log.samples()) == 4


def test_two_files_with_ids_pair_though_they_spell_a_gold_differently(tmp_path: Path) -> None:
    files = [written(tmp_path / f"{gold}.jsonl", [f"{gold}5"], problem_id="p1") for gold in ("02", "2")]
    made = import_pair(tmp_path / "runs", Source(files[0], "base", "A"), Source(files[1], "distilled", "B"))
    assert [problem.gold for problem in made.log.problems()] == ["025"]


@pytest.mark.parametrize("write", [written, harness_log])
@pytest.mark.parametrize("other", ["0.7", "x + 1"])
def test_a_question_with_two_different_golds_is_named_and_not_compared(tmp_path: Path, write: Any, other: str) -> None:
    base, long = write(tmp_path / "a.jsonl", ["7", "1/2"]), write(tmp_path / "b.jsonl", ["7", other])
    made = import_pair(tmp_path / "runs", Source(base, "base", "A"), Source(long, "distilled", "B"))
    (left_out,) = made.left_out
    assert left_out.endswith(f": its gold answer is {other}, but in the other file 1/2.") and "b." in left_out
    assert left_out in made.log.info().data[0].warning
    assert len(made.log.samples()) == 3
    alone = write(tmp_path / "c.jsonl", ["8"])
    with pytest.raises(DataError, match=r"its gold answer is 8, but in the other file 7\. Choose the set"):
        import_pair(tmp_path / "runs", Source(base, "base", "A"), Source(alone, "distilled", "C"))


def test_one_model_asked_in_two_ways_has_two_names(tmp_path: Path) -> None:
    paths = [inspect_eval(tmp_path / name, "org/one", RIGHT) for name in ("off", "on")]
    made = import_pair(tmp_path / "runs", Source(paths[0], "base"), Source(paths[1], "distilled"))
    assert [side.title for side in made.log.info().sides.values()] == ["org/one (base)", "org/one (distilled)"]


def test_logs_with_no_problem_in_common_are_no_comparison(tmp_path: Path) -> None:
    other = logs.inspect_sample(1, "What is 1 + 1?", "2", "2")
    base = logs.write_inspect(tmp_path / "a.eval", "a", [other])
    distilled = inspect_eval(tmp_path / "b", "b", RIGHT)
    with pytest.raises(DataError, match="no problem in common"):
        import_pair(tmp_path / "runs", Source(base, "base"), Source(distilled, "distilled"))
    assert not (tmp_path / "runs").exists()


def test_a_log_without_golds_takes_those_of_the_chosen_set(tmp_path: Path) -> None:
    """The question stands in what was asked, among instructions."""
    path = logs.write_evalscope(tmp_path, "org-model", RIGHT, logs.prediction)
    with pytest.raises(DataError, match="choose the set"):
        import_outputs(tmp_path / "runs", path, role="base", title="")
    problems = [Problem(f"toy/{n}", question, gold, "toy") for n, (question, gold) in enumerate(logs.QUESTIONS.items())]
    toy = Benchmark("toy", tuple(problems[:2]), "x", "made here", "math", "Toy")
    made = import_outputs(tmp_path / "runs", path, role="base", title="", benchmark=toy)
    assert [sample.problem_id for sample in made.log.samples()] == ["toy/0", "toy/1"]
    assert [sample.finish_reason for sample in made.log.samples()] == ["length", "length"]
    assert made.left_out == ("gsm8k_main.jsonl, line 3: this question is not in the chosen set.",)
    nothing = Benchmark("toy", (Problem("toy/9", "Why?", "1", "toy"),), "x", "made here", "math", "Toy")
    with pytest.raises(DataError, match="not in the chosen set"):
        import_outputs(tmp_path / "runs", path, role="base", title="", benchmark=nothing)


BAD_LINES = {
    "cut short": ('{"doc_id": 3, "doc": {"question": "Wh', "line 7 is not whole JSON"),
    "of another kind": ('{"id": 3, "text": "hello"}\n', "line 7 has no doc_id and resps"),
    "a list": ("[1, 2]\n", "line 7 has no doc_id and resps"),
    "likelihoods": (
        json.dumps(logs.harness_row(9, "q", "1", "1", resps=[[["-1.5", "False"]], [["-0.5", "True"]]])) + "\n",
        "line 7 has likelihoods in place of texts",
    ),
    "without responses": (json.dumps(logs.harness_row(9, "q", "1", "1", resps=[])) + "\n", "line 7 has no response"),
}


@pytest.mark.parametrize(("line", "said"), BAD_LINES.values(), ids=BAD_LINES)
def test_a_bad_row_is_told_in_words_and_ends_nothing(tmp_path: Path, line: str, said: str) -> None:
    path = logs.write_harness(tmp_path, "org/model", RIGHT, [line])
    made = import_outputs(tmp_path / "runs", path, role="base", title="")
    assert len(made.log.samples()) == 3, "each response counts once, whatever the number of filters"
    assert len(made.left_out) == 1 and said in made.left_out[0]
    assert "Left out: 1 row. The first: " in made.log.info().data[0].warning


@pytest.mark.parametrize(
    ("sample", "said"),
    [
        (b'{"id": 4, "epoch": 1, "inp', "sample 4_epoch_1 cannot be read"),
        (b"[]", "is not an object"),
        (logs.inspect_sample(4, "q", "1", "1", output={"choices": []}), "has no output of the model"),
        (logs.inspect_sample(4, "q", "1", "1", output={"choices": [{"message": 3}]}), "has no message of the model"),
        ({**logs.inspect_sample(4, "q", "1", "1"), "target": ["1", "2"]}, "has no single gold answer"),
    ],
)
def test_a_bad_sample_of_an_eval_file_is_left_out(tmp_path: Path, sample: Any, said: str) -> None:
    path = logs.write_inspect(tmp_path / "a.eval", "m", [*logs.inspect_samples(RIGHT), sample])
    made = import_outputs(tmp_path / "runs", path, role="base", title="")
    assert len(made.log.samples()) == 3
    assert len(made.left_out) == 1 and said in made.left_out[0]


def test_epochs_failures_limits_and_attachments_of_inspect(tmp_path: Path) -> None:
    question = {"role": "user", "content": [{"type": "text", "text": "attachment://abc"}]}
    first = logs.inspect_sample(1, "", "5", "5", input=[{"role": "system", "content": "Box."}, question])
    first["attachments"] = {"abc": "What is 2 + 3?"}
    second = {**first, "epoch": 2, "error": {"message": "rate limit"}, "output": {}}
    third = json.loads(json.dumps({**first, "epoch": 3}))
    third["output"]["choices"][0]["stop_reason"] = "model_length"
    hidden = {"type": "reasoning", "reasoning": "opaque==", "redacted": True, "summary": "It adds."}
    third["output"]["choices"][0]["message"]["content"][0] = hidden
    path = logs.write_inspect(tmp_path / "a.eval", "m", [first, second, third])
    samples = import_outputs(tmp_path / "runs", path, role="base", title="").log.samples()
    assert [(s.prompt, s.index, s.error, s.finish_reason) for s in samples] == [
        ("What is 2 + 3?", 0, "", "stop"),
        ("What is 2 + 3?", 1, "rate limit", ""),
        ("What is 2 + 3?", 2, "", "length"),
    ]
    assert (samples[0].thought_tokens, samples[0].answer_tokens, samples[0].seconds) == (20, 10, 1.5)
    assert samples[2].thought == "It adds."


def test_a_sample_stored_in_pieces_says_how_to_convert_it(tmp_path: Path) -> None:
    path = logs.write_inspect(tmp_path / "a.eval", "m", logs.inspect_samples(RIGHT))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("samples/9_epoch_1/sample.json", "{}")
        archive.writestr("samples/9_epoch_1/messages/0.json", "[]")
    made = import_outputs(tmp_path / "runs", path, role="base", title="")
    assert len(made.left_out) == 1 and "inspect log convert" in made.left_out[0]


def torn(folder: Path) -> Path:
    path = logs.write_inspect(folder / "a.eval", "m", logs.inspect_samples(RIGHT))
    path.write_bytes(path.read_bytes()[:-40])
    return path


def foreign_zip(folder: Path) -> Path:
    with zipfile.ZipFile(folder / "a.eval", "w") as archive:
        archive.writestr("a.txt", "hello")
    return folder / "a.eval"


def without_samples(folder: Path) -> Path:
    (folder / "a.json").write_text(json.dumps(logs.inspect_header("m")))
    return folder / "a.json"


def torn_parquet(folder: Path) -> Path:
    path = logs.write_lighteval(folder, "m", RIGHT)
    path.write_bytes(path.read_bytes()[:-10])
    return path


def foreign_parquet(folder: Path) -> Path:
    return logs.write_lighteval(folder, "m", RIGHT, lambda question, gold, said: {"q": question})


def only_choices(folder: Path) -> Path:
    def row(question: str, gold: str, said: str) -> dict[str, Any]:
        made = logs.lighteval_row(question, gold, said)
        return {**made, "model_response": {**made["model_response"], "text": []}}

    return logs.write_lighteval(folder, "m", RIGHT, row)


FILES = {
    "a torn zip": (torn, "not a whole .eval file"),
    "a zip of something else": (foreign_zip, "no header of inspect_ai"),
    "a log without samples": (without_samples, "without samples"),
    "a torn parquet": (torn_parquet, "not a whole Parquet file"),
    "a parquet of something else": (foreign_parquet, "has the columns q, not those"),
    "a task that only chooses": (only_choices, "Of 3 rows of .*, none can be used. .* its task chooses"),
}


@pytest.mark.parametrize(("make", "said"), FILES.values(), ids=FILES)
def test_files_that_cannot_be_used_are_told_in_words(tmp_path: Path, make: Callable[[Path], Path], said: str) -> None:
    with pytest.raises(DataError, match=said):
        import_outputs(tmp_path / "runs", make(tmp_path), role="base", title="")
    assert not (tmp_path / "runs").exists()


def test_a_damaged_entry_of_a_zstd_log_is_left_out(tmp_path: Path) -> None:
    path = inspect_zstd(tmp_path, "m", RIGHT)
    content = bytearray(path.read_bytes())
    at = content.index(b"samples/2_epoch_1.json") + len("samples/2_epoch_1.json") + 20
    content[at : at + 30] = b"\x00" * 30
    path.write_bytes(content)
    made = import_outputs(tmp_path / "runs", path, role="base", title="")
    assert [said.partition(" is ")[2] for said in made.left_out] == ["damaged."]
    assert len(made.log.samples()) == 2


@pytest.mark.parametrize(
    ("value", "gold"),
    [
        ("Work. #### 1,234", "1234"),
        ("So the answer is $\\boxed{\\frac{1}{2}}$.", "\\frac{1}{2}"),
        (27.0, "27"),
        (["5", "5"], "5"),
        (["5", "6"], ""),
        ([], ""),
        (None, ""),
        ({"a": 1}, ""),
    ],
)
def test_the_gold_answer_alone(value: Any, gold: str) -> None:
    assert gold_of(value) == gold


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("inspect_evals/gsm8k", "gsm8k"),
        ("lighteval|aime24|0|0", "aime24"),
        ("gsm8k_cot", "gsm8k_cot"),
        (None, "imported"),
    ],
)
def test_a_task_by_its_own_name(name: Any, task: str) -> None:
    assert task_of(name) == task


def test_reasoning_that_a_server_sent_beside_the_answer_is_thought() -> None:
    said = spoken({"role": "assistant", "content": "5", "reasoning_content": "Hm."})
    assert (said.thought, said.answer) == ("Hm.", "5")
    assert spoken("<think>a</think>b").thought is None, "tags are split where the run is made"


def test_the_command_imports_a_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path / "home"))
    base = logs.write_harness(tmp_path, "org/base", WRONG, ['{"doc_id": 3'])
    distilled = inspect_eval(tmp_path / "b", "org/long", RIGHT)
    assert main(["import", str(base), str(distilled)]) == 0
    said = capsys.readouterr().out
    assert "Distilled solves 3 of 3, base 1 of 3" in said
    assert "Left out: " in said and "may have been cut short" in said
    assert main(["import", str(base), "--other-title", "x"]) == 1
