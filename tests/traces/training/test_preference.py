"""All three phases with a tiny model: solutions, long thoughts, then preference pairs; and files of pairs."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from common.errors import ConfigError, DataError
from tests.traces.tiny import save_tiny, tiny_tokenizer
from traces.training.configs import build_configs
from traces.training.dataset import PreferenceRow, encode_preferences, read_preferences, write_preferences
from traces.training.make import make
from traces.training.recipe import Recipe, load_recipe
from traces.training.train import train

PAIRS = [
    PreferenceRow(f"What is {n} + {n}?", f"<think>\n{n} + {n} = {2 * n}.\n</think>\n\n{2 * n}", f"It is {n}.", f"x/{n}")
    for n in range(8)
]
RECIPE = """
name: tiny
base: none
parameters_billion: 0.0001
seed: 3
method: {method}
adapter: {{rank: 8, alpha: 8}}
save_steps: 2
phases:
  - name: reformatted
    mix: {{shortcut: 4}}
    learning_rate: 1.0e-2
    warmup_steps: 1
    batch_size: 4
    max_length: 900
  - name: journey
    mix: {{journey: 4, skip: 4}}
    learning_rate: 1.0e-2
    warmup_steps: 1
    batch_size: 4
    max_length: 900
  - name: preference
    data: {pairs}
    sha256: {sha256}
    beta: 0.1
    learning_rate: 1.0e-2
    warmup_steps: 0
    epochs: 3
    batch_size: 2
    max_length: 200
"""


def recipe_in(folder: Path, method: str) -> Recipe:
    sha256 = write_preferences(folder / "pairs.jsonl", PAIRS)
    text = RECIPE.format(method=method, pairs=folder / "pairs.jsonl", sha256=sha256)
    (folder / "tiny.yaml").write_text(text)
    return load_recipe(folder / "tiny.yaml")


def margin(folder: Path, tokenizer: Any) -> float:
    """How much likelier the chosen replies are than the rejected ones, as a mean of log-probabilities per pair."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    total = 0.0
    for pair in encode_preferences(PAIRS, tokenizer, 200).pairs:
        prompt = len(tokenizer(pair["prompt"])["input_ids"])
        for sign, reply in ((1, pair["chosen"]), (-1, pair["rejected"])):
            ids = torch.tensor([tokenizer(pair["prompt"] + reply)["input_ids"]])
            with torch.no_grad():
                scores = model(ids).logits[0, :-1].log_softmax(-1)
            total += sign * float(scores.gather(1, ids[0, 1:, None])[prompt - 1 :].sum())
    return total / len(PAIRS)


def test_three_phases_end_with_a_model_that_prefers_the_right_replies(tmp_path: Path) -> None:
    recipe, base, out = recipe_in(tmp_path, "full_to_lora"), save_tiny(tmp_path / "base"), tmp_path / "out"
    assert [made.rows for made in make(recipe, tmp_path / "data")] == [4, 4, 8]
    results = train(recipe, base, tmp_path / "data", out)
    assert [result.phase for result in results] == ["reformatted", "journey", "preference"]
    assert results[2].steps == 12 and results[2].tokens > results[2].learned > 0
    tokenizer = AutoTokenizer.from_pretrained(base)
    assert margin(out / "after_preference", tokenizer) > margin(out / "after_journey", tokenizer) + 1
    logged = [json.loads(line) for line in (out / "loss.jsonl").read_text().splitlines()]
    assert {entry["phase"] for entry in logged} == {"reformatted", "journey", "preference"}
    assert len(train(recipe, base, tmp_path / "data", out, resume=True)) == 3


def test_the_configuration_of_a_preference_phase_can_be_checked(tmp_path: Path) -> None:
    lines = build_configs(recipe_in(tmp_path, "lora"), tmp_path, tmp_path / "data", save_tiny(tmp_path / "base"))
    assert any(line.startswith("Data, phase preference: 8 rows") for line in lines)
    assert any(line.startswith("Tokens, phase preference: ") and "are learned" in line for line in lines)


def test_pairs_that_are_too_long_are_dropped_and_counted_never_cut() -> None:
    long = PreferenceRow("Why?", "x" * 300, "y", "x/9")
    encoded = encode_preferences([*PAIRS, long], tiny_tokenizer(), 200)
    assert (len(encoded.pairs), encoded.counts.dropped) == (8, 1)
    assert 0 < encoded.counts.learned < encoded.counts.tokens


@pytest.mark.parametrize("source", ["mix: {shortcut: 2}", "data: [x, z]", "data: x\n    mix: {shortcut: 2}"])
def test_beta_needs_a_file_of_pairs(tmp_path: Path, source: str) -> None:
    text = RECIPE.format(method="lora", pairs="x", sha256="y").replace("    data: x\n", f"    {source}\n")
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(ConfigError, match="`beta` needs `data`"):
        load_recipe(tmp_path / "r.yaml")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"prompt": "a", "chosen": "b"}', "line 1 is not a preference pair"),
        ("[", "is not JSON"),
        (None, "no training"),
    ],
)
def test_a_bad_file_of_pairs_is_explained(tmp_path: Path, line: str | None, words: str) -> None:
    if line is not None:
        (tmp_path / "p.jsonl").write_text(line + "\n")
    with pytest.raises(DataError, match=words):
        read_preferences(tmp_path / "p.jsonl")
    write_preferences(tmp_path / "p.jsonl", PAIRS)
    assert read_preferences(tmp_path / "p.jsonl") == PAIRS
    with pytest.raises(DataError, match="has sha256"):
        read_preferences(tmp_path / "p.jsonl", "0" * 64)
