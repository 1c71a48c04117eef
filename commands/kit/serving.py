"""Chooses a command's pair and profile, and serves the pair while the command runs."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from commands.kit.printing import note
from common.errors import ConfigError
from models.config.plan import choose_pair, profile_for
from models.config.registry import (
    ROLES,
    PairSpec,
    Profile,
    Role,
    SpacesConfig,
    find_model,
    load_config,
)
from models.serving.in_process.channel import LocalEndpoint
from models.serving.pair import ServedPair
from models.serving.pair import serving as serving_pair


def chosen_pair(config: SpacesConfig, key: str) -> PairSpec:
    """The pair of that key; without one, the app's choice. ConfigError if spaces.yaml has no such pair."""
    if key and key not in config.pairs:
        raise ConfigError(f"There is no pair “{key}” in spaces.yaml.", f"Choose one of {', '.join(config.pairs)}.")
    return config.pairs[key] if key else choose_pair(config).pair


def chosen_sides(config: SpacesConfig, pair: str, model: str) -> tuple[PairSpec, Sequence[Role]]:
    """The pair `pair` with both sides, or the model `model` with its side alone. ConfigError if there is none."""
    if not model:
        return chosen_pair(config, pair), ROLES
    if pair:
        raise ConfigError("--pair and --model cannot be used together.", "Give one of them.")
    side = find_model(config, model)
    return side.pair, (side.role,)


def chosen_profile(config: SpacesConfig, key: str, pair: PairSpec, roles: Sequence[Role] = ROLES) -> Profile:
    """The profile of that key; without one, what suits this machine and the pair. ConfigError if it is unknown."""
    if key and key not in config.profiles:
        raise ConfigError(
            f"There is no profile “{key}” in spaces.yaml.", f"Choose one of {', '.join(config.profiles)}."
        )
    return config.profiles[key] if key else profile_for(config, pair, roles)


@contextmanager
def asking(options: argparse.Namespace) -> Iterator[argparse.Namespace]:
    """The options with the `url` and `model` to ask: as given, or of the model named by --served, which is served in
    the meantime. Raises ConfigError unless exactly one of the two is given."""
    if bool(options.served) == bool(options.url or options.model) or bool(options.url) != bool(options.model):
        raise ConfigError("It is not clear which model to ask.", "Give --served NAME, or --url and --model.")
    if not options.served:
        yield options
        return
    config = load_config()
    side = find_model(config, options.served)
    profile = chosen_profile(config, options.profile, side.pair, (side.role,))
    note(f"Waiting for {side.spec.title} …")
    with serving_pair(config, side.pair, profile, (side.role,)) as served:
        endpoint = served.endpoint(side.role)
        if isinstance(endpoint, LocalEndpoint):
            raise ConfigError(
                f"On this machine {side.spec.title} has no address to be asked at.", "Give --url and --model instead."
            )
        yield argparse.Namespace(**{**vars(options), "url": endpoint.url, "model": endpoint.model})


@contextmanager
def serving(pair: str, profile: str) -> Iterator[ServedPair]:
    """Both models of a pair, ready to be asked; stopped afterwards."""
    config = load_config()
    spec = chosen_pair(config, pair)
    note("Waiting for both models …")
    with serving_pair(config, spec, chosen_profile(config, profile, spec)) as served:
        yield served
