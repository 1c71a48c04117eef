"""The folder to push as a Hugging Face Space: the code it needs, README front matter, and for Docker a Dockerfile.

Nothing is pushed, and no account is needed.
"""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from common.errors import ConfigError
from common.paths import ROOT
from models.config.registry import ROLES, PairSpec, Profile, SpacesConfig
from models.config.sources import AdapterSource, FolderSource
from models.deployment.card import front_matter, without_front_matter
from models.deployment.dockerfile import dockerfile
from models.deployment.steps import in_image, next_steps, on_hub

PARTS = (
    "app.py",
    "Makefile",
    "install.py",
    "requirements",
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
FOR_LOCAL_WEIGHTS = "\n# Weights, training"
"""The line of requirements.txt after which come packages needed only for local weights. A Space with remote models
omits them."""
LFS_SUFFIXES = ("safetensors", "parquet", "png", "jpg", "gif", "woff2", "zip")
"""File types that the hub accepts only through git-lfs."""


def write_space(config: SpacesConfig, profile: Profile, out: Path, pair: PairSpec) -> str:
    """Write the Space of `profile` into `out`, a new or empty folder, and return what to do next with it for `pair`.

    Raises ConfigError if `out` holds something, if the pair does not fit the profile or loads a folder that would be
    missing in the Space, or for a Docker Space on ZeroGPU.
    """
    if profile.hardware.startswith("zero-") and profile.sdk != "gradio":
        raise ConfigError("ZeroGPU runs Gradio Spaces only.", "Leave out --sdk, or choose another profile.")
    steps = next_steps(profile, pair, out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ConfigError(f"{out} is not empty.", "Name another folder with --out (make space OUT=…), or empty it.")
    files = tracked_files()
    check_weights(profile, pair, files)
    out.mkdir(parents=True, exist_ok=True)
    for path in files:
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, target)
    (out / "requirements.txt").write_text(requirements(profile), encoding="utf-8")
    readme = out / "README.md"
    text = without_front_matter(readme.read_text(encoding="utf-8")) if readme.exists() else ""
    readme.write_text(front_matter(config.space, profile) + text, encoding="utf-8")
    attributes = "".join(f"*.{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LFS_SUFFIXES)
    (out / ".gitattributes").write_text(attributes, encoding="utf-8")
    if profile.sdk == "docker":
        recipe = dockerfile(config.space, profile, pair.key, fetch=in_image(profile, pair))
        (out / "Dockerfile").write_text(recipe, encoding="utf-8")
    elif profile.kv_cache_gib is not None and profile.served_by == "vllm":
        (out / "packages.txt").write_text("libnuma1\n", encoding="utf-8")  # the CPU engine is linked against it
    return steps


def requirements(profile: Profile) -> str:
    """The text of requirements.txt; for remote models, without the packages that only local weights need."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return text.partition(FOR_LOCAL_WEIGHTS)[0] if profile.arrangement == "remote" else text


def check_weights(profile: Profile, pair: PairSpec, files: Sequence[Path]) -> None:
    """Raise ConfigError if `pair` names a folder of weights that is not among the files of the Space."""
    if profile.arrangement == "remote":
        return
    for role in ROLES:
        source = pair.model(role).source(profile.quantization)
        if not isinstance(source, FolderSource | AdapterSource) or on_hub(source):
            continue
        named = source.folder if isinstance(source, FolderSource) else source.adapter
        if not any(file.suffix == ".safetensors" and ROOT / file.parent == ROOT / named for file in files):
            raise ConfigError(
                f"{pair.key} loads {named}, which would not be in the Space.",
                "Move it below models/adapters and `git add` it, or push it to the hub; then name it in spaces.yaml.",
            )


def tracked_files() -> list[Path]:
    """The files under PARTS that git tracks; in a plain copy without git, all files except caches."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--", *PARTS],
            cwd=ROOT,
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=True,
        )
        paths = [Path(name) for name in listed.stdout.split("\0") if name]
    except (OSError, subprocess.SubprocessError):
        paths = []
    if not paths:
        candidates = (
            path for part in PARTS for path in ([ROOT / part] if (ROOT / part).is_file() else (ROOT / part).rglob("*"))
        )
        paths = [path.relative_to(ROOT) for path in candidates if path.is_file() and "__pycache__" not in path.parts]
    return [path for path in paths if (ROOT / path).is_file()]
