"""Named cases of what a thought says it does, in English and Chinese."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from traces.keeping.anatomy import KINDS, TITLES, counts, kind_of, segments

CASES = {
    "a plain calculation is working": ("3*14=42.", "working"),
    "waiting for a bus is working": ("They wait for 5 minutes.", "working"),
    "wait at the start": ("Wait, that is wrong: 7*8 is not 54.", "reflection"),
    "wait in the middle": ("So 12 … but wait, there is one more.", "reflection"),
    "hmm": ("Hmm, 3 does not look like a divisor.", "reflection"),
    "calling it wrong": ("That's wrong.", "reflection"),
    "going back beats the reflection": ("Wait, that cannot be: go back.", "turning_back"),
    "leads nowhere": ("3-2=1 leads nowhere.", "turning_back"),
    "another way": ("Let me try another way.", "turning_back"),
    "check": ("Check: 18-3=15.", "checking"),
    "double-check": ("Let me double-check the count.", "checking"),
    "make sure": ("I want to make sure of the sign.", "checking"),
    "the box": ("So it is \\boxed{42}.", "final_answer"),
    "a checked box is the answer": ("I check: \\boxed{42}.", "final_answer"),
    "the answer is": ("Therefore, the answer is 42.", "final_answer"),
    "checking the answer is checking": ("Let me verify that the answer is 42.", "checking"),
    "planning": ("Let me find the factors first.", "planning"),
    "planning with an equation is working": ("Let me compute 3*4=12.", "working"),
    "restating": ("We are given two numbers.", "restating"),
    "the question asks": ("The question asks for the smallest one.", "restating"),
    "searching the web": ("I could search the official website for this.", "tool_wish"),
    "looking it up": ("I would look it up in the CV.", "tool_wish"),
    "a calculator": ("If only I could use a calculator here.", "tool_wish"),
    "searching for a pattern is no tool": ("I am searching for a pattern.", "working"),
    "等等": ("等等，这里好像少了一个。", "reflection"),
    "回到": ("让我回到第二步。", "turning_back"),
    "验证": ("验证一下：3×14=42。", "checking"),
    "搜索": ("我可以搜索一下官方网站。", "tool_wish"),
    "题目": ("题目要求最小的数。", "restating"),
    "首先": ("首先考虑约数。", "planning"),
    "答案": ("所以答案是42。", "final_answer"),
    "计算": ("3×14=42。", "working"),
}


@pytest.mark.parametrize(("sentence", "kind"), CASES.values(), ids=CASES)
def test_kind(sentence, kind):
    assert kind_of(sentence)[0] == kind


THOUGHT = """We are given 3 boxes of 14. Let me multiply.
3*14=32. That gives 32.
Wait, that is wrong: 3*14 is not 32. Go back.
3*14=42.
Check: 14*3=42. Good.
Check: 42-14=28."""


def test_segments_of_a_thought():
    kinds = [part.kind for part in segments(THOUGHT)]
    assert kinds == [
        "restating",
        "planning",
        "working",
        "reflection",
        "turning_back",
        "working",
        "checking",
        "checking",
    ], "sentences of one kind join, checks on two lines do not, and a verdict belongs to its check"
    assert counts(segments(THOUGHT)) == dict.fromkeys(KINDS, 0) | {
        "restating": 1,
        "planning": 1,
        "working": 2,
        "reflection": 1,
        "turning_back": 1,
        "checking": 2,
    }


def test_every_kind_has_a_title():
    assert set(TITLES) == set(KINDS)


@given(st.text(alphabet=st.sampled_from("ab W.!?\n。 wait,check 1=等等\\")) | st.text())
def test_segments_cover_the_text(thought):
    parts = segments(thought)
    assert "".join(part.text for part in parts) == thought
    assert all(thought[part.start : part.end] == part.text for part in parts)
