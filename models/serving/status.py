"""What a model server is doing, as a value and as a sentence for people."""

from dataclasses import dataclass
from typing import Literal

Phase = Literal["waiting", "fetching", "loading", "ready", "restarting", "stopped", "failed"]


@dataclass(frozen=True)
class Status:
    """A moment in a server's life."""

    phase: Phase
    detail: str = ""
    """Details or the reason, without a final full stop if the phase adds words around it."""
    seconds: float = 0.0
    """How long it has been in this phase."""
    down_seconds: float = 0.0
    """Seconds since it died or became unreachable; 0 while all is well."""
    restarts: int = 0
    """How often it was lost since the app started."""

    @property
    def sentence(self) -> str:
        """E.g. "loading weights, 20 s", "ready", "stopped: restarting in 4 s (try 2 of 5)"."""
        waited = f", {self.seconds:.0f} s"
        match self.phase:
            case "waiting":
                return (self.detail or "waiting to start") + waited
            case "fetching":
                return (self.detail or "fetching weights") + waited
            case "loading":
                return (self.detail or "loading weights") + waited
            case "ready":
                return "ready"
            case "restarting":
                return f"stopped: {self.detail or 'restarting'}"
            case "stopped":
                return "stopped"
            case "failed":
                return f"failed: {self.detail}"
