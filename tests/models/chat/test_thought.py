"""The splitter: named cases, and any chunking against the whole text and against a second, independent reading."""

import re
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from models.chat.events import Answering, Thinking
from models.chat.thought import Splitter, close_thought_text, overlap, reopen_thought, split_text
from models.config.thought_format import ThoughtFormat

TAGS = ThoughtFormat("tags")
PREFILLED = ThoughtFormat("tags", prefilled=True)
PIPES = ThoughtFormat("tags", open="<|begin_of_thought|>", close="<|end_of_thought|>")
MARKER = ThoughtFormat("marker", marker="Final answer")
NONE = ThoughtFormat()
FORMATS = [TAGS, PREFILLED, PIPES, MARKER, NONE]

CASES = [
    ("tags", TAGS, "<think>\nhm\n</think>\n\nyes", "hm", "yes"),
    ("white space before the tag", TAGS, " \n <think>hm</think>yes ", "hm", "yes"),
    ("other tags", PIPES, "<|begin_of_thought|>hm<|end_of_thought|>yes", "hm", "yes"),
    ("inner white space stays", TAGS, "<think> a\n\n b </think> c\n  d ", "a\n\n b", "c\n  d"),
    ("never closes", TAGS, "<think>and so on", "and so on", ""),
    ("closing tag cut off by the model's own end", TAGS, "<think>so </thi", "so </thi", ""),
    ("no tag at all", TAGS, "just an answer", "", "just an answer"),
    ("almost a tag", TAGS, "<thin ice>", "", "<thin ice>"),
    ("only the start of a tag", TAGS, "<", "", "<"),
    ("empty thought", TAGS, "<think>\n\n</think>\n\nyes", "", "yes"),
    ("nothing", TAGS, "", "", ""),
    ("tag in prose does not open", TAGS, "Write <think>x</think> first.", "", "Write <think>x</think> first."),
    ("tags after the thought", TAGS, "<think>a</think>b <think>c</think> d", "a", "b <think>c</think> d"),
    ("tag in code", TAGS, "<think>a</think>```\n</think>\n```", "a", "```\n</think>\n```"),
    ("opening tag inside the thought", TAGS, "<think>a <think> b</think>c", "a <think> b", "c"),
    ("prefilled", PREFILLED, "hm</think>yes", "hm", "yes"),
    ("prefilled, opened again", PREFILLED, "<think>hm</think>yes", "hm", "yes"),
    ("prefilled, closed at once", PREFILLED, "\n</think>\n\nyes", "", "yes"),
    ("prefilled, never closed", PREFILLED, "hm", "hm", ""),
    ("not prefilled: a lone closing tag is text", TAGS, "hm</think>yes", "", "hm</think>yes"),
    ("marker", MARKER, "so 6 * 7\n\nFinal answer: 42", "so 6 * 7", "Final answer: 42"),
    ("marker in Markdown", MARKER, "so\n## **Final Answer**\n42", "so", "## **Final Answer**\n42"),
    ("marker in a line is prose", MARKER, "my final answer?\nfinal ANSWER 3", "my final answer?", "final ANSWER 3"),
    ("marker at once", MARKER, "Final answer: 1", "", "Final answer: 1"),
    ("first marker counts", MARKER, "a\nFinal answer: 1\nFinal answer: 2", "a", "Final answer: 1\nFinal answer: 2"),
    ("no marker: all answer", MARKER, "Hello! How can I help?", "", "Hello! How can I help?"),
    ("none", NONE, "<think>a</think>b", "", "<think>a</think>b"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("thought", "raw", "want_thought", "want_answer"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_cases(thought: ThoughtFormat, raw: str, want_thought: str, want_answer: str, size: int) -> None:
    splitter, deltas = Splitter(thought), []
    for start in range(0, len(raw), size):
        deltas += splitter.feed(raw[start : start + size])
    splitter.finish()
    assert splitter.split(ended=True)[:2] == (want_thought, want_answer)


CUT = [
    ("white space at the cut waits", TAGS, "<think>so \n", "so", ""),
    ("half a closing tag waits", TAGS, "<think>so </thi", "so", ""),
    ("half an opening tag waits", TAGS, "<thi", "", ""),
    ("no marker yet: all thought", MARKER, "so 6 * 7\n\nthen", "so 6 * 7\n\nthen", ""),
    ("half a marker waits", MARKER, "so\n**Final an", "so", ""),
]


@pytest.mark.parametrize(
    ("thought", "raw", "want_thought", "want_answer"), [c[1:] for c in CUT], ids=[c[0] for c in CUT]
)
def test_cut_off(thought: ThoughtFormat, raw: str, want_thought: str, want_answer: str) -> None:
    assert split_text(thought, raw, ended=False)[:2] == (want_thought, want_answer)


PIECES = ["<think>", "</think>", "<thi", "nk>", "</", "<", ">", "\n", " ", "\n\n", "a", "Wait, ", "é", "思", "```"]
PIECES += ["Final answer", "final ", "answer: ", "**", "# ", "_", "<|end_of_thought|>", "<|begin_of_thought|>"]
TEXT = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join)


def chunked(text: str, cuts: list[int]) -> list[str]:
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


def read_whole(thought: ThoughtFormat, raw: str) -> tuple[str, str]:
    """The format's definition, written a second time for a text that has ended."""
    if thought.kind == "none":
        return "", raw.strip()
    if thought.kind == "marker":
        line = re.search(rf"(?im)^[ \t*#_>]*{thought.marker}", raw)
        return (raw[: line.start()].strip(), raw[line.start() :].strip()) if line else ("", raw.strip())
    body = raw.lstrip()
    if body.startswith(thought.open):
        body = body.removeprefix(thought.open)
    elif not thought.prefilled:
        return "", raw.strip()
    inside, _, rest = body.partition(thought.close)
    return inside.strip(), rest.strip()


@given(st.sampled_from(FORMATS), TEXT, st.lists(st.integers(0, 200), max_size=8))
@example(MARKER, "a\n**\nFinal answer", [3])
@example(TAGS, "<think> </think", [1])
def test_any_chunking_gives_what_the_whole_text_gives(thought: ThoughtFormat, raw: str, cuts: list[int]) -> None:
    splitter, deltas = Splitter(thought), []
    for chunk in chunked(raw, cuts):
        deltas += splitter.feed(chunk)
    cut = splitter.split()
    assert cut == split_text(thought, raw, ended=False)
    deltas += splitter.finish()
    split = splitter.split(ended=True)
    assert split[:2] == read_whole(thought, raw)
    shown = {kind: "".join(d.text for d in deltas if isinstance(d, kind)) for kind in (Thinking, Answering)}
    if thought.kind == "marker" and splitter.part == "thought":
        assert shown == {Thinking: split.answer, Answering: ""}
    else:
        assert shown == {Thinking: split.thought, Answering: split.answer}
    kinds = [type(d) for d in deltas]
    assert Thinking not in kinds[kinds.index(Answering) :] if Answering in kinds else True


@given(st.sampled_from(FORMATS), TEXT)
def test_nothing_but_tags_and_white_space_at_the_ends_is_lost(thought: ThoughtFormat, raw: str) -> None:
    split = split_text(thought, raw)
    if split.part == "answer":
        assert raw[split.answer_start :].strip() == split.answer
        between = raw[split.thought_end : split.answer_start]
        before = raw[: split.thought_end].removesuffix(split.thought) if split.thought else raw[: split.thought_end]
    else:
        before, between = raw.rstrip().removesuffix(split.thought), ""
    lost = re.sub(r"\s", "", before + between)
    assert lost in {"", thought.open, thought.close, thought.open + thought.close}


@given(st.sampled_from([TAGS, PREFILLED, PIPES, MARKER]), TEXT)
def test_closing_a_thought_closes_it_and_keeps_it(thought: ThoughtFormat, raw: str) -> None:
    before = split_text(thought, raw, ended=False)
    closing = close_thought_text(thought, raw)
    after = split_text(thought, raw + closing + "X", ended=False)
    assert after.part == "answer"
    if before.part == "answer":
        assert closing == ""
    else:
        assert after.answer == ("X" if thought.kind == "tags" else after.answer)
        assert after.thought.startswith(before.thought)


@given(st.sampled_from([TAGS, PREFILLED, PIPES, MARKER]), TEXT)
def test_reopening_a_thought_keeps_it_and_goes_on(thought: ThoughtFormat, raw: str) -> None:
    before = split_text(thought, raw, ended=False)
    after = split_text(thought, reopen_thought(thought, raw, "Wait"), ended=False)
    assert after.part == "thought" and after.answer == ""
    assert after.thought.startswith(before.thought) and after.thought.endswith("Wait")


CLOSINGS = [
    (TAGS, "<think>\nso far", "\n</think>\n\n"),
    (TAGS, "<think>\nso far\n", "</think>\n\n"),
    (TAGS, "<think>\nso far</th", "ink>\n\n"),
    (TAGS, "<thi", "nk>\n\n</think>\n\n"),
    (TAGS, "", "<think>\n\n</think>\n\n"),
    (TAGS, "an answer", ""),
    (PREFILLED, "", "</think>\n\n"),
    (MARKER, "so far", "\n\nFinal answer"),
    (MARKER, "so far\n\n", "Final answer"),
    (NONE, "so far", ""),
]


@pytest.mark.parametrize(("thought", "raw", "closing"), CLOSINGS)
def test_closing_text(thought: ThoughtFormat, raw: str, closing: str) -> None:
    assert close_thought_text(thought, raw) == closing


REOPENINGS = [
    (TAGS, "<think>\nso it is 4.\n</think>\n\n4", "<think>\nso it is 4. Wait"),
    (TAGS, "<think>\nso it", "<think>\nso it Wait"),
    (TAGS, "<think>\n\n</think>\n\n4", "<think>\nWait"),
    (TAGS, "4", "<think>\nWait"),
    (PREFILLED, "\nso it is 4.\n</think>\n\n4", "\nso it is 4. Wait"),
    (MARKER, "so it is 4.\n\n**Final answer**\n4", "so it is 4. Wait"),
    (NONE, "4", "4\n\nWait"),
]


@pytest.mark.parametrize(("thought", "raw", "reopened"), REOPENINGS)
def test_reopened_text(thought: ThoughtFormat, raw: str, reopened: str) -> None:
    assert reopen_thought(thought, raw) == reopened


def test_overlap() -> None:
    assert overlap("so </th", "</think>") == 4
    assert overlap("so", "</think>") == 0
    assert overlap("</think>", "</think>") == 0


def test_a_format_without_its_words_is_refused() -> None:
    with pytest.raises(ValueError, match="marker"):
        ThoughtFormat("marker")
    with pytest.raises(ValueError, match="close"):
        ThoughtFormat("tags", close="")
