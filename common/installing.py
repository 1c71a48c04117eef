"""Helpers for install.py: pass pip's settings on to uv, explain failures of either, write the `arena` command."""

import ast
import os
import platform
import re
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PIP_TO_UV = {
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "constraint": ("UV_CONSTRAINT", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "no-index": ("UV_NO_INDEX", ""),
    "default-timeout": ("UV_HTTP_TIMEOUT", ""),
    "timeout": ("UV_HTTP_TIMEOUT", ""),
    "cert": ("SSL_CERT_FILE", ""),
    "proxy": ("ALL_PROXY", ""),
}


def pip_settings(python: str | Path) -> dict[str, str]:
    """pip's configuration from files and PIP_ variables: {option: value}, named as in `pip config list`. Without pip,
    only the variables are read."""
    listed = subprocess.run([str(python), "-m", "pip", "config", "list"], capture_output=True, text=True, timeout=60)
    configured: dict[str, str] = {}
    for section in ("global", "install"):  # the later one wins, and variables override both
        for line in listed.stdout.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(section + "."):
                configured[name[len(section) + 1 :]] = str(ast.literal_eval(value))
    variables = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    return configured | {name[4:].lower().replace("_", "-"): value for name, value in variables.items()}


def uv_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment that gives uv the same indexes, certificates and limits, since it does not read pip's
    configuration. UV_ variables that are already set take precedence."""
    environment = dict(os.environ)
    for option, (variable, separator) in PIP_TO_UV.items():
        if option in settings:
            value = settings[option]
            environment.setdefault(variable, separator.join(value.split()) if separator else value)
    if "extra-index-url" in settings:  # pip compares all indexes, uv stops at the first with the package
        environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    if SYSTEM_CERTIFICATES.exists():  # as pip does: a proxy's own certificate is known to the system, not to uv
        environment.setdefault("UV_SYSTEM_CERTS", "1")
    environment.pop("VIRTUAL_ENV", None)
    return environment


UNREACHABLE = re.compile(
    r"Temporary failure in name resolution|NewConnectionError|Connection refused|ConnectTimeout|ProxyError|"
    r"Name or service not known|Max retries exceeded|dns error|error sending request|timed out|connectivity is disabled"
)


def explain(output: str) -> str:
    """Why pip or uv failed, from what it printed."""
    if "No space left on device" in output:
        return "The disk is full. Free some space and run the same command again; finished downloads are kept."
    if "symlink" in output:
        return "This disk has no symbolic links. Name a folder on a local disk in JOURNEY_ENGINE and start again."
    if "No module named pip" in output:
        return "This Python has neither uv nor pip to install it. Install uv, or Debian's python3-pip, and try again."
    if "certificate" in output:
        return (
            "The package registry's certificate is not trusted here. Install Debian's ca-certificates, or name the "
            "certificate of your proxy in SSL_CERT_FILE, and run the same command again."
        )
    if UNREACHABLE.search(output):
        return (
            "The Python package registry cannot be reached. Check the network or the proxy settings (HTTPS_PROXY, "
            "PIP_INDEX_URL) and run the same command again; finished downloads are kept."
        )
    if "No matching distribution found" in output or "No solution found" in output:
        return (
            f"A package has no build for Python {platform.python_version()} on {platform.machine()}, or your package "
            "index does not have it; the messages above name it."
        )
    return "The installation failed; its own messages are above."


def write_command(python: Path, root: Path) -> None:
    """Write the command `arena` next to an environment's Python. It works from any current directory."""
    if python.suffix == ".exe":
        python.with_name("arena.cmd").write_text(f'@"{python}" "{root / "commands"}" %*\n')
        return
    command = python.with_name("arena")
    text = f'#!/bin/sh\n# Written by install.py.\n{shlex.join(["exec", str(python), str(root / "commands")])} "$@"\n'
    if not command.exists() or command.read_text() != text:
        command.write_text(text)
        command.chmod(0o755)
