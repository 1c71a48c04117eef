"""Rows: what is learned is exactly what should be, long rows are dropped whole, a changed file is refused."""

import re
from dataclasses import replace
from difflib import SequenceMatcher
from pathlib import Path
from random import Random
from types import SimpleNamespace

import pytest
from transformers import PreTrainedTokenizerFast

from commands.arena import main
from common.errors import ConfigError, DataError
from common.paths import ROOT
from eval.problems.families import generate
from eval.problems.open_ended import load_open_ended
from eval.problems.prompts import MATHS_PROMPT
from tests.traces.tiny import TEMPLATE, tiny_tokenizer
from traces.keeping.trace import append_trace
from traces.problems.decontaminate import words
from traces.publishing.ways import CHAT_PROMPTS
from traces.thoughts.journey import journey
from traces.thoughts.rehearse import prompts
from traces.thoughts.search import SearchSettings, false_claims
from traces.training.configs import encoded_line
from traces.training.dataset import Row, encode, in_even_batches, read_rows, write_rows
from traces.training.drills import KINDS
from traces.training.mix import (
    BASICS,
    DOUBTS,
    FORMS,
    REHEARSAL,
    WRITTEN,
    chat_rows,
    dialogues,
    doubted_row,
    drill_rows,
    in_conversations,
    journey_row,
    shortcut_row,
)
from traces.training.prompts import PHRASINGS, ask

TOKENIZER = tiny_tokenizer()
TRACES = [journey(problem, 1, SearchSettings(slips=1.0)) for problem in generate("train", 80, seed=8)]


def learned_text(row: Row) -> str:
    (encoded,) = encode([row], TOKENIZER, 10_000).rows
    return TOKENIZER.decode([label for label in encoded["labels"] if label != -100])


def test_a_journey_row_is_the_response_without_its_slips() -> None:
    for trace in TRACES:
        row = journey_row(trace)
        assert row.completion == trace.raw
        slips = [text for text, learn in trace.extra["segments"] if not learn]
        expected = trace.raw
        for slip in slips:
            expected = expected.replace(f"{slip}\n", "", 1)
        assert learned_text(row) == expected + "<|im_end|>"


def test_kept_traces_become_rows_and_a_reformatted_solution_gets_no_thought(tmp_path: Path) -> None:
    (problem,) = generate("train", 1, 3)
    thought = replace(journey(problem, 1), kept=True)
    solution = replace(thought, thought="", method="teacher", extra={"phase": 1, "shortcut": "2 + 2 = 4."})
    for trace in (thought, solution, replace(thought, kept=False)):
        append_trace(tmp_path / "made.traces.jsonl", trace)
    assert (
        main(["traces", "rows", str(tmp_path / "made.traces.jsonl"), "--out", str(tmp_path / "made.rows.jsonl")]) == 0
    )
    rows = read_rows(tmp_path / "made.rows.jsonl")
    assert [row.kind for row in rows] == ["journey", "shortcut"]
    assert "".join(text for text, _ in rows[1].pieces) == "2 + 2 = 4."


@pytest.mark.parametrize("command", [["rows", "--out"], ["keep", "--rows"], ["keep", "--pairs"]])
def test_traces_are_not_overwritten_by_what_is_made_of_them(
    tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (problem,) = generate("train", 1, 3)
    path = tmp_path / "made.traces.jsonl"
    append_trace(path, replace(journey(problem, 1), kept=True))
    before = path.read_bytes()
    assert main(["traces", command[0], str(path), command[1], str(path.parent / "." / path.name)]) == 1
    assert "would be overwritten" in capsys.readouterr().err and path.read_bytes() == before


def test_the_prompt_is_never_learned() -> None:
    row = shortcut_row(TRACES[0])
    (encoded,) = encode([row], TOKENIZER, 10_000).rows
    head = encoded["labels"].index(next(label for label in encoded["labels"] if label != -100))
    assert TOKENIZER.decode(encoded["input_ids"][:head]).endswith("assistant\n")
    assert encoded["labels"][head:] == encoded["input_ids"][head:]


def test_a_later_turn_is_shown_what_was_said_before_without_thoughts_and_learns_the_same() -> None:
    rows = [*map(journey_row, TRACES), *drill_rows(20, 1), *chat_rows(WRITTEN, 40, 1)]
    placed = in_conversations(rows, 0.5, seed=1)
    assert placed == in_conversations(rows, 0.5, seed=1)
    later = [row for row in placed if row.history]
    assert 30 < len(later) < 90
    assert {row.kind for row in later} == {"journey", "chat"}
    said = {(row.prompt, row.spoken) for row in rows}
    for row, alone in zip(placed, rows, strict=True):
        assert replace(row, history=()) == alone
        assert learned_text(row) == learned_text(alone)
        assert set(row.history) <= said
    assert not any("<think>" in text for row in later for turn in row.history for text in turn)
    shown = TOKENIZER.decode(encode([later[0]], TOKENIZER, 10_000).rows[0]["input_ids"])
    (question, answer), *_ = later[0].history
    assert shown.startswith(f"<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n{answer}<|im_end|>\n")
    assert in_conversations(rows, 0.0, seed=1) == rows


def test_a_doubted_answer_is_right_or_wrong_and_thought_over_either_way() -> None:
    rng = Random(5)
    rows = [doubted_row(trace, rng) for trace in TRACES]
    answers = [row.history[0][1] == trace.answer for row, trace in zip(rows, TRACES, strict=True)]
    assert 20 < sum(answers) < 60
    for row, trace in zip(rows, TRACES, strict=True):
        assert row.prompt in DOUBTS
        assert row.history[0][0] == trace.prompt
        assert row.completion == trace.raw


def test_over_long_rows_are_dropped_and_counted_never_cut() -> None:
    rows = [journey_row(trace) for trace in TRACES]
    lengths = sorted(len(row["input_ids"]) for row in encode(rows, TOKENIZER, 10_000).rows)
    limit = lengths[len(lengths) // 2]
    encoded = encode(rows, TOKENIZER, limit)
    assert encoded.dropped == sum(length > limit for length in lengths)
    assert all(row["input_ids"][-1] == TOKENIZER.eos_token_id for row in encoded.rows)
    assert encoded.tokens == sum(length for length in lengths if length <= limit)


@pytest.mark.parametrize("kind", [maker for maker, _ in KINDS], ids=lambda maker: maker.__name__)
def test_drilled_facts_are_true(kind: object) -> None:
    rng = Random(1)
    for _ in range(300):
        pieces = kind(rng)  # type: ignore[operator]
        assert not false_claims("".join(text for text, _ in pieces))
        assert pieces[-1][1]
        assert not pieces[0][1]


def test_rows_survive_the_file_and_a_changed_file_is_refused(tmp_path: Path) -> None:
    rows = [journey_row(TRACES[0]), *drill_rows(3, 1), *chat_rows(WRITTEN, 4, 1), doubted_row(TRACES[1], Random(1))]
    path = tmp_path / "rows.jsonl"
    sha256 = write_rows(path, rows)
    assert read_rows(path, sha256) == rows
    path.write_text(path.read_text().replace("drill", "chat", 1))
    with pytest.raises(DataError, match="was written for"):
        read_rows(path, sha256)
    path.write_text("{}\n")
    with pytest.raises(DataError, match="line 1"):
        read_rows(path)
    with pytest.raises(DataError, match="no training data"):
        read_rows(tmp_path / "absent.jsonl")


def test_a_line_separator_within_a_text_does_not_end_its_row(tmp_path: Path) -> None:
    rows = [Row("chat", "Say\u2028hello.", (("Hello\u0085there.", True),))]
    write_rows(tmp_path / "rows.jsonl", rows)
    assert read_rows(tmp_path / "rows.jsonl") == rows


@pytest.mark.parametrize("file", [WRITTEN, BASICS, FORMS, REHEARSAL], ids=lambda file: file.stem)
def test_chat_has_no_thought_and_is_spread_evenly(file: Path) -> None:
    pairs = dialogues(file)
    assert all(prompt and reply and "<think>" not in reply for prompt, reply in pairs)
    assert {row.prompt for row in chat_rows(file, len(pairs), 1)} == {prompt for prompt, _ in pairs}
    assert chat_rows(file, 0, 1) == []


def test_no_chat_that_is_measured_is_trained_on_and_half_of_it_is_unlike_any() -> None:
    trained = {prompt for file in (WRITTEN, BASICS, FORMS, REHEARSAL) for prompt, _ in dialogues(file)} | set(prompts())
    known, new = CHAT_PROMPTS.values()
    assert not trained & {*known, *new}
    assert [p for p in new for t in trained if SequenceMatcher(None, words(p), words(t)).ratio() > 0.5] == []


def test_no_everyday_prompt_is_trained_on_or_nearly() -> None:
    rehearsed = read_rows(ROOT / "recipes/qwen-0.5b/rehearsal.rows.jsonl")
    files = (WRITTEN, BASICS, FORMS, REHEARSAL)
    trained = {prompt for file in files for prompt, _ in dialogues(file)} | {row.prompt for row in rehearsed}
    asked = [problem.question for problem in load_open_ended("everyday").problems]
    alike = ((p, t) for p in asked for t in trained if SequenceMatcher(None, parts(p), parts(t)).ratio() > 0.7)
    assert list(alike) == []


def parts(prompt: str) -> list[str]:
    """Words, or signs where the prompt is Chinese."""
    return words(prompt) if prompt.isascii() else list(prompt)


def test_people_ask_in_every_way_and_always_with_the_whole_question() -> None:
    asked = [ask("What is 2 + 3?", Random(seed)) for seed in range(300)]
    assert len(set(asked)) == len(PHRASINGS)
    assert all("What is 2 + 3?" in prompt and "{" not in prompt.replace("\\boxed{}", "") for prompt in asked)
    assert asked.count(MATHS_PROMPT.format(question="What is 2 + 3?")) > 100


OPEN_TEMPLATES = ["<think>", "<think>\n", "<think>\n\n", "<think> \n"]


def opening(end: str) -> PreTrainedTokenizerFast:
    """The tokenizer with a chat template that ends in this text."""
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = TEMPLATE.replace("<|im_start|>assistant\n", "<|im_start|>assistant\n" + end)
    return tokenizer


@pytest.mark.parametrize("end", OPEN_TEMPLATES, ids=ascii)
def test_a_thought_that_the_template_has_opened_is_not_opened_again(end: str) -> None:
    tokenizer = opening(end)
    for row in map(journey_row, TRACES[:20]):
        plain, opened = (encode([row], each, 10_000).rows[0] for each in (TOKENIZER, tokenizer))
        text = tokenizer.decode(opened["input_ids"])
        assert text.count("<think>") == text.count("</think>") == 1
        assert re.sub(r"\s", "", text) == re.sub(r"\s", "", TOKENIZER.decode(plain["input_ids"]))
        learned, expected = (
            TOKENIZER.decode([label for label in each["labels"] if label != -100]) for each in (opened, plain)
        )
        assert learned.lstrip() == expected.removeprefix("<think>").lstrip(), "and the same is learned but the tag"


@pytest.mark.parametrize("end", OPEN_TEMPLATES, ids=ascii)
@pytest.mark.parametrize("row", [*chat_rows(WRITTEN, 2, 1), *drill_rows(1, 1), shortcut_row(TRACES[0])], ids=repr)
def test_an_answer_is_never_learned_inside_a_thought_that_the_template_has_opened(end: str, row: Row) -> None:
    tokenizer = opening(end)
    (encoded,) = encode([row], tokenizer, 10_000).rows
    text = tokenizer.decode(encoded["input_ids"])
    thought, closed, answer = text.partition("<think>")[2].partition("</think>\n\n")
    assert (thought.strip(), bool(closed), answer) == ("", True, row.completion + "<|im_end|>")
    assert TOKENIZER.decode([label for label in encoded["labels"] if label != -100]).startswith("\n</think>")


def test_a_template_that_closes_the_thought_trains_chat_and_refuses_thoughts() -> None:
    tokenizer = opening("<think>\n\n</think>\n\n")
    (row,) = chat_rows(WRITTEN, 1, 1)
    assert tokenizer.decode(encode([row], tokenizer, 10_000).rows[0]["input_ids"]).count("think>") == 2
    with pytest.raises(ConfigError, match="closes the thought"):
        encode([journey_row(TRACES[0])], tokenizer, 10_000)


def test_rows_without_a_question_or_a_reply_are_left_out_and_counted() -> None:
    good = Row("chat", "Hello.", (("Hi.", True),))
    empty = [
        replace(good, pieces=()),
        replace(good, pieces=((" \n", True),)),
        replace(good, pieces=(("Hi.", False),)),
        replace(good, prompt=" "),
    ]
    encoded = encode([*empty, good], TOKENIZER, 10_000)
    assert (len(encoded.rows), encoded.empty, encoded.dropped) == (1, 4, 0)
    assert "4 empty" in encoded_line(encoded, SimpleNamespace(max_length=9))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"kind": "chat", "prompt": "q", "pieces": [["a"]]}', "pieces"),
        ('{"kind": "chat", "prompt": "q", "pieces": "abc"}', "pieces"),
        ('{"kind": "chat", "prompt": 5, "pieces": []}', "prompt"),
        ('{"kind": "talk", "prompt": "q", "pieces": []}', "kind"),
        ("[1]", "not a training row"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_line_that_is_no_row_is_named(tmp_path: Path, line: str, why: str) -> None:
    path = tmp_path / "rows.jsonl"
    write_rows(path, [Row("chat", "q", (("a", True),))])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(DataError, match=rf"line 2.*{why}"):
        read_rows(path)


def test_a_folder_is_no_file_of_rows(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no training data"):
        read_rows(tmp_path, "0" * 64)


def test_even_batches_hold_every_row_once_and_little_padding() -> None:
    rng = Random(3)
    rows = [{"input_ids": [number] * rng.randint(20, 300), "labels": []} for number in range(530)]
    ordered = in_even_batches(rows, 8, seed=1)
    assert sorted(row["input_ids"][0] for row in ordered) == list(range(530))
    assert ordered == in_even_batches(rows, 8, seed=1)
    assert ordered != in_even_batches(rows, 8, seed=2)
    lengths = [len(row["input_ids"]) for row in ordered]
    padded = sum(max(lengths[at : at + 8]) * len(lengths[at : at + 8]) for at in range(0, 530, 8))
    assert padded < 1.15 * sum(lengths)
    firsts = lengths[::8]
    assert firsts != sorted(firsts)
