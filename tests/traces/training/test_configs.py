"""Every object that a large recipe describes, built: TRL, DeepSpeed, PEFT; packing, and what was trained, pushed."""

from pathlib import Path
from typing import Any

import pytest
from accelerate.utils.deepspeed import HfDeepSpeedConfig
from huggingface_hub.errors import HfHubHTTPError
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.integrations.deepspeed import HfTrainerDeepSpeedConfig
from trl import SFTConfig

from common.errors import DataError, WeightsError
from common.paths import ROOT
from tests.traces.tiny import save_tiny
from traces.publishing import push
from traces.training.configs import lora_config, sft_config
from traces.training.dataset import Row, in_even_batches, write_rows
from traces.training.recipe import Launch, Phase, Recipe, base_here, base_of, load_recipe
from traces.training.train import packed, rows_trainer

RECIPES = ROOT / "recipes"
LARGE = sorted(file.stem for file in RECIPES.glob("qwen2.5-72b*.yaml"))


def built(recipe: Recipe, phase: Phase, folder: Path) -> SFTConfig:
    return sft_config(recipe, phase, folder, RECIPES)


@pytest.mark.parametrize("name", LARGE)
def test_the_trainer_gets_what_the_recipe_says(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(RECIPES / f"{name}.yaml")
    for phase in recipe.phases:
        config = built(recipe, phase, tmp_path)
        assert config.ddp_timeout == 7200
        assert config.save_total_limit == 2
        assert config.max_length == phase.max_length
        assert config.activation_offloading == recipe.launch.activation_offload
        assert config.gradient_checkpointing and config.bf16
        assert config.lr_scheduler_type == "cosine_with_min_lr"
        assert config.lr_scheduler_kwargs == {"min_lr_rate": pytest.approx(0.1)}
        assert config.packing == phase.packing
    lora = lora_config(recipe)
    assert isinstance(lora, LoraConfig) and lora.r == recipe.adapter.rank


class DeepSpeedFile(HfTrainerDeepSpeedConfig, HfDeepSpeedConfig):
    """A file as the trainer reads it, without DeepSpeed and without telling the whole process of it."""

    def __init__(self, path: Path) -> None:
        HfDeepSpeedConfig.__init__(self, str(path))
        self._dtype, self.mismatches = None, []


@pytest.mark.parametrize("name", LARGE)
def test_the_deepspeed_file_leaves_nothing_open(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(RECIPES / f"{name}.yaml")
    assert recipe.launch.deepspeed
    deepspeed = DeepSpeedFile(RECIPES / recipe.launch.deepspeed)
    deepspeed.trainer_config_process(args := built(recipe, recipe.phases[-1], tmp_path))
    model = AutoModelForCausalLM.from_pretrained(save_tiny(tmp_path / "base"))
    deepspeed.trainer_config_finalize(args, model, 100)
    assert deepspeed.config["train_micro_batch_size_per_gpu"] == 1
    assert "auto" not in str(deepspeed.config)
    assert deepspeed.config["bf16"]["enabled"] is True


def test_devices_may_share_each_row(tmp_path: Path) -> None:
    recipe = load_recipe(RECIPES / "qwen2.5-72b.yaml")
    shared = recipe.model_copy(update={"launch": recipe.launch.model_copy(update={"sequence_parallel": 4})})
    parallelism: Any = built(shared, shared.phases[0], tmp_path).parallelism_config
    assert (parallelism.sp_size, parallelism.sp_backend) == (4, "deepspeed")
    assert parallelism.sp_handler.sp_attn_implementation == "sdpa"
    assert shared.launch.row_devices == 8
    assert built(recipe, recipe.phases[0], tmp_path).parallelism_config is None


def test_trackers_are_named_in_the_recipe(tmp_path: Path) -> None:
    recipe = load_recipe(RECIPES / "quick.yaml")
    assert built(recipe, recipe.phases[0], tmp_path).report_to == []
    tracked = recipe.model_copy(update={"launch": Launch(report_to=("tensorboard",))})
    assert built(tracked, tracked.phases[0], tmp_path).report_to == ["tensorboard"]


def test_rows_of_all_devices_are_of_like_length() -> None:
    rows = [{"input_ids": [0] * (1 + n * 37 % 97)} for n in range(96)]
    ordered = [len(row["input_ids"]) for row in in_even_batches(rows, 2 * 4, seed=1)]
    spread = [max(ordered[at : at + 8]) - min(ordered[at : at + 8]) for at in range(0, 96, 8)]
    assert max(spread) < 20, "two rows on each of four devices"


ROWS = [
    Row("journey", f"What is {n} + 1?", (("<think>\n", True), ("wrong ", False), (f"{n + 1}\n</think>\n\nok", True)))
    for n in range(12)
]


def test_packed_rows_lose_nothing_and_stay_apart(tmp_path: Path) -> None:
    base = save_tiny(tmp_path / "base")
    tokenizer = AutoTokenizer.from_pretrained(base)
    write_rows(tmp_path / "rows.jsonl", ROWS)
    recipe = load_recipe(RECIPES / "quick.yaml").model_copy(update={"precision": "fp32"})
    losses = []
    for packing in (False, True):
        values = {"packing": packing, "batch_size": 12, "max_length": 300}
        phase = recipe.phases[0].model_copy(update=values)
        config = built(recipe, phase, tmp_path)
        model = AutoModelForCausalLM.from_pretrained(base)
        trainer, data = rows_trainer(model, tokenizer, config, phase, tmp_path / "rows.jsonl", 1)
        batches = list(trainer.get_train_dataloader())
        assert len(batches) == 1
        assert int((batches[0]["labels"] != -100).sum()) == data.learned
        losses.append(float(trainer.compute_loss(trainer.model, batches[0])))
    assert losses[1] == pytest.approx(losses[0], rel=1e-4), "no row sees another"
    joined = packed(data.rows, 300)
    assert len(joined) < len(ROWS) / 2 and max(len(row["input_ids"]) for row in joined) <= 300
    assert sum(len(row["seq_lengths"]) for row in joined) == len(ROWS)
    assert packed([], 300) == []


def test_a_base_may_be_a_repository_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert base_here("hub:org/nothing@v2") is None
    with pytest.raises(WeightsError, match="org/nothing"):
        base_of("hub:org/nothing@v2")


class Hub:
    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.calls = error, []  # type: ignore[var-annotated]

    def create_repo(self, repo: str, **options: Any) -> str:
        if self.error:
            raise self.error
        self.calls.append((repo, options["private"]))
        return f"https://hub/{repo}"

    def upload_folder(self, **options: Any) -> None:
        self.calls.append((options["repo_id"], options["folder_path"]))


def test_what_was_trained_can_be_pushed(tmp_path: Path) -> None:
    hub = Hub()
    assert push.push_trained(tmp_path, "org/mine", hub) == "https://hub/org/mine"
    assert hub.calls == [("org/mine", True), ("org/mine", str(tmp_path))]
    with pytest.raises(DataError, match="hf upload org/mine"):
        push.push_trained(tmp_path, "org/mine", Hub(OSError("no")))
    assert issubclass(HfHubHTTPError, OSError), "what the hub raises is caught"
