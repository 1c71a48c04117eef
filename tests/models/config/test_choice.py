"""Which pair a machine takes by itself: by its memory, and by how fast its cores read the weights."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.arena import main
from common.errors import ConfigError
from models.config import plan
from models.config.machine import Processor
from models.config.memory import GIB
from models.config.plan import Choice, choose_pair, make_plan
from models.config.registry import ROLES, SpacesConfig, load_config

CONFIG = load_config().model_copy(update={"default_pairs": ("qwen-0.5b", "smol-135m")})
TOO_SLOW = (
    "SmolLM2 135M is the pair for this machine. Qwen2.5-Coder 0.5B would write about 2.5 tokens a second on each side, "
    "too slowly to read along."
)
TOO_LARGE = "SmolLM2 135M is the pair for this machine. Qwen2.5-Coder 0.5B needs more memory than there is."
LARGEST = "Of the pairs that ship with the app, this machine runs the largest: Qwen2.5-Coder 0.5B."


@pytest.fixture(autouse=True)
def nobody_named_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("JOURNEY_PAIR", "JOURNEY_PROFILE"):
        monkeypatch.delenv(variable, raising=False)


BF16, X86, NEITHER = {"bf16": True}, {"bf16": False}, {"bf16": False, "x86": False}


def chosen(cores: int, gib: float, config: SpacesConfig = CONFIG, **kind: bool) -> Choice:
    profile = config.profiles["cpu"].model_copy(update={"memory_gib": gib})
    return choose_pair(config, profile, Processor(tuple(range(cores)), **kind))


@pytest.mark.parametrize(
    ("cores", "gib", "kind", "pair", "why"),
    [
        (2, 32, BF16, "qwen-0.5b", LARGEST),
        (2, 16, BF16, "qwen-0.5b", LARGEST),
        (2, 12, BF16, "smol-135m", TOO_LARGE),
        (2, 32, X86, "qwen-0.5b", LARGEST),
        (2, 16, X86, "qwen-0.5b", LARGEST),
        (2, 12, X86, "smol-135m", TOO_LARGE),
        (2, 32, NEITHER, "smol-135m", TOO_SLOW),  # fp32: twice the bytes for each token
        (2, 16, NEITHER, "smol-135m", TOO_LARGE),
        (4, 32, NEITHER, "qwen-0.5b", LARGEST),
        (1, 32, BF16, "smol-135m", TOO_SLOW),  # two servers on one core
        (1, 32, X86, "smol-135m", TOO_SLOW),
    ],
)
def test_the_pair_is_the_largest_that_fits_and_can_be_read_along(
    cores: int, gib: float, kind: dict[str, bool], pair: str, why: str
) -> None:
    choice = chosen(cores, gib, **kind)
    assert (choice.pair.key, choice.why) == (pair, why)


@given(st.integers(1, 16), st.integers(4, 64), st.sampled_from([BF16, X86, NEITHER]))
def test_a_better_machine_never_gets_a_smaller_pair(cores: int, gib: int, kind: dict[str, bool]) -> None:
    def size(cores: int, gib: int) -> int:
        return chosen(cores, gib, **kind).pair.base.architecture.parameters

    assert size(cores, gib) <= size(cores + 1, gib) and size(cores, gib) <= size(cores, gib + 1)


@pytest.mark.parametrize(("kind", "measured"), [(X86, 5.0), (NEITHER, 2.5)])
def test_the_estimate_agrees_with_what_two_servers_wrote(kind: dict[str, bool], measured: float) -> None:
    """Measured on x86 alone, the latter with weights in fp32, as they would be elsewhere."""
    big = CONFIG.profiles["cpu"].model_copy(update={"memory_gib": 32})
    planned = make_plan(CONFIG, CONFIG.pairs["qwen-0.5b"], big, Processor((0, 1), **kind))
    assert planned.tokens_a_second == pytest.approx(measured, rel=0.05)


def test_gpus_and_other_machines_are_fast_enough() -> None:
    l4 = make_plan(CONFIG, CONFIG.pairs["qwen-0.5b"], CONFIG.profiles["l4"])
    assert l4.tokens_a_second == float("inf")
    assert choose_pair(CONFIG, CONFIG.profiles["l4"]) == Choice(CONFIG.pairs["qwen-0.5b"], LARGEST)
    assert choose_pair(CONFIG, CONFIG.profiles["remote"]) == Choice(CONFIG.pairs["qwen-0.5b"])


def test_the_last_is_taken_wherever_no_other_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(1, 2, bf16=False).pair.key == "smol-135m"
    only = CONFIG.model_copy(update={"default_pairs": ("smol-135m",)})
    assert chosen(2, 32, only, bf16=False) == Choice(only.pairs["smol-135m"])


def test_a_machine_is_judged_by_the_memory_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """The profile plans with 16 GiB even on a smaller machine, which may do; the larger pair must not count on it."""
    monkeypatch.setattr(plan, "visible_gpus", list)
    monkeypatch.setattr(plan, "vllm_runs", lambda: True)
    for gib, pair in ((12, "smol-135m"), (24, "qwen-0.5b")):
        monkeypatch.setattr(plan, "total_memory", lambda gib=gib: gib * GIB)
        assert choose_pair(CONFIG, processor=Processor((0, 1), bf16=True)).pair.key == pair


def test_the_environment_chooses_without_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_PAIR", "llama-70b-r1")
    assert choose_pair(CONFIG) == Choice(CONFIG.pairs["llama-70b-r1"])
    monkeypatch.setenv("JOURNEY_PAIR", "gpt-9")
    with pytest.raises(ConfigError, match="gpt-9"):
        choose_pair(CONFIG)


def test_a_space_gets_the_pair_of_its_own_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for profile in ("cpu", "l4"):
        pair = "qwen-0.5b"
        main(["space", "--profile", profile, "--sdk", "docker", "--out", str(tmp_path / profile)])
        assert f"JOURNEY_PAIR={pair} " in f"{(tmp_path / profile / 'Dockerfile').read_text()} ".replace("\n", " ")


def test_the_command_says_which_is_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    main(["pairs", "--json"])
    assert json.loads(capsys.readouterr().out)["default_pair"] == choose_pair(load_config()).pair.key
    main(["pairs"])
    assert capsys.readouterr().out.count("(the default here)") == 1


def test_a_side_alone_is_estimated_by_itself() -> None:
    both = make_plan(CONFIG, CONFIG.pairs["smol-135m"], CONFIG.profiles["cpu"], Processor((0, 1), bf16=True))
    alone = make_plan(
        CONFIG, CONFIG.pairs["smol-135m"], CONFIG.profiles["cpu"], Processor((0, 1), bf16=True), roles=ROLES[:1]
    )
    assert alone.tokens_a_second == pytest.approx(2 * both.tokens_a_second)
