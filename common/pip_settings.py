"""Where pip is told to look for packages, told to uv as well, which does not read pip's configuration."""

import ast
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

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
    """What pip is configured with, in files and PIP_ variables: {option: value}, as `pip config list` names them. Empty
    where there is no pip."""
    listed = subprocess.run([str(python), "-m", "pip", "config", "list"], capture_output=True, text=True, timeout=60)
    found: dict[str, str] = {}
    for section in ("global", "install", ":env:"):  # the later one counts
        for line in listed.stdout.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(section + "."):
                found[name[len(section) + 1 :]] = str(ast.literal_eval(value))
    return found


def uv_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment for uv, which does not read pip's configuration: the same indexes, certificates and limits. A UV_
    variable that is set already counts."""
    environment = dict(os.environ)
    for option, (variable, separator) in PIP_TO_UV.items():
        if option in settings:
            value = settings[option]
            environment.setdefault(variable, separator.join(value.split()) if separator else value)
    if "extra-index-url" in settings:  # pip takes the best version of all indexes, uv the first index with the name
        environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    environment.pop("VIRTUAL_ENV", None)
    return environment
