"""The command itself: every sub-command has help with an example that parses, and ends with the right exit code."""

import argparse
import errno
import json
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands import arena
from commands.arena import COMMANDS, build_parser, main
from commands.kit.arguments import number, whole
from common.errors import ConfigError
from common.installing import write_command
from common.paths import ROOT
from tests.commands.parsers import leaves

NO_RESULT = {"front-matter"}
LEAVES = leaves(build_parser())


@pytest.mark.parametrize("name", LEAVES)
def test_every_command_has_help_with_an_example_that_parses(name: str) -> None:
    parser = LEAVES[name]
    assert parser.description
    assert parser.epilog
    example = parser.epilog.removeprefix("example:\n  ")
    assert example.startswith(f"arena {name}")
    build_parser().parse_args(shlex.split(example)[1:])
    assert ("--json" in parser.format_help()) == (name not in NO_RESULT)
    for action in parser._actions:
        assert action.help or action.dest in {"file", "top_p", "seed"}, f"arena {name} {action.dest} has no help"


@pytest.mark.parametrize("name", sorted({name.split()[0] for name in LEAVES}))
def test_every_group_lists_its_commands(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert all(leaf.split()[-1] in text for leaf in LEAVES if leaf.startswith(f"{name} "))
    assert "%%" not in text


def test_a_command_is_described_alone_and_the_list_needs_no_library() -> None:
    assert set(leaves(build_parser(["votes"]))) > {"votes summary", "runs"}
    code = (
        "import sys; from commands.arena import main; sys.argv[1:] = ['--help']\ntry: main()\nexcept SystemExit: pass\n"
    )
    code += "print(sorted({'yaml', 'pydantic', 'numpy', 'duckdb', 'torch', 'gradio'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    assert all(name in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("argv", [[], ["nothing"], ["run"], ["grade", "x", "--workers", "0"], ["resume", "x", "--y"]])
def test_wrong_usage_is_one_line_and_exit_code_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert ended.value.code == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert "--help" in errors


@pytest.mark.parametrize("text", ["nan", "inf", "1e999", "x", ""])
def test_a_number_is_finite(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        number(text)


@pytest.mark.parametrize("text", ["-1", "1.5", "9" * 5000, "1e3", ""])
def test_a_whole_number_is_one(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError) as error:
        whole(text)
    assert len(str(error.value)) < 120


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[BaseException]]:
    """What `arena pairs` raises."""
    errors: list[BaseException] = []

    def act(_: argparse.Namespace) -> None:
        raise errors[0]

    monkeypatch.setattr("commands.pairs.list_command", act)
    yield errors


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (ConfigError("A key is wrong.", "Correct it."), 1, "A key is wrong. Correct it.\n"),
        (ConfigError("Two\nlines."), 1, "Two lines.\n"),
        (KeyboardInterrupt(), 130, "\nStopped.\n"),
        (IsADirectoryError(21, "Is a directory", "/x"), 1, "/x cannot be used: Is a directory."),
        (OSError(errno.ENOSPC, "No space left on device"), 1, "The disk is full"),
        (OSError(errno.EDQUOT, "Quota exceeded", "/x"), 1, "The disk is full"),
        (BrokenPipeError(), 1, ""),
    ],
)
def test_what_ends_a_command_is_told(
    ending: list[BaseException],
    error: BaseException,
    code: int,
    says: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    ending.append(error)
    assert main(["pairs"]) == code
    assert capfd.readouterr().err.startswith(says)


@pytest.mark.parametrize("error", [KeyError("x"), OSError(errno.EIO, "not about a file")])
def test_a_defect_is_not_hidden(ending: list[BaseException], error: BaseException) -> None:
    ending.append(error)
    with pytest.raises(type(error)):
        main(["pairs"])


def test_a_very_long_message_keeps_its_beginning_and_its_end(
    ending: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    ending.append(ConfigError(f"There is no file {'x' * 5000}.", "Name another one."))
    main(["pairs"])
    errors = capsys.readouterr().err
    assert errors.startswith("There is no file xxx")
    assert errors.endswith("Name another one.\n")
    assert len(errors) < 700


def test_sigterm_ends_it_as_an_exception_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(_: argparse.Namespace) -> None:
        threading.Timer(0.1, signal.raise_signal, [signal.SIGTERM]).start()
        time.sleep(20)

    monkeypatch.setattr("commands.pairs.list_command", wait)
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        main(["pairs"])
    assert ended.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_script_that_install_writes_works_from_anywhere(tmp_path: Path) -> None:
    """Through a link and from another folder; what the packages are called is not shadowed by the commands."""
    venv = tmp_path / "a venv"
    (venv / "bin").mkdir(parents=True)
    python = venv / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    write_command(python, ROOT)
    write_command(python, ROOT)
    (tmp_path / "arena").symlink_to(venv / "bin" / "arena")
    done = subprocess.run(
        [tmp_path / "arena", "index", "--json"], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["work"] == "Journey Arena"


def test_pyproject_names_the_same_function() -> None:
    assert 'arena = "commands.arena:main"' in (ROOT / "pyproject.toml").read_text()
    assert callable(arena.main)
