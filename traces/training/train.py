"""Fine-tuning in phases with TRL and PEFT: supervised on rows, or by preference (DPO) on pairs.

Method `lora` trains low-rank adapters. `full_to_lora` trains the linear weights themselves (embeddings and norms stay
as they are); the truncated SVD of each layer's difference then becomes the adapter (`traces.training.lora`).
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import is_deepspeed_available
from datasets import Dataset
from peft import PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, ProgressCallback
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer, pack_dataset

from common.errors import ConfigError
from common.jsonl import write_text
from traces.training.callbacks import CurveBar, Watch
from traces.training.checkpoints import (
    PhaseResult,
    begin,
    check_rows,
    forget_finished,
    last_checkpoint,
    note_start,
    phases_done,
)
from traces.training.configs import (
    check_rows_fit,
    check_targets,
    dpo_config,
    encoded_line,
    held_bytes,
    load_tokenizer,
    lora_config,
    sft_config,
)
from traces.training.dataset import (
    Encoded,
    check_some_fit,
    encode,
    encode_preferences,
    in_even_batches,
    read_preferences,
    read_rows,
)
from traces.training.lora import cut
from traces.training.mix import after, rows_path
from traces.training.recipe import Phase, Recipe
from traces.training.scale.group import agreed, open_group, wait_for_all
from traces.training.scale.processes import is_first


class CompletionTrainer(SFTTrainer):
    """TRL's trainer, except that on a CPU only the learned positions are projected onto the vocabulary.

    TRL's fused head scores every position, prompts included, in fp32, which measured at half the speed. Several
    processes still use it: only a forward pass of the wrapped model, which is bypassed here, synchronises gradients.
    """

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        on_cpu = inputs["input_ids"].device.type == "cpu"
        if return_outputs or not on_cpu or self.accelerator.num_processes > 1:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        inner: Any = self.accelerator.unwrap_model(model)
        inner = inner.get_base_model() if isinstance(inner, PeftModel) else inner
        # The output at position i predicts token i + 1, so labels shift one to the left. Label −100 marks what is shown
        # but not learned: prompts, padding, and calculations that are wrong on purpose.
        targets = inputs["labels"][:, 1:]
        learned = targets != -100
        # Packed rows have no mask: their position ids, which restart with each row, keep them apart.
        seen = {name: inputs[name] for name in ("input_ids", "attention_mask", "position_ids") if name in inputs}
        # Accelerate's autocast wraps the forward pass of the whole model, which is not called here.
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.args.bf16):
            body = inner.base_model(**seen, use_cache=False)
            logits = inner.get_output_embeddings()(body.last_hidden_state[:, :-1][learned])
        total = torch.nn.functional.cross_entropy(logits.float(), targets[learned], reduction="sum")
        # With gradient accumulation, the mean is over all tokens of the step, not over the batch means.
        return total / (learned.sum().clamp(min=1) if num_items_in_batch is None else num_items_in_batch)


def load_model(weights: Path, base: Path, recipe: Recipe) -> Any:
    """The model to train; only what the method trains is trainable.

    `weights` is the base, or what the phase before saved: an adapter for `lora`, a whole model otherwise.
    """
    dtype = torch.bfloat16 if held_bytes(recipe) == 2 else torch.float32
    model: Any = AutoModelForCausalLM.from_pretrained(
        base if recipe.method == "lora" else weights,
        dtype=dtype,
        attn_implementation=recipe.launch.attention,
    )
    model.config.use_cache = False
    if recipe.method == "lora":
        if weights == base:
            return get_peft_model(model, lora_config(recipe))
        return PeftModel.from_pretrained(model, str(weights), is_trainable=True)
    if recipe.method == "full_to_lora":
        for name, parameter in model.named_parameters():
            module, kind = name.split(".")[-2:]
            parameter.requires_grad_(kind == "weight" and module in recipe.adapter.target_modules)
    return model


def rows_trainer(
    model: Any, tokenizer: Any, config: SFTConfig, phase: Phase, path: Path, row_devices: int
) -> tuple[Any, Encoded]:
    """The trainer of a phase on rows, and what it learns from. Raises DataError if no row can be learned."""
    given = read_rows(path, phase.sha256)
    check_some_fit(given, tokenizer, phase.max_length, path)
    data = encode(given, tokenizer, phase.max_length)
    rows = packed(data.rows, phase.max_length) if phase.packing else data.rows
    # Each device takes a batch in turn and waits for the others, so their batches should have similar lengths.
    rows = in_even_batches(rows, phase.batch_size * row_devices, config.seed)
    dataset = Dataset.from_list(rows)
    return CompletionTrainer(model=model, args=config, train_dataset=dataset, processing_class=tokenizer), data


def packed(rows: list[dict[str, list[int]]], max_length: int) -> list[dict[str, list[int]]]:
    """The rows packed into sequences of up to `max_length` tokens (best-fit decreasing), each with its row lengths."""
    return list(pack_dataset(Dataset.from_list(rows), max_length, "bfd")) if rows else []


def preference_trainer(model: Any, tokenizer: Any, config: DPOConfig, phase: Phase, path: Path) -> tuple[Any, Encoded]:
    """The trainer of a phase on preference pairs, and what it learns from. Raises DataError if no pair fits."""
    given = read_preferences(path, phase.sha256)
    check_some_fit(given, tokenizer, phase.max_length, path)
    data = encode_preferences(given, tokenizer, phase.max_length)
    pairs = Dataset.from_list(data.pairs)
    return DPOTrainer(model=model, args=config, train_dataset=pairs, processing_class=tokenizer), data.counts


def run_phase(trainer: Any, phase: Phase, data: Encoded, out: Path, resume: bool) -> PhaseResult:
    """Train and save to `out/after_<phase>`; with `resume`, from the phase's last checkpoint on."""
    watch = Watch(out / "loss.jsonl", phase)
    trainer.add_callback(watch)
    trainer.add_callback(CurveBar())
    trainer.remove_callback(ProgressCallback)
    checkpoint = agreed(last_checkpoint(out / phase.name)) if resume else None
    output = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    seconds = watch.seconds
    trainer.save_model(str(after(out, phase.name)))
    trainer.accelerator.wait_for_everyone()  # the first process saves; all load it for the next phase
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    done = output.global_step / max(1, trainer.state.max_steps)
    return PhaseResult(
        phase=phase.name,
        steps=output.global_step,
        seconds=round(seconds, 1),
        tokens=round(data.tokens * phase.epochs * done),
        learned=round(data.learned * phase.epochs * done),
        dropped=data.dropped,
        final_loss=round(sum(losses[-5:]) / max(1, len(losses[-5:])), 5),
        finished=not watch.timed_out,
    )


def train(
    recipe: Recipe,
    base: Path,
    data: Path,
    out: Path,
    *,
    resume: bool = False,
    one_phase: bool = False,
    recipe_folder: Path | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> list[PhaseResult]:
    """Run every phase in order: weights go to `out/after_<phase>`, losses to `out/loss.jsonl` and `.png`.

    With `resume`, finished phases are skipped; one stopped by its time limit continues if the recipe now allows more
    time. `one_phase` stops after the next phase. Raises DataError if the rows are not those of the recipe or of the run
    so far, or if none can be learned, ConfigError if DeepSpeed is required but not installed, if the base lacks what
    the recipe needs, or if another recipe's run, or a phase started on a different number of devices, would be resumed.
    Nothing in `out` has changed then.
    """
    check_deepspeed(recipe, one_phase)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    open_group(recipe.launch.timeout_minutes)
    done = phases_done(recipe, out, resume)
    if resume:
        check_rows(recipe, out, data)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    tokenizer = load_tokenizer(base)
    phases = recipe.phases[len(done) :][: 1 if one_phase else None]
    if phases and recipe.method != "full":
        check_targets(recipe, base)
    for phase in phases:
        check_rows_fit(phase, data, tokenizer)
    begin(recipe, out, done, resume)
    for phase in phases:
        path = rows_path(phase, data)
        before = start_of(phase, recipe, base, out, done, report)
        # Before the model is loaded: under ZeRO-3 this configuration shards the weights over the devices while loading.
        config: Any = (dpo_config if phase.beta else sft_config)(recipe, phase, out / phase.name, recipe_folder)
        if is_first():
            note_start(recipe, out / phase.name, path)
        model = load_model(before, base, recipe)
        if phase.beta:
            trainer, encoded = preference_trainer(model, tokenizer, config, phase, path)
        else:
            trainer, encoded = rows_trainer(model, tokenizer, config, phase, path, recipe.launch.row_devices)
        if is_first():
            report(f"Phase {phase.name}: {encoded_line(encoded, phase)}.")
        done.append(run_phase(trainer, phase, encoded, out, resume))
        if is_first():
            write_text(out / "phases.json", json.dumps([result._asdict() for result in done], indent=2))
            forget_finished(done, out)
    return done


def check_deepspeed(recipe: Recipe, one_phase: bool) -> None:
    """Raise ConfigError if the recipe uses DeepSpeed in a way that is not possible here."""
    if not recipe.launch.deepspeed:
        return
    if not is_deepspeed_available():
        raise ConfigError(
            "launch.deepspeed is set and deepspeed is not installed.",
            "Install it: .venv/bin/python -m pip install -r requirements/deepspeed.txt",
        )
    if not one_phase and len(recipe.phases) > 1:
        raise ConfigError(
            "With DeepSpeed a process trains one phase only.",
            "Use `arena train launch RECIPE`, or give --one-phase and repeat the command with --resume.",
        )


def start_of(
    phase: Phase, recipe: Recipe, base: Path, out: Path, done: list[PhaseResult], report: Callable[[str], None]
) -> Path:
    """The weights that a phase starts from: the base, what the phase before left, or the adapter cut from it."""
    if not done:
        return base
    before = after(out, done[-1].phase)
    if not phase.from_cut:
        return before
    folder = out / f"cut_{done[-1].phase}"
    if is_first():
        cut(base, before, recipe, folder, report)
    wait_for_all()
    return folder
