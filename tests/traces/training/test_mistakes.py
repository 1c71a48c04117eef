"""Mistakes in a recipe are told in our words, by training and by its check, and say what to set instead."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

from commands.arena import main
from common.errors import ConfigError, DataError
from common.paths import ROOT
from tests.traces.tiny import save_tiny, tiny_tokenizer
from traces.training.configs import build_configs, check_targets, dpo_config, layers_of, sft_config
from traces.training.dataset import PreferenceRow, Row, encode_preferences, encode_row, write_preferences, write_rows
from traces.training.recipe import Adapter, Phase, Recipe, load_recipe
from traces.training.train import preference_trainer, rows_trainer, train

PHASE = Phase(name="journey", data="rows.jsonl", learning_rate=1e-3, max_length=40)
RECIPE = Recipe(name="tiny", base="none", parameters_billion=0.0001, method="lora", phases=(PHASE,))
LONG = Row("journey", "What is 1 + 1?", (("x" * 50, True),))
EMPTY = Row("chat", "Hello", ((" ", True),))
PAIR = PreferenceRow("What is 1 + 1?", "2", "x" * 50)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("mistakes") / "base")


def phase_on(folder: Path, rows: list[Any], **values: Any) -> Phase:
    """A phase on a file of these rows or pairs."""
    path = folder / "rows.jsonl"
    if values.get("beta"):
        write_preferences(path, rows)
    else:
        write_rows(path, rows)
    return PHASE.model_copy(update={"data": str(path), **values})


def recipe_with(phase: Phase, base: Path, folder: Path) -> Path:
    recipe = RECIPE.model_copy(update={"phases": (phase,), "base": str(base)})
    file = folder / "tiny.yaml"
    file.write_text(json.dumps(recipe.model_dump(mode="json", exclude_unset=True)))
    return file


@pytest.mark.parametrize(
    ("rows", "values", "words"),
    [
        (
            [LONG] * 1000,
            {},
            r"All 1,000 rows of .* are longer than max_length 40\. The shortest has \d+ tokens: set max_length",
        ),
        ([LONG] * 3, {"packing": True}, "All 3 rows of .* are longer than max_length 40"),
        ([EMPTY, LONG, EMPTY, LONG], {}, r"All 2 rows \(apart from 2 empty\) of .* longer than max_length 40"),
        ([EMPTY, EMPTY], {}, "holds only rows without a question or without anything to learn"),
        ([], {}, r"rows\.jsonl is empty"),
        ([PAIR] * 4, {"beta": 0.1}, r"All 4 pairs of .* are longer than max_length 40\. The shortest has \d+ tokens"),
        ([], {"beta": 0.1}, r"rows\.jsonl is empty"),
    ],
)
def test_rows_of_which_none_can_be_learned_are_refused(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[Any], values: dict[str, Any], words: str
) -> None:
    phase = phase_on(tmp_path, rows, **values)
    file, path = recipe_with(phase, base, tmp_path), tmp_path / "rows.jsonl"
    recipe, tokenizer = load_recipe(file), AutoTokenizer.from_pretrained(base)
    with pytest.raises(DataError, match=words):
        build_configs(recipe, tmp_path, tmp_path, base)
    with pytest.raises(DataError, match=words):
        if phase.beta:
            preference_trainer(None, tokenizer, dpo_config(recipe, phase, tmp_path), phase, path)
        else:
            rows_trainer(None, tokenizer, sft_config(recipe, phase, tmp_path), phase, path, 1)
    for command in ("check", "run"):
        assert main(["train", command, str(file), "--out", str(tmp_path / "out")]) == 1
        assert f"max_length {phase.max_length}" in (told := capsys.readouterr().err) or "max_length" not in words
        assert "rows.jsonl" in told and "Traceback" not in told
    assert not (tmp_path / "out").exists()


def test_the_length_named_for_rows_that_are_too_long_is_enough(base: Path, tmp_path: Path) -> None:
    short = Row("journey", "What is 1 + 1?", (("x" * 30, True),))
    phase = phase_on(tmp_path, [LONG, short, LONG])
    needed = len(encode_row(short, AutoTokenizer.from_pretrained(base))["input_ids"])
    with pytest.raises(DataError, match=f"The shortest has {needed} tokens"):
        build_configs(RECIPE.model_copy(update={"phases": (phase,)}), tmp_path, tmp_path, base)
    longer = phase.model_copy(update={"max_length": needed})
    lines = build_configs(RECIPE.model_copy(update={"phases": (longer,)}), tmp_path, tmp_path, base)
    assert any("1 rows, " in line and "2 rows dropped" in line for line in lines)
    assert train(RECIPE.model_copy(update={"phases": (longer,)}), base, tmp_path, tmp_path / "out")[0].dropped == 2


def test_a_mix_of_no_rows_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = {"name": "r", "base": "embedded", "parameters_billion": 0.1}
    phase: dict[str, Any] = {"name": "journey", "learning_rate": 1e-3, "mix": {"journey": 0, "skip": 4}}
    file = tmp_path / "r.yaml"
    for command in ("make", "check", "run", "launch"):
        file.write_text(json.dumps({**recipe, "phases": [phase]}))
        assert main(["train", command, str(file), "--out", str(tmp_path / "out")]) == 1
        assert "phases.0" in (told := capsys.readouterr().err) and "`mix` gives no rows: set at least one" in told
    file.write_text(json.dumps({**recipe, "phases": [{**phase, "data": "rows.jsonl"}]}))
    assert load_recipe(file).phases[0].files == (Path("rows.jsonl"),)


@pytest.mark.parametrize("template", [None, ""])
def test_a_base_without_a_chat_template_is_named(template: str | None) -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = template
    for encode in (lambda: encode_row(LONG, tokenizer), lambda: encode_preferences([PAIR], tokenizer, 400)):
        with pytest.raises(ConfigError, match=r"has no chat template.*chat or instruct version"):
            encode()


def copy_of(base: Path, folder: Path, without: str) -> Path:
    shutil.copytree(base, folder, ignore=shutil.ignore_patterns(without))
    return folder


@pytest.mark.parametrize(
    ("missing", "words", "command"),
    [
        (missing, words, command)
        for missing, words, commands in (
            ("chat_template.jinja", "The base has no chat template", ("check", "run")),
            ("tokenizer*", "cannot be read. Put the model's own tokenizer.json", ("check", "run")),
            ("config.json", "config.json is missing. Give a Transformers folder.", ("check", "run", "launch")),
            ("*.safetensors", "is incomplete: model.safetensors missing", ("check", "run", "launch")),
        )
        for command in commands
    ],
)
def test_what_a_base_lacks_is_named(
    base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], missing: str, words: str, command: str
) -> None:
    phase = phase_on(tmp_path, [LONG], max_length=300)
    file = recipe_with(phase, copy_of(base, tmp_path / "base", missing), tmp_path)
    assert main(["train", command, str(file), "--out", str(tmp_path / "out")]) == 1
    told = capfd.readouterr().err
    assert words in told and "Traceback" not in told
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["check", "run", "merge"])
def test_a_base_that_is_no_model_is_told_what_it_is(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    adapter = ROOT / "models" / "adapters" / "smol-135m"
    for folder, words in (
        (adapter, "smol-135m is a LoRA adapter, not a whole model. Merge it into its own base first"),
        (base.parent, f"config.json is missing. Name the folder of the model itself, such as {base}."),
        (tmp_path, "config.json is missing. Give a Transformers folder."),
    ):
        file = recipe_with(phase_on(tmp_path, [LONG]), folder, tmp_path)
        given = [str(adapter), str(tmp_path / "merged"), "--base", str(folder)] if command == "merge" else [str(file)]
        assert main(["train", command, *given]) == 1
        assert words in capsys.readouterr().err


@pytest.mark.parametrize("config", ["{", "{}", '{"model_type": "nope"}', '{"model_type": "t5"}'])
def test_a_base_that_is_no_language_model_is_refused(base: Path, tmp_path: Path, config: str) -> None:
    (copy_of(base, tmp_path / "base", "config.json") / "config.json").write_text(config)
    with pytest.raises(ConfigError, match=r"config\.json describes no language model|tokenizer of the base"):
        train(RECIPE.model_copy(update={"phases": (phase_on(tmp_path, [LONG], max_length=300),)}),
              tmp_path / "base", tmp_path, tmp_path / "out")  # fmt: skip


@pytest.mark.parametrize("method", ["lora", "full_to_lora"])
@pytest.mark.parametrize(
    ("targets", "named"),
    [
        (("c_attn",), "c_attn"),
        (("query_key_value", "dense"), "query_key_value, dense"),
        (("q_proj", "v_porj"), "v_porj"),
        (("q_proj", "mlp"), "mlp"),
        (("input_layernorm",), "input_layernorm"),
    ],
)
def test_layers_that_the_base_does_not_have_are_named_and_those_it_has(
    base: Path, tmp_path: Path, method: str, targets: tuple[str, ...], named: str
) -> None:
    phase = phase_on(tmp_path, [LONG], max_length=300)
    update = {"method": method, "adapter": Adapter(rank=2, alpha=2, target_modules=targets), "phases": (phase,)}
    recipe = RECIPE.model_copy(update=update)
    words = rf"no linear layers named {named}\. Set adapter\.target_modules .*down_proj, gate_proj, k_proj"
    with pytest.raises(ConfigError, match=words):
        train(recipe, base, tmp_path, tmp_path / "out")
    with pytest.raises(ConfigError, match=words):
        build_configs(recipe, tmp_path, tmp_path, base)
    assert not (tmp_path / "out").exists()
    check_targets(recipe.model_copy(update={"adapter": Adapter(target_modules=("q_proj", "lm_head"))}), base)


def test_layers_may_be_named_with_their_parents_only_where_peft_finds_them(base: Path) -> None:
    recipe = RECIPE.model_copy(update={"adapter": Adapter(target_modules=("self_attn.q_proj", "model.embed_tokens"))})
    check_targets(recipe, base)
    with pytest.raises(ConfigError, match=r"named self_attn\.q_proj"):
        check_targets(recipe.model_copy(update={"method": "full_to_lora"}), base)


@pytest.mark.parametrize("method", ["lora", "full_to_lora"])
def test_the_default_layers_need_not_all_be_there_but_one_must(base: Path, tmp_path: Path, method: str) -> None:
    size = GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=32, n_positions=16)
    GPT2LMHeadModel(size).save_pretrained(tmp_path / "gpt2")
    recipe = RECIPE.model_copy(update={"method": method})
    with pytest.raises(ConfigError, match=r"named q_proj, k_proj, .* some of c_attn, c_fc, c_proj, lm_head"):
        check_targets(recipe, tmp_path / "gpt2")
    named = recipe.model_copy(update={"adapter": Adapter(target_modules=("c_attn", "c_fc"))})
    check_targets(named, tmp_path / "gpt2")
    config = base / "config.json"
    fused = copy_of(base, tmp_path / "fused", "*.safetensors") / "config.json"
    kept = {key: value for key, value in json.loads(config.read_text()).items() if key != "architectures"}
    fused.write_text(json.dumps({**kept, "model_type": "phi3", "pad_token_id": 0}))
    assert "model.layers.0.self_attn.qkv_proj" in layers_of(tmp_path / "fused")
    check_targets(recipe, tmp_path / "fused")


def test_the_layers_of_a_base_are_known_without_its_weights(base: Path, tmp_path: Path) -> None:
    layers = layers_of(copy_of(base, tmp_path / "base", "*.safetensors"))
    assert layers["model.layers.1.mlp.up_proj"] and layers["lm_head"]
    assert not layers["model.layers.1.mlp"] and not layers["model.norm"]
