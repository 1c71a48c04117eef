"""`python -m commands.pairs`: list, fetch, plan, space, front-matter."""

import argparse
import os
import shlex
import sys
from pathlib import Path

from common.errors import ArenaError
from models.config.layout import Engine, context_length
from models.config.memory import GIB
from models.config.plan import Plan, make_plan, profile_for
from models.config.registry import ROLES, PairSpec, Profile, SpacesConfig, choose_pair, load_config
from models.config.sources import (
    AdapterSource,
    AddressSource,
    EnvironmentSource,
    FolderSource,
    HubSource,
    PackageSource,
    Source,
    resolve_environment,
)
from models.deployment.card import front_matter
from models.deployment.space import write_space
from models.weights.find import find_weights, folder_here, weights_hash
from models.weights.package import package_folder

MERGED = "<base + adapter, merged at the first start>"


def list_all(config: SpacesConfig) -> str:
    lines = ["Pairs:"]
    for key, pair in config.pairs.items():
        mark = " (default)" if key == config.default_pair else ""
        lines.append(f"  {key:<20} {pair.base.title} | {pair.distilled.title}{mark}")
    lines.append("Profiles:")
    lines += [f"  {key:<20} {profile.title}" for key, profile in config.profiles.items()]
    return "\n".join(lines)


def fetch(pair: PairSpec) -> None:
    """Make both models' weights ready on this machine and print their folders and hashes."""
    for role in ROLES:
        source = resolve_environment(pair.model(role).weights)
        if isinstance(source, AddressSource):
            print(f"{role}: served at {source.address or source.address_env}, nothing to fetch")
            continue
        folder = find_weights(source, pair.base.weights, lambda sentence: print(f"  {sentence}", flush=True))
        print(f"{role}: {folder}  sha256 {weights_hash(folder)}", flush=True)


def where(source: Source, base: Source | None = None) -> str:
    """The model argument as it will stand in the command, an adapter merged into `base` where one is given.

    What is not on this machine yet stands under its name: a variable, a hub id, or what will be made of two parts.
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
        case PackageSource():
            return str(package_folder(source.package, source.sha256))
        case AdapterSource():
            return source.adapter if base is None else MERGED
        case AddressSource():
            return source.address or f"${source.address_env}"
    raise AssertionError("a variable names another source")


def command(plan: Plan, engine: Engine, port: int) -> list[str]:
    pair, awq = plan.pair, plan.profile.quantization == "awq"
    base, model = ((awq and spec.awq) or spec.weights for spec in (pair.base, pair.model(engine.roles[0])))
    if len(engine.roles) == 2:
        return engine.command("python", where(base), port, where(pair.distilled.weights))
    return engine.command("python", where(model, base), port)


def _address(source: Source) -> str:
    given = {name: value for name, value in source.model_dump().items() if value}
    return ", ".join(f"{name} {value}" for name, value in given.items())


def describe_plan(plan: Plan) -> str:
    """The commands and the memory table, as text."""
    pair, profile = plan.pair, plan.profile
    lines = [f"{pair.title} on {profile.key}: {profile.title}", ""]
    if not plan.engines:
        addresses = {role: profile.address(role) or pair.model(role).weights for role in ROLES}
        return "\n".join([*lines, *(f"{role}: {_address(source)}" for role, source in addresses.items())])
    if plan.shares_gpu:
        lines += ["The servers share a GPU and start one after the other.", ""]
    for number, engine in enumerate(plan.engines):
        variables = " ".join(f"{name}={shlex.quote(value)}" for name, value in engine.environment)
        lines += [f"# {' and '.join(engine.roles)}", f"{variables} {shlex.join(command(plan, engine, 8001 + number))}"]
        lines.append("")
    device = "each GPU" if profile.gpu else "main memory"
    lines += [f"GiB on {device}", f"{'':<22}{'weights':>9}{'KV cache':>10}{'runtime':>9}{'limit':>8}{'left':>8}"]
    for engine in plan.engines:
        use = engine.usage
        name = "+".join(engine.roles) + (f" ({len(engine.gpus)} GPU)" if engine.gpus else "")
        sizes = (use.weights, use.kv_cache, use.runtime, use.limit, use.left)
        cells = "".join(f"{size / GIB:>{width}.2f}" for size, width in zip(sizes, (9, 10, 9, 8, 8), strict=True))
        lines.append(f"{name:<22}{cells}")
    for role in ROLES:
        spec = pair.model(role)
        per_token = spec.architecture.kv_bytes_per_token
        lines.append(
            f"{role}: {spec.architecture.parameters / 1e9:.2f} billion weights, {per_token / 1024:.1f} KiB of KV cache "
            f"a token at 16 bits, {context_length(spec, profile)} tokens of context × {profile.streams} streams"
        )
    return "\n".join(lines)


def parse(arguments: list[str] | None, config: SpacesConfig) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m commands.pairs", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="pairs and profiles of spaces.yaml")
    for name, text in (
        ("fetch", "make the weights of a pair ready on this machine"),
        ("plan", "print the server commands and the memory they need"),
        ("space", "write the folder to push as a Hugging Face Space"),
        ("front-matter", "print the front matter of README.md"),
    ):
        sub = commands.add_parser(name, help=text)
        if name in ("fetch", "plan"):
            sub.add_argument("--pair", choices=list(config.pairs))
        if name in ("plan", "space", "front-matter"):
            sub.add_argument("--profile", choices=list(config.profiles))
        if name == "space":
            sub.add_argument("--out", type=Path, required=True)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    config = load_config()
    options = parse(arguments, config)
    pair = config.pairs[options.pair] if getattr(options, "pair", None) else choose_pair(config)
    profile: Profile | None = config.profiles[options.profile] if getattr(options, "profile", None) else None
    match options.command:
        case "list":
            print(list_all(config))
        case "fetch":
            fetch(pair)
        case "plan":
            print(describe_plan(make_plan(config, pair, profile)))
        case "space":
            print(write_space(config, profile or profile_for(config, pair), options.out))
        case "front-matter":
            print(front_matter(config.space, profile), end="")


if __name__ == "__main__":
    try:
        main()
    except ArenaError as error:
        sys.exit(str(error))
