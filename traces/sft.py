"""Supervised fine-tuning in phases with TRL and PEFT; the only file here that imports them.

Method `lora` trains low-rank adapters; `full_to_lora` trains the linear weights themselves (embeddings and norms stay
as they are) and afterwards takes the truncated SVD of each layer's difference as the adapter. Does not know where rows
come from nor how an adapter is judged.
"""

import json
import os
import shutil
import time
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import PartialState
from accelerate.utils import is_deepspeed_available
from accelerate.utils.deepspeed import HfDeepSpeedConfig
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, ProgressCallback, TrainerCallback
from trl import SFTConfig, SFTTrainer

from models.errors import ConfigError, DataError
from models.files import sha256_of
from models.processor import computes_in_bf16
from models.weights import merge_adapter
from traces.dataset import Encoded, encode, in_even_batches, read_rows
from traces.losses import plot_losses, sparkline
from traces.make import rows_path
from traces.recipe import Phase, Recipe, memory_gb, weight_bytes

ROWS_NOTE = "rows.sha256"
"""In a phase's folder beside its checkpoints: the hash of the rows that it began with."""
ANEW = "Train without --resume, which begins anew, or give another --out."


class PhaseResult(NamedTuple):
    """What one phase did."""

    phase: str
    steps: int
    seconds: float
    tokens: int
    """Tokens seen, prompts included, padding not."""
    learned: int
    dropped: int
    final_loss: float
    finished: bool
    """False when its time limit ended it."""


class Compression(NamedTuple):
    """How much of the trained difference the adapter holds."""

    rank: int
    kept: float
    """Share of the squared norm of all differences, 0 to 1."""


class Watch(TrainerCallback):
    """Writes every logged loss to a file at once, draws the curve beside it, and stops the phase at its time limit.

    A phase that goes on from a checkpoint forgets what it logged after it, and counts the time before it. Of several
    processes the first alone writes.
    """

    def __init__(self, log: Path, phase: Phase) -> None:
        self.log, self.phase = log, phase
        self.started = time.monotonic()
        self.timed_out = False

    @property
    def seconds(self) -> float:
        """Of training in this phase, over all its runs."""
        return time.monotonic() - self.started

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if not state.is_world_process_zero:
            return
        lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
        entries = [json.loads(line) for line in lines]
        kept = [e for e in entries if e["phase"] != self.phase.name or e["step"] <= state.global_step]
        self.log.write_text("".join(json.dumps(entry) + "\n" for entry in kept), encoding="utf-8")
        self.started -= max((e["seconds"] for e in kept if e["phase"] == self.phase.name), default=0.0)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        if logs and "loss" in logs and state.is_world_process_zero:
            entry = {
                "phase": self.phase.name,
                "step": state.global_step,
                "loss": round(float(logs["loss"]), 5),
                "learning_rate": logs.get("learning_rate"),
                "seconds": round(self.seconds, 1),
            }
            with self.log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        limit = self.phase.max_minutes
        if limit is not None and self.seconds > 60 * limit and not control.should_training_stop:
            self.timed_out = state.global_step < state.max_steps
            control.should_save = control.should_training_stop = True
        # The last step is logged as well: a phase may be shorter than the logging interval.
        control.should_log = control.should_log or control.should_training_stop

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            plot_losses(self.log, self.log.with_suffix(".png"))


class CurveBar(ProgressCallback):
    """The library's progress bar with the losses so far as a curve in it, instead of a line for each."""

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
        if self.training_bar is not None and losses:
            self.training_bar.set_postfix_str(f"loss {losses[-1]:.3f} {sparkline(losses)}")


class CompletionTrainer(SFTTrainer):
    """TRL's trainer; on CPU the loss projects only positions that are learned onto the vocabulary.

    TRL's fused head scores every position there, prompts included, in fp32: measured at half the speed.
    """

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        if return_outputs or inputs["input_ids"].device.type != "cpu":
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        inner: Any = self.accelerator.unwrap_model(model)
        inner = inner.get_base_model() if isinstance(inner, PeftModel) else inner
        targets = inputs["labels"][:, 1:]
        learned = targets != -100
        # Accelerate's autocast wraps the forward of the whole model, which is passed by here.
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.args.bf16):
            body = inner.base_model(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
            )
            logits = inner.get_output_embeddings()(body.last_hidden_state[:, :-1][learned])
        total = torch.nn.functional.cross_entropy(logits.float(), targets[learned], reduction="sum")
        return total / (learned.sum().clamp(min=1) if num_items_in_batch is None else num_items_in_batch)


def uses_bf16(recipe: Recipe) -> bool:
    """Whether to train in bf16. A processor without bf16 units is faster in fp32 (docs/experiments.md)."""
    if recipe.precision != "auto":
        return recipe.precision == "bf16"
    return torch.cuda.is_available() or computes_in_bf16()


def sft_config(recipe: Recipe, phase: Phase, folder: Path, recipe_folder: Path | None = None) -> SFTConfig:
    """The TRL configuration of a phase. Raises ConfigError for values TRL refuses."""
    deepspeed = recipe.launch.deepspeed
    try:
        return SFTConfig(
            output_dir=str(folder),
            max_length=phase.max_length,
            learning_rate=phase.learning_rate,
            lr_scheduler_type=phase.scheduler,
            warmup_steps=phase.warmup_steps,
            num_train_epochs=phase.epochs,
            per_device_train_batch_size=phase.batch_size,
            gradient_accumulation_steps=phase.accumulate,
            weight_decay=phase.weight_decay,
            train_sampling_strategy="sequential",
            bf16=uses_bf16(recipe),
            use_cpu=not torch.cuda.is_available(),
            gradient_checkpointing=recipe.launch.gradient_checkpointing,
            deepspeed=str((recipe_folder or Path()) / deepspeed) if deepspeed and is_deepspeed_available() else None,
            dataset_kwargs={"skip_prepare_dataset": True},
            logging_steps=10,
            save_strategy="steps",
            save_steps=recipe.save_steps,
            save_total_limit=1,
            report_to="none",
            seed=recipe.seed,
            optim="adamw_torch_fused",
            dataloader_pin_memory=False,
            pad_to_multiple_of=32,  # few shapes: a new one costs time to prepare, and memory that fragments
        )
    except (ValueError, TypeError) as error:
        raise ConfigError(f"Phase {phase.name}: {error}") from error


def lora_config(recipe: Recipe) -> LoraConfig:
    """The PEFT configuration; plain LoRA on linear layers, which vLLM serves as it is."""
    return LoraConfig(
        r=recipe.adapter.rank,
        lora_alpha=recipe.adapter.alpha,
        lora_dropout=recipe.adapter.dropout,
        target_modules=list(recipe.adapter.target_modules),
        task_type="CAUSAL_LM",
    )


def build_configs(recipe: Recipe, recipe_folder: Path, data: Path, base: Path | None) -> list[str]:
    """Build every TRL, PEFT and DeepSpeed configuration and tell in a line each what it says; nothing is started.

    Tokens are counted where the rows are there and `base`, whose tokenizer counts them. Raises ConfigError for what any
    of the libraries refuses, DataError for data that is not the recipe's.
    """
    lines = []
    tokenizer = AutoTokenizer.from_pretrained(base) if base else None
    if recipe.launch.deepspeed:
        lines.append(deepspeed_line(recipe_folder / recipe.launch.deepspeed))
    if recipe.method != "full":
        lora = lora_config(recipe)
        lines.append(
            f"PEFT: LoRA of rank {lora.r}, alpha {lora.lora_alpha}, on {', '.join(recipe.adapter.target_modules)}."
        )
    for phase in recipe.phases:
        config = sft_config(recipe, phase, Path("build") / phase.name, recipe_folder)
        rows = phase.batch_size * phase.accumulate * recipe.launch.devices
        lines.append(
            f"TRL, phase {phase.name}: {rows} rows a step, learning rate {config.learning_rate:g} "
            f"{phase.scheduler}, at most {config.max_length} tokens a row, so {rows * phase.max_length} "
            f"a step; {config.num_train_epochs:g} epoch(s)."
        )
        path = rows_path(phase, data)
        made, tokens = f"{path} is not there yet", "unknown until its rows and the base are there"
        if path.exists():
            found = read_rows(path, phase.sha256)
            made = f"{len(found)} rows, {path.stat().st_size:,} bytes, hash as expected"
            tokens = encoded_line(encode(found, tokenizer, phase.max_length), phase) if tokenizer else tokens
        elif phase.mix:
            made = f"{phase.mix.total} rows will be made from the seed"
        lines += [f"Data, phase {phase.name}: {made}.", f"Tokens, phase {phase.name}: {tokens}."]
    return lines


def encoded_line(encoded: Encoded, phase: Phase) -> str:
    """What one epoch of a phase has to learn."""
    return (
        f"{len(encoded.rows)} rows, {encoded.tokens} tokens of which {encoded.learned} are learned, {encoded.dropped} "
        f"rows dropped as longer than {phase.max_length}"
    )


def read_deepspeed(path: Path) -> HfDeepSpeedConfig:
    """A DeepSpeed file, read by accelerate. Raises ConfigError."""
    try:
        return HfDeepSpeedConfig(str(path))
    except (ValueError, OSError) as error:
        raise ConfigError(f"launch.deepspeed: {path} cannot be read ({error}).") from error


def zero_stage(config: HfDeepSpeedConfig) -> int:
    """0 where it says nothing, as in DeepSpeed itself."""
    return int(config.get_value("zero_optimization.stage", 0))


def deepspeed_line(path: Path) -> str:
    """What a DeepSpeed file says. Raises ConfigError."""
    config = read_deepspeed(path)
    offload = "with" if config.is_offload() else "without"
    return f"DeepSpeed: ZeRO stage {zero_stage(config)} {offload} offload, from {path.name}."


def held_bytes(recipe: Recipe) -> int:
    """`weight_bytes` on this machine."""
    return weight_bytes(recipe, bf16=uses_bf16(recipe), gpu=torch.cuda.is_available())


def memory_needed(recipe: Recipe, recipe_folder: Path) -> float:
    """`memory_gb` as trained from this machine, under the recipe's DeepSpeed configuration. Raises ConfigError."""
    deepspeed = recipe.launch.deepspeed
    stage = zero_stage(read_deepspeed(recipe_folder / deepspeed)) if deepspeed else 0
    return memory_gb(recipe, held_bytes(recipe), stage)


def load_model(weights: Path, base: Path, recipe: Recipe) -> Any:
    """The model to go on with; only what the method trains is trainable.

    `weights` is the base, or what the phase before saved: an adapter for `lora`, a whole model otherwise. Over fp32
    weights autocast lowers what is safe.
    """
    dtype = torch.bfloat16 if held_bytes(recipe) == 2 else torch.float32
    model: Any = AutoModelForCausalLM.from_pretrained(base if recipe.method == "lora" else weights, dtype=dtype)
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


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint. Its state is written last: one that a kill cut short has none."""
    whole = [state.parent for state in folder.glob("checkpoint-*/trainer_state.json")]
    return max(whole, key=lambda checkpoint: int(checkpoint.name.split("-")[-1]), default=None)


def run_phase(
    model: Any, tokenizer: Any, config: SFTConfig, phase: Phase, data: Encoded, out: Path, resume: bool
) -> PhaseResult:
    """Train on one phase's rows and save to `out/after_<phase>`; goes on from its last checkpoint if `resume`."""
    watch = Watch(out / "loss.jsonl", phase)
    trainer = CompletionTrainer(
        model=model,
        args=config,
        train_dataset=Dataset.from_list(in_even_batches(data.rows, phase.batch_size, config.seed)),
        processing_class=tokenizer,
        callbacks=[watch, CurveBar()],
    )
    trainer.remove_callback(ProgressCallback)
    checkpoint = last_checkpoint(out / phase.name) if resume else None
    output = trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    seconds = watch.seconds
    trainer.save_model(str(out / f"after_{phase.name}"))
    trainer.accelerator.wait_for_everyone()  # the first process saves, and every one loads it for the next phase
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


def trained_phases(recipe: Recipe, out: Path) -> list[PhaseResult]:
    """The phases from the first on that need no more training.

    One that its time limit ended needs more where the recipe now gives it longer.
    """
    file = out / "phases.json"
    results = [PhaseResult(**entry) for entry in json.loads(file.read_text())] if file.exists() else []
    limits = {phase.name: phase.max_minutes for phase in recipe.phases}

    def done(result: PhaseResult) -> bool:
        limit = limits.get(result.phase)
        return result.finished or (limit is not None and result.seconds >= round(60 * limit, 1))

    return list(takewhile(done, results))


def forget(folders: Iterable[Path]) -> None:
    """Remove the checkpoints in these folders, and what is noted of their rows."""
    for folder in folders:
        if folder.is_dir():
            (folder / ROWS_NOTE).unlink(missing_ok=True)
        for checkpoint in folder.glob("checkpoint-*"):
            shutil.rmtree(checkpoint)


def begin(recipe: Recipe, out: Path, resume: bool) -> list[PhaseResult]:
    """Note whose run `out` holds; the phases of it that are not run again.

    A new run removes what an earlier one would be gone on from, and one that goes on with a phase does so for the
    phases after it, which began with less. Raises ConfigError where `resume` would go on with what another recipe
    trained; hardware and time limits may change.
    """
    note = out / "recipe.json"
    said = recipe.model_dump_json(exclude={"about": True, "launch": True, "phases": {"__all__": {"max_minutes"}}})
    if resume and note.exists() and note.read_text(encoding="utf-8") != said:
        raise ConfigError(
            f"What lies in {out} was trained by another version of the recipe {recipe.name}.",
            ANEW,
        )
    state = PartialState(cpu=not torch.cuda.is_available())
    if state.is_main_process:
        out.mkdir(parents=True, exist_ok=True)
        if not resume:
            for file in (out / "phases.json", out / "loss.jsonl"):
                file.unlink(missing_ok=True)
            forget(out.glob("*"))
        note.write_text(said, encoding="utf-8")
    state.wait_for_everyone()
    done = trained_phases(recipe, out)
    if state.is_main_process:
        forget(out / phase.name for phase in recipe.phases[len(done) + 1 :])
    return done


def check_rows(recipe: Recipe, out: Path, data: Path) -> None:
    """Raises DataError where a phase that has begun was given other rows than lie in `data` now."""
    for phase in recipe.phases:
        note, rows = out / phase.name / ROWS_NOTE, rows_path(phase, data)
        if note.exists() and rows.exists() and note.read_text(encoding="utf-8") != sha256_of(rows):
            raise DataError(f"{rows} is not what phase {phase.name} in {out} was trained on.", ANEW)


def train(
    recipe: Recipe, base: Path, data: Path, out: Path, *, resume: bool = False, recipe_folder: Path | None = None
) -> list[PhaseResult]:
    """Every phase in order; what each trained is in `out/after_<phase>`, the losses in `out/loss.jsonl` and `.png`.

    A finished phase is not run again with `resume`; one that its time limit ended goes on where the recipe now gives it
    longer. Raises DataError if rows are not those of the recipe or of the run so far, ConfigError where it asks for
    DeepSpeed and there is none, or another recipe's run would be resumed.
    """
    if recipe.launch.deepspeed and not is_deepspeed_available():
        raise ConfigError(
            "launch.deepspeed is set and deepspeed is not installed.", "Install it: pip install deepspeed"
        )
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    done = begin(recipe, out, resume)
    check_rows(recipe, out, data)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    tokenizer = AutoTokenizer.from_pretrained(base)
    for phase in recipe.phases[len(done) :]:
        encoded = encode(read_rows(rows_path(phase, data), phase.sha256), tokenizer, phase.max_length)
        print(f"Phase {phase.name}: {encoded_line(encoded, phase)}.", flush=True)
        before = out / f"after_{done[-1].phase}" if done else base
        if phase.from_cut and done:
            before = cut(base, before, recipe, out / f"cut_{done[-1].phase}")
        # Before the model: under ZeRO-3 it is the configuration that makes loading spread the weights over the devices.
        config = sft_config(recipe, phase, out / phase.name, recipe_folder)
        if config.process_index == 0:
            (out / phase.name).mkdir(exist_ok=True)
            (out / phase.name / ROWS_NOTE).write_text(sha256_of(rows_path(phase, data)), encoding="utf-8")
        model = load_model(before, base, recipe)
        done.append(run_phase(model, tokenizer, config, phase, encoded, out, resume))
        if config.process_index == 0:
            (out / "phases.json").write_text(json.dumps([result._asdict() for result in done], indent=2))
    return done


def cut(base: Path, trained: Path, recipe: Recipe, out: Path) -> Path:
    """What serving the trained weights as an adapter of the recipe's rank leaves of them: base and adapter, merged."""
    compression = extract_adapter(base, trained, recipe, out / "adapter")
    print(f"Cut to rank {compression.rank}: holds {100 * compression.kept:.2f} % of the difference.", flush=True)
    merge_adapter(base, out / "adapter", out)
    return out


def extract_adapter(base: Path, trained: Path, recipe: Recipe, out: Path, rank: int | None = None) -> Compression:
    """Write the difference of two weight folders as a LoRA adapter: truncated SVD of each linear layer, in bf16.

    A = √S·Vᵀ, B = U·√S with the `rank` largest singular values, alpha = rank, so that W + B·A is the best approximation
    of that rank (Eckart–Young).
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
        u, s, vt = torch.linalg.svd(after[name] - old, full_matrices=False)
        r = min(rank, s.numel())
        kept += float((s[:r] ** 2).sum())
        total += float((s**2).sum())
        root = s[:r].sqrt()
        # One rank for all layers: a layer with fewer directions is filled up with zeros.
        a = torch.zeros(rank, old.shape[1], dtype=torch.bfloat16)
        b = torch.zeros(old.shape[0], rank, dtype=torch.bfloat16)
        a[:r], b[:, :r] = root[:, None] * vt[:r], u[:, :r] * root
        tensors[f"base_model.model.{module}.lora_A.weight"] = a
        tensors[f"base_model.model.{module}.lora_B.weight"] = b
    out.mkdir(parents=True, exist_ok=True)
    save_file(tensors, out / "adapter_model.safetensors", metadata={"format": "pt"})
    config = lora_config(recipe)
    config.r = config.lora_alpha = rank
    config.inference_mode = True
    config.save_pretrained(str(out))
    return Compression(rank, kept / total if total else 1.0)
