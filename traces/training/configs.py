"""Configurations of TRL, PEFT and DeepSpeed for a recipe, and a summary of them before anything is started."""

from pathlib import Path
from typing import Any

import torch
from accelerate import ParallelismConfig
from accelerate.utils import DeepSpeedSequenceParallelConfig, is_deepspeed_available
from accelerate.utils.deepspeed import HfDeepSpeedConfig
from peft import LoraConfig
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, SFTConfig

from common.errors import ConfigError
from models.config.machine import computes_in_bf16
from traces.training.dataset import (
    Encoded,
    check_some_fit,
    encode,
    encode_preferences,
    read_preferences,
    read_rows,
)
from traces.training.mix import rows_path
from traces.training.recipe import Phase, Recipe
from traces.training.scale.memory import memory_gb, weight_bytes


def uses_bf16(recipe: Recipe) -> bool:
    """Whether to train in bf16. A processor without bf16 units is faster in fp32 (docs/history/smol-135m.md)."""
    if recipe.precision != "auto":
        return recipe.precision == "bf16"
    return torch.cuda.is_available() or computes_in_bf16()


def sft_config(recipe: Recipe, phase: Phase, folder: Path, recipe_folder: Path | None = None) -> SFTConfig:
    """The TRL configuration of a phase on rows. Raises ConfigError for values that TRL refuses."""
    try:
        return SFTConfig(
            **_arguments(recipe, phase, folder, recipe_folder),
            train_sampling_strategy="sequential",
            dataset_kwargs={"skip_prepare_dataset": True},
            packing=phase.packing,
            packing_strategy="bfd",
        )
    except (ValueError, TypeError) as error:
        raise ConfigError(f"Phase {phase.name}: {error}") from error


def dpo_config(recipe: Recipe, phase: Phase, folder: Path, recipe_folder: Path | None = None) -> DPOConfig:
    """The TRL configuration of a phase on preference pairs. Raises ConfigError for values that TRL refuses.

    Half of the loss is the likelihood of the chosen reply: without it DPO may make both replies less likely
    (arXiv 2404.19733, section 2). The reference is what the phase starts from, scored once before the first step.
    """
    try:
        return DPOConfig(
            **_arguments(recipe, phase, folder, recipe_folder),
            beta=phase.beta or 0.1,
            loss_type=["sigmoid", "sft"],
            loss_weights=[1.0, 1.0],
            precompute_ref_log_probs=True,
        )
    except (ValueError, TypeError) as error:
        raise ConfigError(f"Phase {phase.name}: {error}") from error


def _arguments(recipe: Recipe, phase: Phase, folder: Path, recipe_folder: Path | None) -> dict[str, Any]:
    """The arguments that both kinds of phases have in common."""
    hardware = recipe.launch
    return {
        "output_dir": str(folder),
        "max_length": phase.max_length,
        "learning_rate": phase.learning_rate,
        **_schedule(phase),
        "warmup_steps": phase.warmup_steps,
        "num_train_epochs": phase.epochs,
        "per_device_train_batch_size": phase.batch_size,
        "gradient_accumulation_steps": phase.accumulate,
        "weight_decay": phase.weight_decay,
        "bf16": uses_bf16(recipe),
        "use_cpu": not torch.cuda.is_available(),
        "activation_checkpointing": hardware.gradient_checkpointing,
        "activation_offloading": hardware.activation_offload,
        "deepspeed": _deepspeed(recipe, recipe_folder or Path()),
        "parallelism_config": _parallelism(recipe),
        "ddp_timeout": round(60 * hardware.timeout_minutes),
        "logging_steps": 10,
        "save_strategy": "steps",
        "save_steps": recipe.save_steps,
        "save_total_limit": recipe.keep_checkpoints,
        "report_to": list(hardware.report_to) or "none",
        "run_name": f"{recipe.name} {phase.name}",
        "seed": recipe.seed,
        "optim": "adamw_torch_fused",
        "dataloader_pin_memory": False,
        "pad_to_multiple_of": 32,  # few shapes: each new one takes time to prepare and fragments memory
    }


def _schedule(phase: Phase) -> dict[str, Any]:
    if phase.min_learning_rate is None:
        return {"lr_scheduler_type": phase.scheduler}
    rate = phase.min_learning_rate / phase.learning_rate
    return {"lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr_rate": rate}}


def _deepspeed(recipe: Recipe, recipe_folder: Path) -> str | None:
    """The DeepSpeed file; None if DeepSpeed is not installed, which a check tolerates but training does not."""
    file = recipe.launch.deepspeed
    return str(recipe_folder / file) if file and is_deepspeed_available() else None


def _parallelism(recipe: Recipe) -> ParallelismConfig | None:
    """Sequence parallelism: devices that share each row, each with its own part (Ulysses, arXiv 2309.14509)."""
    hardware = recipe.launch
    if hardware.sequence_parallel == 1:
        return None
    handler = DeepSpeedSequenceParallelConfig(sp_seq_length_is_variable=True, sp_attn_implementation=hardware.attention)
    return ParallelismConfig(sp_size=hardware.sequence_parallel, sp_backend="deepspeed", sp_handler=handler)


def lora_config(recipe: Recipe) -> LoraConfig:
    """The PEFT configuration: plain LoRA on linear layers, which vLLM can serve."""
    return LoraConfig(
        r=recipe.adapter.rank,
        lora_alpha=recipe.adapter.alpha,
        lora_dropout=recipe.adapter.dropout,
        target_modules=list(recipe.adapter.target_modules),
        task_type="CAUSAL_LM",
    )


def load_tokenizer(base: Path) -> Any:
    """The tokenizer of a base. Raises ConfigError if its folder has none that can be read."""
    try:
        return AutoTokenizer.from_pretrained(base)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"The tokenizer of the base {base} cannot be read.",
            "Put the model's own tokenizer.json and tokenizer_config.json there.",
        ) from error


def layers_of(base: Path) -> dict[str, bool]:
    """The modules of a base by name, such as model.layers.0.mlp.up_proj, and whether each holds a matrix of weights.

    The weights themselves are not read. Raises ConfigError if config.json describes no language model.
    """
    try:
        config = AutoConfig.from_pretrained(base)
        with torch.device("meta"):
            model: Any = AutoModelForCausalLM.from_config(config)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{base / 'config.json'} describes no language model that Transformers knows.",
            "Name the folder of a causal language model, or update Transformers.",
        ) from error
    return {name: getattr(getattr(module, "weight", None), "ndim", 0) == 2 for name, module in model.named_modules()}


def check_targets(recipe: Recipe, base: Path) -> None:
    """Raise ConfigError unless the base has the layers that the recipe trains.

    The default names need not all be there, since models differ; those that a recipe gives itself do.
    """
    targets = recipe.adapter.target_modules
    layers = layers_of(base)

    def fits(target: str) -> bool:
        if recipe.method == "full_to_lora":  # which knows layers by the last part of their names
            return any(matrix for name, matrix in layers.items() if name.split(".")[-1] == target)
        found = [matrix for name, matrix in layers.items() if f".{name}".endswith(f".{target}")]
        return bool(found) and all(found)

    absent = [target for target in targets if not fits(target)]
    if absent and ("target_modules" in recipe.adapter.model_fields_set or len(absent) == len(targets)):
        there = sorted({name.split(".")[-1] for name, matrix in layers.items() if matrix and "embed" not in name})
        raise ConfigError(
            f"The base {base} has no linear layers named {', '.join(absent)}.",
            f"Set adapter.target_modules in the recipe to some of {', '.join(there)}.",
        )


def check_rows_fit(phase: Phase, data: Path, tokenizer: Any) -> None:
    """Raise DataError unless the rows or pairs of a phase are there, are the recipe's, and can be learned from."""
    path = rows_path(phase, data)
    rows = read_preferences(path, phase.sha256) if phase.beta else read_rows(path, phase.sha256)
    check_some_fit(rows, tokenizer, phase.max_length, path)


def build_configs(recipe: Recipe, recipe_folder: Path, data: Path, base: Path | None) -> list[str]:
    """Build every TRL, PEFT and DeepSpeed configuration and describe each in a line; nothing is started.

    Tokens are counted if the rows exist, and `base`, whose tokenizer counts them. Raises ConfigError for anything that
    one of the libraries refuses, DataError for data that is not the recipe's or of which nothing can be learned.
    """
    lines = []
    tokenizer = load_tokenizer(base) if base else None
    if recipe.launch.deepspeed:
        lines.append(deepspeed_line(recipe_folder / recipe.launch.deepspeed))
    if recipe.method != "full":
        if base:
            check_targets(recipe, base)
        lora = lora_config(recipe)
        lines.append(
            f"PEFT: LoRA of rank {lora.r}, alpha {lora.lora_alpha}, on {', '.join(recipe.adapter.target_modules)}."
        )
    for phase in recipe.phases:
        make_config = dpo_config if phase.beta else sft_config
        config = make_config(recipe, phase, Path("build") / phase.name, recipe_folder)
        rows = phase.batch_size * phase.accumulate * recipe.launch.row_devices
        lines.append(
            f"TRL, phase {phase.name}: {rows} rows a step, learning rate {config.learning_rate:g} "
            f"{phase.scheduler}, at most {config.max_length} tokens a row, so {rows * phase.max_length} "
            f"a step; {config.num_train_epochs:g} epoch(s)."
        )
        path = rows_path(phase, data)
        data_words, tokens = f"{path} does not exist yet", "unknown until its rows and the base are there"
        if path.exists():
            count, encoded = read_and_encode(phase, path, tokenizer)
            data_words = f"{count} rows, {path.stat().st_size:,} bytes, hash as expected"
            tokens = encoded_line(encoded, phase) if encoded else tokens
        elif phase.mix or len(phase.files) > 1:
            made = [f"{phase.mix.total} rows from the seed"] if phase.mix else []
            data_words = (
                f"{' and '.join([*made, *(f'the rows of {file}' for file in phase.files)])} will be put into {path}"
            )
        lines += [f"Data, phase {phase.name}: {data_words}.", f"Tokens, phase {phase.name}: {tokens}."]
    return lines


def read_and_encode(phase: Phase, path: Path, tokenizer: Any | None) -> tuple[int, Encoded | None]:
    """The number of rows or pairs in a phase's file, and their tokens if a tokenizer is given. Raises DataError."""
    if phase.beta:
        pairs = read_preferences(path, phase.sha256)
        if not tokenizer:
            return len(pairs), None
        check_some_fit(pairs, tokenizer, phase.max_length, path)
        return len(pairs), encode_preferences(pairs, tokenizer, phase.max_length).counts
    rows = read_rows(path, phase.sha256)
    if not tokenizer:
        return len(rows), None
    check_some_fit(rows, tokenizer, phase.max_length, path)
    return len(rows), encode(rows, tokenizer, phase.max_length)


def encoded_line(encoded: Encoded, phase: Phase) -> str:
    """What one epoch of a phase learns, in words."""
    return (
        f"{len(encoded.rows)} rows, {encoded.tokens} tokens of which {encoded.learned} are learned, {encoded.dropped} "
        f"rows dropped as longer than {phase.max_length}" + (f", {encoded.empty} empty" if encoded.empty else "")
    )


def read_deepspeed(path: Path) -> HfDeepSpeedConfig:
    """A DeepSpeed file, read by accelerate. Raises ConfigError."""
    try:
        return HfDeepSpeedConfig(str(path))
    except (ValueError, OSError) as error:
        raise ConfigError(f"launch.deepspeed: {path} cannot be read ({error}).") from error


def zero_stage(config: HfDeepSpeedConfig) -> int:
    """The ZeRO stage; 0 if the file does not set it, as in DeepSpeed itself."""
    return int(config.get_value("zero_optimization.stage", 0))


def deepspeed_line(path: Path) -> str:
    """A DeepSpeed file in words. Raises ConfigError."""
    config = read_deepspeed(path)
    offload = "with" if config.is_offload() else "without"
    return f"DeepSpeed: ZeRO stage {zero_stage(config)} {offload} offload, from {path.name}."


def held_bytes(recipe: Recipe) -> int:
    """`weight_bytes` on this machine."""
    return weight_bytes(recipe, bf16=uses_bf16(recipe), gpu=torch.cuda.is_available())


def memory_needed(recipe: Recipe, recipe_folder: Path) -> float:
    """`memory_gb` for training on machines like this one, with the recipe's DeepSpeed file. Raises ConfigError."""
    stage, offloaded = sharding(recipe, recipe_folder)
    return memory_gb(recipe, held_bytes(recipe), stage, offloaded=offloaded)


def sharding(recipe: Recipe, recipe_folder: Path) -> tuple[int, bool]:
    """(ZeRO stage, whether the optimiser's states are in main memory) of the recipe's DeepSpeed file. ConfigError."""
    if not recipe.launch.deepspeed:
        return 0, False
    config = read_deepspeed(recipe_folder / recipe.launch.deepspeed)
    device = config.get_value("zero_optimization.offload_optimizer.device")
    return zero_stage(config), device in ("cpu", "nvme")
