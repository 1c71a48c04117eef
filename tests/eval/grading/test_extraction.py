"""The extraction ladder, rung by rung."""

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
]


@pytest.mark.parametrize(("text", "answer", "rung"), CASES, ids=[repr(text)[:60] for text, _, _ in CASES])
def test_ladder(text: str, answer: str, rung: str) -> None:
    assert extract(text) == (answer, rung)


@given(st.text(alphabet="0123456789 .,abc\n+-=", max_size=200))
def test_without_marker_or_box_there_is_no_answer(text: str) -> None:
    assert extract(text) == ("", "none")


@given(st.text(max_size=300))
def test_the_rung_is_none_exactly_when_nothing_is_found(text: str) -> None:
    for reply in (text, f"\\boxed{{{text}", f"Final answer: {text}", f"#### {text}", f"Final answer: 7 = {text}="):
        answer, rung = extract(reply)
        assert (answer == "") == (rung == "none")
        assert answer == answer.strip()
        assert not answer.endswith("=")


@given(st.text(alphabet="0123456789xy+-^{}\\ ", max_size=40))
def test_a_balanced_box_is_found_behind_any_prose(content: str) -> None:
    found = last_box(f"Thus $\\boxed{{1{content.replace(chr(92), '').replace('{', '').replace('}', '')}}}$, done.")
    assert found.startswith("1")


@pytest.mark.parametrize("piece", ["\\boxed{", "\\boxed{\\boxed{1}", "\\[", "$", "Final answer: ", "#### ", "{", "is "])
def test_repetition_costs_no_more_than_its_length(piece: str) -> None:
    started = time.process_time()
    extract(piece * 20_000)
    extract("Final answer: " + piece * 20_000)
    assert time.process_time() - started < 5
