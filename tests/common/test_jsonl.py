"""One policy for a torn last line, and bad JSON told in a sentence."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import DataError
from common.jsonl import MOST_DEPTH, append, parse, read, read_text, write, write_text

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def values_in(path: Path) -> list[Any]:
    return [line.value for line in read(path)]


def test_a_value_added_after_a_torn_line_is_kept_and_so_are_those_before_it(tmp_path: Path) -> None:
    path = tmp_path / "marks.jsonl"
    append(path, [{"mark": 1}])
    with path.open("a") as file:
        file.write('{"mark": 2, "rat')  # the process dies here
    append(path, [{"mark": 3}])
    assert values_in(path) == [{"mark": 1}, {"mark": 3}]


@given(st.lists(VALUES, min_size=1, max_size=4), VALUES, st.data())
def test_whatever_is_cut_off_the_end_costs_only_the_values_that_are_cut(
    tmp_path_factory: pytest.TempPathFactory, before: list[Any], after: Any, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("cut") / "file.jsonl"
    append(path, before)
    content = path.read_bytes()
    last = len(content[:-1]) - (content[:-1].rfind(b"\n") + 1)
    path.write_bytes(content[: len(content) - data.draw(st.integers(2, last + 1)) if last > 1 else len(content)])
    torn = path.read_bytes()[path.read_bytes().rfind(b"\n") + 1 :]
    try:
        kept = [json.loads(torn)] if torn else []  # the beginning of a number is a number
    except ValueError:
        kept = []
    whole = before if last <= 1 else before[:-1] + kept
    append(path, [after])
    assert values_in(path) == [*whole, after]


def test_an_editor_that_drops_the_last_line_end_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('\ufeff{"a": 1}\n\n{"a": 2}')
    append(path, [{"a": 3}])
    assert values_in(path) == [{"a": 1}, {"a": 2}, {"a": 3}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("[" * 300 + "]" * 300, "nested too deeply"),
        ("7" * 5000, "thousands of digits"),
        ('{"a": ', "not JSON"),
        ("\x00\x01", "not JSON"),
    ],
)
def test_what_is_no_json_is_told_with_its_place(text: str, words: str) -> None:
    with pytest.raises(DataError, match=rf"rows\.jsonl, line 3 .*{words}"):
        parse(text, "rows.jsonl, line 3")


def test_half_a_character_is_replaced(tmp_path: Path) -> None:
    value = parse(r'{"a": "x\ud800", "b": "\ud83d\ude00"}', "here")
    write(tmp_path / "f.jsonl", [value])
    assert values_in(tmp_path / "f.jsonl") == [{"a": "x\ufffd", "b": "😀"}]


def test_a_folder_where_a_file_is_wanted_is_told(tmp_path: Path) -> None:
    for use in (lambda: list(read(tmp_path)), lambda: append(tmp_path, [1]), lambda: write(tmp_path, [1])):
        with pytest.raises(DataError, match="cannot be"):
            use()


def test_what_is_read_can_be_copied_and_written(tmp_path: Path) -> None:
    text = "[" * MOST_DEPTH + "]" * MOST_DEPTH
    value = parse(text, "here")
    assert json.dumps(copy.deepcopy(value)) == text


def test_a_text_file_is_read_and_written_whole_or_explained(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.md"
    write_text(path, "half \ud800 é")
    assert read_text(path) == "half ? é"
    path.write_text("\ufeffmark", encoding="utf-8")
    assert read_text(path) == "mark"
    path.write_bytes(b"\xff\x00")
    with pytest.raises(DataError, match="is not UTF-8"):
        read_text(path)
    for wrong in (tmp_path, tmp_path / "none", path / "below", tmp_path / ("x" * 300)):
        with pytest.raises(DataError, match="cannot be read"):
            read_text(wrong)
    for wrong in (tmp_path, path / "below", tmp_path / ("x" * 300)):
        with pytest.raises(DataError, match="cannot be written"):
            write_text(wrong, "x")
    assert list(tmp_path.rglob(".*")) == []
