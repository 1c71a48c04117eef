"""What a recipe takes: bytes by the rules of ZeRO, activations against what a real layer keeps, and disk."""

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding

from commands.arena import main
from common.errors import ConfigError
from common.paths import ROOT
from models.config.memory import Architecture
from traces.training.configs import memory_needed
from traces.training.recipe import Launch, Phase, Recipe, load_recipe
from traces.training.scale import needs as module
from traces.training.scale.memory import (
    activations,
    adapter_billions,
    checkpoint_gb,
    disk_gb,
    gathered_gb,
    host_gb,
    memory_gb,
    weight_bytes,
)
from traces.training.scale.needs import architecture_of, free_gb, needs, size

RECIPES = ROOT / "recipes"
LARGE = RECIPES / "qwen2.5-72b.yaml"


def test_72b_memory_follows_the_sixteen_bytes_rule() -> None:
    recipes = ROOT / "recipes"
    recipe = load_recipe(recipes / "qwen2.5-72b.yaml")
    assert memory_needed(recipe, recipes) == pytest.approx(16 * 72.7 / 32)
    by_stage = [memory_gb(recipe, 2, stage) / 72.7 for stage in range(4)]
    assert by_stage == pytest.approx([16, 4 + 12 / 32, 2 + 14 / 32, 16 / 32])


def test_the_stage_is_read_from_the_deepspeed_file(tmp_path: Path) -> None:
    recipe = load_recipe(ROOT / "recipes" / "qwen2.5-72b.yaml")
    (tmp_path / "zero3.json").write_text('{"zero_optimization": {"stage": 1}}')
    assert memory_needed(recipe, tmp_path) == pytest.approx(72.7 * (4 + 12 / 32))


@pytest.mark.parametrize(
    ("billions", "hidden", "keys", "inner", "layers"),
    [(0.135, 576, 192, 1536, 30), (7.6, 3584, 512, 18944, 28), (72.7, 8192, 1024, 29568, 80)],
    ids=["SmolLM2-135M", "Qwen2.5-7B", "Qwen2.5-72B"],
)
def test_the_size_of_a_lora_is_told_from_that_of_its_base(
    billions: float, hidden: int, keys: int, inner: int, layers: int
) -> None:
    # Rows and columns of the seven linear weights of a layer: q and o, k and v, and three of the MLP.
    sides = 2 * (hidden + hidden) + 2 * (hidden + keys) + 3 * (hidden + inner)
    assert adapter_billions(128, billions) == pytest.approx(128 * sides * layers / 1e9, rel=0.25)


def test_a_lora_adds_its_adapter_to_a_frozen_base() -> None:
    recipe = load_recipe(ROOT / "recipes" / "smol-135m.yaml").model_copy(update={"method": "lora"})
    for held in (2, 4):
        assert memory_gb(recipe, held, 0) == pytest.approx(held * 0.135 + 16 * adapter_billions(128, 0.135))


@pytest.mark.parametrize(
    ("method", "deepspeed", "bf16", "gpu", "held"),
    [
        ("full_to_lora", None, True, True, 4),
        ("full", None, True, True, 4),
        ("full", "zero3.json", True, True, 2),
        ("full", "zero3.json", False, True, 4),
        ("lora", None, True, True, 2),
        ("lora", None, False, True, 4),
        ("lora", None, True, False, 4),
    ],
)
def test_trained_weights_keep_fp32_unless_deepspeed_holds_a_copy(
    method: str, deepspeed: str | None, bf16: bool, gpu: bool, held: int
) -> None:
    recipe = load_recipe(ROOT / "recipes" / "smol-135m.yaml")
    changed = recipe.model_copy(update={"method": method, "launch": Launch(deepspeed=deepspeed)})
    assert weight_bytes(changed, bf16=bf16, gpu=gpu) == held


def changed(recipe: Recipe, **launch: Any) -> Recipe:
    return recipe.model_copy(update={"launch": recipe.launch.model_copy(update=launch)})


def test_an_offload_moves_the_states_from_the_device_to_the_machine() -> None:
    recipe = load_recipe(RECIPES / "qwen2.5-72b-16gpu.yaml")
    assert memory_needed(recipe, RECIPES) == pytest.approx(4 * 72.7 / 16)
    states, whole = 12 * 72.7 / 2, 2 * 72.7  # half of the states on each of two machines; rank 0 writes the model
    kept = changed(recipe, activation_offload=False)
    assert host_gb(kept, 2, 3, 20.0, offloaded=True) == pytest.approx(states + whole)
    assert host_gb(recipe, 2, 3, 20.0, offloaded=True) == pytest.approx(states + whole + 8 * 20.0)
    assert host_gb(load_recipe(RECIPES / "quick.yaml"), 4, 0, 1.0, offloaded=False) == 0


def test_a_checkpoint_of_72b_is_a_terabyte() -> None:
    recipe = load_recipe(LARGE)
    assert checkpoint_gb(recipe, 2) == pytest.approx(14 * 72.7)
    assert disk_gb(recipe, 2) == pytest.approx(3 * 14 * 72.7 + 2 * 2 * 72.7), "two kept, one being written, two results"
    first = recipe.phases[0].model_copy(update={"max_minutes": 60.0})
    timed = recipe.model_copy(update={"phases": (first, *recipe.phases[1:])})
    assert disk_gb(timed, 2) == pytest.approx(disk_gb(recipe, 2) + 2 * 14 * 72.7), "its checkpoints stay"
    assert (size(1017.8), size(145.4), size(0.27)) == ("1.02 TB", "145 GB", "0.27 GB")


def saved_by_a_layer(shape: Architecture, tokens: int) -> int:
    """Bytes that autograd keeps for the backward pass of one layer in bf16, weights left out."""
    config = LlamaConfig(**shape.model_dump(include=set(Architecture.model_fields) - {"qk_norm"}))
    config._attn_implementation = "sdpa"
    layer = LlamaDecoderLayer(config, 0).to(torch.bfloat16)
    weights = {parameter.data_ptr() for parameter in layer.parameters()}
    seen: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            seen[storage.data_ptr()] = storage.nbytes()
        kept.append(tensor)  # so that no address is used twice
        return tensor

    kept: list[torch.Tensor] = []
    hidden = torch.randn(1, tokens, shape.hidden_size, dtype=torch.bfloat16, requires_grad=True)
    positions = LlamaRotaryEmbedding(config)(hidden, torch.arange(tokens)[None])
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        layer(hidden, position_embeddings=positions)
    return sum(seen.values())


def test_the_estimate_of_a_layer_is_near_what_one_keeps() -> None:
    shape = Architecture(
        num_hidden_layers=1,
        hidden_size=512,
        intermediate_size=1792,
        num_attention_heads=8,
        num_key_value_heads=2,
        head_dim=64,
        vocab_size=1000,
        tie_word_embeddings=False,
    )
    recipe = load_recipe(RECIPES / "quick.yaml")
    phase = recipe.phases[0].model_copy(update={"batch_size": 1, "max_length": 512})
    estimated = activations(recipe, phase, shape).saved * 1e9
    assert saved_by_a_layer(shape, 512) == pytest.approx(estimated, rel=0.25)


def test_activations_follow_the_length_and_what_is_done_about_them() -> None:
    recipe = load_recipe(LARGE)
    shape, phase = architecture_of(recipe), recipe.phases[-1]
    assert shape
    kept = activations(recipe, phase, shape)
    assert kept.saved == pytest.approx(2 * 8192 * 80 * 16384 / 1e9), "the input of each layer"
    shorter = activations(recipe, recipe.phases[0], shape)
    assert kept.saved / shorter.saved == pytest.approx(4)
    shared = activations(changed(recipe, sequence_parallel=4), phase, shape)
    assert (kept.saved / shared.saved, kept.working / shared.working) == pytest.approx((4, 4))
    whole = activations(changed(recipe, gradient_checkpointing=False), phase, shape)
    assert whole.saved == pytest.approx(80 * kept.working)
    pairs = phase.model_copy(update={"beta": 0.1, "data": "pairs.jsonl"})
    assert activations(recipe, pairs, shape).head > 10, "DPO makes all logits"
    assert gathered_gb(shape, 2, 3) > 0 == gathered_gb(shape, 2, 2)


@pytest.mark.parametrize("name", ["qwen2.5-72b", "qwen2.5-72b-16gpu", "qwen2.5-72b-lora"])
def test_the_large_recipes_fit_their_machines(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(RECIPES / f"{name}.yaml")
    found = needs(recipe, RECIPES, tmp_path / "absent" / "out")
    assert found.fault(recipe) is None
    assert found.device and 30 < found.device < 70
    told = "\n".join(found.lines)
    assert told.count("(estimate)") == 4 and "(assumption)" in told and "2 kept" in told
    assert "16384 tokens" in told


def test_without_help_for_the_activations_72b_does_not_fit(tmp_path: Path) -> None:
    recipe = changed(load_recipe(LARGE), activation_offload=False, memory_per_device_gb=72.0)
    fault = needs(recipe, RECIPES, tmp_path).fault(recipe)
    assert fault and "activations included" in str(fault)
    shared = changed(recipe, sequence_parallel=4)
    assert needs(shared, RECIPES, tmp_path).fault(shared) is None
    poor = changed(load_recipe(RECIPES / "qwen2.5-72b-16gpu.yaml"), host_memory_gb=512.0)
    fault = needs(poor, RECIPES, tmp_path).fault(poor)
    assert fault and "host_memory_gb" in str(fault)


def test_a_disk_that_is_too_small_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "free_gb", lambda _: 3000.0)
    assert main(["train", "check", str(LARGE)]) == 0
    assert "3.00 TB are free here, which is too little" in capsys.readouterr().out
    assert main(["train", "check", str(LARGE), "--out", str(tmp_path)]) == 1
    assert "needs 3.34 TB of disk, and 3.00 TB are free for it" in capsys.readouterr().err
    monkeypatch.setattr(module, "free_gb", lambda _: 4000.0)
    assert main(["train", "check", str(LARGE), "--out", str(tmp_path)]) == 0


def test_what_a_run_has_written_is_room_for_it(tmp_path: Path) -> None:
    before = free_gb(tmp_path / "out")
    (tmp_path / "out" / "journey").mkdir(parents=True)
    with (tmp_path / "out" / "journey" / "checkpoint").open("wb") as file:
        file.truncate(50 * 10**9)
    assert free_gb(tmp_path / "out") - before == pytest.approx(50, abs=5)


def test_without_a_shape_activations_are_said_to_be_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = LARGE.read_text().replace("architecture: qwen2.5-72b\n", "").replace("zero3.json", f"{RECIPES}/zero3.json")
    (tmp_path / "r.yaml").write_text(text)
    assert main(["train", "check", str(tmp_path / "r.yaml")]) == 0
    assert "not estimated" in capsys.readouterr().out
    (tmp_path / "r.yaml").write_text(text.replace("memory_per_device_gb: 80", "memory_per_device_gb: 40"))
    assert main(["train", "check", str(tmp_path / "r.yaml")]) == 1
    with pytest.raises(ConfigError, match="no architecture “qwen9”"):
        architecture_of(load_recipe(LARGE).model_copy(update={"architecture": "qwen9"}))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"devices": 8, "machines": 3}, "multiple of `machines`"),
        ({"devices": 8, "sequence_parallel": 3, "deepspeed": "zero3.json"}, "multiple of `sequence_parallel`"),
        ({"devices": 8, "sequence_parallel": 4}, "needs `deepspeed`"),
        ({"push_to": "no repository"}, "push_to"),
    ],
)
def test_impossible_hardware_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Launch(**values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"min_learning_rate": 1e-6, "scheduler": "linear"}, "needs scheduler cosine"),
        ({"min_learning_rate": 1.0}, "above `learning_rate`"),
        ({"packing": True, "beta": 0.1, "data": "p", "mix": None}, "cannot be packed"),
    ],
)
def test_impossible_phases_are_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Phase(**{"name": "p", "mix": {"chat": 1}, "learning_rate": 1e-4, **values})
