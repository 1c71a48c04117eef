"""Which pair to serve, which servers to start for it, with what arguments, and whether they fit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from common.errors import ConfigError
from common.installing import engine_build
from models.config.layout import Engine, Misfit, cpu_dtype, engines_for, fp16_weights
from models.config.machine import Processor, on_zero_gpu, this_processor, total_memory, visible_gpus, vllm_runs
from models.config.memory import GIB
from models.config.registry import (
    ROLES,
    ModelSpec,
    PairSpec,
    Profile,
    Role,
    SpacesConfig,
    cpu_profile,
    pair_named,
    profile_named,
    transformers_profile,
)
from models.config.sources import AddressSource
from models.config.suited import suited_profile

SHORTEST_CONTEXT = 2048
READ_BY_A_CORE = 5e9
"""Bytes of weights that a core reads a second while every core writes, which is what limits the speed of few streams.
Measured with Qwen2.5-Coder-0.5B on two cores with AVX2, a server on each: 5.0e9, with weights in fp32 as in fp16. Too
high for smaller models, where the rest of a step counts too."""
READ_ALONG = 4.0
"""Tokens a second: about three words, a little slower than people read (238 words a minute: Brysbaert 2019,
doi 10.1016/j.jml.2019.104047)."""


class Choice(NamedTuple):
    """The pair to serve."""

    pair: PairSpec
    why: str = ""
    """A sentence for the page on how this machine came to it; empty if the pair was named, or there was no choice."""


@dataclass(frozen=True)
class Plan:
    """What a pair needs on a profile's machine."""

    pair: PairSpec
    profile: Profile
    engines: tuple[Engine, ...]
    """Empty for remote addresses."""
    roles: tuple[Role, ...] = ROLES
    """The sides that are served; just one if a model is served alone."""

    @property
    def shares_gpu(self) -> bool:
        """Whether two servers use one GPU. They must then start one after the other, or each would take the other's
        growing memory for its own."""
        return len({gpu for engine in self.engines for gpu in engine.gpus}) < sum(len(e.gpus) for e in self.engines)

    def engine(self, role: Role) -> Engine:
        return next(engine for engine in self.engines if role in engine.roles)

    @property
    def tokens_a_second(self) -> float:
        """What each side writes on a processor while both write, estimated from the bytes of weights that are read for
        each token; infinite where GPUs or other machines do the work."""
        cores = {core for engine in self.engines for core in engine.cores}
        if not cores:
            return inf
        read = sum(e.usage.weights * self.pair.model(e.roles[0]).architecture.read_share for e in self.engines)
        return len(cores) * READ_BY_A_CORE / read


def precision(spec: ModelSpec, profile: Profile, processor: Processor | None = None) -> str:
    """The precision the engine is told to use: `float32, fp16 weights`, or `auto, fp8` (auto: as the weights are
    stored). Empty for a model behind an address, where it is unknown."""
    if profile.arrangement == "remote" or isinstance(spec.weights, AddressSource):
        return ""
    processor = processor or this_processor()
    own = "auto" if profile.gpu else cpu_dtype(processor)
    quantization: str | None = profile.quantization
    if fp16_weights(profile, processor):
        quantization = "fp16 weights"
    if quantization == "fp8" and profile.gpu and profile.gpu.computes_in_fp8:
        quantization = "fp8 per channel"  # plain `fp8`, as in runs of earlier versions, means one scale per tensor
    kv_cache = profile.kv_cache and f"KV cache {profile.kv_cache}"
    return ", ".join(filter(None, (str(profile.engine.get("dtype", own)), quantization, kv_cache)))


def build_of(profile: Profile) -> str:
    """The build of the engine that a profile runs on: `gpu`, `cpu`, or `none`."""
    return engine_build(profile.arrangement, profile.served_by, gpu=profile.gpu is not None)


def choose_pair(config: SpacesConfig, profile: Profile | None = None, processor: Processor | None = None) -> Choice:
    """The pair that JOURNEY_PAIR names; else the first of the default pairs that fits this machine's memory and writes
    fast enough to read along, or the last if none does. `profile` and `processor` default to this machine's."""
    if named := pair_named(config):
        return Choice(named)
    usable = processor or this_processor()
    passed: list[str] = []
    *larger, last = (config.pairs[key] for key in config.default_pairs)
    for pair in larger:
        chosen = profile or _as_it_is(profile_for(config, pair))
        plan = _try(pair, chosen, usable, ROLES)
        if isinstance(plan, Misfit):
            passed.append(f"{pair.title} needs more memory than there is.")
        elif (speed := plan.tokens_a_second) < READ_ALONG:
            rate = f"about {speed:.2g} tokens a second on each side"
            passed.append(f"{pair.title} would write {rate}, too slowly to read along.")
        else:
            return Choice(pair, "" if chosen.arrangement == "remote" else _taken(pair, passed))
    return Choice(last, _taken(last, passed) if larger else "")


def _as_it_is(profile: Profile) -> Profile:
    """With this machine's memory even if it is less than the profile plans with."""
    return _with_memory(profile, total_memory() / GIB) if _in_main_memory(profile) else profile


def _taken(pair: PairSpec, passed: Sequence[str]) -> str:
    if not passed:
        return f"Of the pairs that ship with the app, this machine runs the largest: {pair.title}."
    return " ".join([f"{pair.title} is the pair for this machine.", *passed])


def make_plan(
    config: SpacesConfig,
    pair: PairSpec,
    profile: Profile | None = None,
    processor: Processor | None = None,
    roles: Sequence[Role] = ROLES,
) -> Plan:
    """The servers for these sides of `pair` on `profile` (default: the one that suits this machine and the pair).

    Raises ConfigError with the reason and the nearest plan that is possible: first among changes to the profile, then
    among the other profiles of `config`. `processor` defaults to this machine's.
    """
    usable = processor or this_processor()
    chosen = profile or profile_for(config, pair, roles)
    plan = _try(pair, chosen, usable, roles)
    if isinstance(plan, Plan):
        return plan
    nearby = _nearby(chosen, tuple(config.profiles.values()))
    nearest = next((how for how, changed in nearby if isinstance(_try(pair, changed, usable, roles), Plan)), "")
    remedy = f"The nearest possible plan: {nearest}." if nearest else "No profile in spaces.yaml can run it."
    raise ConfigError(f"{pair.key} cannot run on {chosen.key}: {plan.reason}.", remedy)


def profile_for(config: SpacesConfig, pair: PairSpec, roles: Sequence[Role] = ROLES) -> Profile:
    """The profile to serve these sides of `pair` with on this machine: the one JOURNEY_PROFILE names; else one built
    for the available GPUs; without GPUs the first CPU profile, with this machine's memory if it is more; where vLLM
    does not run, the first Transformers profile, with this machine's memory. If the pair does not fit it, planning
    says why."""
    if named := profile_named(config):
        return _with_memory(named, max(named.memory_gib, total_memory() / GIB)) if _in_main_memory(named) else named
    if not vllm_runs():
        without_vllm = transformers_profile(config, zero=on_zero_gpu())
        return without_vllm if without_vllm.gpu else _with_memory(without_vllm, total_memory() / GIB)
    if gpus := visible_gpus():
        processor = this_processor()

        def attempt(profile: Profile) -> Sequence[Engine] | Misfit:
            return engines_for(pair, profile, processor, roles)

        found = suited_profile(pair, gpus, attempt)
        # What others use now may be free when a server starts, which then tells what is missing.
        empty = [gpu._replace(free_gib=None) for gpu in gpus]
        return (found if found.fits else suited_profile(pair, empty, attempt)).profile
    cpu = cpu_profile(config)
    # Its own figure is the least that is planned with: a smaller machine may do, and what is free decides when a server
    # starts.
    return _with_memory(cpu, max(cpu.memory_gib, total_memory() / GIB))


def _in_main_memory(profile: Profile) -> bool:
    return profile.gpu is None and profile.arrangement != "remote"


def _with_memory(profile: Profile, gib: float) -> Profile:
    return profile.model_copy(update={"memory_gib": gib})


def _try(pair: PairSpec, profile: Profile, processor: Processor, roles: Sequence[Role]) -> Plan | Misfit:
    engines = engines_for(pair, profile, processor, roles)
    return engines if isinstance(engines, Misfit) else Plan(pair, profile, tuple(engines), tuple(roles))


def _nearby(profile: Profile, others: Sequence[Profile]) -> Iterator[tuple[str, Profile]]:
    """Changes to try, mildest first, each with a description."""
    yield from _smaller(profile)
    if profile.arrangement == "two" and profile.gpu and profile.quantization is None:
        fp8 = profile.model_copy(update={"quantization": "fp8"})
        yield f"{profile.key} with quantization: fp8", fp8
        yield from ((f"{how}, quantization: fp8", changed) for how, changed in _smaller(fp8))
    elsewhere = [other for other in others if other.key != profile.key and other.arrangement != "remote"]
    if profile.served_by == "vllm":  # a slower engine is no remedy for too little memory
        elsewhere = [other for other in elsewhere if other.served_by == "vllm"]
    elsewhere.sort(key=lambda other: (other.hardware != profile.hardware, other.gpu is None))
    yield from ((f"profile {other.key} ({other.title})", other) for other in elsewhere)
    for other in elsewhere:
        yield from _smaller(other)
    yield from ((f"profile {o.key} ({o.title})", o) for o in others if o.arrangement == "remote")


def _smaller(profile: Profile) -> Iterator[tuple[str, Profile]]:
    """Fewer streams, then one stream of ever shorter context."""
    streams = profile.streams
    while streams > 1:
        streams //= 2
        yield f"{profile.key} with streams: {streams}", profile.model_copy(update={"streams": streams})
    context = profile.context_length
    while context > SHORTEST_CONTEXT:
        context = max(context // 2, SHORTEST_CONTEXT)
        update = {"streams": 1, "context_length": context}
        yield f"{profile.key} with streams: 1, context_length: {context}", profile.model_copy(update=update)
