"""A battle's sampling settings: what is allowed, and what is recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from battles.offers import RECORDED
from models.config.layout import context_length
from models.config.registry import ROLES
from models.config.sampling import Sampling
from models.serving.pair import ServedPair
from votes.ballot import Role


def longest_reply(served: ServedPair, roles: Sequence[Role] = ROLES) -> int:
    """The maximum reply length in tokens: half of the longest context. The rest is left for the conversation."""
    return max(_half_of_context(served, role) for role in roles)


def within_contexts(served: ServedPair, sampling: Mapping[Role, Sampling]) -> dict[Role, Sampling]:
    """The sampling with each side's limit within half of its own context: a model with a short context does not
    shorten the other's replies."""
    return {
        role: replace(chosen, max_tokens=min(chosen.max_tokens, _half_of_context(served, role)))
        for role, chosen in sampling.items()
    }


def _half_of_context(served: ServedPair, role: Role) -> int:
    return context_length(served.pair.model(role), served.profile) // 2


def describe_sampling(base: Sampling, distilled: Sampling) -> dict[str, object]:
    """What a battle records: one set of values, or one for each side if they differ."""
    return asdict(base) if base == distilled else {"base": asdict(base), "distilled": asdict(distilled)}


def recorded_sampling(recorded: Mapping[str, Any]) -> dict[Role, Sampling]:
    """The inverse of `describe_sampling`. How the question was chosen is left out."""
    drawn = {name: value for name, value in recorded.items() if name != RECORDED}
    return {role: Sampling(**drawn.get(role, drawn)) for role in ROLES}
