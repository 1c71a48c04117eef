"""Whether an adapter fits its base: every weight it changes must be there, in the right shape."""

import re
from pathlib import Path

from common.errors import WeightsError
from common.jsonl import parse, read_text
from models.config.adapter_config import CONFIG, read_adapter_config
from models.weights.files import weight_files

KEY = re.compile(r"(?:base_model\.model\.)?(?P<module>.+)\.lora_(?P<embedding>embedding_)?(?P<side>[AB])(?:\.weight)?")
ADAPTER_FILE = "adapter_model.safetensors"
ADAPTER_FILES = (CONFIG, ADAPTER_FILE)
Shapes = dict[str, tuple[int, ...]]


def check_present(folder: Path) -> None:
    """Raise WeightsError unless the folder holds both files of a LoRA adapter."""
    if (folder / "config.json").is_file() and not (folder / CONFIG).is_file():
        remedy = "Name it as a model: {folder: …} or {hub: …}."
        raise WeightsError(f"{folder} is a whole model, not a LoRA adapter.", remedy)
    if missing := [name for name in ADAPTER_FILES if not (folder / name).is_file()]:
        raise WeightsError(f"The adapter {folder} lacks {' and '.join(missing)}.", "Get the whole adapter folder.")


def check_readable(folder: Path) -> None:
    """Raise WeightsError unless the folder holds a readable LoRA adapter. Call it before unpacking a base."""
    from safetensors import SafetensorError, safe_open

    check_present(folder)
    remedy = f"Name a folder with {CONFIG} and {ADAPTER_FILE}."
    config, weights = folder / CONFIG, folder / ADAPTER_FILE
    try:
        values = parse(read_text(config), str(config))
        if not isinstance(values, dict) or values.get("peft_type") != "LORA" or not isinstance(values.get("r"), int):
            raise WeightsError(f"{config} does not describe a LoRA adapter.", remedy)
        with safe_open(weights, "np") as tensors:
            tensors.keys()
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{weights} cannot be read: {getattr(error, 'strerror', None) or error}.", remedy) from error


def check_adapter(base: Path, adapter: Path) -> None:
    """Raise WeightsError, naming the first key that does not fit, unless all of the adapter applies to the base.

    PEFT only warns about such keys and skips them: the merged model would equal the base, and be compared with itself.
    """
    weights = {name: shape for file in weight_files(base) for name, shape in shapes_in(file).items()}
    tensors = shapes_in(adapter / ADAPTER_FILE)
    keys = {key: match for key in sorted(tensors) if (match := KEY.fullmatch(key))}
    if not keys:
        raise _misfit(adapter, base, f"{ADAPTER_FILE} holds no LoRA weights")
    for key, match in keys.items():
        weight = f"{match['module']}.weight"
        if weight not in weights:
            raise _misfit(adapter, base, f"the base has no {weight} for the adapter's {key}")
        other = "B" if match["side"] == "A" else "A"
        partner = key[: match.start("side")] + other + key[match.end("side") :]
        if partner not in tensors:
            raise _misfit(adapter, base, f"the adapter has {key} and no {partner}")
        if not match["embedding"] and tensors[key][0 if match["side"] == "B" else -1] not in weights[weight]:
            raise _misfit(adapter, base, f"{key} has shape {tensors[key]}, and the base's {weight} {weights[weight]}")
    if absent := _absent_target(adapter, weights, {match["module"] for match in keys.values()}):
        raise _misfit(adapter, base, f"the adapter's configuration names {absent}, and its file has no weights for it")


def _absent_target(adapter: Path, weights: Shapes, modules: set[str]) -> str:
    """The first layer that the config lists as adapted but the file has no weights for; empty if there is none."""
    config = read_adapter_config(adapter)
    targets = config.get("target_modules")
    if not isinstance(targets, list) or config.get("layers_to_transform") or config.get("exclude_modules"):
        return ""
    layers = sorted(name.removesuffix(".weight") for name in weights)
    adapted = [layer for layer in layers if any(layer == t or layer.endswith(f".{t}") for t in targets)]
    return next((layer for layer in adapted if layer not in modules), "")


def shapes_in(file: Path) -> Shapes:
    """Name → shape of each tensor. Raises WeightsError if it is not a safetensors file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "np") as tensors:
            return {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{file} cannot be read: {error}.", "Get the file again.") from error


def _misfit(adapter: Path, base: Path, why: str) -> WeightsError:
    return WeightsError(
        f"The adapter {adapter} does not fit the base {base}: {why}.", "Name the base that it was trained on."
    )
