"""The difference of two sets of weights as a LoRA adapter."""

import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from models.config.adapter_config import CONFIG
from models.weights.adapter import ADAPTER_FILE, ADAPTER_FILES
from models.weights.merge import merge_adapter
from traces.training.configs import lora_config
from traces.training.recipe import Recipe

JOINED = "joined"


class Compression(NamedTuple):
    """How much of the trained difference the adapter keeps."""

    rank: int
    kept: float
    """Share of the squared norm of all differences, 0 to 1."""


def cut(base: Path, trained: Path, recipe: Recipe, out: Path, report: Callable[[str], None]) -> Path:
    """The trained weights as they are served: cut to an adapter of the recipe's rank and merged back into the base."""
    compression = extract_adapter(base, trained, recipe, out / "adapter")
    report(f"Cut to rank {compression.rank}: keeps {100 * compression.kept:.2f} % of the difference.")
    merge_adapter(base, out / "adapter", out)
    return out


def join_adapters(base: Path, first: Path, second: Path, out: Path) -> int:
    """Write two adapters for `base` as one that is exactly their sum; returns its rank, the sum of their ranks.

    `second` may have been trained on `base` with `first` merged into it.
    """
    model: Any = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(first), "first")
    model.load_adapter(str(second), "second")
    model.add_weighted_adapter(["first", "second"], [1.0, 1.0], JOINED, combination_type="cat")
    with TemporaryDirectory() as folder:  # peft writes an adapter with a name into a folder of that name
        model.save_pretrained(folder, selected_adapters=[JOINED])
        out.mkdir(parents=True, exist_ok=True)
        for name in ADAPTER_FILES:
            shutil.copyfile(Path(folder) / JOINED / name, out / name)
    return int(model.peft_config[JOINED].r)


def in_bf16(adapter: Path, out: Path) -> None:
    """Copy a trained adapter with its weights in bf16, which is what it is served in, at half the size."""
    out.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.to(torch.bfloat16) for name, tensor in load_file(adapter / ADAPTER_FILE).items()}
    save_file(tensors, out / ADAPTER_FILE, metadata={"format": "pt"})
    shutil.copyfile(adapter / CONFIG, out / CONFIG)


def extract_adapter(base: Path, trained: Path, recipe: Recipe, out: Path, rank: int | None = None) -> Compression:
    """Write the difference of two weight folders as a LoRA adapter: truncated SVD of each linear layer, in bf16.

    A = √S·Vᵀ (rank × inputs) and B = U·√S (outputs × rank) with the `rank` largest singular values; alpha = rank, so
    that the served layer is W + B·A.
    """
    rank = rank or recipe.adapter.rank
    before = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).state_dict()
    after = AutoModelForCausalLM.from_pretrained(trained, dtype=torch.float32).state_dict()
    tensors: dict[str, torch.Tensor] = {}
    kept = total = 0.0
    for name, old in before.items():
        module = name.removesuffix(".weight")
        if module.split(".")[-1] not in recipe.adapter.target_modules:
            continue
        # Of all matrices of rank r, the first r terms of the SVD are closest to the difference in the Frobenius norm
        # (Eckart–Young): no other adapter of this rank keeps more of what was trained.
        u, s, vt = torch.linalg.svd(after[name] - old, full_matrices=False)
        r = min(rank, s.numel())
        kept += float((s[:r] ** 2).sum())
        total += float((s**2).sum())
        root = s[:r].sqrt()
        # All layers have the same rank: a layer with fewer singular values is padded with zeros.
        a = torch.zeros(rank, old.shape[1], dtype=torch.bfloat16)
        b = torch.zeros(old.shape[0], rank, dtype=torch.bfloat16)
        a[:r], b[:, :r] = root[:, None] * vt[:r], u[:, :r] * root
        tensors[f"base_model.model.{module}.lora_A.weight"] = a
        tensors[f"base_model.model.{module}.lora_B.weight"] = b
    out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, out / ADAPTER_FILE, metadata={"format": "pt"})
    config = lora_config(recipe)
    config.r = config.lora_alpha = rank
    config.inference_mode = True
    config.save_pretrained(str(out))
    return Compression(rank, kept / total if total else 1.0)
