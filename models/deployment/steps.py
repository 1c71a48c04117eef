"""Next steps for a Space folder: commands to push it, variables and secrets, cost, and time of the first start."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from common.errors import ConfigError
from common.paths import ROOT
from models.config.layout import Misfit, engines_for
from models.config.machine import SPACE_PROCESSOR
from models.config.registry import ROLES, PairSpec, Profile, Role
from models.config.sources import (
    AdapterSource,
    AddressSource,
    EnvironmentSource,
    FolderSource,
    HubSource,
    PackageSource,
    PartsSource,
    Source,
    hub_name,
    resolve_environment,
)
from models.deployment.hardware import HARDWARE, price

YOU = "<you>"
TOKEN = "SPACE_TOKEN"
"""What the Space's HF_TOKEN is called in the terminal, where that name would override the login of `hf auth login`."""
SPACE = f"{YOU}/journey-arena"
VOTES = f"{YOU}/journey-arena-votes"
HUB_BYTES_A_SECOND = 100e6
"""Download rate from the hub to a Space. A conservative assumption, not measured."""
REGISTRY_BYTES_A_SECOND = 30e6
"""Installation rate from the package registry, unpacking included: 1.2 GB in 35 s, measured on two cores."""
DISK_BYTES_A_SECOND = 1e9
"""Rate of loading weights from a local disk to the GPUs. An assumption, not measured."""
ENGINE_BYTES = {"gpu": 4.0e9, "cpu": 0.7e9}
"""Size of the wheels in the engine's environment. CPU: measured; GPU: sum of the sizes the registry lists."""
START_SECONDS = {"gpu": 180, "cpu": 60, "transformers": 30}
"""From loaded weights to the first healthy answer. CPU: measured (two cores, eager mode). GPU (compilation, CUDA
graphs) and Transformers (mostly imports): assumed."""


ZERO = """A free account in good standing may have two Spaces on ZeroGPU. Benchmarks are shown there and not run.
If the Space does not start on ZeroGPU, choose it under Settings → Hardware."""
KEPT = f"""A restart empties the disk. Votes are copied every five minutes to the dataset {VOTES},
which the first copy makes, private, and are fetched at the next start. If you want no such dataset,
leave out JOURNEY_VOTES_REPO; every restart then loses the votes. docs/votes.md has more."""
GUARD = f"""Optional: a guard model that reads battles, at an address that speaks the OpenAI protocol:
  export JOURNEY_GUARD_URL=http://…/v1 JOURNEY_GUARD_KEY=…
  hf spaces secrets add {SPACE} --secrets JOURNEY_GUARD_URL --secrets JOURNEY_GUARD_KEY
  hf spaces variables add {SPACE} -e JOURNEY_GUARD_KIND=llama-guard -e 'JOURNEY_GUARD_MODEL=<name on that server>'"""


class Estimate(NamedTuple):
    """The first start of a Space."""

    seconds: float
    parts: tuple[str, ...]


def next_steps(profile: Profile, pair: PairSpec, out: Path) -> str:
    """Every command, variable and secret for this pair on this profile, as text for a terminal."""
    secrets, zero = list(_secrets(profile, pair)), profile.hardware.startswith("zero-")
    variables = {"JOURNEY_PROFILE": profile.key, "JOURNEY_PAIR": pair.key, "JOURNEY_OWNER": YOU}
    variables |= {"JOURNEY_VOTES_REPO": VOTES, **dict(_variables(profile, pair))}
    create = [f"hf repos create {SPACE} --type space --sdk {profile.sdk} --flavor {profile.hardware}"]
    create += [f"--secrets {name}" for name, _ in secrets if name != TOKEN]
    create += [f"-e {shlex.quote(f'{name}={value}')}" for name, value in variables.items()]
    lines = [f"The Space is in {out}. To publish it, log in once:", "  hf auth login"]
    lines += ["Set these in your terminal; they become secrets of the Space:"]
    lines += [f"  export {name}=…{' ' * (22 - len(name))}# {what}" for name, what in secrets]
    lines += ["Create the Space and push it:", "  " + " \\\n    ".join(create)]
    lines += [f'  echo "HF_TOKEN=${TOKEN}" | hf spaces secrets add {SPACE} --secrets-file -']
    lines += [f"  hf upload {SPACE} {out} . --type space"]
    lines += [f"Hardware {price(profile.hardware)}."]
    if profile.hardware.startswith("cpu") and profile.arrangement != "remote":
        lines += ["A Space on processors is slow: about a second for each word of a model of 1.5 billion parameters."]
    lines += [ZERO if zero else "A Space on compute of its own needs a paid plan of Hugging Face."]
    lines += list(_start(profile, pair))
    lines += list(_volumes(profile, pair))
    lines += [KEPT, GUARD]
    return "\n".join(lines)


def _secrets(profile: Profile, pair: PairSpec) -> Iterator[tuple[str, str]]:
    yield "JOURNEY_OWNER_KEY", f"any long word: starts runs and pins cases for whoever is not signed in as {YOU}"
    yield "JOURNEY_SALT", "another long word, never changed: visitors stay the same after a restart"
    reads = profile.arrangement != "remote" and any(on_hub(pair.model(role).weights) for role in ROLES)
    weights = " and read the weights, gated and private ones too" if reads else ""
    yield TOKEN, f"HF_TOKEN of the Space: a token that may write {VOTES}{weights}"
    for role, source in _addresses(profile, pair):
        if source.address_env:  # everybody can read a Space's variables
            yield source.address_env, f"address of the {role} model's server, such as http://…/v1"
        if source.key_env:
            yield source.key_env, f"the key of the {role} model's server, if it wants one"


def on_hub(source: Source) -> bool:
    """Whether a Space would load it from the hub."""
    if isinstance(source, AdapterSource):
        return hub_name(source) is not None and not (ROOT / source.adapter).is_dir()
    return isinstance(source, HubSource | EnvironmentSource)


def in_image(profile: Profile, pair: PairSpec) -> bool:
    """Whether a Docker image has the weights in it: those of packages and folders, which are small."""
    here = PackageSource | PartsSource | AdapterSource | FolderSource
    return profile.sdk == "docker" and all(isinstance(pair.model(role).weights, here) for role in ROLES)


def _variables(profile: Profile, pair: PairSpec) -> Iterator[tuple[str, str]]:
    for _, source in _addresses(profile, pair):
        if source.model_env:
            yield source.model_env, "<name on that server>"
    if profile.arrangement == "remote":
        return
    for role in ROLES:
        weights = pair.model(role).source(profile.quantization)
        if isinstance(weights, EnvironmentSource):
            yield weights.env, _wanted(profile, role)


def _wanted(profile: Profile, role: Role) -> str:
    """What a variable for weights may name, as `resolve_environment` reads it."""
    if role == "base" or profile.quantization == "awq":
        return "<org/name>"
    return "adapter:<org/name>" if profile.arrangement == "adapter" else "<org/name, or adapter:org/name>"


def _addresses(profile: Profile, pair: PairSpec) -> Iterator[tuple[Role, AddressSource]]:
    for role in ROLES:
        source = profile.address(role) or pair.model(role).weights
        if isinstance(source, AddressSource):
            yield role, source


def _volumes(profile: Profile, pair: PairSpec) -> Iterator[str]:
    if profile.arrangement == "remote" or in_image(profile, pair):
        return
    installs = profile.sdk == "gradio" and profile.served_by == "vllm"  # an image has the engine
    cached = "the engine and prepared weights" if installs else "prepared weights"
    yield f"A Space's disk is empty after every restart. To keep {cached}, mount a bucket:"
    yield f"  hf buckets create {SPACE}-cache && hf spaces volumes set {SPACE} -v hf://buckets/{SPACE}-cache:/data"
    yield f"  hf spaces variables add {SPACE} -e JOURNEY_CACHE=/data/cache -e HF_HOME=/data/hub"
    yield "Buckets have no file locks: if a start fails there, remove both variables. Votes never belong on a bucket."


def _start(profile: Profile, pair: PairSpec) -> Iterator[str]:
    estimate = first_start(profile, pair)
    if estimate.parts:
        minutes = max(1, round(estimate.seconds / 60))
        yield f"The first start takes about {minutes} min (an estimate): {', '.join(estimate.parts)}."
        yield "Meanwhile the page is there and shows how far it is."
    known, needed = HARDWARE.get(profile.hardware), sum(size for size, _, _ in _downloads(profile, pair)) / 1e9
    if known and known.disk_gb and needed > 0.9 * known.disk_gb:
        yield f"Its disk of {known.disk_gb} GB is too small for {needed:.0f} GB of weights: choose other hardware."


def first_start(profile: Profile, pair: PairSpec) -> Estimate:
    """Sum of sizes over rates: installing the engine (on a Gradio Space), downloading the weights, loading them."""
    if profile.arrangement == "remote":
        return Estimate(0.0, ())
    kind = "transformers" if profile.served_by == "transformers" else "gpu" if profile.gpu else "cpu"
    seconds, parts = 0.0, []
    if profile.sdk == "gradio" and profile.served_by == "vllm":
        seconds += ENGINE_BYTES[kind] / REGISTRY_BYTES_A_SECOND
        parts.append(f"{ENGINE_BYTES[kind] / 1e9:.1f} GB for the engine")
    for size, rate, what in _downloads(profile, pair):
        seconds += size / rate
        parts.append(f"{size / 1e9:.{0 if size > 1e10 else 1}f} GB for {what}")
    planned = engines_for(pair, profile, SPACE_PROCESSOR)
    if isinstance(planned, Misfit):
        raise ConfigError(f"{pair.key} cannot run on {profile.key}: {planned.reason}.", "Choose another profile.")
    loading = sum(engine.usage.weights * max(1, len(engine.gpus)) for engine in planned) / DISK_BYTES_A_SECOND
    seconds += loading + START_SECONDS[kind]
    parts.append(f"{max(1, round((loading + START_SECONDS[kind]) / 60))} min to load and start")
    return Estimate(seconds, tuple(parts))


def _downloads(profile: Profile, pair: PairSpec) -> Iterator[tuple[float, float, str]]:
    """(bytes, bytes per second, what) of each repository or package; the size of an adapter is neglected."""
    if profile.arrangement == "remote" or in_image(profile, pair):
        return
    awq = profile.quantization == "awq"
    seen: list[Source] = []
    for role in ROLES:
        spec = pair.model(role)
        source = spec.source(profile.quantization)
        if isinstance(source, EnvironmentSource):
            source = _named(source)
        if isinstance(source, AdapterSource | AddressSource) or source in seen:
            continue
        seen.append(source)
        size = spec.architecture.weight_bytes("awq" if awq and spec.awq else None)
        if isinstance(source, PackageSource | PartsSource):
            yield size / 3, REGISTRY_BYTES_A_SECOND, spec.title
        elif profile.arrangement == "two" or role == "base":
            yield size, HUB_BYTES_A_SECOND, spec.title


def _named(source: EnvironmentSource) -> Source:
    """The source the variable names on this machine; if it is unset, a full checkpoint is assumed."""
    try:
        return resolve_environment(source)
    except ConfigError:
        return HubSource(hub=source.env)
