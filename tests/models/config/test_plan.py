"""Plans: the arithmetic behind them, what is refused, and that vLLM itself understands every command."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.arena import main
from commands.pairs import command, describe_plan
from common.errors import ConfigError
from models.config.layout import Engine, context_length
from models.config.machine import Processor, computes_in_bf16
from models.config.memory import GIB
from models.config.plan import Plan, make_plan, precision
from models.config.registry import ROLES, find_model, load_config
from models.config.sources import AdapterSource, AddressSource, FolderSource, Source
from models.serving.engine import engine_python
from models.weights import merge, served
from models.weights.find import find_weights

CONFIG = load_config()
TWO_CORES = Processor((0, 1), bf16=True)
EVERY = [(pair, profile) for pair in CONFIG.pairs for profile in CONFIG.profiles]


def plan(pair: str, profile: str, cores: list[int] | None = None, bf16: bool = True) -> Plan:
    return make_plan(CONFIG, CONFIG.pairs[pair], CONFIG.profiles[profile], Processor(tuple(cores or [0, 1]), bf16))


def plan_or_none(pair: str, profile: str) -> Plan | None:
    try:
        return plan(pair, profile)
    except ConfigError:
        return None


PARSER = """
import json, sys
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.utils.argparse_utils import FlexibleArgumentParser

parser = make_arg_parser(FlexibleArgumentParser())
for line in sys.stdin:
    try:
        arguments = parser.parse_args(json.loads(line))
        validate_parsed_serve_args(arguments)
        loras = [lora.name for lora in arguments.lora_modules or []]
        print("PARSED", json.dumps([arguments.served_model_name, arguments.port, loras]))
    except SystemExit:
        print("PARSED", "null")
"""


def parsed(commands: list[list[str]]) -> list[Any]:
    """(served names, port, names of adapters) of each command line, as vLLM's own parser reads it; None where it
    refuses. In the engine's own environment."""
    lines = "".join(json.dumps(argv) + "\n" for argv in commands)
    python = engine_python(lambda _: None)
    done = subprocess.run([python, "-c", PARSER], input=lines, capture_output=True, text=True, timeout=300, check=True)
    return [json.loads(line.removeprefix("PARSED ")) for line in done.stdout.splitlines() if line.startswith("PARSED ")]


def test_vllm_understands_every_command() -> None:
    plans = [found for pair in EVERY if (found := plan_or_none(*pair)) and found.profile.served_by == "vllm"]
    planned = [(found, engine) for found in plans for engine in found.engines]
    commands = [command(found, engine, 8001) for found, engine in planned]
    assert all(argv[1:3] == ["-m", "vllm.entrypoints.openai.api_server"] for argv in commands)
    *read, refused = parsed([*(argv[3:] for argv in commands), ["--model", "x", "--no-such-flag"]])
    for (_, engine), (names, port, adapters) in zip(planned, read, strict=True):
        assert (names, port) == ([engine.names[0]], 8001)
        assert adapters == list(engine.names[1:])
    assert refused is None


@pytest.mark.parametrize(
    ("pair", "parameters", "kv_bytes"),
    [  # totals as their publishers state them or their safetensors index sums them up
        ("smol-135m", 134_515_008, 23_040),
        ("qwen2.5-72b", 72_706_203_648, 327_680),
        ("llama-70b-r1", 70_553_706_496, 327_680),
        ("qwen-math-7b-r1", 7_615_616_512, 57_344),
        ("qwen-math-1.5b-r1", 1_543_714_304, 28_672),
    ],
)
def test_config_numbers_give_the_known_totals(pair: str, parameters: int, kv_bytes: int) -> None:
    architecture = CONFIG.pairs[pair].base.architecture
    assert architecture.parameters == parameters
    assert architecture.kv_bytes_per_token == kv_bytes
    assert architecture.weight_bytes() == 2 * parameters
    assert architecture.weight_bytes("awq") < architecture.weight_bytes("fp8") < architecture.weight_bytes()


def test_the_three_ways_to_serve_two_72b_models() -> None:
    copies = plan("qwen2.5-72b", "a100-4")
    assert [engine.gpus for engine in copies.engines] == [(0, 1), (2, 3)]
    assert all("fp8_per_tensor" in engine.options for engine in copies.engines)
    adapter = plan("qwen2.5-72b", "a100-4-adapter")
    assert [engine.roles for engine in adapter.engines] == [ROLES]
    assert adapter.engines[0].gpus == (0, 1, 2, 3)
    assert plan("qwen2.5-72b", "remote").engines == ()


def test_a_side_at_an_address_takes_nothing_of_this_machine() -> None:
    pair, away = CONFIG.pairs["qwen2.5-72b"], AddressSource(address="http://h:1/v1")
    large = pair.model_copy(update={role: pair.model(role).model_copy(update={"weights": away}) for role in ROLES})
    assert make_plan(CONFIG, large, CONFIG.profiles["cpu"], TWO_CORES).engines == ()
    small = CONFIG.pairs["smol-135m"]
    mixed = small.model_copy(update={"base": large.base})
    (engine,) = make_plan(CONFIG, mixed, CONFIG.profiles["cpu"], TWO_CORES).engines
    assert (engine.roles, engine.cores) == (("distilled",), TWO_CORES.cores), "all cores and all memory"
    two = make_plan(CONFIG, small, CONFIG.profiles["cpu"], TWO_CORES).engines
    assert engine.usage.limit == pytest.approx(2 * two[0].usage.limit, abs=1)


@pytest.mark.parametrize(
    ("pair", "profile", "words"),
    [
        ("qwen2.5-72b", "l4", ["135.4 GiB of weights", "10.3 GiB may be used", "nearest", "profile l40s-4"]),
        ("qwen2.5-72b", "cpu", ["KV cache", "profile l40s-4"]),
        ("llama-70b-r1", "a100-4-adapter", ["whole checkpoint", "profile a100-4 "]),
        ("qwen-math-7b-r1", "l4", ["nearest", "l4 with", "fp8"]),
    ],
)
def test_refusals_give_reason_and_way_out(pair: str, profile: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        plan(pair, profile)
    for word in [pair, profile, *words]:
        assert word in str(caught.value)


@given(
    streams=st.integers(1, 64),
    context=st.sampled_from([2048, 8192, 32768]),
    pair=st.sampled_from(list(CONFIG.pairs)),
    profile=st.sampled_from([key for key, p in CONFIG.profiles.items() if p.gpu and p.served_by == "vllm"]),
)
def test_what_is_planned_fits_and_devices_exist(streams: int, context: int, pair: str, profile: str) -> None:
    changed = CONFIG.profiles[profile].model_copy(update={"streams": streams, "context_length": context})
    assert changed.gpu is not None
    try:
        planned = make_plan(CONFIG, CONFIG.pairs[pair], changed, processor=TWO_CORES)
    except ConfigError:
        return
    for engine in planned.engines:
        assert engine.usage.left >= 0
        assert set(engine.gpus) <= set(range(changed.gpu.count))
        spec = planned.pair.model(engine.roles[0])
        tokens = streams * context_length(spec, changed)
        per_token = spec.architecture.kv_bytes_per_token / (2 if changed.kv_cache else 1)
        assert engine.usage.kv_cache * len(engine.gpus) >= per_token * tokens * 0.99
    per_gpu: dict[int, float] = {}
    for engine in planned.engines:
        share = float(engine.options[engine.options.index("--gpu-memory-utilization") + 1])
        for gpu in engine.gpus:
            per_gpu[gpu] = per_gpu.get(gpu, 0.0) + share
    assert all(total <= changed.memory_utilization + 1e-9 for total in per_gpu.values())


def cores_of(engine: Engine) -> list[int]:
    return [int(core) for core in dict(engine.environment)["VLLM_CPU_OMP_THREADS_BIND"].split(",")]


def told(engine: Engine, option: str) -> str | None:
    return engine.options[engine.options.index(option) + 1] if option in engine.options else None


@pytest.mark.parametrize(("x86", "weights", "method"), [(True, 1, "fp16_weights"), (False, 2, None)])
def test_a_processor_without_bf16_units_computes_in_fp32(x86: bool, weights: int, method: str | None) -> None:
    pair, profile = CONFIG.pairs["smol-135m"], CONFIG.profiles["cpu"]
    narrow = plan("smol-135m", "cpu").engines[0]
    wide = make_plan(CONFIG, pair, profile, Processor((0, 1), bf16=False, x86=x86)).engines[0]
    assert (told(narrow, "--dtype"), told(narrow, "--quantization")) == ("bfloat16", None)
    assert (told(wide, "--dtype"), told(wide, "--quantization")) == ("float32", method)
    assert ("PYTHONPATH" in dict(wide.environment)) is (method is not None)
    assert wide.usage.weights == weights * narrow.usage.weights
    assert wide.usage.kv_cache == 2 * narrow.usage.kv_cache == 2 * GIB
    assert dict(wide.environment)["VLLM_CPU_KVCACHE_SPACE"] == "2"
    assert dict(wide.environment)["TORCHDYNAMO_DISABLE"] == "1"
    compiled = profile.model_copy(update={"engine": {"enforce-eager": False}})
    engine = make_plan(CONFIG, pair, compiled, Processor((0, 1), bf16=True, x86=x86)).engines[0]
    assert "TORCHDYNAMO_DISABLE" not in dict(engine.environment)
    big = CONFIG.profiles["cpu"].model_copy(update={"streams": 5})
    make_plan(CONFIG, CONFIG.pairs["smol-135m"], big, processor=TWO_CORES._replace(bf16=False))
    with pytest.raises(ConfigError, match="reserves 2 GiB"):
        make_plan(
            CONFIG,
            CONFIG.pairs["smol-135m"],
            big.model_copy(update={"streams": 6}),
            processor=TWO_CORES._replace(bf16=False),
        )


@pytest.mark.parametrize(
    "engine",
    [
        {"enforce-eager": True, "dtype": "float32"},
        {"enforce-eager": True, "quantization": "torchao"},
        {"enforce-eager": False},
        {},
    ],
)
def test_a_profile_may_have_a_precision_of_its_own(engine: dict[str, str | bool]) -> None:
    pair, processor = CONFIG.pairs["smol-135m"], Processor((0, 1), bf16=False)
    profile = CONFIG.profiles["cpu"].model_copy(update={"engine": engine})
    for one in make_plan(CONFIG, pair, profile, processor).engines:
        assert "fp16_weights" not in one.options
        assert "PYTHONPATH" not in dict(one.environment)
        assert one.usage.weights == 4 * pair.base.architecture.parameters
    assert "fp16" not in precision(pair.base, profile, processor)


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        ("processor : 0\nflags\t\t: fpu avx2 avx512f avx512_bf16 sse\n", True),
        ("flags : avx512f amx_tile amx_bf16\n", True),
        ("Features\t: fp asimd bf16 i8mm\n", True),
        ("flags\t\t: fpu avx2 avx512f\nbugs : avx512_bf16\n", False),
        ("nothing of the kind\n", False),
        (None, False),
    ],
)
def test_bf16_units_are_read_from_the_system(tmp_path: Path, cpuinfo: str | None, expected: bool) -> None:
    if cpuinfo is not None:
        (tmp_path / "cpuinfo").write_text(cpuinfo)
    assert computes_in_bf16(tmp_path / "cpuinfo") is expected


@given(st.lists(st.integers(0, 255), min_size=2, unique=True).map(sorted))
def test_servers_on_cpu_never_share_a_core(cores: list[int]) -> None:
    base, distilled = plan("smol-135m", "cpu", cores).engines
    assert len(cores_of(base)) == len(cores_of(distilled)) == len(cores) // 2
    assert not set(cores_of(base)) & set(cores_of(distilled))
    assert set(cores_of(base)) | set(cores_of(distilled)) <= set(cores)


def test_a_single_core_is_shared() -> None:
    assert [cores_of(engine) for engine in plan("smol-135m", "cpu", [3]).engines] == [[3], [3]]


@pytest.mark.parametrize("key", [*CONFIG.models, "smol-135m-base", "smol-135m-distilled"])
@pytest.mark.parametrize("cores", [(0, 1), (3,), (0, 2, 4, 6, 8)])
def test_a_model_alone_has_all_cores_and_all_memory(key: str, cores: tuple[int, ...]) -> None:
    side, profile = find_model(CONFIG, key), CONFIG.profiles["cpu"]
    planned = make_plan(CONFIG, side.pair, profile, Processor(cores, bf16=False), (side.role,))
    (engine,) = planned.engines
    assert cores_of(engine) == list(cores)
    assert engine.names == (key,)
    assert engine.usage.limit == int(profile.memory_gib * GIB * profile.memory_utilization)
    assert "half" not in describe_plan(planned)


def test_a_model_alone_on_gpus_takes_none_of_the_other() -> None:
    for profile in ("l4", "l40s-4", "a100-4"):
        side = find_model(CONFIG, "qwen-1.5b")
        (engine,) = make_plan(CONFIG, side.pair, CONFIG.profiles[profile], TWO_CORES, (side.role,)).engines
        assert engine.names == ("qwen-1.5b",)


@pytest.mark.parametrize(
    ("key", "x86", "gib", "too_much"),
    [
        ("smol-135m-base", False, 4.65, 0.03),
        ("qwen-0.5b-base", False, 7.85, 0.03),
        ("qwen-1.5b", False, 13.4, 0.03),
        ("smol-135m-base", True, 4.35, 0.03),
        ("qwen-0.5b-base", True, 6.13, 0.03),
        ("qwen-1.5b", True, 7.97, 0.15),
    ],
)  # of all processes of one server with weights in fp32 and in fp16, as Linux counts them
def test_planned_memory_is_what_servers_without_a_gpu_take(key: str, x86: bool, gib: float, too_much: float) -> None:
    side = find_model(CONFIG, key)
    processor = Processor((0, 1), bf16=False, x86=x86)
    (engine,) = make_plan(CONFIG, side.pair, CONFIG.profiles["cpu"], processor, (side.role,)).engines
    assert 0.97 <= engine.usage.total / GIB / gib <= 1 + too_much


def test_a_model_too_large_alone_is_told_the_whole_memory() -> None:
    side = find_model(CONFIG, "qwen-math-7b-r1-base")
    with pytest.raises(ConfigError, match=r"besides on main memory, where 14\.7 GiB may be used"):
        make_plan(CONFIG, side.pair, CONFIG.profiles["cpu"], Processor((0, 1), bf16=False), (side.role,))


def test_servers_on_one_gpu_start_in_turn() -> None:
    assert plan("qwen-math-1.5b-r1", "l4").shares_gpu
    assert not plan("smol-135m", "cpu").shares_gpu
    assert not plan("qwen2.5-72b", "a100-4").shares_gpu


def test_the_printed_command_names_the_folder_that_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(merge, "run_child", lambda *_, **__: None)
    monkeypatch.setattr(merge, "check_adapter", lambda *_: None)
    pair = CONFIG.pairs["smol-135m"]
    base, adapter = tmp_path / "base", tmp_path / "adapter"
    sources = {"base": FolderSource(folder=str(base)), "distilled": AdapterSource(adapter=str(adapter))}
    sides = {role: pair.model(role).model_copy(update={"weights": sources[role]}) for role in ROLES}
    planned = make_plan(CONFIG, pair.model_copy(update=sides), CONFIG.profiles["cpu"], processor=TWO_CORES)
    assert "<base + adapter, merged at the first start>" in command(planned, planned.engine("distilled"), 8001)
    for folder in (base, adapter):
        folder.mkdir()
        (folder / "model.safetensors").write_text(folder.name)
    (base / "config.json").write_text("{}")
    (adapter / "adapter_config.json").write_text("{}")
    (adapter / "model.safetensors").rename(adapter / "adapter_model.safetensors")
    served = find_weights(sources["distilled"], sources["base"])
    assert str(served) in command(planned, planned.engine("distilled"), 8001)
    assert str(base) in command(planned, planned.engine("base"), 8001)


def test_what_is_fetched_is_what_the_plans_servers_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The base as it is and the adapter beside it, where one server applies it."""
    monkeypatch.setenv("JOURNEY_QWEN_72B_DISTILLED", "adapter:me/lora")
    sources: list[Source | None] = []

    def find(source: Source, base: Source | None, _: object) -> Path:
        sources.extend((source, base))
        return tmp_path / "base"

    monkeypatch.setattr(served, "find_weights", find)
    monkeypatch.setattr(served, "find_adapter", lambda *_: tmp_path / "adapter")
    monkeypatch.setattr(served, "why_not_served", lambda *_: "")
    monkeypatch.setattr(served, "check_adapter", lambda *_: None)
    monkeypatch.setattr(served, "weights_hash", lambda folder: folder.name)
    assert main(["fetch", "--pair", "qwen2.5-72b", "--profile", "a100-4-adapter", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "base": {"folder": str(tmp_path / "base"), "sha256": "base"},
        "distilled": {"folder": str(tmp_path / "adapter"), "sha256": "base+adapter"},
    }
    assert sources == [CONFIG.pairs["qwen2.5-72b"].base.weights, None]
    assert main(["fetch", "--pair", "qwen2.5-72b", "--profile", "remote"]) == 0
    assert "base: served at $JOURNEY_BASE_URL, nothing to fetch" in capsys.readouterr().out


ADAPTERS = [
    ({"r": 256}, "the adapter has rank 256, and max-lora-rank is 128"),
    ({"r": 8, "rank_pattern": {"q_proj": 200}}, "rank 200"),
    ({"r": 8, "use_dora": True}, "is a DoRA"),
    ({"r": 8, "modules_to_save": ["lm_head"]}, r"whole layers \(lm_head: modules_to_save\)"),
    ({"r": 8, "bias": "all"}, "biases"),
    ([], "is not an adapter's configuration"),
]


@pytest.mark.parametrize(("config", "words"), ADAPTERS)
def test_an_adapter_that_the_engine_cannot_apply_is_told_when_it_is_planned(
    config: object, words: str, tmp_path: Path
) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    pair = CONFIG.pairs["qwen2.5-72b"]
    changes = {"weights": AdapterSource(adapter=str(tmp_path))}
    pair = pair.model_copy(update={"distilled": pair.distilled.model_copy(update=changes)})
    with pytest.raises(ConfigError, match=rf"{words}.*nearest possible plan: profile"):
        make_plan(CONFIG, pair, CONFIG.profiles["a100-4-adapter"])
    (tmp_path / "adapter_config.json").write_text('{"r": 128, "rank_pattern": {}, "modules_to_save": null}')
    assert make_plan(CONFIG, pair, CONFIG.profiles["a100-4-adapter"]).engines[0].roles == ROLES


def test_an_adapter_named_by_a_variable_is_merged_in_the_printed_command_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_QWEN_72B_DISTILLED", "adapter:me/lora")
    planned = plan("qwen2.5-72b", "a100-4")
    assert "<base + adapter, merged at the first start>" in command(planned, planned.engine("distilled"), 8001)


@pytest.mark.parametrize(("pair", "profile"), EVERY)
def test_every_plan_can_be_printed(pair: str, profile: str) -> None:
    planned = plan_or_none(pair, profile)
    if planned is not None:
        text = describe_plan(planned)
        assert "GiB on" in text or "JOURNEY_BASE_URL" in text
