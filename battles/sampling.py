"""How a battle's tokens are drawn: what is allowed, and what is recorded."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from models.config.layout import context_length
from models.config.registry import ROLES
from models.config.sampling import Sampling
from models.serving.pair import ServedPair
from votes.ballot import Role


def longest_reply(served: ServedPair, roles: Sequence[Role] = ROLES) -> int:
    """Tokens that a reply of any of these may have: half of the context it is served with. The rest is for the talk."""
    return min(context_length(served.pair.model(role), served.profile) for role in roles) // 2


def describe_sampling(base: Sampling, distilled: Sampling) -> dict[str, object]:
    """What a battle records: one set of values, or one for each side if they differ."""
    return asdict(base) if base == distilled else {"base": asdict(base), "distilled": asdict(distilled)}


def recorded_sampling(recorded: Mapping[str, Any]) -> dict[Role, Sampling]:
    """The inverse of `describe_sampling`."""
    return {role: Sampling(**recorded.get(role, recorded)) for role in ROLES}
