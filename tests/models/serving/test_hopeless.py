"""What no second try can change is tried once; one server for both sides says that it is shared."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from models.config.layout import engines_for
from models.config.machine import Processor
from models.config.plan import Plan
from models.config.registry import load_config
from models.serving import pair as served
from models.serving import server as process
from models.serving.logs import CostlyFailure, explain_end
from models.serving.pair import ServedPair
from models.serving.server import Launch, Server, free_port
from models.weights import served as loaded

CONFIG = load_config()
HOPELESS = [
    (
        "(EngineCore pid=9) ERROR 11-28 10:00:00 [core.py:100] ValueError: To serve at least one request with the "
        "models's max seq len (32768), (10.0 GiB KV cache is needed, which is larger than the available KV cache "
        "memory (2.3 GiB).",
        "KV cache is too small",
    ),
    ("ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization`", "KV cache"),
    ("RuntimeError: The NVIDIA driver on your system is too old (found version 12040).", "driver is too old"),
    ("torch.AcceleratorError: CUDA error: no kernel image is available for execution on the device", "GPU is too old"),
    ("ValueError: LoRA rank 256 is greater than max_lora_rank 128.", "adapter does not suit"),
    ("ValueError: FP8 PTPC online quant requires a kernel that honors per-token activation quantization", "precision"),
    ("ValueError: Unknown quantization method: fp16_weights. Must be one of ['awq', 'fp8']", "weights of this kind"),
    ("ValueError: torch.bfloat16 is not supported for quantization method fp16_weights.", "weights of this kind"),
    ("api_server.py: error: unrecognized arguments: --no-such-flag", "arguments are wrong"),
]
PASSING = [
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB",
    "ValueError: Free memory on device (1.2/22.0 GiB) on startup is less than desired GPU memory utilization",
    "OSError: [Errno 98] Address already in use",
    "INFO the adapter's modules_to_save is null\nINFO one\nINFO two\nINFO three\nConnectionError: reset",
]


@pytest.mark.parametrize(("line", "words"), HOPELESS)
def test_how_the_engine_says_that_it_cannot_start(line: str, words: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(f"INFO starting\n{line}\n")
    error = explain_end("Qwen", 1, log, 0)
    assert error.refusal == "cannot_start" and words in str(error)


@pytest.mark.parametrize("text", PASSING)
def test_what_may_pass_is_tried_again(text: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(text)
    assert explain_end("Qwen", 1, log, 0).refusal == ""


def test_a_gpu_that_others_use_is_told_as_one(tmp_path: Path) -> None:
    """A smaller pair takes the same share of it."""
    log = tmp_path / "log"
    log.write_text(PASSING[1])
    words = str(explain_end("Qwen", 1, log, 0, loading=True))
    assert "other programs use too much of the GPU's memory" in words and "smaller pair" not in words


def test_memory_of_the_gpu_counts_only_until_the_server_is_ready(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(PASSING[0])
    assert isinstance(explain_end("Qwen", 1, log, 0, loading=True), CostlyFailure)
    assert not isinstance(explain_end("Qwen", 1, log, 0), CostlyFailure)
    log.write_text(PASSING[1])  # another server's memory may be free a moment later
    assert not isinstance(explain_end("Qwen", 1, log, 0, loading=True), CostlyFailure)


@pytest.mark.parametrize(
    "line",
    [
        "RuntimeError: Engine core initialization failed. See above. Failed core proc(s): {'EngineCore': -9}",
        "RuntimeError: Engine core initialization failed. Failed core proc(s): {'EngineCore_0': 1, 'EngineCore_1': -9}",
        "ERROR Worker proc VllmWorker-1 died unexpectedly (exit code: -9), shutting down executor.",
    ],
)
def test_the_kernel_kills_a_process_of_the_engine(line: str, tmp_path: Path) -> None:
    """The one that answers requests then exits with code 1."""
    log = tmp_path / "log"
    log.write_text(f"INFO starting\n{line}\n")
    error = explain_end("Qwen", 1, log, 0, loading=True)
    assert "not enough memory." in str(error) and error.refusal == ""
    log.write_text(f"INFO starting\n{line.replace('-9', '-11')}\n")
    assert "memory" not in str(explain_end("Qwen", 1, log, 0, loading=True))


def test_it_is_started_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "FIRST_BACKOFF_SECONDS", 0.1)
    starts = []

    def prepare(_: Callable[[str], None]) -> Launch:
        starts.append(1)
        text = "raise SystemExit('RuntimeError: The NVIDIA driver on your system is too old (found version 12040).')"
        return Launch([sys.executable, "-c", text], {}, free_port())

    server = Server("Qwen", prepare, tmp_path / "log")
    server.start()
    end = time.monotonic() + 60
    while server.status().phase != "failed" and time.monotonic() < end:
        time.sleep(0.05)
    assert len(starts) == 1
    assert "driver is too old" in server.status().detail and "not tried again" in server.status().detail


def test_both_sides_of_one_model_share_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pair, profile = CONFIG.pairs["qwen3-8b-thinking"], CONFIG.profiles["l40s"]
    engines = engines_for(pair, profile, Processor((0, 1), True))
    assert isinstance(engines, list)
    monkeypatch.setattr(served, "make_plan", lambda *_, **__: Plan(pair, profile, tuple(engines)))
    monkeypatch.setattr(loaded, "find_weights", lambda *_: tmp_path)
    monkeypatch.setattr(loaded, "weights_hash", lambda _: "hash")
    both = ServedPair(CONFIG, pair)
    both._lives["base"]._set("restarting", "try 2 of 5. It died")
    for role in ("base", "distilled"):
        assert both.status(role).sentence.endswith("both models share this server")
    found = loaded.find_served(pair, profile, engines[0])
    assert found == (tmp_path, None)
    assert found.hash("base") == found.hash("distilled") == "hash"


def test_servers_of_their_own_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    both = ServedPair(CONFIG, CONFIG.pairs["smol-135m"], CONFIG.profiles["cpu"])
    both._lives["base"]._set("restarting", "It died")
    assert "share" not in both.status("base").sentence
    assert both.status("distilled").phase == "waiting"
