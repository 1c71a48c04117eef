"""What a new run removes and what it leaves alone; whether what follows the last phase was done."""

import json
import shutil
from pathlib import Path

import pytest

from commands.arena import main
from common.errors import ArenaError, ConfigError, DataError
from tests.traces.tiny import save_tiny
from traces.training.checkpoints import begin, is_complete, note_result, note_start, phases_done
from traces.training.dataset import Row, write_rows
from traces.training.recipe import Launch, Recipe, load_recipe
from traces.training.train import train

RECIPE = """
name: tiny
base: {base}
parameters_billion: 0.0001
method: lora
adapter: {{rank: 2, alpha: 2}}
phases:
  - name: reformatted
    data: {rows}
    learning_rate: 1.0e-3
    warmup_steps: 0
    max_length: 300
"""


def recipe_in(folder: Path, text: str = RECIPE) -> Recipe:
    write_rows(folder / "rows.jsonl", [Row("chat", f"What is {n}?", (("A number.", True),)) for n in range(4)])
    (folder / "tiny.yaml").write_text(text.format(base=save_tiny(folder / "base"), rows=folder / "rows.jsonl"))
    return load_recipe(folder / "tiny.yaml")


def checkpoint_in(folder: Path, step: int = 1000) -> Path:
    state = folder / f"checkpoint-{step}" / "trainer_state.json"
    state.parent.mkdir(parents=True)
    state.write_text("{}")
    return state


def test_a_new_run_leaves_the_checkpoints_of_others_below_its_folder(tmp_path: Path) -> None:
    recipe, out = recipe_in(tmp_path), tmp_path / "models"
    foreign = [checkpoint_in(out / "llama"), checkpoint_in(out / "project" / "reformatted"), checkpoint_in(out)]
    note_start(recipe, out / "project" / "reformatted", tmp_path / "rows.jsonl")
    train(recipe, tmp_path / "base", tmp_path, out)
    train(recipe, tmp_path / "base", tmp_path, out)
    assert all(state.exists() for state in foreign)
    assert (out / "project" / "reformatted" / "devices.json").exists()


@pytest.mark.parametrize("mark", ["devices.json", "rows.sha256"])
@pytest.mark.parametrize("note", ["ours", "of an older version", "broken"])
def test_a_new_run_removes_its_own_and_those_of_the_recipe_before(tmp_path: Path, mark: str, note: str) -> None:
    recipe, out = recipe_in(tmp_path), tmp_path / "out"
    own, earlier, other = (checkpoint_in(out / name) for name in ("reformatted", "solutions", "elsewhere"))
    for state in (own, earlier):
        (state.parent.parent / mark).write_text("{}")
    before = {"phases": [{"name": "solutions"}, {"name": "elsewhere"}]}
    (out / "recipe.json").write_text("{" if note == "broken" else json.dumps(before))
    if note == "ours":
        named = recipe.phases[0].model_copy(update={"name": "solutions"})
        (out / "recipe.json").write_text(recipe.model_copy(update={"phases": (named,)}).model_dump_json())
    begin(recipe, out, phases_done(recipe, out, resume=False), resume=False)
    assert not own.exists() and not (out / "reformatted" / mark).exists()
    assert earlier.exists() == (note == "broken"), "nothing says that the folder belongs to this run"
    assert other.exists()


@pytest.mark.parametrize("resume", [False, True])
def test_checkpoints_of_another_training_in_a_phase_s_folder_are_not_touched(tmp_path: Path, resume: bool) -> None:
    recipe, out = recipe_in(tmp_path), tmp_path / "out"
    foreign = checkpoint_in(out / "reformatted")
    with pytest.raises(ConfigError, match=r"reformatted holds checkpoints of another training.*another --out"):
        train(recipe, tmp_path / "base", tmp_path, out, resume=resume)
    assert foreign.exists() and not (out / "recipe.json").exists()


@pytest.mark.parametrize("fault", ["missing", "hash", "no row", "length", "target", "template", "tokenizer"])
def test_a_run_that_refuses_its_data_or_base_has_removed_nothing(tmp_path: Path, fault: str) -> None:
    recipe, base, out = recipe_in(tmp_path), tmp_path / "base", tmp_path / "out"
    state = checkpoint_in(out / "reformatted")
    note_start(recipe, state.parent.parent, tmp_path / "rows.jsonl")
    for name in ("phases.json", "recipe.json", "loss.jsonl", "result.json"):
        (out / name).write_text("[]")
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    changes: dict[str, dict[str, object]] = {"hash": {"sha256": "0" * 64}, "length": {"max_length": 16}}
    if fault == "missing":
        (tmp_path / "rows.jsonl").unlink()
    if fault == "no row":
        (tmp_path / "rows.jsonl").write_text("{}\n")
    if fault == "template":
        (base / "chat_template.jinja").unlink()
    if fault == "tokenizer":
        (base / "tokenizer.json").unlink()
    phases = (recipe.phases[0].model_copy(update=changes.get(fault, {})),)
    targets = ("c_attn",) if fault == "target" else recipe.adapter.target_modules
    adapter = recipe.adapter.model_copy(update={"target_modules": targets})
    with pytest.raises((ConfigError, DataError)):
        train(recipe.model_copy(update={"phases": phases, "adapter": adapter}), base, tmp_path, out)
    assert {file: file.read_bytes() for file in out.rglob("*") if file.is_file()} == before


def test_a_later_phase_s_rows_are_checked_before_the_first_is_trained(tmp_path: Path) -> None:
    recipe, out = recipe_in(tmp_path), tmp_path / "out"
    second = recipe.phases[0].model_copy(update={"name": "journey", "data": str(tmp_path / "absent.jsonl")})
    both = recipe.model_copy(update={"phases": (*recipe.phases, second)})
    with pytest.raises(DataError, match=r"absent\.jsonl"):
        train(both, tmp_path / "base", tmp_path, out)
    assert not out.exists()
    assert len(train(both, tmp_path / "base", tmp_path, out, one_phase=True)) == 1, "each phase has its own process"


@pytest.mark.parametrize("left", ["nothing", "no weights"])
def test_a_trained_phase_whose_weights_are_gone_is_told_before_anything_is_loaded(tmp_path: Path, left: str) -> None:
    recipe, out = recipe_in(tmp_path), tmp_path / "out"
    second = recipe.phases[0].model_copy(update={"name": "journey"})
    both = recipe.model_copy(update={"phases": (*recipe.phases, second)})
    train(both, tmp_path / "base", tmp_path, out, one_phase=True)
    shutil.copytree(out / "after_reformatted", tmp_path / "kept")
    shutil.rmtree(out / "after_reformatted")
    if left == "no weights":
        (out / "after_reformatted").mkdir()
        (out / "after_reformatted" / "adapter_config.json").write_text("{}")
    before = {file: file.read_bytes() for file in out.rglob("*") if file.is_file()}
    with pytest.raises(DataError, match=r"reformatted is trained, but its weights are not in .*reformatted\. Put"):
        train(both, tmp_path / "base", tmp_path, out, resume=True)
    assert {file: file.read_bytes() for file in out.rglob("*") if file.is_file()} == before
    shutil.copytree(tmp_path / "kept", out / "after_reformatted", dirs_exist_ok=True)
    assert len(train(both, tmp_path / "base", tmp_path, out, resume=True)) == 2
    shutil.rmtree(out / "after_reformatted")
    assert len(train(both, tmp_path / "base", tmp_path, out, resume=True)) == 2, "no phase starts from these any more"


def test_what_follows_the_last_phase_is_noted_when_it_is_done(tmp_path: Path) -> None:
    recipe, out = recipe_in(tmp_path), tmp_path / "out"
    pushing = recipe.model_copy(update={"launch": Launch(push_to="org/mine")})
    assert main(["train", "run", str(tmp_path / "tiny.yaml"), "--out", str(out)]) == 0
    assert is_complete(recipe, out)
    assert not is_complete(pushing, out), "it was not pushed"
    note_result(pushing, out)
    assert is_complete(pushing, out) and is_complete(recipe, out)
    assert not is_complete(recipe.model_copy(update={"launch": Launch(push_to="org/other")}), out)
    shutil.rmtree(out / "adapter")
    assert not is_complete(recipe, out)
    whole = recipe.model_copy(update={"method": "full"})
    assert is_complete(whole, tmp_path / "absent"), "nothing follows"
    assert not is_complete(whole.model_copy(update={"launch": pushing.launch}), tmp_path / "absent")
    assert main(["train", "run", str(tmp_path / "tiny.yaml"), "--out", str(out), "--resume"]) == 0
    assert is_complete(recipe, out)
    train(recipe, tmp_path / "base", tmp_path, out)
    assert not is_complete(recipe, out), "the adapter is of the run before"


def test_a_push_that_fails_leaves_the_run_incomplete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(folder: Path, repo: str) -> str:
        raise ArenaError("The hub refuses.")

    monkeypatch.setattr("traces.publishing.push.push_trained", refuse)
    recipe, out = recipe_in(tmp_path, RECIPE + "launch: {{push_to: org/mine}}\n"), tmp_path / "out"
    assert main(["train", "run", str(tmp_path / "tiny.yaml"), "--out", str(out)]) == 1
    assert (out / "adapter" / "adapter_config.json").exists() and not is_complete(recipe, out)
    monkeypatch.setattr("traces.publishing.push.push_trained", lambda folder, repo: f"https://hub/{repo}")
    assert main(["train", "run", str(tmp_path / "tiny.yaml"), "--out", str(out), "--resume"]) == 0
    assert is_complete(recipe, out)
