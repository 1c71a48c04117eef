"""spaces.yaml: the one in the repository is sound, and every mistake in it is named by its key."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import SpaceHardware

from common.errors import ConfigError
from common.paths import ROOT
from models.config import registry
from models.config.registry import ROLES, find_model, load_config, pair_named, profile_named
from models.config.sources import (
    AdapterSource,
    EnvironmentSource,
    FolderSource,
    HubSource,
    PartsSource,
    hub_name,
    resolve_environment,
)

CONFIG = load_config()
RAW = yaml.safe_load((ROOT / "spaces.yaml").read_text())


def changed(path: str, value: Any) -> dict[str, Any]:
    """The repository's configuration with one key set; a value of ... deletes it."""
    raw = copy.deepcopy(RAW)
    *parents, last = path.split("/")
    place = raw
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return raw


def load(tmp_path: Path, raw: Any) -> registry.SpacesConfig:
    file = tmp_path / "spaces.yaml"
    file.write_text(raw if isinstance(raw, str) else yaml.safe_dump(raw))
    return load_config(file)


MISTAKES = [
    ("space/colorFrom", "mauve", ["space.colorFrom", "'red'", "'mauve'"]),
    ("space/short_description", "x" * 61, ["space.short_description", "60"]),
    ("space/titel", "x", ["space", "titel", "title"]),
    ("space/title", ..., ["space.title", "required"]),
    ("default_pairs", ["smol-135m", "nobody"], ["default_pairs", "nobody", "smol-135m"]),
    ("default_pairs", [], ["default_pairs"]),
    ("pairs/smol-135m/base/weights", {"hub": "a/b", "folder": "c"}, ["pairs.smol-135m.base.weights", "exactly one"]),
    ("pairs/smol-135m/base/weights", {"hug": "a/b"}, ["pairs.smol-135m.base.weights", "folder, hub, package"]),
    ("pairs/smol-135m/base/weights", {"hub": "a/b", "rev": "c"}, ["pairs.smol-135m.base.weights", "rev", "revision"]),
    ("pairs/smol-135m/base/weights", {"adapter": "a/b"}, ["pairs.smol-135m", "base.weights", "cannot be an adapter"]),
    ("pairs/smol-135m/base/weights/sha256", "12", ["pairs.smol-135m.base.weights.sha256", "'12'"]),
    ("models/qwen-1.5b/weights/package", [], ["models.qwen-1.5b.weights.package"]),
    ("models/qwen-1.5b/weights/package", [{"package": "a>1", "file": "b"}], ["weights.package.0.package", "'a>1'"]),
    ("models/qwen-1.5b/weights/package", "a==1", ["models.qwen-1.5b.weights", "size"]),
    ("models/qwen-1.5b/weights/hub", "a/b", ["models.qwen-1.5b.weights", "exactly one"]),
    ("models/qwen-1.5b/weights", {"adapter": "a/b"}, ["models", "qwen-1.5b is an adapter", "side of a pair"]),
    ("models/qwen-1.5b/weights/published", ..., ["models.qwen-1.5b.weights.published", "required"]),
    ("models/qwen-1.5b/architecture", "gpt", ["models.qwen-1.5b.architecture", "'gpt'"]),
    ("models/smol-135m-base", RAW["models"]["qwen-1.5b"], ["models", "smol-135m-base", "pair"]),
    ("pairs/smol-135m/base/architecture", "gpt", ["pairs.smol-135m.base.architecture", "'gpt'", "qwen2.5-7b"]),
    ("pairs/smol-135m/distilled/thought", {"kind": "tag"}, ["pairs.smol-135m.distilled.thought.kind", "'tags'"]),
    ("pairs/smol-135m/distilled/thought", {"kind": "marker"}, ["pairs.smol-135m.distilled.thought", "marker"]),
    ("pairs/smol-135m/distilled/thought", {"kind": "tags", "shut": "x"}, ["distilled.thought", "shut", "close"]),
    ("pairs/smol-135m/sampling/max_tokens", 0, ["smol-135m.base.sampling.max_tokens", "greater than 0", "found 0"]),
    ("pairs/smol-135m/sampling/temperature", -3, ["smol-135m.base.sampling.temperature", "equal to 0", "found -3"]),
    ("pairs/smol-135m/sampling/top_p", 7, ["smol-135m.base.sampling.top_p", "equal to 1", "found 7"]),
    ("pairs/smol-135m/sampling", 3, ["smol-135m.base.sampling", "found 3"]),
    ("pairs/smol-135m/sampling/temprature", 1.0, ["sampling", "temprature", "temperature"]),
    ("pairs/smol-135m/base/context_length", -1, ["pairs.smol-135m.base.context_length", "-1"]),
    ("architectures/smollm2-135m/head_dim", "wide", ["architecture.head_dim", "'wide'"]),
    ("profiles/cpu/arrangement", "three", ["profiles.cpu.arrangement", "'adapter', 'two' or 'remote'"]),
    ("profiles/cpu/kv_cache_gib", ..., ["profiles.cpu", "kv_cache_gib"]),
    ("profiles/l4/gpu/count", 0, ["profiles.l4.gpu.count"]),
    ("profiles/cpu/quantization", "int3", ["profiles.cpu.quantization", "'fp8' or 'awq'"]),
    ("profiles/remote/base", ..., ["profiles.remote", "addresses"]),
    ("pairs", [], ["pairs"]),
]


@pytest.mark.parametrize(("path", "value", "words"), MISTAKES)
def test_mistake_is_named(tmp_path: Path, path: str, value: Any, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, changed(path, value))
    for word in ["spaces.yaml", *words]:
        assert word in str(caught.value)


@pytest.mark.parametrize("key", ["org/mine", "../mine", "", ".mine", "my pair", "mine\n"])
def test_a_pair_whose_name_cannot_be_a_folders_is_refused(tmp_path: Path, key: str) -> None:
    named = changed("space/pinned", False)
    named["pairs"][key] = copy.deepcopy(named["pairs"]["smol-135m"])
    with pytest.raises(ConfigError, match="pairs"):
        load(tmp_path, named)


@pytest.mark.parametrize(
    ("text", "words"),
    [("a: 1\nb: 2\na: 3\n", ["'a' appears twice", "line 3"]), ("a: [", ["not YAML"]), ("- 1", ["not a mapping"])],
)
def test_not_even_yaml(tmp_path: Path, text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    assert all(word in str(caught.value) for word in words)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "none.yaml")


def test_pairs_and_profiles_are_there() -> None:
    assert {"smol-135m", "qwen2.5-72b", "llama-70b-r1", "qwen-math-7b-r1", "qwen-math-1.5b-r1"} <= set(CONFIG.pairs)
    assert {"cpu", "l4", "l40s-4", "a100-4", "remote"} <= set(CONFIG.profiles)
    for key, pair in CONFIG.pairs.items():
        assert [pair.model(role).key for role in ROLES] == [f"{key}-base", f"{key}-distilled"]


def test_a_model_is_found_alone_or_in_its_pair() -> None:
    alone = find_model(CONFIG, "qwen-1.5b")
    assert (alone.spec.key, alone.spec.title) == ("qwen-1.5b", "Qwen2.5-Coder-1.5B-Instruct")
    assert find_model(CONFIG, "smol-135m-distilled") == (CONFIG.pairs["smol-135m"], "distilled")
    with pytest.raises(ConfigError, match=r"no model “gpt-9”.*qwen-1\.5b.*smol-135m-base"):
        find_model(CONFIG, "gpt-9")


@pytest.mark.parametrize(("key", "parts", "parameters"), [("qwen-0.5b-base", 6, 0.63e9), ("qwen-1.5b", 22, 1.78e9)])
def test_weights_in_parts_name_what_their_publisher_has(key: str, parts: int, parameters: float) -> None:
    spec = find_model(CONFIG, key).spec
    assert isinstance(spec.weights, PartsSource)
    assert [part.file for part in spec.weights.package] == [
        f"{part.package.split('==')[0].replace('-', '_')}/data/part{number:02}.bin"
        for number, part in enumerate(spec.weights.package, start=1)
    ]
    assert len(set(spec.weights.package)) == parts
    assert spec.weights.published.hub == f"Qwen/{spec.title}-GGUF"
    assert spec.architecture.parameters == pytest.approx(parameters, rel=0.01)


def test_hardware_is_known_to_the_hub() -> None:
    known = {flavour.value for flavour in SpaceHardware}
    wanted = {profile.hardware for profile in CONFIG.profiles.values()} | {CONFIG.space.suggested_hardware}
    assert wanted <= known


def test_a_models_sampling_refines_its_pairs() -> None:
    pair = CONFIG.pairs["qwen-math-7b-r1"]
    assert (pair.base.sampling.max_tokens, pair.distilled.sampling.max_tokens) == (3072, 8192)
    assert pair.base.sampling.temperature == pair.distilled.sampling.temperature == 0.6
    for each in CONFIG.pairs.values():
        assert all(each.model(role).sampling.max_tokens < each.model(role).context_length for role in ROLES)


def test_values_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        CONFIG.pairs["smol-135m"].title = "other"


def test_environment_chooses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_PROFILE", "a100-4")
    monkeypatch.setenv("JOURNEY_PAIR", "llama-70b-r1")
    pair, profile = pair_named(CONFIG), profile_named(CONFIG)
    assert pair is not None and profile is not None
    assert (pair.key, profile.key) == ("llama-70b-r1", "a100-4")
    monkeypatch.setenv("JOURNEY_PAIR", "gpt-9")
    with pytest.raises(ConfigError, match=r"JOURNEY_PAIR.*'gpt-9'.*smol-135m"):
        pair_named(CONFIG)
    monkeypatch.delenv("JOURNEY_PAIR")
    assert pair_named(CONFIG) is None


def test_weights_named_by_a_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source = EnvironmentSource(env="JOURNEY_TEST_WEIGHTS", what="your checkpoint")
    monkeypatch.delenv(source.env, raising=False)
    with pytest.raises(ConfigError, match=r"JOURNEY_TEST_WEIGHTS is not set\. Set it to your checkpoint"):
        resolve_environment(source)
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text("{}")
    for value, resolved in {
        "me/model": HubSource(hub="me/model"),
        "me/model@abc": HubSource(hub="me/model", revision="abc"),
        "adapter:me/lora": AdapterSource(adapter="me/lora"),
        str(tmp_path): FolderSource(folder=str(tmp_path)),
        str(adapter): AdapterSource(adapter=str(adapter)),
    }.items():
        monkeypatch.setenv(source.env, value)
        assert resolve_environment(source) == resolved
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(source.env, "adapter")
    assert resolve_environment(source) == AdapterSource(adapter=str(adapter)), "wherever it is read from later"


def test_an_adapter_names_its_base_by_its_id_on_the_hub_where_there_is_one() -> None:
    packaged, plain = CONFIG.pairs["smol-135m"], CONFIG.pairs["qwen-math-7b-r1"]
    assert packaged.base.base_id == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert plain.base.base_id == "Qwen/Qwen2.5-Math-7B-Instruct"
    assert packaged.distilled.base_id == "smol-135m-distilled"
    for adapter, named in {"c/d": "c/d", "./c": None, "models/c": None, "a/b/c": None}.items():
        assert hub_name(AdapterSource(adapter=adapter)) == named
