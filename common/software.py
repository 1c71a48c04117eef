"""The software installed here, by name and version; and the version of this project, which is stated here alone."""

import platform
from collections.abc import Iterable
from importlib.metadata import distributions

from common.paths import engine

VERSION = "0.21.0"


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of Python, of this project, and of those of `packages` that are installed, here or else in the engine's
    own environment."""
    installed = {"python": platform.python_version(), "journey-arena": VERSION}
    beside_engine = [str(folder) for folder in engine().glob("lib/python*/site-packages")]
    for package in packages:
        candidates = [*distributions(name=package), *distributions(name=package, path=beside_engine)]
        if candidates:
            installed[package] = candidates[0].version
    return installed
