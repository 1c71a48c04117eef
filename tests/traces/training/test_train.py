"""The real training path with a tiny model: two phases, resume, the adapter, merge equals what was trained."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from commands.arena import main
from common.errors import ConfigError, DataError
from common.paths import ROOT
from models.config.machine import computes_in_bf16
from models.weights.merge import merge_adapter
from tests.traces.tiny import save_tiny
from traces.keeping.trace import read_traces
from traces.training import configs
from traces.training import train as sft
from traces.training.callbacks import Watch
from traces.training.checkpoints import PhaseResult, begin, last_checkpoint, phases_done
from traces.training.configs import build_configs, memory_needed, uses_bf16
from traces.training.dataset import Row, read_rows, write_rows
from traces.training.lora import extract_adapter, in_bf16
from traces.training.make import make
from traces.training.recipe import Launch, Recipe, load_recipe
from traces.training.scale.launch import Place, launch
from traces.training.train import load_model, train

RECIPE = """
name: tiny
base: none
parameters_billion: 0.0001
seed: 3
method: full_to_lora
adapter: {rank: 64, alpha: 64}
save_steps: 2
phases:
  - name: reformatted
    mix: {shortcut: 6, drill: 2, chat: 2}
    learning_rate: 1.0e-2
    scheduler: constant_with_warmup
    warmup_steps: 1
    batch_size: 4
    max_length: 900
  - name: journey
    mix: {journey: 8, drill: 2, chat: 2, skip: 6}
    learning_rate: 1.0e-2
    warmup_steps: 1
    batch_size: 4
    max_length: 900
"""


def recipe_file(folder: Path, text: str = RECIPE) -> Recipe:
    path = folder / "tiny.yaml"
    path.write_text(text)
    return load_recipe(path)


def begun(recipe: Recipe, out: Path, resume: bool) -> list[PhaseResult]:
    """What training does before its first phase."""
    done = phases_done(recipe, out, resume)
    begin(recipe, out, done, resume)
    return done


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Recipe, Path, Path]:
    out = tmp_path_factory.mktemp("sft")
    recipe, base = recipe_file(out), save_tiny(out / "base")
    make(recipe, out / "data")
    results = train(recipe, base, out / "data", out)
    assert [result.phase for result in results] == ["reformatted", "journey"]
    assert all(result.finished and result.tokens > result.learned > 0 for result in results)
    return recipe, base, out


def test_only_linear_layers_change(trained: tuple[Recipe, Path, Path]) -> None:
    recipe, base, out = trained
    before = AutoModelForCausalLM.from_pretrained(base).state_dict()
    after = AutoModelForCausalLM.from_pretrained(out / "after_journey").state_dict()
    changed = {name.split(".")[-2] for name in before if not torch.equal(before[name], after[name])}
    assert changed == set(recipe.adapter.target_modules)


def test_a_full_rank_adapter_merges_into_what_was_trained(trained: tuple[Recipe, Path, Path]) -> None:
    recipe, base, out = trained
    assert extract_adapter(base, out / "after_journey", recipe, out / "adapter").kept == pytest.approx(1.0, abs=1e-4)
    merge_adapter(base, out / "adapter", out / "merged")
    tokenizer = AutoTokenizer.from_pretrained(out / "merged")
    prompt = tokenizer("12*3+4", return_tensors="pt")
    answers = []
    for folder in ("merged", "after_journey"):
        model = AutoModelForCausalLM.from_pretrained(out / folder, dtype=torch.float32)
        model.config.use_cache = True
        with torch.no_grad():
            answers.append(model(**prompt).logits)
    assert torch.allclose(answers[0], answers[1], atol=0.1, rtol=0.05)
    small = extract_adapter(base, out / "after_journey", recipe, out / "small", rank=4)
    assert 0 < small.kept < 1


def test_a_phase_may_go_on_from_the_cut_of_the_ones_before(tmp_path: Path) -> None:
    text = RECIPE.replace("rank: 64, alpha: 64", "rank: 4, alpha: 4")
    text = text.replace("1.0e-2\n    warmup", "1.0e-9\n    from_cut: true\n    warmup")
    recipe, base, out = recipe_file(tmp_path, text), save_tiny(tmp_path / "base"), tmp_path / "out"
    make(recipe, tmp_path / "data")
    train(recipe, base, tmp_path / "data", out)
    assert extract_adapter(base, out / "after_reformatted", recipe, out / "first").kept < 0.9
    assert extract_adapter(base, out / "after_journey", recipe, out / "second").kept > 0.99
    with pytest.raises(ConfigError, match="from_cut"):
        recipe_file(tmp_path, text.replace("full_to_lora", "lora"))


def test_losses_are_logged_and_finished_phases_are_not_run_again(trained: tuple[Recipe, Path, Path]) -> None:
    recipe, base, out = trained
    before = (out / "phases.json").read_text()
    logged = [json.loads(line) for line in (out / "loss.jsonl").read_text().splitlines()]
    assert [(entry["phase"], entry["step"]) for entry in logged] == [("reformatted", 3), ("journey", 3)]
    assert [entry["loss"] for entry in logged] == [phase["final_loss"] for phase in json.loads(before)]
    assert len(train(recipe, base, out / "data", out, resume=True)) == 2
    assert (out / "phases.json").read_text() == before


def test_a_finished_phase_leaves_no_checkpoints(trained: tuple[Recipe, Path, Path], tmp_path: Path) -> None:
    recipe, _, out = trained
    assert not list(out.glob("*/checkpoint-*"))
    assert all((out / phase.name / "rows.sha256").exists() for phase in recipe.phases)
    copy = tmp_path / "out"
    shutil.copytree(out, copy)
    (copy / "reformatted" / "checkpoint-3").mkdir()  # as a run that was killed just then leaves it
    assert len(begun(recipe, copy, resume=True)) == 2
    assert not list(copy.glob("*/checkpoint-*"))


def test_a_started_phase_goes_on_only_with_as_many_devices(trained: tuple[Recipe, Path, Path], tmp_path: Path) -> None:
    recipe, _, out = trained
    shutil.copytree(out, tmp_path / "out")
    out = tmp_path / "out"
    results = json.loads((out / "phases.json").read_text())
    (out / "phases.json").write_text(json.dumps(results[:1]))
    wider = recipe.model_copy(update={"launch": Launch(devices=2)})
    assert len(begun(wider, out, resume=True)) == 1, "between two phases the hardware may change"
    state = out / "journey" / "checkpoint-2" / "trainer_state.json"
    state.parent.mkdir()
    state.touch()
    assert len(begun(recipe, out, resume=True)) == 1
    for resumed in (begun, resumed_by_launch):
        with pytest.raises(ConfigError, match=r"launch\.devices 1, and the recipe now says 2: .*devices back to 1"):
            resumed(wider, out, resume=True)
    assert state.exists()
    shutil.rmtree(out / "journey")
    assert len(begun(wider, out, resume=True)) == 1, "the phase begins again"


def resumed_by_launch(recipe: Recipe, out: Path, resume: bool) -> None:
    launch(recipe, out, ["x"], Place(), resume=resume, report=lambda _: None)


def limited(recipe: Recipe, minutes: float | None) -> Recipe:
    """The recipe with this time limit on its first phase."""
    first = recipe.phases[0].model_copy(update={"max_minutes": minutes})
    return recipe.model_copy(update={"phases": (first, *recipe.phases[1:])})


def test_a_phase_that_its_time_limit_ended_goes_on_under_a_longer_one(tmp_path: Path) -> None:
    recipe, base, out = recipe_file(tmp_path), save_tiny(tmp_path / "base"), tmp_path / "out"
    make(recipe, tmp_path / "data")
    first = train(limited(recipe, 0.0001), base, tmp_path / "data", out)
    assert [(result.steps, result.finished) for result in first] == [(1, False), (3, True)]
    assert [folder.name for folder in out.glob("*/checkpoint-*")] == ["checkpoint-1"]
    assert train(limited(recipe, 0.0001), base, tmp_path / "data", out, resume=True) == first, "the limit still holds"
    weights = (out / "after_journey" / "model.safetensors").read_bytes()
    second = train(limited(recipe, None), base, tmp_path / "data", out, resume=True)
    assert [(result.steps, result.finished) for result in second] == [(3, True), (3, True)]
    assert (out / "after_journey" / "model.safetensors").read_bytes() != weights, "the next phase begins anew"
    logged = [json.loads(line) for line in (out / "loss.jsonl").read_text().splitlines()]
    assert [(entry["phase"], entry["step"]) for entry in logged] == [
        ("reformatted", 1),
        ("reformatted", 3),
        ("journey", 3),
    ]


@pytest.mark.parametrize("phase", ["reformatted", "journey"])
def test_a_run_does_not_go_on_with_other_rows(trained: tuple[Recipe, Path, Path], tmp_path: Path, phase: str) -> None:
    recipe, base, out = trained
    shutil.copytree(out / "data", tmp_path / "data")
    rows = tmp_path / "data" / f"{phase}.rows.jsonl"
    rows.write_text("".join(rows.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(DataError, match=f"is not what phase {phase} in .* was trained on"):
        train(recipe, base, tmp_path / "data", out, resume=True)


def test_a_resumed_phase_forgets_what_it_logged_after_its_checkpoint_and_keeps_its_time(tmp_path: Path) -> None:
    log = tmp_path / "loss.jsonl"
    entries = [("first", 20, 50.0), ("second", 10, 30.0), ("second", 20, 70.0)]
    log.write_text("".join(json.dumps({"phase": p, "step": s, "seconds": t}) + "\n" for p, s, t in entries))
    watch = Watch(log, recipe_file(tmp_path).phases[1].model_copy(update={"name": "second"}))
    first = SimpleNamespace(global_step=10, is_world_process_zero=True)
    watch.on_train_begin(None, first, None)
    assert [json.loads(line)["step"] for line in log.read_text().splitlines()] == [20, 10]
    assert watch.seconds >= 30.0
    other = SimpleNamespace(global_step=20, is_world_process_zero=False)
    watch.on_log(None, other, None, {"loss": 0.7})
    assert len(log.read_text().splitlines()) == 2, "of several processes only the first writes"
    watch.on_log(None, first, None, {"loss": 0.5})
    assert json.loads(log.read_text().splitlines()[-1])["seconds"] >= 30.0


def test_a_checkpoint_that_a_kill_cut_short_is_passed_over(tmp_path: Path) -> None:
    for step, files in ((100, ["trainer_state.json"]), (90, ["trainer_state.json"]), (200, ["model.safetensors"])):
        (tmp_path / f"checkpoint-{step}").mkdir()
        for name in files:
            (tmp_path / f"checkpoint-{step}" / name).touch()
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-100"
    assert last_checkpoint(tmp_path / "absent") is None


def test_only_a_run_of_the_same_recipe_is_gone_on_with(tmp_path: Path) -> None:
    recipe, out = recipe_file(tmp_path), tmp_path / "out"
    begun(recipe, out, resume=False)
    checkpoint = out / "reformatted" / "checkpoint-3" / "trainer_state.json"
    left = [out / "phases.json", out / "loss.jsonl", out / "reformatted" / "rows.sha256", checkpoint]
    checkpoint.parent.mkdir(parents=True)
    for file in left:
        file.write_text("[]")
    with pytest.raises(ConfigError, match="another version of the recipe tiny"):
        begun(recipe.model_copy(update={"seed": 4}), out, resume=True)
    longer = [phase.model_copy(update={"max_minutes": 9.0}) for phase in recipe.phases]
    begun(recipe.model_copy(update={"phases": tuple(longer), "about": "new"}), out, resume=True)
    assert all(file.exists() for file in left), "a time limit may change"
    begun(recipe.model_copy(update={"seed": 4}), out, resume=False)
    assert not any(file.exists() for file in left), "a new run does not go on from an old one"


def test_the_trainer_is_configured_before_the_model_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, base = recipe_file(tmp_path), save_tiny(tmp_path / "base")
    make(recipe, tmp_path / "data")
    order: list[str] = []

    def told(name: str) -> None:
        function = getattr(sft, name)
        monkeypatch.setattr(sft, name, lambda *args: (order.append(name), function(*args))[1])

    told("sft_config")
    told("load_model")
    train(recipe, base, tmp_path / "data", tmp_path / "out")
    assert order == ["sft_config", "load_model"] * 2, "ZeRO-3 spreads the weights only over what it knows by then"


def test_data_of_another_hash_is_refused(trained: tuple[Recipe, Path, Path]) -> None:
    recipe, base, out = trained
    phase = recipe.phases[0].model_copy(update={"sha256": "0" * 64})
    with pytest.raises(DataError, match="was written for"):
        train(recipe.model_copy(update={"phases": (phase,)}), base, out / "data", out / "other")


def test_the_check_counts_the_tokens_that_training_sees(
    trained: tuple[Recipe, Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, base, out = trained
    recipe_file(tmp_path, RECIPE.replace("base: none", f"base: {base}"))
    assert main(["train", "check", str(tmp_path / "tiny.yaml"), "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert told.count("0 rows dropped as longer than 900") == 2
    for phase in json.loads((out / "phases.json").read_text()):
        assert f"{phase['tokens']} tokens of which {phase['learned']} are learned" in told


def test_making_twice_gives_the_same_bytes(trained: tuple[Recipe, Path, Path], tmp_path: Path) -> None:
    recipe, _, out = trained
    for made in make(recipe, tmp_path):
        assert made.path.read_bytes() == (out / "data" / made.path.name).read_bytes()


def test_the_shipped_recipe_still_gives_the_data_it_was_trained_on(tmp_path: Path) -> None:
    # `make` refuses a file whose hash is not the recipe's.
    recipe = load_recipe(ROOT / "recipes" / "smol-135m.yaml")
    assert all(made.sha256 == phase.sha256 for made, phase in zip(make(recipe, tmp_path), recipe.phases, strict=True))


def test_a_phase_takes_generated_rows_and_those_of_files(tmp_path: Path) -> None:
    rows = [Row("chat", f"Hello {n}", (("Hi.", True),)) for n in range(3)]
    files = [str(tmp_path / name) for name in ("one.jsonl", "two.jsonl")]
    write_rows(Path(files[0]), rows[:1])
    write_rows(Path(files[1]), rows[1:])
    mix = "mix: {shortcut: 6, drill: 2, chat: 2}\n"
    generated = make(recipe_file(tmp_path), tmp_path / "generated")[0]
    both = recipe_file(tmp_path, RECIPE.replace(mix, f"{mix}    data: {files}\n"))
    assert read_rows(make(both, tmp_path / "both")[0].path) == [*read_rows(generated.path), *rows]
    alone = recipe_file(tmp_path, RECIPE.replace(mix, f"data: {files}\n"))
    assert read_rows(make(alone, tmp_path / "alone")[0].path) == rows
    told = "\n".join(build_configs(both, tmp_path, tmp_path / "absent", None))
    assert f"10 rows from the seed and the rows of {files[0]} and the rows of {files[1]} will be put into" in told
    Path(files[1]).unlink()
    with pytest.raises(DataError, match=r"needs .*two\.jsonl, which is not there"):
        make(both, tmp_path / "neither")
    assert not (tmp_path / "neither").exists(), "found out before anything is made"


def test_lora_goes_on_in_phase_two_with_the_adapter_of_phase_one(tmp_path: Path) -> None:
    recipe = recipe_file(
        tmp_path, RECIPE.replace("full_to_lora", "lora").replace("rank: 64, alpha: 64", "rank: 4, alpha: 8")
    )
    base = save_tiny(tmp_path / "base")
    make(recipe, tmp_path / "data")
    train(recipe, base, tmp_path / "data", tmp_path / "out")
    for phase in ("reformatted", "journey"):
        assert json.loads((tmp_path / "out" / f"after_{phase}" / "adapter_config.json").read_text())["r"] == 4
    in_bf16(tmp_path / "out" / "after_journey", tmp_path / "adapter")
    trained, kept = (
        load_file(tmp_path / name / "adapter_model.safetensors") for name in ("out/after_journey", "adapter")
    )
    assert trained.keys() == kept.keys() and any(tensor.any() for tensor in kept.values())
    for name, tensor in trained.items():
        assert (tensor.dtype, kept[name].dtype) == (torch.float32, torch.bfloat16)
        torch.testing.assert_close(kept[name].float(), tensor, rtol=0.01, atol=1e-8)


@pytest.mark.parametrize("file", sorted((ROOT / "recipes").rglob("*.yaml")), ids=lambda file: file.stem)
def test_every_recipe_builds_every_configuration(file: Path, tmp_path: Path) -> None:
    recipe = load_recipe(file)
    told = "\n".join(build_configs(recipe, file.parent, tmp_path, None))
    assert told.count("TRL") == told.count("unknown until its rows and the base are there") == len(recipe.phases) >= 1
    assert ("DeepSpeed: ZeRO stage 3" in told) == bool(recipe.launch.deepspeed)
    assert memory_needed(recipe, file.parent) > 0


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("rank: 64,", "rank: 0,", "adapter.rank"),
        ("seed: 3", "sede: 3", "sede"),
        ("    learning_rate: 1.0e-2\n    warmup_steps: 1\n", "", "phases.1.learning_rate"),
        ("    mix: {shortcut: 6, drill: 2, chat: 2}\n", "", "phases.0"),
        ("name: journey", "name: reformatted", "two phases are named reformatted"),
        ("seed: 3", "seed: 3\nfamilies: [sums, sum]", "no family sum; choose from"),
        ("seed: 3\n", "seed: 3\nfamilies: [sums]\n", "`told` needs one of the families divisors"),
    ],
)
def test_a_bad_key_is_named(tmp_path: Path, old: str, new: str, key: str) -> None:
    with pytest.raises(ConfigError, match=key):
        recipe_file(tmp_path, RECIPE.replace("{journey: 8, ", "{journey: 8, told: 4, ").replace(old, new))


def test_thoughts_told_in_sentences_follow_the_searched_ones(tmp_path: Path) -> None:
    recipe = recipe_file(tmp_path, RECIPE.replace("{journey: 8, ", "{journey: 8, told: 4, "))
    assert recipe.phases[1].mix and recipe.phases[1].mix.total == 16
    made = make(recipe, tmp_path / "data")
    assert [phase.rows for phase in made] == [10, 16]
    traces = list(read_traces(tmp_path / "data" / "journey.traces.jsonl"))
    assert [trace.model for trace in traces] == ["tree search"] * 8 + ["trials in sentences"] * 4
    assert all(trace.kept for trace in traces)
    thoughts = {"".join(text for text, _ in row.pieces) for row in read_rows(made[1].path)}
    assert {trace.raw for trace in traces[8:]} <= thoughts


def test_a_recipe_that_extends_another_says_only_what_differs(tmp_path: Path) -> None:
    parent = recipe_file(tmp_path)
    child = tmp_path / "child.yaml"
    child.write_text("extends: tiny.yaml\nname: child\nseed: 4\n")
    assert load_recipe(child) == parent.model_copy(update={"name": "child", "seed": 4})
    (tmp_path / "grandchild.yaml").write_text("extends: child.yaml\nname: grandchild\n")
    with pytest.raises(ConfigError, match="itself"):
        load_recipe(tmp_path / "grandchild.yaml")
    with pytest.raises(ConfigError, match="no recipe"):
        load_recipe(tmp_path / "absent.yaml")


def test_auto_precision_is_what_the_processor_computes_in() -> None:
    recipe = load_recipe(ROOT / "recipes" / "smol-135m.yaml")
    assert uses_bf16(recipe) == (torch.cuda.is_available() or computes_in_bf16())
    assert uses_bf16(recipe.model_copy(update={"precision": "bf16"}))
    assert not uses_bf16(recipe.model_copy(update={"precision": "fp32"}))


def test_training_without_the_deepspeed_that_a_recipe_asks_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sft, "is_deepspeed_available", lambda: False)
    with pytest.raises(ConfigError, match="deepspeed is not installed"):
        train(load_recipe(ROOT / "recipes" / "qwen2.5-72b.yaml"), tmp_path, tmp_path, tmp_path)


@pytest.mark.parametrize(("held", "dtype"), [(2, torch.bfloat16), (4, torch.float32)])
def test_a_model_is_loaded_in_the_bytes_decided_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(configs, "weight_bytes", lambda *_, **__: held)
    base, recipe = save_tiny(tmp_path / "base"), recipe_file(tmp_path).model_copy(update={"method": "lora"})
    found = {(p.requires_grad, p.dtype) for p in load_model(base, base, recipe).parameters()}
    assert found == {(False, dtype), (True, torch.float32)}, "what an optimiser changes is fp32"
