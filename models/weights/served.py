"""What one server of a plan loads: a whole model, or a base with an adapter to apply while serving."""

from pathlib import Path
from typing import NamedTuple

from common.errors import ConfigError
from models.config.adapter_config import why_not_served
from models.config.layout import Engine, most_rank
from models.config.registry import PairSpec, Profile, Role
from models.config.sources import AdapterSource, resolve_environment
from models.weights.adapter import check_adapter
from models.weights.files import Report, silent
from models.weights.find import find_adapter, find_weights, weights_hash


class Found(NamedTuple):
    """Folders on this machine."""

    weights: Path
    adapter: Path | None
    """The one to apply while serving; None where it is merged or there is none."""

    def hash(self, role: Role) -> str:
        """Hex sha256 of what answers for this side; `base+adapter` where an adapter is applied."""
        whole = weights_hash(self.weights)
        return f"{whole}+{weights_hash(self.adapter)}" if self.adapter and role == "distilled" else whole


def find_served(pair: PairSpec, profile: Profile, engine: Engine, report: Report = silent) -> Found:
    """Everything that this server of the pair's plan loads; fetched, unpacked or merged first if need be.

    Raises WeightsError; ConfigError if the server cannot apply the distilled side's adapter.
    """
    base, source = (pair.model(role).source(profile.quantization) for role in ("base", engine.roles[0]))
    if len(engine.roles) == 1 or pair.one_model:
        return Found(find_weights(source, base, report), None)
    distilled = resolve_environment(pair.distilled.weights)
    if not isinstance(distilled, AdapterSource):
        raise ConfigError(
            f"Profile {profile.key} needs an adapter for {pair.distilled.title}, not a whole checkpoint.",
            "Choose a profile with arrangement `two`.",
        )
    adapter = find_adapter(distilled, report)
    if why := why_not_served(adapter, most_rank(profile)):
        raise ConfigError(
            f"Profile {profile.key} cannot serve {pair.distilled.title}: {why}.",
            "Choose a profile with arrangement `two`.",
        )
    folder = find_weights(base, None, report)
    check_adapter(folder, adapter)
    return Found(folder, adapter)
