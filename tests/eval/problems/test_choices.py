"""Multiple choice: rows of several shapes become one form, and answers name an option or none."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import DataError
from eval.grading.grader import GradeItem, Grader, gold_faults
from eval.problems.benchmark_sets import KNOWN, load_benchmark
from eval.problems.choices import gold_option, gpqa_row, named_option, options_of, same_option, stated_option

GOLD = "C. 42 km"


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(workers=1) as grader:
        yield grader


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        ("So it is \\boxed{C}.", "correct"),
        ("\\boxed{(C)}", "correct"),
        ("\\boxed{\\text{C}}", "correct"),
        ("\\boxed{\\textbf{(C)}\\ 42}", "correct"),
        ("\\boxed{\\text{Option C}}", "correct"),
        ("\\boxed{c}", "correct"),
        ("\\boxed{C: 42 km}", "correct"),
        ("\\boxed{42 km}", "correct"),
        ("The answer is (C).", "correct"),
        ("So 42.\n\nThe answer is C. 42 km", "correct"),
        ("The correct option is (C): 42 km.", "correct"),
        ("1. 3\n\nThe answer is D. 1", "wrong"),
        ("Step 8: The answer is **D. Mars**.", "wrong"),
        ("A. 4\nB. 6\nC. 42 km", "no_answer"),
        ("The answer is C. However, it may be D", "no_answer"),
        ("The answer is C, or D", "wrong"),
        ("Answer: C", "correct"),
        ("**Final answer: option C**", "correct"),
        ("Adding up gives 42.\n\nThe correct option is C.", "correct"),
        ("So the right choice is **(C)**", "correct"),
        ("C", "correct"),
        ("\\boxed{B}", "wrong"),
        ("\\boxed{B. 42 km}", "wrong"),
        ("\\boxed{B, C}", "wrong"),
        ("\\boxed{B and C}", "wrong"),
        ("\\boxed{42 m}", "wrong"),
        ("The answer is D.", "wrong"),
        ("I cannot say which.", "no_answer"),
        ("A train goes 42 km.", "no_answer"),
        ("Is the right option C?", "no_answer"),
    ],
)
def test_an_answer_counts_by_its_letter_or_its_text(grader: Grader, reply: str, outcome: str) -> None:
    assert grader.grade_one(reply, GOLD, "choice").outcome == outcome


def test_an_option_that_begins_like_a_letter_is_known_by_its_text(grader: Grader) -> None:
    assert grader.grade_one("\\boxed{E. coli}", "C. E. coli", "choice").outcome == "correct"
    assert grader.grade_one("\\boxed{E}", "C. E. coli", "choice").outcome == "wrong"


def test_a_reply_that_was_cut_off_states_no_option(grader: Grader) -> None:
    whole, cut = grader.grade_many([GradeItem("The correct option is C", GOLD, "choice", cut) for cut in (False, True)])
    assert (whole.outcome, cut.outcome) == ("correct", "no_answer")


def test_votes_of_maj_at_k_go_by_the_letter(grader: Grader) -> None:
    assert grader.classes(["C", "(C) 42 km", "B", "", "option b"], "choice") == [0, 0, 1, None, 1]


@pytest.mark.parametrize(
    ("answer", "letter"),
    [("A ball falls", ""), ("I", "I"), ("I think so", ""), ("(d)", "D"), ("e.", "E"), ("", ""), ("C or D", ""),
     ("C/D", ""), ("A, B, C, D", ""), ("A, C and D", ""), ("(A), (B), (C)", ""), ("A; B.", ""), ("A, a vitamin", "A"),
     ("C, D", ""), ("B. Vitamin B", "B"), ("Answer C", "C"), ("The correct answer: F", "F"), ("1. A", "")],
)  # fmt: skip
def test_a_word_is_no_letter(answer: str, letter: str) -> None:
    assert named_option(answer) == letter


@pytest.mark.parametrize("gold", ["C. K, L, M", "C. A, B, C", "C. A or B", "C. E. coli"])
def test_an_option_of_letters_is_still_named_by_its_own(grader: Grader, gold: str) -> None:
    assert grader.gold_fault(gold, "choice") == ""
    for answer, outcome in (("C", "correct"), (gold, "correct"), (gold[3:], "correct"), ("D", "wrong")):
        assert grader.grade_one(f"\\boxed{{{answer}}}", gold, "choice").outcome == outcome


@given(st.text(max_size=200), st.text(max_size=60))
def test_any_text_is_read_without_an_error(text: str, option: str) -> None:
    assert stated_option(text) in {"", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    assert isinstance(same_option(text, f"B. {option}"), bool)


@given(st.integers(0, 9), st.integers(0, 9))
def test_a_letter_is_right_exactly_where_it_is_the_golds(asked: int, right: int) -> None:
    options = [f"{n} apples" for n in range(10)]
    gold = gold_option({"answer_index": right}, options)
    letter = "ABCDEFGHIJ"[asked]
    assert all(
        same_option(answer, gold) == (asked == right)
        for answer in (letter, f"({letter.lower()})", f"{letter}. {asked} apples", f"{asked} apples")
    )


@pytest.mark.parametrize(
    "row",
    [{"options": ["x", "y", "z"], "answer": "B"}, {"options": ["x", "y", "z"], "answer": "b"},
     {"options": ["x", "y", "z"], "answer": "H", "answer_index": 1}, {"choices": ["x", "y", "z"], "answer": 1},
     {"choices": ["x", "y", "z"], "answer": "y"},
     {"choices": {"text": ["x", "y", "z"], "label": ["A", "B", "C"]}, "answerKey": "B"}],
)  # fmt: skip
def test_the_right_option_is_given_by_letter_number_or_text(row: dict[str, Any]) -> None:
    assert gold_option(row, options_of(row)) == "B. y"


@pytest.mark.parametrize("answer", ["D", "w", 7, -1, "", None])
def test_an_answer_that_is_no_option_is_named_with_its_row(tmp_path: Path, answer: object) -> None:
    rows = [{"question": "Which?", "options": ["x", "y", "z"], "answer": answer}]
    with pytest.raises(DataError, match="answer of row 1 is none of its 3 options"):
        load_benchmark(str(write(tmp_path / "mine.jsonl", rows)))


def test_a_file_with_options_is_multiple_choice(tmp_path: Path, grader: Grader) -> None:
    rows = [{"question": "Which one?", "options": ["3 m", "4 m"], "answer": "B", "category": "physics"}]
    benchmark = load_benchmark(str(write(tmp_path / "mine.jsonl", rows)))
    (problem,) = benchmark.problems
    assert (benchmark.rule, problem.gold, problem.subject) == ("choice", "B. 4 m", "physics")
    assert problem.question.startswith("Which one?\n\nA. 3 m\nB. 4 m\n\n")
    assert gold_faults(benchmark, grader) == []
    rows.append({"question": "1+1?", "answer": "2"})
    with pytest.raises(DataError, match="1 of 2 rows have options"):
        load_benchmark(str(write(tmp_path / "mixed.jsonl", rows)))


def test_mmlu_pro_is_read_as_it_lies_on_the_hub(tmp_path: Path) -> None:
    rows = [
        {"question_id": 70, "question": "What?", "options": list("stuvwxyzab"), "answer": "I", "answer_index": 8,
         "cot_content": "", "category": "business", "src": "ori_mmlu-business_ethics"}
    ]  # fmt: skip
    write(tmp_path / KNOWN["mmlu_pro"].path, rows)
    benchmark = load_benchmark("mmlu_pro", data=tmp_path)
    (problem,) = benchmark.problems
    assert (problem.id, problem.gold, problem.subject) == ("mmlu_pro/70", "I. a", "business")
    assert "1 problems where MMLU-Pro has 12032" in benchmark.warning
    write(tmp_path / KNOWN["mmlu_pro"].path, [{"question": "What?", "answer": "I"}])
    with pytest.raises(DataError, match="a row of MMLU-Pro has no options"):
        load_benchmark("mmlu_pro", data=tmp_path)


def gpqa(number: int) -> dict[str, Any]:
    wrong = {f"Incorrect Answer {n}": f"wrong {n}\n" for n in (1, 2, 3)}
    return {
        "Record ID": f"rec{number}",
        "Question": f"Which of {number}?",
        "Correct Answer": "right\n",
        **wrong,
        "High-level domain": "Physics",
    }


def test_the_options_of_gpqa_stand_in_an_order_of_each_questions_own(tmp_path: Path) -> None:
    write(tmp_path / KNOWN["gpqa_diamond"].path, [gpqa(number) for number in range(198)])
    benchmark = load_benchmark("gpqa_diamond", data=tmp_path)
    assert benchmark == load_benchmark("gpqa_diamond", data=tmp_path)
    golds = [problem.gold for problem in benchmark.problems]
    assert all(f"\n{problem.gold}\n" in problem.question for problem in benchmark.problems)
    counts = [sum(gold == f"{letter}. right" for gold in golds) for letter in "ABCD"]
    assert sum(counts) == 198 and min(counts) > 30
    assert (benchmark.problems[0].id, benchmark.problems[0].subject) == ("gpqa_diamond/rec0", "Physics")


def test_a_row_of_gpqa_without_all_its_options_is_told(tmp_path: Path) -> None:
    write(tmp_path / KNOWN["gpqa_diamond"].path, [{**gpqa(1), "Incorrect Answer 2": None}])
    assert gpqa_row({"Question": "x"}) == {}
    with pytest.raises(DataError, match="GPQA Diamond has no options"):
        load_benchmark("gpqa_diamond", data=tmp_path)
