"""A tiny third model: from pairs to an adapter that holds both, measured against its parents, and as a pair."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from commands.arena import main
from common.errors import ConfigError, DataError
from common.paths import ROOT
from insights.tuning import tune as tuning
from insights.tuning.measure import agreement, agreements, compare_runs, margins, measured_problems
from insights.tuning.pairs import Split, split
from insights.tuning.tune import Settings, make_recipe, pair_lines, started_split, tune, tuned_pair, write_split
from models.config.registry import PairSpec, load_config
from models.config.sources import AdapterSource, FolderSource
from models.weights.adapter import check_adapter
from models.weights.merge import merge_adapter
from tests.insights.card.helpers import make_sets
from tests.traces.tiny import save_tiny
from traces.training.dataset import PreferenceRow
from traces.training.lora import join_adapters

ROWS = [
    PreferenceRow(f"What is {n} + {n}?", f"<think>\n{n} + {n} = {2 * n}.\n</think>\n\n{2 * n}", f"It is {n}.", f"x/{n}",
                  "votes" if n % 2 else "graded samples")
    for n in range(10)
]  # fmt: skip
SETTINGS = Settings(rank=4, learning_rate=1e-2, epochs=3, accumulate=1, max_length=200, seed=3)


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PairSpec:
    """A tiny base, and a distilled model that is an adapter on it."""
    monkeypatch.setenv("JOURNEY_CACHE", str(tmp_path / "cache"))
    base = save_tiny(tmp_path / "base")
    torch.manual_seed(1)
    config = LoraConfig(r=2, lora_alpha=6, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    model: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    model.save_pretrained(tmp_path / "parent")
    spec = load_config().pairs["smol-135m"]
    changes = {"base": FolderSource(folder=str(base)), "distilled": AdapterSource(adapter=str(tmp_path / "parent"))}
    sides = {role: spec.model(role).model_copy(update={"weights": source}) for role, source in changes.items()}  # type: ignore[arg-type]
    return spec.model_copy(update=sides)


def logits(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(torch.tensor([[5, 6, 7, 8]])).logits
    return found


def test_two_adapters_are_joined_exactly(tmp_path: Path, pair: PairSpec) -> None:
    base = tmp_path / "base"
    config = LoraConfig(r=3, lora_alpha=3, target_modules=["q_proj", "up_proj"], init_lora_weights=False)
    second: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    second.save_pretrained(tmp_path / "second")
    assert join_adapters(base, tmp_path / "parent", tmp_path / "second", tmp_path / "joined") == 5
    check_adapter(base, tmp_path / "joined")
    one: Any = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(tmp_path / "joined"))
    merged: Any = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(tmp_path / "parent"))
    both: Any = PeftModel.from_pretrained(merged.merge_and_unload(), str(tmp_path / "second"))
    assert torch.allclose(logits(one), logits(both), atol=1e-5)


def test_from_pairs_to_an_adapter_that_follows_them(tmp_path: Path, pair: PairSpec) -> None:
    out, divided = tmp_path / "out", split(ROWS, 1)
    tuned = tune(pair, out, divided, SETTINGS, resume=False, report=lambda line: None)
    assert (tuned.rank, tuned.phase.steps) == (6, 24) and tuned.phase.finished
    config = json.loads((tuned.adapter / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "HuggingFaceTB/SmolLM2-135M-Instruct" and config["r"] == 6
    parents: Any = {"base": tmp_path / "base", "distilled": Path(tuned.recipe.base)}
    found = agreements(parents, out / "after_preference", divided.held_out, 200)
    assert [one.parent for one in found] == ["base", "distilled"]
    assert all((one.pairs, one.followed) == (2, 2) and one.p_value == 0.5 for one in found)
    assert all("2 of 2" in one.sentence and "within chance" in one.sentence for one in found)
    # What is served, merged from the joined adapter, prefers as what was trained does.
    merge_adapter(tmp_path / "base", tuned.adapter, tmp_path / "served")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "base")
    before, after = (
        margins(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32), tokenizer, ROWS)
        for folder in (parents["distilled"], tmp_path / "served")
    )
    assert all(b < a for b, a in zip(before, after, strict=True))
    sources = [json.loads(line)["source"] for line in (out / "pairs.jsonl").read_text().splitlines()]
    assert set(sources) == {"votes", "graded samples"}


def test_a_resumed_run_goes_on_with_its_own_pairs_and_a_refused_one_has_changed_nothing(
    tmp_path: Path, pair: PairSpec
) -> None:
    out, divided, settings = tmp_path / "out", split(ROWS, 1), replace(SETTINGS, epochs=1)
    assert started_split(out) is None
    write_split(divided, out)
    assert started_split(out) is None, "pairs alone are no run"
    first = tune(pair, out, divided, settings, resume=False, report=lambda line: None)
    assert started_split(out) == divided
    before = {path: path.read_bytes() for path in out.iterdir() if path.is_file()}
    again = tune(pair, out, divided, settings, resume=True, report=lambda line: None)
    assert again.phase == first.phase
    with pytest.raises(ConfigError, match="another version"):
        tune(pair, out, divided, replace(settings, rank=8), resume=True, report=lambda line: None)
    assert {path: path.read_bytes() for path in out.iterdir() if path.is_file()} == before


def test_the_command_resumes_although_there_are_other_votes_by_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    gathered = [split(ROWS[:5], 1), split(ROWS, 1), split(ROWS, 1)]
    monkeypatch.setattr("commands.training.dpo._gather", lambda *_: ({"sentence": "Gathered."}, gathered.pop(0)))
    seen: list[tuple[Split, bool]] = []

    def trained(pair: PairSpec, out: Path, divided: Split, *_: Any, resume: bool, report: Any) -> Any:
        seen.append((divided, resume))
        write_split(divided, out)
        (out / "recipe.json").write_text("{}")
        raise DataError("Stopped.")

    monkeypatch.setattr(tuning, "tune", trained)
    command = ["train", "dpo", "--out", str(tmp_path / "out")]
    for options in (["--resume"], ["--resume"], []):
        assert main([*command, *options]) == 1
    assert [(len(divided.train) + len(divided.held_out), resume) for divided, resume in seen] == [
        (5, True), (5, True), (10, False)
    ]  # fmt: skip
    assert "goes on with the pairs that it was started with" in capsys.readouterr().err


def test_a_distilled_model_with_weights_of_its_own_gets_an_adapter_on_them(tmp_path: Path, pair: PairSpec) -> None:
    whole = pair.distilled.model_copy(update={"weights": FolderSource(folder=str(tmp_path / "base"))})
    own, out = pair.model_copy(update={"distilled": whole}), tmp_path / "out"
    few = Settings(rank=2, epochs=1, accumulate=8, max_length=200)
    tuned = tune(own, out, Split(tuple(ROWS), ()), few, resume=False, report=lambda line: None)
    assert tuned.rank == 2 and tuned_pair(own, tuned.adapter).base.weights == whole.weights
    check_adapter(tmp_path / "base", tuned.adapter)


@pytest.mark.parametrize("whole", [False, True])
def test_the_lines_make_a_pair(tmp_path: Path, whole: bool) -> None:
    spaces = yaml.safe_load((ROOT / "spaces.yaml").read_text())
    key = "qwen-math-1.5b-r1" if whole else "smol-135m"
    lines = pair_lines(load_config().pairs[key], tmp_path / "adapter", ["votes"])
    spaces["pairs"] |= yaml.safe_load("pairs:\n" + lines)["pairs"]
    (tmp_path / "spaces.yaml").write_text(yaml.safe_dump(spaces))
    found, before = (load_config(path).pairs for path in (tmp_path / "spaces.yaml", ROOT / "spaces.yaml"))
    made = found[f"{key}-tuned"]
    assert made.distilled.weights == AdapterSource(adapter=str(tmp_path / "adapter"))
    assert made.base.weights == (before[key].distilled if whole else before[key].base).weights
    assert made.distilled.thought == before[key].distilled.thought and "votes" in made.about


def test_problems_that_somebody_was_asked_are_not_measured_on() -> None:
    (first, *_) = measured_problems(6, [])
    (fewer, *_) = measured_problems(6, [first.problems[0].question, "something else"])
    assert [p.id for p in fewer.problems] == [p.id for p in first.problems[1:]] and fewer.sha256 != first.sha256


def test_both_parents_are_compared_on_the_same_problems(tmp_path: Path) -> None:
    parents = make_sets(tmp_path / "a", {"toy": {"base": 1, "distilled": 10}})
    other = make_sets(tmp_path / "b", {"toy": {"base": 0, "distilled": 12}})
    moved = tmp_path / "a" / "tuned"
    other.folder.rename(moved)
    info = json.loads((moved / "run.json").read_text())
    (moved / "run.json").write_text(json.dumps({**info, "id": "tuned"}))
    base, distilled = compare_runs(parents, type(parents)(moved))
    assert (base.parent, distilled.parent) == ("base", "distilled")
    assert base.sentence.endswith("tuned better.") and "5.0 % to 60.0 %" in base.sentence
    assert distilled.sentence.endswith("cannot be told apart.")


def test_agreement_by_hand() -> None:
    found = agreement("base", [1.0, 2.0, 3.0, 0.0], [0.0, 1.0, 2.0, 0.0])
    assert (found.pairs, found.followed) == (4, 3) and found.p_value == pytest.approx(0.625)


def test_the_command_says_when_there_is_nothing_to_learn_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    assert main(["train", "dpo", "--from", "votes"]) == 1
    told = capsys.readouterr().err
    assert "nothing to learn from" in told and "Votes give 0 pairs" in told
    assert main(["train", "dpo", "--pair", "nobody"]) == 1


def test_a_model_at_an_address_cannot_be_tuned(pair: PairSpec, tmp_path: Path) -> None:
    from common.errors import WeightsError
    from models.config.sources import AddressSource

    away = pair.distilled.model_copy(update={"weights": AddressSource(address="http://127.0.0.1:1/v1")})
    with pytest.raises((WeightsError, ConfigError)):
        tuning.tune(
            pair.model_copy(update={"distilled": away}), tmp_path, split(ROWS, 1), SETTINGS, resume=False, report=print
        )


def test_fewer_pairs_than_a_step_takes_are_refused(tmp_path: Path, pair: PairSpec) -> None:
    few = Split(tuple(ROWS[:3]), ())
    with pytest.raises(DataError, match="3 pairs are too few to train on: a single step takes 8"):
        tune(pair, tmp_path / "out", few, Settings(), resume=False, report=print)


@pytest.mark.parametrize(("pairs", "warmup"), [(8, 0), (40, 1), (1000, 5)])
def test_the_first_steps_are_never_all_there_is(tmp_path: Path, pair: PairSpec, pairs: int, warmup: int) -> None:
    """With more steps of warm-up than steps, nothing would be learned."""
    (phase,) = make_recipe(pair, tmp_path, tmp_path, "0" * 64, pairs, Settings()).phases
    assert phase.warmup_steps == warmup
