"""The ablation report: read whole, refused when it cannot be true, absent when nothing was measured."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from commands.arena import main
from common.errors import ArenaError, ConfigError, DataError
from common.paths import ROOT
from eval.statistics.metrics import wilson
from traces.publishing import arms
from traces.publishing.ablation import ArmResult, Trained, compare, problems_of, read_ablation, write_ablation
from traces.thoughts.sentences import TELLERS
from traces.training.checkpoints import START_ANEW
from traces.training.recipe import Recipe

TELLERS_OF = tuple(TELLERS)


def arm(name: str, correct: int = 24, **other: Any) -> dict[str, Any]:
    result = {"correct": correct, "problems": 60, "mean_tokens": 171.4}
    arm = {"name": name, "what": f"{name}, phase 1 first", "problems": 760, "tokens": 198_000, "minutes": 18}
    return {**arm, "results": {"same_kind": result}, **other}


def write(folder: Path, *arms: dict[str, Any], **other: Any) -> Path:
    path = folder / "ablation.json"
    path.write_text(json.dumps({"question": "Which?", "made": {"seed": 11}, "arms": arms, **other}))
    return path


def test_arms_come_with_their_intervals(tmp_path: Path) -> None:
    other = {"unseen_families": {"correct": 0, "problems": 9, "mean_tokens": 80}}
    found = read_ablation(write(tmp_path, arm("journey"), arm("shortcut", 2, results=other)))
    assert found is not None
    assert found.splits == ("same_kind", "unseen_families")
    assert found.arms[0].results["same_kind"].accuracy == wilson(24, 60)
    assert (found.arms[1].tokens, found.made["seed"]) == (198_000, 11)


def test_what_was_not_measured_is_none(tmp_path: Path) -> None:
    assert read_ablation(tmp_path / "ablation.json") is None


@pytest.mark.parametrize(
    ("arms", "says"),
    [
        ([arm("journey")], "two arms"),
        ([arm("journey"), arm("journey")], "name of its own"),
        ([arm("journey"), arm("shortcut", 61)], "61 of 60"),
        ([arm("journey"), arm("shortcut", tokens="many")], r"arms\.1\.tokens"),
        ([arm("journey"), {"name": "shortcut"}], r"arms\.1"),
    ],
)
def test_what_cannot_be_is_refused_by_name(tmp_path: Path, arms: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(DataError, match=says):
        read_ablation(write(tmp_path, *arms))


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ablation.json"
    path.write_text("{")
    with pytest.raises(DataError, match=r"ablation\.json"):
        read_ablation(path)


def recipe(name: str, rank: int = 64, **phases: dict[str, int]) -> Recipe:
    told = [{"name": phase, "mix": mix, "learning_rate": 1e-3} for phase, mix in phases.items()]
    values = {"name": name, "about": f"About {name}.", "base": "embedded", "parameters_billion": 0.1}
    return Recipe.model_validate({**values, "adapter": {"rank": rank, "alpha": rank}, "phases": told})


def test_every_recipe_is_an_arm_and_the_first_is_cut_to_other_ranks(tmp_path: Path) -> None:
    recipes = [
        recipe("journey", one={"shortcut": 10}, two={"journey": 30, "skip": 10}),
        recipe("short", 8, one={"shortcut": 5}),
    ]

    def train(given: Recipe, ranks: Sequence[int]) -> Trained:
        phases = [{"tokens": 1000, "seconds": 90.0} for _ in given.phases]
        return Trained({rank: tmp_path / f"{given.name}-{rank}" for rank in ranks}, phases)

    def measure(_: Recipe, name: str, adapter: Path) -> dict[str, ArmResult]:
        rank = int(adapter.name.rpartition("-")[2])
        return {"same_kind": ArmResult(correct=rank, problems=100, mean_tokens=len(name))}

    path = tmp_path / "deep" / "ablation.json"
    write_ablation(path, compare(recipes, [32, 64], train, measure, {"seed": 1}))
    found = read_ablation(path)
    assert found is not None
    told = [(a.name, a.problems, a.tokens, a.minutes, a.results["same_kind"].correct) for a in found.arms]
    assert told == [("journey", 40, 2000, 3.0, 64), ("journey, rank 32", 40, 2000, 3.0, 32), ("short", 5, 1000, 1.5, 8)]
    assert found.arms[2].what == "About short."


def test_phases_that_share_problems_count_them_once() -> None:
    assert (
        problems_of(recipe("r", one={"shortcut": 10, "journey": 4}, two={"journey": 20, "skip": 5, "drill": 9})) == 25
    )


@pytest.mark.parametrize(
    ("families", "mixes", "count"),
    [
        (None, [{"told": 300}], 300),
        (None, [{"told": 30}, {"told": 20, "skip": 20}], 40),
        (None, [{"journey": 10, "told": 30}], 40),
        (TELLERS_OF, [{"journey": 10, "told": 30}], 30),
    ],
)
def test_problems_of_thoughts_told_in_sentences_count_too(
    families: tuple[str, ...] | None, mixes: list[dict[str, int]], count: int
) -> None:
    phases = {f"phase{number}": mix for number, mix in enumerate(mixes)}
    assert problems_of(recipe("r", **phases).model_copy(update={"families": families})) == count


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ConfigError("Another version of the recipe a.", START_ANEW), "Another version of the recipe a. Remove {}"),
        (DataError("The weights are gone.", f"Put them back. {START_ANEW}"), "are gone. Put them back. Remove {}"),
        (ConfigError("deepspeed is not installed.", "Install it."), "deepspeed is not installed. Install it."),
    ],
)
def test_what_cannot_go_on_is_told_in_this_command_s_own_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: ArenaError, says: str
) -> None:
    def train(*_: object, **__: object) -> list[Any]:
        raise error

    monkeypatch.setattr(arms, "train", train)
    monkeypatch.setattr(arms, "make", lambda *_: [])
    monkeypatch.setattr(arms, "base_of", lambda name, report: Path(name))
    with pytest.raises(type(error)) as caught:
        arms.ablate([recipe("a", one={"journey": 3})], [], 1, tmp_path, tmp_path / "r.json")
    assert says.format(tmp_path / "a") in str(caught.value) and "--resume" not in str(caught.value)


def test_an_arm_is_cut_and_measured_again_only_when_it_was_trained_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    clock = [0]

    def train(recipe: Recipe, base: Path, data: Path, out: Path, **_: object) -> list[Any]:
        weights = out / "after_one" / "config.json"
        weights.parent.mkdir(parents=True, exist_ok=True)
        weights.write_text("{}")
        os.utime(weights, (clock[0], clock[0]))
        return []

    def extract(base: Path, weights: Path, recipe: Recipe, adapter: Path, rank: int) -> None:
        done.append(f"cut {recipe.name}")
        adapter.mkdir()
        (adapter / "adapter_config.json").write_text("{}")
        os.utime(adapter / "adapter_config.json", (clock[0] + 1, clock[0] + 1))

    def measure(_: object, adapter: Path, count: int, families: object) -> dict[str, ArmResult]:
        if not (adapter / "runs").exists():
            done.append(f"measured {adapter.parent.name}")
            (adapter / "runs").mkdir()
        return {"same_kind": ArmResult(correct=0, problems=count, mean_tokens=1)}

    recipes = {name: recipe(name, one={"journey": 3}) for name in ("a", "b")}
    for name, fake in (("train", train), ("extract_adapter", extract), ("measure_arm", measure)):
        monkeypatch.setattr(arms, name, fake)
    monkeypatch.setattr(arms, "make", lambda *_: [])
    monkeypatch.setattr(arms, "base_of", lambda name, report: Path(name))
    everything = ["cut a", "measured a", "cut b", "measured b"]
    for trained_at, expected in ((100, everything), (100, []), (200, everything)):
        clock[0] = trained_at
        done.clear()
        arms.ablate(list(recipes.values()), [], 1, tmp_path, tmp_path / "r.json")
        assert done == expected


@pytest.mark.parametrize(
    ("old", "new"), [("base: embedded", "base: qwen-0.5b"), ("method: full_to_lora", "method: lora")]
)
def test_recipes_that_cannot_be_compared_are_refused_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str
) -> None:
    quick = ROOT / "recipes" / "quick.yaml"
    (tmp_path / "own.yaml").write_text(quick.read_text().replace(old, new))
    command = ["train", "ablate", str(quick), str(tmp_path / "own.yaml"), "--out", str(tmp_path / "out")]
    assert main([*command, "--report", str(tmp_path / "report.json")]) == 1
    assert "own.yaml cannot be compared" in capsys.readouterr().err and not (tmp_path / "out").exists()
