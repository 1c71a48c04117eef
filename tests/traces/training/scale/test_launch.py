"""Two processes on this machine's processor: both phases, one of the two killed and the run resumed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from transformers import AutoModelForCausalLM

from commands.arena import main
from common.errors import ArenaError, ConfigError
from common.paths import ROOT
from tests.traces.tiny import save_tiny
from traces.training.checkpoints import PhaseResult, note_result
from traces.training.make import make
from traces.training.recipe import Launch, Recipe, load_recipe
from traces.training.scale import launch as launching
from traces.training.scale.launch import Place, launch
from traces.training.train import train

RECIPE = """
name: tiny
base: {base}
parameters_billion: 0.0001
seed: 3
method: full_to_lora
adapter: {{rank: 4, alpha: 4}}
precision: fp32
save_steps: 2
keep_checkpoints: 2
launch: {{devices: 2}}
phases:
  - name: reformatted
    mix: {{shortcut: 8, drill: 2, chat: 2}}
    learning_rate: 1.0e-3
    warmup_steps: 1
    epochs: 12
    batch_size: 2
    max_length: 900
  - name: journey
    mix: {{journey: 6, drill: 2, skip: 6}}
    learning_rate: 1.0e-3
    min_learning_rate: 1.0e-4
    warmup_steps: 1
    batch_size: 2
    max_length: 900
"""
PATIENCE = 240.0


def started(recipe: Path, out: Path, log: Path, *more: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "commands", "train", "launch", str(recipe), "--out", str(out), *more]
    with log.open("wb") as file:
        return subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)


def rank_one(launcher: "subprocess.Popen[bytes]") -> psutil.Process:
    for child in psutil.Process(launcher.pid).children(recursive=True):
        if "run" in child.cmdline() and child.environ().get("RANK") == "1":
            return child
    raise AssertionError("no second process is there")


def learned(base: Path, after: Path) -> torch.Tensor:
    """All that training changed, as one vector."""
    before, now = (AutoModelForCausalLM.from_pretrained(f, dtype=torch.float32).state_dict() for f in (base, after))
    return torch.cat([(now[name] - before[name]).flatten() for name in before])


@pytest.mark.engine  # two and a half minutes on two cores
def test_two_processes_train_both_phases_and_survive_the_death_of_one(tmp_path: Path) -> None:
    base, out, file = save_tiny(tmp_path / "base"), tmp_path / "out", tmp_path / "tiny.yaml"
    file.write_text(RECIPE.format(base=base))
    recipe = load_recipe(file)
    make(recipe, out / "data")

    first = started(file, out, tmp_path / "first.log")
    until = time.monotonic() + PATIENCE
    try:
        while not (out / "reformatted" / "checkpoint-4" / "trainer_state.json").exists():
            assert first.poll() is None and time.monotonic() < until, (tmp_path / "first.log").read_text()[-3000:]
            time.sleep(0.05)
        rank_one(first).kill()
        assert first.wait(PATIENCE) == 1
    finally:
        if first.poll() is None:
            os.killpg(first.pid, signal.SIGKILL)
    assert "with --resume" in (tmp_path / "first.log").read_text()
    assert not (out / "phases.json").exists()
    logged = len((out / "loss.jsonl").read_text().splitlines()) if (out / "loss.jsonl").exists() else 0

    second = started(file, out, tmp_path / "second.log", "--resume")
    assert second.wait(PATIENCE) == 0, (tmp_path / "second.log").read_text()[-3000:]
    phases = json.loads((out / "phases.json").read_text())
    assert [(phase["phase"], phase["steps"], phase["finished"]) for phase in phases] == [
        ("reformatted", 36, True),
        ("journey", 2, True),
    ]
    steps = [json.loads(line)["step"] for line in (out / "loss.jsonl").read_text().splitlines()]
    assert steps == [10, 20, 30, 36, 2] and logged <= 3
    assert json.loads((out / "adapter" / "adapter_config.json").read_text())["r"] == 4
    told = (tmp_path / "second.log").read_text()
    assert told.count("rows dropped as longer") == 2, "one process tells what it does"

    alone = recipe.model_copy(
        update={
            "launch": Launch(),
            "phases": tuple(phase.model_copy(update={"batch_size": 4}) for phase in recipe.phases),
        }
    )
    train(alone, base, out / "data", tmp_path / "alone")
    for phase in ("after_reformatted", "after_journey"):
        ours, reference = learned(base, out / phase), learned(base, tmp_path / "alone" / phase)
        assert torch.nn.functional.cosine_similarity(ours, reference, dim=0) > 0.98, "the same steps as one process"


def recipe_for(machines: int) -> Recipe:
    recipe = load_recipe(ROOT / "recipes" / "qwen2.5-72b.yaml")
    return recipe.model_copy(update={"launch": recipe.launch.model_copy(update={"machines": machines})})


def test_every_phase_has_a_group_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    codes = [0, 0]

    def run(command: list[str]) -> int:
        commands.append(command)
        return codes[len(commands) - 1]

    monkeypatch.setattr(launching, "_run", run)
    place = Place(2, "10.0.0.5", 29501)
    launch(recipe_for(4), tmp_path, ["commands", "train", "run", "r.yaml"], place, resume=False, report=lambda _: None)
    assert [command[-1] for command in commands] == ["r.yaml", "--resume"], "the second phase goes on from the first"
    for option in ("--num_machines=4", "--num_processes=32", "--machine_rank=2", "--main_process_ip=10.0.0.5"):
        assert all(option in command for command in commands)
    codes[:] = [0, 0, 9]
    with pytest.raises(ArenaError, match="reformatted ended with code 9"):
        launch(recipe_for(4), tmp_path, ["x"], place, resume=False, report=lambda _: None)
    with pytest.raises(ConfigError, match="--rank 2 does not go with 1 machine"):
        launch(recipe_for(1), tmp_path, ["x"], place, resume=False, report=lambda _: None)


def trained(folder: Path, **update: object) -> tuple[Recipe, Path]:
    """A recipe and a run's folder in which every phase is finished and nothing has followed yet."""
    (folder / "tiny.yaml").write_text(RECIPE.format(base=folder / "base"))
    recipe, out = load_recipe(folder / "tiny.yaml").model_copy(update=update), folder / "out"
    results = [PhaseResult(phase.name, 1, 1.0, 1, 1, 0, 0.5, True)._asdict() for phase in recipe.phases]
    out.mkdir()
    (out / "phases.json").write_text(json.dumps(results))
    return recipe, out


@pytest.mark.parametrize("push_to", [None, "org/mine"])
@pytest.mark.parametrize("method", ["lora", "full_to_lora", "full"])
@pytest.mark.parametrize("rank", [0, 1])
def test_what_follows_the_last_phase_is_made_up_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, push_to: str | None, method: str, rank: int
) -> None:
    recipe, out = trained(tmp_path, method=method, launch=Launch(devices=2, machines=2, push_to=push_to))
    commands: list[list[str]] = []
    monkeypatch.setattr(launching, "_run", lambda command: commands.append(command) or 0)

    def resume() -> int:
        commands.clear()
        launch(recipe, out, ["commands", "train", "run", "r"], Place(rank), resume=True, report=lambda _: None)
        return len(commands)

    nothing_to_do = method == "full" and push_to is None
    assert resume() == (0 if rank or nothing_to_do else 1)
    if commands:
        assert commands[0][1:] == ["-m", "commands", "train", "run", "r", "--resume"], "one process is enough"
    if method != "full":
        (out / "adapter").mkdir()
        (out / "adapter" / "adapter_config.json").write_text("{}")
    note_result(recipe, out)
    assert resume() == 0
    if method != "full":
        shutil.rmtree(out / "adapter")
        assert resume() == (0 if rank else 1)


def test_what_follows_the_last_phase_may_fail_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe, out = trained(tmp_path)
    monkeypatch.setattr(launching, "_run", lambda _: -9)
    with pytest.raises(ArenaError, match=r"What follows the last phase ended with code -9.* --resume"):
        launch(recipe, out, ["x"], Place(), resume=True, report=lambda _: None)


def test_an_adapter_that_was_not_extracted_is_by_a_resumed_launch(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    recipe, out = trained(tmp_path)
    for folder in ("base", "out/after_journey"):
        save_tiny(tmp_path / folder)
    command = ["train", "launch", str(tmp_path / "tiny.yaml"), "--out", str(out), "--resume"]
    assert main(command) == 0
    assert json.loads((out / "adapter" / "adapter_config.json").read_text())["r"] == recipe.adapter.rank
    told = capfd.readouterr()
    assert "All phases are trained; what follows them was not done yet" in told.err
    assert f"All phases are finished; the result is in {out / 'adapter'}." in told.out
    assert main(command) == 0
    assert "not done yet" not in capfd.readouterr().err


def test_another_recipe_s_run_is_not_said_to_be_finished(tmp_path: Path) -> None:
    recipe, out = trained(tmp_path)
    (out / "recipe.json").write_text(recipe.model_copy(update={"seed": 4}).model_dump_json())
    with pytest.raises(ConfigError, match="another version of the recipe tiny"):
        launch(recipe, out, ["x"], Place(), resume=True, report=lambda _: None)


@pytest.mark.parametrize(
    ("options", "words"),
    [([], "--main is missing"), (["--main", "host"], "not HOST:PORT"), (["--main", "host:x"], "not HOST:PORT")],
)
def test_several_machines_need_an_address(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "launch", str(ROOT / "recipes" / "qwen2.5-72b.yaml"), *options]) == 1
    assert words in capsys.readouterr().err
