"""The engine's own environment: found, or made at the first start with its progress told, once for both sides."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from common import paths
from common.errors import ServerError
from models.serving import engine

COMPLETE = 'import pathlib, sys; f = pathlib.Path(sys.argv[2]); f.mkdir(); (f / "engine.installed").touch()'


@pytest.fixture
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No engine anywhere; the folder where one is expected."""
    monkeypatch.setenv("JOURNEY_ENGINE", str(tmp_path / "engine"))
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    monkeypatch.setattr(engine, "ROOT", tmp_path)
    return tmp_path / "engine"


def installer(folder: Path, text: str) -> None:
    folder.parent.joinpath("install.py").write_text(text)


def test_an_environment_of_its_own_comes_first(nothing_installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda _: object())
    assert engine.engine_python(lambda _: None) == sys.executable  # all in one environment
    nothing_installed.mkdir()
    assert engine.engine_python(lambda _: None) == sys.executable  # one that is only half made
    (nothing_installed / "engine.installed").touch()
    assert engine.engine_python(lambda _: None) == str(nothing_installed / "bin" / "python")


def test_an_environment_that_has_vllm_is_used_as_it_is(nothing_installed: Path) -> None:
    """Somebody else's, which JOURNEY_ENGINE names."""
    (nothing_installed / "bin").mkdir(parents=True)
    (nothing_installed / "bin" / "python").touch()
    assert engine.is_missing()
    (nothing_installed / "lib" / "python3.12" / "site-packages" / "vllm-0.32.0.dist-info").mkdir(parents=True)
    assert not engine.is_missing()
    assert engine.engine_python(lambda _: None) == str(nothing_installed / "bin" / "python")
    (nothing_installed / "engine.begun").touch()  # ours after all, and only half made
    assert engine.is_missing()


def test_it_is_made_once_and_its_progress_is_told(nothing_installed: Path) -> None:
    installer(
        nothing_installed, f'print("Downloading torch (700MiB)"); print("again", file=open("calls", "a")); {COMPLETE}'
    )
    said: list[str] = []
    with ThreadPoolExecutor(2) as both:
        found = {future.result() for future in [both.submit(engine.engine_python, said.append) for _ in range(2)]}
    assert found == {str(nothing_installed / "bin" / "python")}
    assert "installing the engine: Downloading torch (700MiB)" in said
    assert (nothing_installed.parent / "calls").read_text().count("again") == 1


def test_a_failure_is_told_in_the_installers_words(nothing_installed: Path) -> None:
    installer(nothing_installed, 'import sys; sys.exit("\\nOnly 2.0 GB are free. Free some space.")')
    with pytest.raises(ServerError, match=r"could not be installed\. Only 2\.0 GB are free"):
        engine.engine_python(lambda _: None)


@pytest.mark.parametrize("printed", ["'╰─▶ нет'.encode()", r"b'caf\xe9'"])
def test_its_words_are_read_even_if_some_are_in_another_encoding(nothing_installed: Path, printed: str) -> None:
    installer(nothing_installed, f"import os; os.write(1, {printed}); os._exit(1)")
    with pytest.raises(ServerError, match=r"could not be installed\. (╰─▶ нет|caf\ufffd)"):
        engine.engine_python(lambda _: None)


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNEY_ENGINE", raising=False)
    monkeypatch.setenv("JOURNEY_CACHE", str(tmp_path))
    monkeypatch.setenv("SPACE_ID", "me/arena")
    assert paths.engine() == tmp_path / "engine"
    monkeypatch.setenv("JOURNEY_ENGINE", "/image/.venv-engine")
    assert paths.engine() == Path("/image/.venv-engine")
    monkeypatch.delenv("JOURNEY_ENGINE")
    monkeypatch.delenv("SPACE_ID")
    assert paths.engine().name == ".venv-engine"


def test_a_read_only_code_folder_keeps_data_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNEY_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(paths.os, "access", lambda *_: False)
    assert paths.home() == tmp_path / "journey-arena" / "data"
