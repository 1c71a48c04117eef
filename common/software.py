"""The software installed here, by name and version."""

import platform
import tomllib
from collections.abc import Iterable
from importlib.metadata import distributions

from common.paths import ROOT, engine


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of Python, of this project, and of those of `packages` that are installed, here or else in the engine's
    own environment."""
    installed = {"python": platform.python_version()}
    project = ROOT / "pyproject.toml"
    if project.is_file():  # the folder of a pushed Space has none
        installed["journey-arena"] = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
    beside_engine = [str(folder) for folder in engine().glob("lib/python*/site-packages")]
    for package in packages:
        candidates = [*distributions(name=package), *distributions(name=package, path=beside_engine)]
        if candidates:
            installed[package] = candidates[0].version
    return installed
