"""Whatever stands in a YAML file, the complaint is a sentence that names the file."""

from pathlib import Path

import pytest

from common.errors import ConfigError
from common.strict import read_yaml

CYCLE = "a: &a\n  b: *a\n"
LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\x80\x81binary\xff", "not UTF-8"),
        (b"a: \x00", "not YAML"),
        (b"", "not a mapping"),
        (b"just text", "not a mapping"),
        (b"a: 1\n? [b]\n: 2", "line 2, is not YAML"),
        (b"a: 1\na: 2", "line 2, is not YAML that can be used: key 'a' appears twice"),
        (b"a: " + b"[" * 100_000, "too deeply"),
        (b"a: " + b"[" * 400 + b"]" * 400, "too deeply"),
        (CYCLE.encode(), "too deeply"),
        (b"a: !!int x", "does not fit its type"),
        (b"a: 2024-99-99", "does not fit its type"),
        (b"a: !!timestamp x", "does not fit its type"),
        (b"a: " + b"7" * 5000, "does not fit its type"),
        (b"a: !!python/object:os.system {}", "not YAML"),
    ],
)
def test_what_cannot_be_read_is_explained(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "file.yaml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as error:
        read_yaml(path)
    assert str(error.value).startswith(str(path))
    assert len(str(error.value)) < 400


def test_a_folder_or_a_missing_file_is_explained(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.yaml", tmp_path / ("x" * 300)):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_yaml(path)


def test_shared_parts_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text('\ufeffname: "x\\ud800"\n' + LAUGHS, encoding="utf-8")
    assert read_yaml(path)["name"] == "x\ufffd"
