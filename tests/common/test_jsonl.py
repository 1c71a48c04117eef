"""One policy for a torn last line, and bad JSON told in a sentence."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import DataError
from common.jsonl import LINES_AT_ONCE, MOST_DEPTH, append, parse, read, read_text, write, write_text

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


def test_lines_are_on_disk_while_further_ones_are_made(tmp_path: Path) -> None:
    """A set of a million rows is never in memory as a whole, and readers see nothing of it before its end."""
    path, draft = tmp_path / "rows.jsonl", tmp_path / ".rows.jsonl.part"
    write(path, ["old"])
    on_disk = []

    def values() -> Iterator[str]:
        for number in range(3 * LINES_AT_ONCE + 1):
            on_disk.append(len(draft.read_text().splitlines()))
            assert values_in(path) == ["old"]
            yield f"row {number}"

    write(path, values())
    assert max(number - written for number, written in enumerate(on_disk)) <= LINES_AT_ONCE
    assert on_disk[-1] == 3 * LINES_AT_ONCE
    assert values_in(path) == [f"row {number}" for number in range(len(on_disk))] and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("after", [0, 1, 2 * LINES_AT_ONCE + 5])
@pytest.mark.parametrize("error", [DataError("broken"), ValueError("broken"), KeyboardInterrupt(), OSError(5, "x")])
def test_values_that_cannot_be_made_leave_the_old_file(tmp_path: Path, after: int, error: BaseException) -> None:
    path = tmp_path / "rows.jsonl"
    write(path, [1, 2])

    def values() -> Iterator[int]:
        yield from range(after)
        raise error

    with pytest.raises(type(error)) as raised:
        write(path, values())
    assert raised.value is error, "it is not told as a fault of the disk"
    assert values_in(path) == [1, 2] and list(tmp_path.iterdir()) == [path]


def test_a_value_that_is_no_json_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    write(path, [1])
    with pytest.raises(TypeError):
        write(path, [*range(LINES_AT_ONCE), {1, 2}])
    assert values_in(path) == [1] and list(tmp_path.iterdir()) == [path]


def test_a_disk_that_refuses_on_the_way_is_told(tmp_path: Path) -> None:
    path, draft = tmp_path / "rows.jsonl", tmp_path / ".rows.jsonl.part"

    def values() -> Iterator[int]:
        yield from range(LINES_AT_ONCE + 1)
        draft.unlink()
        draft.mkdir()
        yield 1

    with pytest.raises(DataError, match=r"/rows\.jsonl cannot be written: .* Free some disk space"):
        write(path, values())
    draft.rmdir()
    write(path, [])
    assert path.read_text() == "", "no value makes an empty file"
