"""Text files are UTF-8 on every machine: Python would take the locale's encoding, which on Windows is another one."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.paths import ROOT

TEXT_METHODS = {"read_text", "write_text"}
OURS = ("battles", "bench", "commands", "common", "eval", "insights", "models", "traces", "ui", "votes")


def without_encoding(tree: ast.AST) -> Iterator[int]:
    """Lines on which a text file, or what a program prints, is read or written in the locale's encoding."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or any(word.arg in ("encoding", None) for word in node.keywords):
            continue
        called = node.func
        if isinstance(called, ast.Attribute) and called.attr in TEXT_METHODS:
            if not (isinstance(called.value, ast.Name) and called.value.id == "jsonl"):  # UTF-8 always
                yield node.lineno
        elif ast.unparse(called).startswith("subprocess.") and any(word.arg == "text" for word in node.keywords):
            yield node.lineno


@pytest.mark.parametrize("folder", [*OURS, "."])
def test_every_text_file_names_its_encoding(folder: str) -> None:
    paths = sorted((ROOT / folder).glob("*.py" if folder == "." else "**/*.py"))
    assert paths
    found = [f"{path.relative_to(ROOT)}:{line}" for path in paths for line in without_encoding(tree_of(path))]
    assert not found


def tree_of(path: Path) -> ast.AST:
    return ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("path.read_text()", True),
        ("(a / 'b').write_text(text)", True),
        ("path.read_text(encoding='utf-8')", False),
        ("jsonl.read_text(path)", False),
        ("read_text(path)", False),
        ("subprocess.run(command, text=True)", True),
        ("subprocess.run(command, text=True, encoding='utf-8')", False),
        ("subprocess.run(command)", False),
    ],
)
def test_the_check_can_fail(line: str, found: bool) -> None:
    assert bool(list(without_encoding(ast.parse(line)))) == found
