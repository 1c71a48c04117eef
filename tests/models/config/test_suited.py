"""Plans made from the GPUs that are there: every pair on a table of machines, as a file that a person can read."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from common.errors import ConfigError
from models.config import machine, plan
from models.config.layout import context_length, engines_for
from models.config.machine import Gpu, Processor, visible_gpus
from models.config.memory import GIB
from models.config.plan import Plan, make_plan, profile_for
from models.config.registry import ROLES, PairSpec, Role, load_config
from models.config.sources import AdapterSource, AddressSource, HubSource
from models.config.suited import candidates, suited_profile

CONFIG = load_config()
CPU = Processor((0, 1), bf16=True)
GOLDEN = Path(__file__).with_name("plans.txt")
KINDS = {
    "L4": Gpu("L4", 22.5, 8.9),
    "L40S": Gpu("L40S", 45.0, 8.9),
    "A100": Gpu("A100 80 GB", 80.0, 8.0),
    "H100": Gpu("H100 80 GB", 79.6, 9.0),
    "H200": Gpu("H200", 140.4, 9.0),
    "RTX PRO 6000": Gpu("RTX PRO 6000", 95.6, 12.0),
}
MACHINES = {f"{count} × {name}": [gpu] * count for name, gpu in KINDS.items() for count in (1, 2, 4, 8)}


def with_weights(key: str, source: AdapterSource | HubSource) -> PairSpec:
    pair = CONFIG.pairs[key]
    return pair.model_copy(update={"distilled": pair.distilled.model_copy(update={"weights": source})})


def with_awq(pair: PairSpec) -> PairSpec:
    """Both models from AWQ weights that are named."""
    return pair.model_copy(
        update={role: pair.model(role).model_copy(update={"awq": HubSource(hub=f"me/{role}-awq")}) for role in ROLES}
    )


PAIRS = {
    **{key: pair for key, pair in CONFIG.pairs.items() if key != "qwen2.5-72b"},
    "qwen2.5-72b, an adapter": with_weights("qwen2.5-72b", AdapterSource(adapter="me/lora")),
    "qwen2.5-72b, a checkpoint": with_weights("qwen2.5-72b", HubSource(hub="me/model")),
    "qwen2.5-72b, a checkpoint with AWQ weights": with_awq(with_weights("qwen2.5-72b", HubSource(hub="me/model"))),
}


@pytest.fixture(autouse=True)
def _no_weights_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNEY_QWEN_72B_DISTILLED_AWQ", raising=False)


def planned(pair: PairSpec, gpus: list[Gpu]) -> Plan | None:
    found = suited_profile(pair, gpus, lambda profile: engines_for(pair, profile, CPU))
    return make_plan(CONFIG, pair, found.profile, CPU) if found.fits else None


def lines() -> Iterator[str]:
    yield "# What is served on which machine: tests/models/config/test_suited.py writes and checks this file."
    yield "# GiB on each GPU: weights + KV cache + 2 besides, of what may be used."
    for key, pair in PAIRS.items():
        yield f"\n{key}"
        for name, gpus in MACHINES.items():
            found = planned(pair, gpus)
            if found is None:
                yield f"  {name:<18} does not fit"
                continue
            profile, use = found.profile, found.engines[-1].usage
            how = profile.title.split(": ", 1)[1].split(". ")[0]
            tokens = context_length(found.pair.distilled, profile)
            sizes = f"{use.weights / GIB:.1f} + {use.kv_cache / GIB:.1f} + 2 of {use.limit / GIB:.1f}"
            yield f"  {name:<18} {tokens:>6} tokens × {profile.streams}  {sizes:<26} {how}"


def test_every_pair_on_every_machine() -> None:
    """After a change that is meant: UPDATE_PLANS=1 pytest tests/models/config/test_suited.py, and read the diff."""
    text = "\n".join(lines()) + "\n"
    if os.environ.get("UPDATE_PLANS"):
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("name", MACHINES)
def test_what_is_chosen_fits(pair: str, name: str) -> None:
    found = planned(PAIRS[pair], MACHINES[name])
    for engine in found.engines if found else ():
        assert found is not None and engine.usage.left >= 0
        assert set(engine.gpus) <= set(range(len(MACHINES[name])))
        sharing = sum(engine.gpus[0] in other.gpus for other in found.engines)
        memory = MACHINES[name][0].memory_gib * GIB
        assert sharing * engine.usage.total <= memory


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("kind", KINDS)
def test_more_gpus_never_serve_less(pair: str, kind: str) -> None:
    """What fits fewer fits more, with at least as long a context unless the numbers became finer."""
    best = (0, 0)
    for count in (1, 2, 4, 8):
        found = planned(PAIRS[pair], [KINDS[kind]] * count)
        fine = {None: 3, "fp8": 2, "awq": 1}[found.profile.quantization] if found else 0
        now = (fine, found.profile.context_length if found else 0)
        assert (found is not None or best == (0, 0)) and (now[0] > best[0] or now >= best or best[1] < 16384)
        best = now


def test_the_choice_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNEY_PROFILE", raising=False)
    monkeypatch.setattr(plan, "visible_gpus", lambda: [KINDS["L40S"]] * 4)
    profile = profile_for(CONFIG, PAIRS["qwen2.5-72b, a checkpoint"])
    assert profile.title.startswith("4 × L40S of 45 GiB: two copies in fp8, KV cache in fp8, on 2 GPUs each. ")
    assert "full precision" in profile.title and "GiB of weights" in profile.title
    small = profile_for(CONFIG, CONFIG.pairs["smol-135m"])
    assert small.title.endswith("on 1 GPU; 3 left free")


SMALL, BUSY = Gpu("RTX 4060", 8.0, 8.9), Gpu("L40S", 45.0, 8.9, free_gib=20.0)


@pytest.mark.parametrize(
    ("gpus", "share"),
    [
        ([KINDS["L4"]], 0.92),
        ([KINDS["L4"]._replace(free_gib=22.0)], 0.92),
        ([SMALL._replace(free_gib=6.9)], 0.73),  # 5.9 of 8
        ([BUSY], 0.42),
        ([KINDS["L40S"], BUSY], 0.92),  # the first is enough
        ([BUSY, KINDS["L40S"]], 0.42),
    ],
)
def test_what_others_use_of_a_gpu_is_left_to_them(gpus: list[Gpu], share: float) -> None:
    """vLLM refuses to start where less is free than the share that it is told to take."""
    pair = CONFIG.pairs["smol-135m" if gpus[0].name == SMALL.name else "qwen-math-1.5b-r1"]
    found = planned(pair, gpus)
    assert found is not None and found.profile.memory_utilization == share
    assert ("partly in use" in found.profile.title) == (share < 0.92)
    flags = [engine.options[engine.options.index("--gpu-memory-utilization") + 1] for engine in found.engines]
    assert sum(map(float, flags)) == pytest.approx(share)
    for gpu in gpus[: len({number for engine in found.engines for number in engine.gpus})]:
        assert gpu.free_gib is None or share * gpu.memory_gib < gpu.free_gib


def test_a_smaller_plan_is_made_for_less_memory() -> None:
    pair, whole = CONFIG.pairs["qwen-math-7b-r1"], KINDS["A100"]
    quantizations = []
    for free in (None, 79.0, 30.0):
        found = planned(pair, [whole._replace(free_gib=free)])
        assert found is not None
        quantizations.append(found.profile.quantization)
    assert quantizations == [None, None, "fp8"]
    assert planned(pair, [whole._replace(free_gib=12.0)]) is None
    assert planned(pair, [whole._replace(free_gib=0.3)]) is None


def test_memory_that_others_may_give_back_is_planned_with_where_nothing_else_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As right after a crash, whose servers are still ending. The server that starts tells what is missing."""
    monkeypatch.delenv("JOURNEY_PROFILE", raising=False)
    monkeypatch.setattr(plan, "visible_gpus", lambda: [KINDS["L4"]._replace(free_gib=1.5)])
    profile = profile_for(CONFIG, CONFIG.pairs["qwen-math-1.5b-r1"])
    assert profile.memory_utilization == 0.92
    assert len(make_plan(CONFIG, CONFIG.pairs["qwen-math-1.5b-r1"]).engines) == 2


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("roles", [ROLES, ("base",), ("distilled",)])
def test_a_pair_of_two_addresses_takes_no_gpu(
    count: int, roles: tuple[Role, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOURNEY_PROFILE", raising=False)
    monkeypatch.setattr(plan, "visible_gpus", lambda: [KINDS["L4"]] * count)
    pair, away = CONFIG.pairs["smol-135m"], {"weights": AddressSource(address="http://h:1/v1")}
    away_both = pair.model_copy(update={role: pair.model(role).model_copy(update=away) for role in ROLES})
    found = make_plan(CONFIG, away_both, roles=roles)
    assert found.engines == () and "not used, since the models are at addresses" in found.profile.title
    here = pair.distilled.model_copy(update={"weights": HubSource(hub="me/model")})
    mixed = pair.model_copy(update={"base": away_both.base, "distilled": here})
    assert [engine.roles for engine in make_plan(CONFIG, mixed).engines] == [("distilled",)]


def test_gpus_are_counted_as_nvidia_smi_does() -> None:
    """CUDA by itself counts the fastest first, and CUDA_VISIBLE_DEVICES would name another GPU than was planned for."""
    for pair, kind in (("llama-70b-r1", "A100"), ("smol-135m", "L4")):
        found = planned(CONFIG.pairs[pair], [KINDS[kind]] * 4)
        assert found is not None
        assert all(dict(engine.environment)["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID" for engine in found.engines)


def test_a_named_profile_is_taken_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_PROFILE", "a100-4")
    monkeypatch.setattr(plan, "visible_gpus", lambda: [KINDS["A100"]] * 4)
    assert profile_for(CONFIG, CONFIG.pairs["smol-135m"]).key == "a100-4"


def test_a_machine_without_gpus_gets_the_profile_for_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNEY_PROFILE", raising=False)
    monkeypatch.setattr(plan, "visible_gpus", list)
    assert profile_for(CONFIG, CONFIG.pairs["smol-135m"]).key == "cpu"


def test_a_machine_without_gpus_but_with_more_memory_serves_larger_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNEY_PROFILE", raising=False)
    monkeypatch.setattr(plan, "visible_gpus", list)
    monkeypatch.setattr(plan, "total_memory", lambda: 128 << 30)
    pair, processor = CONFIG.pairs["qwen-math-1.5b-r1"], Processor((0, 1), bf16=False)
    assert len(make_plan(CONFIG, pair, processor=processor).engines) == 2
    with pytest.raises(ConfigError, match="cannot run on cpu"):  # a named profile is for the memory that it names
        make_plan(CONFIG, pair, CONFIG.profiles["cpu"], processor)


def test_a_small_machine_without_gpus_may_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNEY_PROFILE", raising=False)
    monkeypatch.setattr(plan, "visible_gpus", list)
    monkeypatch.setattr(plan, "total_memory", lambda: 6 << 30)
    assert len(make_plan(CONFIG, CONFIG.pairs["smol-135m"], processor=Processor((0, 1), bf16=True)).engines) == 2


def test_a_pair_that_fits_nowhere_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNEY_PROFILE", raising=False)
    monkeypatch.setattr(plan, "visible_gpus", lambda: [KINDS["L4"]])
    with pytest.raises(ConfigError, match=r"llama-70b-r1 cannot run on 1x.*would take .* GiB of weights"):
        make_plan(CONFIG, CONFIG.pairs["llama-70b-r1"])


LISTED = "NVIDIA L40S, 46068, 8.9, 40000\nNVIDIA L40S, 46068, 8.9, [N/A]\nNVIDIA H100 80GB HBM3, 81559, 9.0, 81000\n"


@pytest.mark.parametrize(
    ("visible", "names", "free"),
    [
        (None, ["NVIDIA L40S", "NVIDIA L40S", "NVIDIA H100 80GB HBM3"], [40000, None, 81000]),
        ("2", ["NVIDIA H100 80GB HBM3"], [81000]),
        ("2,0,7", ["NVIDIA H100 80GB HBM3", "NVIDIA L40S"], [81000, 40000]),
        ("GPU-ab,GPU-cd", ["NVIDIA L40S", "NVIDIA L40S"], [None, None]),  # which they are is unknown
        ("", [], []),
        ("-1", [], []),
        ("NoDevFiles", [], []),
        ("2,-1,0", ["NVIDIA H100 80GB HBM3"], [81000]),
    ],
)
def test_gpus_are_those_left_visible(
    visible: str | None, names: list[str], free: list[int | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\nprintf '{LISTED}'\n")
    tool.chmod(0o755)
    monkeypatch.setattr(machine, "NVIDIA_SMI", (str(tool),))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    gpus = visible_gpus()
    assert [gpu.name for gpu in gpus] == names
    assert [gpu.free_gib and gpu.free_gib * 1024 for gpu in gpus] == free


def test_bytes_of_an_adapter_on_each_gpu() -> None:
    """By hand, of one layer at rank 1: matrices A and B of q, k, v, o, gate, up, down of Qwen2.5-72B."""
    architecture = CONFIG.pairs["qwen2.5-72b"].base.architecture
    layers, hidden, inner, key_value = 80, 8192, 29568, 1024
    both = (hidden + hidden) + 2 * (hidden + key_value) + (hidden + hidden) + 3 * (hidden + inner)
    assert architecture.lora_bytes(1) == 2 * layers * both
    cut = hidden + 2 * key_value + 2 * inner + hidden + inner  # B of q, k, v, gate, up; A of o, down
    assert architecture.lora_bytes(1, 4) == 2 * layers * (cut // 4 + (both - cut))
    assert architecture.lora_bytes(64, 4, fully_sharded=True) == pytest.approx(architecture.lora_bytes(64) / 4)


def test_awq_is_cut_only_where_its_groups_are() -> None:
    architecture = CONFIG.pairs["qwen2.5-72b"].base.architecture
    assert architecture.splits_over(2) and not architecture.splits_over(2, "awq")
    assert architecture.splits_over(1, "awq")


def test_awq_is_the_last_resort() -> None:
    tried = [profile.quantization for profile in candidates([KINDS["L40S"]] * 2)]
    assert tried.index("awq") == len(tried) - tried.count("awq")


def test_awq_weights_must_be_named_where_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = PAIRS["qwen2.5-72b, a checkpoint"]
    (awq,) = (
        profile
        for profile in candidates([KINDS["H200"]])
        if (profile.quantization, profile.arrangement, profile.context_length) == ("awq", "two", 4096)
    )
    with pytest.raises(ConfigError, match=r"it asks for AWQ, and JOURNEY_QWEN_72B_DISTILLED_AWQ is not set\."):
        make_plan(CONFIG, pair, awq, CPU)
    monkeypatch.setenv("JOURNEY_QWEN_72B_DISTILLED_AWQ", "me/model-awq")
    assert len(make_plan(CONFIG, pair, awq, CPU).engines) == 2


@pytest.mark.parametrize(("gpu", "flag"), [("L40S", "fp8_per_channel"), ("A100", "fp8_per_tensor")])
def test_fp8_as_the_gpu_can_compute_it(gpu: str, flag: str) -> None:
    found = planned(CONFIG.pairs["llama-70b-r1"], [KINDS[gpu]] * 4)
    assert found is not None
    for engine in found.engines:
        assert engine.options[engine.options.index("--quantization") + 1] == flag
        assert ("--kv-cache-dtype" in engine.options) == (gpu == "L40S")


def test_one_model_with_and_without_thinking_is_served_once() -> None:
    pair = CONFIG.pairs["qwen3-8b-thinking"]
    found = planned(pair, [KINDS["L4"]])
    assert found is not None
    (engine,) = found.engines
    assert engine.roles == ("base", "distilled")
    argv = engine.command("python", "folder", 8001)
    start = argv.index("--served-model-name") + 1
    assert argv[start : start + 2] == ["qwen3-8b-thinking-base", "qwen3-8b-thinking-distilled"]
    assert "--enable-lora" not in argv
    assert pair.base.architecture.parameters == 8_190_735_360  # as its safetensors index sums them up
