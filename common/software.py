"""The software installed here, by name and version."""

import platform
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from common.paths import ROOT


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of Python, of this project, and of those of `packages` that are installed."""
    installed = {"python": platform.python_version()}
    project = ROOT / "pyproject.toml"
    if project.is_file():  # the folder of a pushed Space has none
        installed["journey-arena"] = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
    for package in packages:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            continue
    return installed
