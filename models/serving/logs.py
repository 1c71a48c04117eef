"""What a model server's log says about why it ended."""

import re
from pathlib import Path

from common.errors import ServerError

TAIL_BYTES = 64 * 1024
KEEP_BYTES = 4 * 2**20
_MEMORY = re.compile(
    r"out of memory|OutOfMemoryError|cannot allocate memory|not enough memory|bad_alloc|MemoryError"
    r"|no available memory for the cache"
    r"|core proc\(s\): \{[^}]*: -9\b|exit code: -9\b",  # the kernel killed a process of the engine
    re.IGNORECASE,
)
_GPU_MEMORY = re.compile(r"CUDA out of memory|CUDA error: out of memory|torch\S*\.OutOfMemoryError")
_GPU_IN_USE = re.compile(r"less than desired GPU memory utilization")
_HOPELESS = {
    "its KV cache is too small for one reply of full length": r"No available memory for the cache blocks"
    r"|larger than the (available KV cache memory|maximum number of tokens that can be stored in KV cache)"
    r"|(needed|required),? which is larger than the available KV cache",
    "the NVIDIA driver is too old for the engine": r"driver (version )?(on your system )?is (insufficient|too old)"
    r"|forward compatibility was attempted",
    "the GPU is too old for the engine": r"no kernel image is available",
    "the adapter does not suit the engine": r"greater than max_lora_rank|modules_to_save"
    r"|unsupported LoRA (weight|module)|only supports? .* LoRA modules",
    "the GPUs cannot compute in the precision asked for": r"online quant requires|fp8 .* (is )?not supported (on|by)",
    "the engine cannot serve weights of this kind": r"Unknown quantization method|not supported for quantization method"
    r"|does not match the quantization method",
    "its arguments are wrong": r"unrecognized arguments|must be divisible by tensor parallel|invalid choice",
}
"""Permanent failures, recognised by the engine's log messages. Loading 145 GB again would only waste time."""
_REASON = re.compile(r"\b\w*(Error|Exception)\b\s*:\s*\S")
_PREFIX = re.compile(r"^(\(\w+ pid=\d+\)\s*)?((ERROR|WARNING|INFO)\s[\d-]+\s[\d:]+\s*\[[^\]]*\]\s*)?")


class CostlyFailure(ServerError):
    """A failure after minutes of loading that would most likely happen again on the next start."""


def rotate(log: Path) -> None:
    """Rename a log larger than KEEP_BYTES to `<name>.1`, replacing any older one."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > KEEP_BYTES:
        log.replace(log.with_name(log.name + ".1"))


def tail(log: Path, start: int = 0) -> list[str]:
    """The last lines written after byte `start`, without the engine's own prefixes."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(start, size - TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    lines = (_PREFIX.sub("", line).rstrip() for line in text.splitlines())
    return [line for line in lines if line.strip()]


def explain_end(name: str, code: int | None, log: Path, start: int, *, loading: bool = False) -> ServerError:
    """The error to show for a server that exited with `code`, quoting the reason from its log; `loading`: whether it
    exited before it was ready."""
    lines = tail(log, start)
    reasons = [line.strip() for line in lines if _REASON.search(line)]
    quoted = " | ".join(line[:300] for line in (reasons[:1] + reasons[-1:] if reasons else lines[-3:]))
    how = f"The server of {name} ended (code {code})"
    quotation = f" Its log says: {quoted}" if quoted else ""
    for why, sign in _HOPELESS.items():
        if any(re.search(sign, line, re.IGNORECASE) for line in [*reasons, *lines[-3:]]):
            return ServerError(
                f"{how}: {why}.{quotation}", "It is not tried again: choose another profile or pair.", "cannot_start"
            )
    if loading and any(_GPU_MEMORY.search(line) for line in lines):
        return CostlyFailure(
            f"{how}: not enough memory on the GPU.{quotation}",
            "Close what else uses it, or choose a smaller pair, or a profile with a shorter context or fp8.",
        )
    if any(_GPU_IN_USE.search(line) for line in lines):
        return ServerError(
            f"{how}: other programs use too much of the GPU's memory.{quotation}",
            "Close them, or start the app again: without JOURNEY_PROFILE it plans with what is free.",
        )
    if code in (-9, 137) or any(_MEMORY.search(line) for line in lines):
        return ServerError(
            f"{how}: not enough memory.{quotation}", "Close other programs, or choose a smaller pair or profile."
        )
    return ServerError(f"{how}.{quotation}", f"The whole log is {log}.")
