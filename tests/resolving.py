"""Requirements resolved by uv on the public registry, without downloading a package."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LINUX = "x86_64-manylinux_2_31"
MACOS = "14.0"
"""The oldest that torch has a build for."""
UNREACHABLE = re.compile(r"dns error|connect|timed out|Could not fetch|error sending request", re.IGNORECASE)


def resolved(
    files: Sequence[Path],
    python: str,
    constraints: Path | None = None,
    overrides: Path | None = None,
    platform: str = LINUX,
) -> dict[str, str]:
    """{package: version} of requirement files for a platform (Linux on x86-64, or another in uv's words), as wheels.
    Skips where the registry is out of reach, fails where they contradict each other."""
    texts = [path.read_text() if path else "" for path in (constraints, overrides)]
    found = _resolved("\n".join(file.read_text() for file in files), python, *texts, platform)
    if found is None:
        pytest.skip("the package registry cannot be reached")
    return found


@cache
def _resolved(requirements: str, python: str, constraints: str, overrides: str, platform: str) -> dict[str, str] | None:
    uv = Path(sys.executable).with_name("uv")
    command = [str(uv), "pip", "compile", "-", "--quiet", "--python-version", python, "--only-binary", ":all:"]
    command += ["--python-platform", platform, "--no-annotate", "--no-header"]
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("constraints", constraints), ("overrides", overrides)):
            Path(folder, name).write_text(text)
            command += [f"--{name}", str(Path(folder, name))]
        environment = {**os.environ, "MACOSX_DEPLOYMENT_TARGET": MACOS}
        done = subprocess.run(
            command, cwd=folder, env=environment, input=requirements, capture_output=True, text=True, timeout=300
        )
    if done.returncode and UNREACHABLE.search(done.stderr):
        return None
    assert done.returncode == 0, done.stderr
    return dict(re.findall(r"^([\w.-]+)==(\S+)", done.stdout, re.MULTILINE))
