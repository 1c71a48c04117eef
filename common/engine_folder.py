"""The folder of the engine's environment: whether it is complete, whose it is, and how it is replaced.

Uses only the standard library, as install.py does.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.paths import ROOT, cache, on_space

STAMP = "engine.installed"
"""Written into an environment that is complete."""
BEGUN = "engine.begun"
"""Written into the folder before anything else."""
ENGINE_GB = {"cpu": 4, "gpu": 16}
"""Disk space for the environment, and its wheels while they are being unpacked."""


def has_engine(folder: Path) -> bool:
    """Whether there is an environment with vLLM: one that install.py completed, or somebody else's."""
    return (folder / STAMP).is_file() or has_own_vllm(folder)


def has_own_vllm(folder: Path) -> bool:
    """Whether this is an environment with vLLM that somebody else has made. It is used, and never changed."""
    if is_ours(folder) or not (folder / "bin" / "python").exists():
        return False
    packages = folder.glob("lib/python*/site-packages/vllm*.dist-info")
    return any(re.match(r"vllm(_cpu)?-\d", package.name) for package in packages)


def is_ours(folder: Path) -> bool:
    """Whether install.py may make the environment here and remove what is there: nothing, or what it made or began."""
    if not folder.exists():
        return True
    # Earlier versions did not mark what they began, but these two places have no other use.
    if folder in [ROOT / ".venv-engine", *([cache() / "engine"] if on_space() else [])]:
        return True
    return folder.is_dir() and (not any(folder.iterdir()) or any((folder / name).is_file() for name in (STAMP, BEGUN)))


@contextmanager
def set_aside(folder: Path) -> Iterator[Path]:
    """Empty the folder for a new environment. A complete one that is there is renamed, since it works only under its
    own name: it is removed at the end, or put back after a failure. Yields its new path, where nothing is if there was
    no complete one. Raises OSError if the folder cannot be renamed, which is then as it was."""
    old = folder.with_name(folder.name + ".replaced-by-journey-arena")
    _put_back(old, folder)  # after a process that was killed
    shutil.rmtree(old, ignore_errors=True)
    if (folder / STAMP).is_file():
        folder.rename(old)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / BEGUN).touch()
        yield old
    except BaseException:
        _put_back(old, folder)
        raise
    discard(old)


def _put_back(old: Path, folder: Path) -> None:
    if (old / STAMP).is_file() and not (folder / STAMP).is_file():
        shutil.rmtree(folder, ignore_errors=True)
        old.rename(folder)


def discard(old: Path) -> None:
    """Remove an environment that was set aside; its stamp first, since a part of one is not to be put back."""
    (old / STAMP).unlink(missing_ok=True)
    shutil.rmtree(old, ignore_errors=True)


def gigabytes(folder: Path) -> float:
    """Disk space that is free once the folder is removed; files that uv's cache shares with it stay."""
    stats = [path.lstat() for path in folder.rglob("*")]
    return sum(stat.st_blocks * 512 for stat in stats if stat.st_nlink == 1) / 1e9
