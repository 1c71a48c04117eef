"""Long thoughts per second from the tree search, and training against a bare loop over the same rows."""

import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import AutoTokenizer

from bench.context import PAIR, Bench
from bench.report import Measure, Section
from eval.problems.families import generate
from models.config.registry import load_config
from models.weights.find import find_weights
from traces.thoughts.journey import journey
from traces.training.configs import sft_config
from traces.training.dataset import Encoded, encode, in_even_batches
from traces.training.mix import journey_row
from traces.training.recipe import Phase, Recipe
from traces.training.train import CompletionTrainer, load_model, run_phase

SEED = 5
RECIPE = {
    "name": "bench",
    "parameters_billion": 0.135,
    "seed": SEED,
    "precision": "fp32",  # runs alike on every processor; bf16 crawls on those without units for it
    "phases": [{"name": "bench", "mix": {"journey": 1}, "learning_rate": 1e-4, "batch_size": 8, "max_length": 384}],
}


def run(bench: Bench) -> Section:
    count, steps = (100, 2) if bench.quick else (1000, 8)
    problems = generate("train", count, SEED)
    begun = time.perf_counter()
    traces = [journey(problem, SEED) for problem in problems]
    rate = count / (time.perf_counter() - begun)
    base = find_weights(load_config().pairs[PAIR].base.weights)
    recipe = Recipe.model_validate(RECIPE | {"base": str(base)})
    phase = recipe.phases[0]
    tokenizer = AutoTokenizer.from_pretrained(base)
    rows = [journey_row(trace) for trace in traces]
    data = first_batches(encode(rows, tokenizer, phase.max_length), steps * phase.batch_size)
    bare_loop(load_model(base, base, recipe), first_batches(data, phase.batch_size), phase)  # the first steps are slow
    reference = bare_loop(load_model(base, base, recipe), data, phase)
    with tempfile.TemporaryDirectory() as folder:
        model = load_model(base, base, recipe)
        config = sft_config(recipe, phase, Path(folder) / phase.name)
        batches = Dataset.from_list(in_even_batches(data.rows, phase.batch_size, config.seed))
        trainer = CompletionTrainer(model=model, args=config, train_dataset=batches, processing_class=tokenizer)
        result = run_phase(trainer, phase, data, Path(folder), resume=False)
    return Section(
        "Traces and training",
        [
            Measure("tree search, journeys", rate, "traces/s"),
            Measure("training", result.tokens / result.seconds, "tokens/s", reference, "bare loop"),
        ],
        [f"{len(data.rows)} rows of {data.tokens} tokens, fp32, {phase.batch_size} a step."],
    )


def first_batches(data: Encoded, rows: int) -> Encoded:
    kept = data.rows[:rows]
    learned = sum(label != -100 for row in kept for label in row["labels"])
    return Encoded(kept, data.dropped, sum(len(row["input_ids"]) for row in kept), learned)


def bare_loop(model: Any, data: Encoded, phase: Phase) -> float:
    """Tokens per second of the simplest training loop: pad, forward, backward, step."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model.to(device).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=phase.learning_rate, fused=True)
    begun = time.perf_counter()
    for start in range(0, len(data.rows), phase.batch_size):
        batch = {name: value.to(device) for name, value in padded(data.rows[start : start + phase.batch_size]).items()}
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    return data.tokens / (time.perf_counter() - begun)


def padded(rows: list[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    longest = max(len(row["input_ids"]) for row in rows)

    def fill(name: str, value: int) -> torch.Tensor:
        return torch.tensor([row[name] + [value] * (longest - len(row[name])) for row in rows])

    mask = torch.tensor([[1] * len(row["input_ids"]) + [0] * (longest - len(row["input_ids"])) for row in rows])
    return {"input_ids": fill("input_ids", 0), "labels": fill("labels", -100), "attention_mask": mask}
