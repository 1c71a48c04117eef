"""Reads an adapter's adapter_config.json and tells whether the engine can apply the adapter while serving its base."""

import json
from pathlib import Path
from typing import Any

from common.errors import WeightsError

CONFIG = "adapter_config.json"


def read_adapter_config(folder: Path) -> dict[str, Any]:
    """The adapter's adapter_config.json. Raises WeightsError if it is missing or invalid."""
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise WeightsError(f"{path} cannot be read: {error}.", "Get the whole adapter folder again.") from error
    if not isinstance(config, dict):
        raise WeightsError(f"{path} is not an adapter's configuration.", "Get the whole adapter folder again.")
    return config


def rank_of(config: dict[str, Any]) -> int:
    """The largest rank of any of its layers."""
    ranks = [config.get("r"), *(config.get("rank_pattern") or {}).values()]
    return max((int(rank) for rank in ranks if isinstance(rank, int)), default=0)


def why_not_served(folder: Path, most_rank: int) -> str:
    """Why vLLM cannot apply this adapter while serving, worded to follow a colon; empty if it can.

    It supports plain LoRA up to `--max-lora-rank`: no DoRA, no biases, no fully trained layers.
    """
    config = read_adapter_config(folder)
    if config.get("use_dora"):
        return "the adapter is a DoRA, which the engine cannot apply; it has to be merged into its base"
    if saved := config.get("modules_to_save"):
        names = ", ".join(map(str, saved))
        return f"the adapter replaces whole layers ({names}: modules_to_save), so it has to be merged into its base"
    if config.get("lora_bias") or config.get("bias", "none") != "none":
        return "the adapter has biases of its own, so it has to be merged into its base"
    if (rank := rank_of(config)) > most_rank:
        return f"the adapter has rank {rank}, and max-lora-rank is {most_rank}"
    return ""
