"""The extraction ladder, method by method."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.grading.extraction import extract, last_box

CASES = [
    (r"\boxed{5}", "5", "boxed"),
    (r"$\boxed{\frac{1}{2}}$ and so on", r"\frac{1}{2}", "boxed"),
    (r"First \boxed{3}, then \boxed{4}.", "4", "boxed"),
    (r"\boxed{3} and \boxed{5}", "5", "boxed"),
    (r"\fbox{7}", "7", "boxed"),
    (r"\boxed 42.", "42", "boxed"),
    (r"\boxed {42}", "42", "boxed"),
    (r"\boxed{\{1,2\}}", r"\{1,2\}", "boxed"),
    (r"\boxed{\boxed{3}}", "3", "boxed"),
    (r"\boxed{4} or \boxed{}", "4", "boxed"),
    (r"\boxed{4}, no, \boxed{\frac{1}{", "4", "boxed"),
    (r"so \boxed{\frac{1}{2}", "", "none"),
    (r"put the answer in \boxed{}", "", "none"),
    ("The sum is 17", "", "none"),
    ("I think it is 17.", "", "none"),
    ("", "", "none"),
    ("#### 42", "42", "marker"),
    ("She makes 18 dollars. #### 18 ", "18", "marker"),
    ("#### 42\n\nMore thoughts.", "", "none"),
    ("#### Step 4: divide by 2", "", "none"),
    ("#### 3. Check the result", "", "none"),
    ("##### 42", "", "none"),
    ("We add.\nAnswer: 5", "5", "marker"),
    ("Answer: 5\nor so we thought", "", "none"),
    ("The final answer is $5$. I hope it is correct.", "5", "marker"),
    ("The final answer to the problem is **17**.", "17", "marker"),
    ("Final Answer: 42", "42", "marker"),
    ("FINAL ANSWER: 42", "42", "marker"),
    ("**Final Answer:** 42", "42", "marker"),
    ("**Final Answer** $x = 9$", "x = 9", "marker"),
    ("**Final Answer: 42**", "42", "marker"),
    ("## Final answer\n\n42", "42", "marker"),
    ("**Final Answer**\n\n$$\\boxed{\\{1,2\\}}$$", r"\{1,2\}", "marker"),
    ("**Final Answer**\n\\[\n7\n\\]", "7", "marker"),
    ("**Final Answer**\n\\[\n7\n", "", "none"),
    ("Final answer: the value of x is 12 cm.", "12 cm", "marker"),
    ("Final answer: $x=1$ and $y=2$", "x=1, y=2", "marker"),
    ("Final answer: -3", "-3", "marker"),
    ("Final answer: 3. No. Final answer: 4", "4", "marker"),
    ("\\boxed{5}\nFinal answer: 6", "6", "marker"),
    ("Final answer: 6, that is $\\boxed{8}$", "8", "marker"),
    ("\\boxed{5} The final answer is", "5", "boxed"),
    ("\\boxed{5}. The final answer is now clearly stated.", "5", "boxed"),
    ("Final answer: the tall one", "the tall one", "marker"),
    ("\\boxed{5} Final answer: Evelyn", "Evelyn", "marker"),
    (r"\boxed{4}, or \boxed{?}", "4", "boxed"),
    ("Final Answer: \\boxed{\\frac{", "", "none"),
    ("The final answer is 10 * 5 + 3 = 55", "10 * 5 + 3 = 55", "marker"),
    ("The final answer is 55. We check: 10*5+3 = 53.", "55", "marker"),
    ("Final answer: 7 apples. But 3 + 5 = 8.", "7 apples", "marker"),
    ("Final answer: Dr. Smith", "Dr. Smith", "marker"),
    ("Final answer: 3.5 or so. Indeed", "3.5 or so", "marker"),
    ("The final answer is 10 * 5 + 3 =", "", "none"),
    ("The final answer is 55, which is correct.", "55", "marker"),
    ("The final answer to this is 5 and that is all.", "5 and that is all", "marker"),
    ("The final answer is 10 * 5 + 3 = **55**.", "10 * 5 + 3 = 55", "marker"),
    ("The final answer is 2**3**2", "2**3**2", "marker"),
    ("\\boxed{5}. Final answer: $x =$", "5", "boxed"),
    (r"\boxed{4}, that is \boxed{x = }", "4", "boxed"),
    (r"\boxed{=}", "", "none"),
    ("<think>\\boxed{1}</think>\\boxed{2}", "2", "boxed"),
    ("\\boxed{1}</think> nothing", "", "none"),
    ("\\boxed{2} <think> \\boxed{3}", "2", "boxed"),
    ("Tokens such as <think> are counted. \\boxed{7}", "7", "boxed"),
    ("So our final answer is confirmed to be correct.#### 5", "5", "marker"),
    ("Thus $\\boxed{4}$, and the final answer is right.", "4", "boxed"),
    ("Hence the final answer \\(\\boxed{12}\\) is correct.", "12", "marker"),
    ("The final answer is exactly 90.", "90", "marker"),
    ("The final answer is nearly 90.", "nearly 90", "marker"),
    ("The final answer is unclear.", "", "none"),
    ("Final answer: 18<|im_end|>", "18", "marker"),
    (r"\framebox[2cm]{27}", "27", "boxed"),
    ("The answer is 18.", "18", "stated"),
    ("The answer is 18. Or is it?", "", "none"),
    ("The answer is 18.\n\nWe check: 9 + 9 = 18.", "", "none"),
    ("Whether the answer is 18 depends on x.", "", "none"),
    ("Nine.\nA: 18", "18", "stated"),
    ("# Answer\n\n18", "18", "stated"),
    ("# Answer\nNine and nine.\n\nSo 18.", "", "none"),
    ("最终答案：42", "42", "stated"),
    ("答案是 42。", "42", "stated"),
    ("答案是 42。再检查一下。", "", "none"),
    ("\\boxed{5}\nThe answer is 6.", "5", "boxed"),
]

SEVERAL = [
    (r"\boxed{1},\boxed{2},\boxed{3}", "1, 2, 3"),
    (r"$\boxed{1}$ and $\boxed{2}$", "1, 2"),
    (r"First \boxed{1}, then \boxed{2}", "2"),
    (r"\boxed{1}, \boxed{1,2}", "1,2"),
    (r"\boxed{(1,2)}, \boxed{(2,1)}", "(1,2), (2,1)"),
    (r"\boxed{\boxed{3}}", "3"),
    (r"\boxed{3}, \boxed{", "3"),
    (r"\boxed{0}. The final answer is \boxed{1}, \boxed{2}", "1, 2"),
]


@pytest.mark.parametrize(("text", "answer", "method"), CASES, ids=[repr(text)[:60] for text, _, _ in CASES])
def test_ladder(text: str, answer: str, method: str) -> None:
    assert extract(text) == (answer, method)


@pytest.mark.parametrize(("text", "answer"), SEVERAL)
def test_boxes_side_by_side_are_one_answer_where_several_are_expected(text: str, answer: str) -> None:
    assert extract(text, several=True).answer == answer
    assert extract(text).answer == last_box(text)


@pytest.mark.parametrize("ending", ["18", r"\boxed{18}", "#### 18", "A: 18", "The answer is 18.", "答案是18。"])
@pytest.mark.parametrize("opening", ["<think>", "Sure.\n<think>\n", "\\boxed{} <think> so "])
def test_a_cut_off_thought_never_scores(opening: str, ending: str) -> None:
    assert extract(f"{opening}we find that\nThe final answer is 18.\n{ending}") == ("", "none")


@given(st.text(alphabet="0123456789 .,abc\n+-=", max_size=200))
def test_without_marker_or_box_there_is_no_answer(text: str) -> None:
    assert extract(text) == ("", "none")


@given(st.text(max_size=300))
def test_the_method_is_none_exactly_when_nothing_is_found(text: str) -> None:
    for reply in (text, f"\\boxed{{{text}", f"Final answer: {text}", f"#### {text}", f"Final answer: 7 = {text}="):
        answer, method = extract(reply)
        assert (answer == "") == (method == "none")
        assert answer == answer.strip()
        assert not answer.endswith("=")


@given(st.text(alphabet="0123456789xy+-^{}\\ ", max_size=40))
def test_a_balanced_box_is_found_behind_any_prose(content: str) -> None:
    content = last_box(f"Thus $\\boxed{{1{content.replace(chr(92), '').replace('{', '').replace('}', '')}}}$, done.")
    assert content.startswith("1")


@pytest.mark.parametrize(
    "piece",
    ["\\boxed{", "\\boxed{\\boxed{1}", "\\[", "$", "Final answer: ", "#### ", "{", "is ", "the answer ",
     "the answer is 1", "答案", "<think>", "</think>", "as <think>", "# Answer\n", "\\boxed{1},", " ", "\n", "<|a|>",
     "I hope this ", "only ("],
)  # fmt: skip
def test_repetition_costs_no_more_than_its_length(piece: str) -> None:
    started = time.process_time()
    extract(piece * 20_000)
    extract("Final answer: " + piece * 20_000)
    assert time.process_time() - started < 5


@pytest.mark.parametrize("tail", ["a" * 1_500, "word " * 300 + "of", "haha" * 400])
def test_a_remark_that_never_closes_is_given_up_at_once(tail: str) -> None:
    started = time.process_time()
    extract(f"The answer is 5 ({tail}")
    assert time.process_time() - started < 1


def test_a_sentence_cut_in_two_states_nothing() -> None:
    assert extract("So the answer is 1").method == "stated"
    assert extract("So the answer is 1", cut_off=True).method == "none"
    assert extract(r"It is \boxed{18}. Let me check the", cut_off=True).answer == "18"
