"""The folder to push as a Hugging Face Space: the code it needs, README front matter, and for Docker a Dockerfile.

Nothing is pushed, and no account is needed.
"""

import shutil
import subprocess
from pathlib import Path

from common.errors import ConfigError
from common.paths import ROOT
from models.config.registry import Profile, SpacesConfig
from models.deployment.card import front_matter, without_front_matter

PARTS = (
    "app.py",
    "Makefile",
    "common",
    "models",
    "eval",
    "traces",
    "votes",
    "insights",
    "battles",
    "ui",
    "commands",
    "docs",
    "recipes",
    "spaces.yaml",
    "README.md",
    "LICENSE",
)
REQUIREMENTS = {
    "gradio": ("requirements.txt",),
    "docker": ("requirements-cpu.txt", "requirements-cpu-engine.txt"),
}
LFS_SUFFIXES = ("safetensors", "parquet", "png", "jpg", "gif", "woff2", "zip")
"""Kinds of files that the hub takes through git-lfs only."""

DOCKERFILE = """\
# Written by `make space PROFILE={profile}`. The CPU engine is installed in two steps: requirements-cpu.txt, then the
# engine without its dependencies, some of which do not load beside a CPU build of torch.
FROM python:{python}-slim
RUN apt-get update && apt-get install -y --no-install-recommends libnuma1 g++ && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 1000 user
USER user
ENV HOME=/home/user PATH=/home/user/.local/bin:$PATH
RUN mkdir -p /home/user/app
WORKDIR /home/user/app
COPY --chown=user requirements-cpu.txt requirements-cpu-engine.txt ./
RUN pip install --no-cache-dir -r requirements-cpu.txt && \\
    pip install --no-cache-dir --no-deps -r requirements-cpu-engine.txt
COPY --chown=user . .
RUN mkdir -p /home/user/.local/bin && \\
    printf '#!/bin/sh\\nexec python /home/user/app/commands "$@"\\n' > /home/user/.local/bin/arena && \\
    chmod +x /home/user/.local/bin/arena
ENV JOURNEY_PROFILE={profile} JOURNEY_PAIR={pair} GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT={port}
RUN arena fetch
EXPOSE {port}
CMD ["python", "app.py"]
"""


def write_space(config: SpacesConfig, profile: Profile, out: Path) -> str:
    """Write the Space of `profile` into `out`, a new or empty folder, and return what to do next.

    Raises ConfigError if `out` holds something.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is not empty.", "Name another folder with --out (make space OUT=…), or empty it.")
    out.mkdir(parents=True, exist_ok=True)
    for path in tracked_files():
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target)
    for name in REQUIREMENTS[profile.sdk]:
        shutil.copy2(ROOT / name, out / name)
    readme = out / "README.md"
    text = without_front_matter(readme.read_text(encoding="utf-8")) if readme.exists() else ""
    readme.write_text(front_matter(config.space, profile) + text, encoding="utf-8")
    (out / ".gitattributes").write_text(
        "".join(f"*.{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LFS_SUFFIXES)
    )
    if profile.sdk == "docker":
        (out / "Dockerfile").write_text(dockerfile(config, profile))
    return next_steps(config, profile, out)


def tracked_files() -> list[Path]:
    """The files of PARTS that belong to the repository; in a plain copy without git, all but caches."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--", *PARTS], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
        )
        paths = [Path(name) for name in listed.stdout.split("\0") if name]
    except (OSError, subprocess.SubprocessError):
        paths = []
    if not paths:
        found = (
            path for part in PARTS for path in ([ROOT / part] if (ROOT / part).is_file() else (ROOT / part).rglob("*"))
        )
        paths = [path.relative_to(ROOT) for path in found if path.is_file() and "__pycache__" not in path.parts]
    return [path for path in paths if (ROOT / path).is_file()]


def dockerfile(config: SpacesConfig, profile: Profile) -> str:
    card = config.space
    return DOCKERFILE.format(
        profile=profile.key, pair=config.default_pair, python=card.python_version, port=card.app_port
    )


def next_steps(config: SpacesConfig, profile: Profile, out: Path) -> str:
    pair = config.pairs[config.default_pair]
    lines = [
        f"The Space is in {out}. To push it:",
        "  hf auth login",
        f"  hf repos create <you>/journey-arena --type space --sdk {profile.sdk} --flavor {profile.hardware}",
        f"  hf upload <you>/journey-arena {out} . --type space",
        "In the Space's settings, set these variables:",
        f"  JOURNEY_PROFILE={profile.key}, JOURNEY_PAIR (default {pair.key}); HF_TOKEN as a secret for gated models",
    ]
    for source in (profile.base, profile.distilled):
        if source is not None:
            names = [name for name in (source.address_env, source.model_env, source.key_env) if name]
            lines.append(f"  {', '.join(names)} ({source.key_env} as a secret)" if source.key_env else ", ".join(names))
    return "\n".join(lines)
