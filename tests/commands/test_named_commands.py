"""Every `arena …` command that a message, a docstring or a document names is one that the parser accepts."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.arena import build_parser
from common.paths import ROOT
from tests.commands.parsers import leaves

PARSER = build_parser()
LEAVES = leaves(PARSER)
SUFFIXES = (".py", ".md", ".yaml")
FOLDERS = ("common", "models", "eval", "traces", "votes", "battles", "ui", "commands", "recipes", "docs", "bench")
SPANS = re.compile(
    r"`(?:\.venv/bin/)?(arena [^`\n]+)`|^[# ]*(?:\d\. [\w ]+: +)?(?:\.venv/bin/)(arena .+?)(?: {2,}.*)?$", re.MULTILINE
)
PLACEHOLDERS = {"…", "..."}


def documents() -> Iterator[Path]:
    yield from (ROOT / name for name in ("README.md", "CONTRIBUTING.md", "spaces.yaml") if (ROOT / name).exists())
    for folder in FOLDERS:
        yield from (path for path in sorted((ROOT / folder).rglob("*")) if path.suffix in SUFFIXES)


NAMED = sorted({
    (path.relative_to(ROOT).as_posix(), (span[1] or span[2]).strip())
    for path in documents()
    for span in SPANS.finditer(path.read_text(encoding="utf-8"))
})  # fmt: skip


def test_commands_are_named() -> None:
    assert len(NAMED) > 30


@pytest.mark.parametrize(("document", "text"), NAMED)
def test_a_named_command_is_one(document: str, text: str) -> None:
    words = [word for word in shlex.split(text.split(" | ")[0], comments=True)[1:] if word not in PLACEHOLDERS]
    path = next((name for n in (2, 1) if (name := " ".join(words[:n])) in LEAVES), None)
    if path is None:
        groups = {name.split()[0] for name in LEAVES}
        assert not words or words[0].startswith("-") or (words[0] in groups and len(words) == 1), f"{document}: {text}"
        return
    rest = words[len(path.split()) :]
    known = {option for action in LEAVES[path]._actions for option in action.option_strings}
    options = {word.split("=")[0].strip("[],.") for word in rest if word.strip("[").startswith("--")}
    assert options <= known, f"{document}: {text}"
    if rest and "…" not in text and "[" not in text and "{" not in text:
        PARSER.parse_args(words)
