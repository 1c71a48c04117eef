"""`arena pairs`, `plan`, `fetch`, `space` and `front-matter`: what spaces.yaml describes."""

import argparse
import os
import shlex
from pathlib import Path
from typing import Any

from commands.kit.arguments import AGAIN, add_model_option, add_pair_option, add_profile_option, describe
from commands.kit.printing import counted, show
from commands.kit.serving import chosen_pair, chosen_profile, chosen_sides
from common import paths
from common.errors import ConfigError
from models.config.layout import Engine, context_length
from models.config.machine import SPACE_PROCESSOR
from models.config.memory import GIB
from models.config.plan import Plan, choose_pair, make_plan
from models.config.registry import ROLES, Role, load_config
from models.config.sources import (
    AdapterSource,
    AddressSource,
    EnvironmentSource,
    FolderSource,
    HubSource,
    PackageSource,
    PartsSource,
    Source,
    resolve_environment,
)
from models.deployment.card import front_matter
from models.deployment.space import write_space
from models.weights.find import folder_here, unpacked
from models.weights.served import find_served

MERGED = "<base + adapter, merged at the first start>"
FIRST_PORT = 8001


def add_pairs(parser: argparse.ArgumentParser) -> None:
    describe(parser, list_command, "arena pairs")


def add_plan(parser: argparse.ArgumentParser) -> None:
    describe(parser, plan_command, "arena plan --pair llama-70b-r1 --profile l40s-4")
    add_pair_option(parser)
    add_model_option(parser)
    add_profile_option(parser)


def add_fetch(parser: argparse.ArgumentParser) -> None:
    describe(parser, fetch_command, "arena fetch --pair smol-135m", continues=AGAIN)
    add_pair_option(parser)
    add_model_option(parser)
    add_profile_option(parser)


def add_space(parser: argparse.ArgumentParser) -> None:
    describe(parser, space_command, "arena space --profile cpu --out build/space")
    add_pair_option(parser)
    add_profile_option(parser)
    parser.add_argument("--sdk", choices=["gradio", "docker"], help="instead of the profile's own")
    parser.add_argument("--out", type=Path, required=True, help="a new or empty folder")


def add_front_matter(parser: argparse.ArgumentParser) -> None:
    describe(parser, front_matter_command, "arena front-matter", prints=False)
    add_profile_option(parser)


def list_command(options: argparse.Namespace) -> None:
    config = load_config()
    choice = choose_pair(config)
    lines = ["Pairs:"]
    for key, pair in config.pairs.items():
        mark = " (the default here)" if key == choice.pair.key else ""
        lines.append(f"  {key:<20} {pair.base.title} | {pair.distilled.title}{mark}")
    lines += [choice.why] if choice.why else []
    lines.append("Models alone:")
    lines += [f"  {key:<20} {model.title}" for key, model in config.models.items()]
    lines.append("Profiles:")
    lines += [f"  {key:<20} {profile.title}" for key, profile in config.profiles.items()]
    value = {
        "default_pair": choice.pair.key,
        "pairs": {key: {role: pair.model(role).title for role in ROLES} for key, pair in config.pairs.items()},
        "models": {key: model.title for key, model in config.models.items()},
        "profiles": {key: profile.title for key, profile in config.profiles.items()},
    }
    show(options, value, "\n".join(lines))


def plan_command(options: argparse.Namespace) -> None:
    config = load_config()
    pair, roles = chosen_sides(config, options.pair, options.model)
    plan = make_plan(config, pair, chosen_profile(config, options.profile, pair, roles), roles=roles)
    show(options, plan_values(plan), describe_plan(plan))


def fetch_command(options: argparse.Namespace) -> None:
    """Prepare on this machine what the plan's servers load; the command's result is its folders and hashes."""
    config = load_config()
    pair, roles = chosen_sides(config, options.pair, options.model)
    plan = make_plan(config, pair, chosen_profile(config, options.profile, pair, roles), roles=roles)
    value: dict[str, Any] = {}
    for engine in plan.engines:
        found = find_served(pair, plan.profile, engine, counted())
        for role in engine.roles:
            folder = found.adapter if found.adapter and role == "distilled" else found.weights
            value[role] = {"folder": str(folder), "sha256": found.hash(role)}
    for role in set(roles) - set(value):
        address = plan.profile.address(role) or pair.model(role).weights
        value[role] = {"address": where(address)}
    show(options, value, "\n".join(_fetched(role, value[role]) for role in roles))


def _fetched(role: Role, value: dict[str, str]) -> str:
    if "address" in value:
        return f"{role}: served at {value['address']}, nothing to fetch"
    return f"{role}: {value['folder']}  sha256 {value['sha256']}"


def space_command(options: argparse.Namespace) -> None:
    config = load_config()
    pair = chosen_pair(config, options.pair)
    key = chosen_profile(config, options.profile, pair).key
    if key not in config.profiles:  # it was made for the GPUs of this machine
        raise ConfigError(
            "A Space needs a profile of spaces.yaml.", f"Give --profile with one of {', '.join(config.profiles)}."
        )
    profile = config.profiles[key]
    if not options.pair:  # what suits the Space, not this machine
        pair = choose_pair(config, profile, SPACE_PROCESSOR).pair
    if options.sdk:
        profile = profile.model_copy(update={"sdk": options.sdk})
    steps = write_space(config, profile, options.out, pair)
    show(options, {"folder": options.out, "profile": profile.key, "next_steps": steps.splitlines()}, steps)


def front_matter_command(options: argparse.Namespace) -> None:
    config = load_config()
    profile = chosen_profile(config, options.profile, chosen_pair(config, "")) if options.profile else None
    print(front_matter(config.space, profile), end="")


def where(source: Source, base: Source | None = None) -> str:
    """The model argument of the server's command. If `base` is given, an adapter is merged into it.

    Weights that are not on this machine yet are shown by name: a variable, a hub id, or a placeholder.
    """
    if isinstance(source, EnvironmentSource) and not os.environ.get(source.env):
        return f"${source.env}"
    source = resolve_environment(source)
    if folder := folder_here(source, base):
        return str(folder)
    match source:
        case HubSource():
            return source.hub
        case FolderSource():
            return source.folder
        case PackageSource() | PartsSource():
            return str(unpacked(source))
        case AdapterSource():
            return source.adapter if base is None else MERGED
        case AddressSource():
            return source.address or f"${source.address_env}"
    raise AssertionError("a variable names another source")


def command(plan: Plan, engine: Engine, port: int) -> list[str]:
    """The server's command; empty where no server is started."""
    if plan.profile.served_by == "transformers":
        return []
    pair = plan.pair
    base, model = (spec.source(plan.profile.quantization) for spec in (pair.base, pair.model(engine.roles[0])))
    installed = paths.engine() / "bin" / "python"  # vLLM has an environment of its own
    python = str(installed) if installed.exists() else "python"
    if len(engine.roles) == 2:
        return engine.command(python, where(base), port, where(pair.distilled.weights))
    return engine.command(python, where(model, base), port)


def _address(source: Source) -> str:
    given = {name: value for name, value in source.model_dump().items() if value}
    return ", ".join(f"{name} {value}" for name, value in given.items())


def describe_plan(plan: Plan) -> str:
    """The commands and the memory table, as text."""
    pair, profile = plan.pair, plan.profile
    lines = [f"{pair.title} on {profile.key}: {profile.title}", ""]
    if not plan.engines:
        addresses = {role: profile.address(role) or pair.model(role).weights for role in plan.roles}
        return "\n".join([*lines, *(f"{role}: {_address(source)}" for role, source in addresses.items())])
    if plan.profile.served_by == "transformers":
        lines += ["Transformers answers in the page's own process; no server is started.", ""]
    elif plan.shares_gpu:
        lines += ["The servers share a GPU and start one after the other.", ""]
    for number, engine in enumerate(plan.engines if plan.profile.served_by == "vllm" else ()):
        variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in engine.environment)
        lines += [
            f"# {' and '.join(engine.roles)}",
            f"{variables} {shlex.join(command(plan, engine, FIRST_PORT + number))}",
        ]
        lines.append("")
    device = "each GPU" if profile.gpu else "main memory"
    lines += [f"GiB on {device}", f"{'':<22}{'weights':>9}{'KV cache':>10}{'runtime':>9}{'limit':>8}{'left':>8}"]
    for engine in plan.engines:
        use = engine.usage
        name = "+".join(engine.roles) + (f" ({len(engine.gpus)} GPU)" if engine.gpus else "")
        sizes = (use.weights, use.kv_cache, use.runtime, use.limit, use.left)
        cells = "".join(f"{size / GIB:>{width}.2f}" for size, width in zip(sizes, (9, 10, 9, 8, 8), strict=True))
        lines.append(f"{name:<22}{cells}")
    for role in plan.roles:
        spec = pair.model(role)
        per_token = spec.architecture.kv_bytes_per_token
        lines.append(
            f"{role}: {spec.architecture.parameters / 1e9:.2f} billion parameters, {per_token / 1024:.1f} KiB of KV "
            f"cache per token at 16 bits, {context_length(spec, profile)} tokens of context × {profile.streams} streams"
        )
    return "\n".join(lines)


def plan_values(plan: Plan) -> dict[str, Any]:
    """The plan as JSON: each server's command, variables and memory in bytes."""
    servers = [
        {
            "roles": list(engine.roles),
            "command": command(plan, engine, FIRST_PORT + number),
            "environment": dict(engine.environment),
            "gpus": list(engine.gpus),
            "bytes": {
                name: getattr(engine.usage, name) for name in ("weights", "kv_cache", "runtime", "limit", "left")
            },
        }
        for number, engine in enumerate(plan.engines)
    ]
    return {"pair": plan.pair.key, "profile": plan.profile.key, "servers": servers}
