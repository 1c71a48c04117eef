"""Merges an adapter into its base. The only file of this package that imports peft."""

import sys
from pathlib import Path

from common.paths import cache
from models.weights.adapter import check_adapter
from models.weights.child import handed_over, run_child
from models.weights.files import (
    GIB,
    Report,
    build_once,
    disk_errors,
    ensure_space,
    framing_hash,
    silent,
    weight_files,
    weights_hash,
)

FULL_PRECISION_MERGE_BYTES = 8 * GIB
"""Larger models are merged in bf16: fp32 would take four bytes of memory per weight."""


def merged_folder(base: Path, adapter: Path) -> Path:
    """The cache folder for the adapter merged into `base`, named by the hashes of both and of the base's chat template
    and tokenizer, which it gets as well."""
    names = weights_hash(base)[:12], weights_hash(adapter)[:12], framing_hash(base)[:8]
    return cache() / "weights" / "-".join(("merged", *names))


def merged_model(base: Path, adapter: Path, report: Report = silent) -> Path:
    """The folder of the adapter merged into `base`, built if it is not in the cache."""

    def build(part: Path) -> None:
        check_adapter(base, adapter)
        report("merging the adapter into its base")
        ensure_space(part, int(1.1 * sum(f.stat().st_size for f in weight_files(base))))
        command = [sys.executable, "-m", "models.weights.merge", str(base), str(adapter), str(part)]
        run_child(command, f"Merging {adapter.name} into {base.name}", seconds=4 * 3600)

    return build_once(merged_folder(base, adapter), build)


def merge_adapter(base_dir: Path, adapter_dir: Path, out_dir: Path) -> None:
    """Write base + adapter as one bf16 model into `out_dir`, with the base's tokenizer and chat template."""
    check_adapter(base_dir, adapter_dir)  # before minutes of loading, and also for callers other than `merged_model`
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    small = sum(f.stat().st_size for f in weight_files(base_dir)) < FULL_PRECISION_MERGE_BYTES
    base = AutoModelForCausalLM.from_pretrained(base_dir, dtype=torch.float32 if small else torch.bfloat16)
    merged = PeftModel.from_pretrained(base, str(adapter_dir)).merge_and_unload(safe_merge=True)
    merged.to(torch.bfloat16).save_pretrained(out_dir)
    AutoTokenizer.from_pretrained(base_dir).save_pretrained(out_dir)


if __name__ == "__main__":
    with handed_over(), disk_errors(Path(sys.argv[3])):
        merge_adapter(*(Path(argument) for argument in sys.argv[1:4]))
