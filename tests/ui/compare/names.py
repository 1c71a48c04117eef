"""Widgets as plain names: handlers use them as keys only."""

from typing import Any

from battles.battle import SIDES
from ui.compare.handlers import TOOLS


class Name(str):
    """Like a component, it is never copied: a copy would be another key."""

    def __deepcopy__(self, memo: Any) -> "Name":
        raise AssertionError(f"{self} is copied")


class Names:
    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        for name in ("panels", "heads", "figures", "copies"):
            setattr(self, name, {side: Name(f"{name}-{side}") for side in SIDES})
        self.welcome = ("welcome", "examples")
        self.tools = {tool: f"tool-{tool}" for tool in TOOLS}

    def __getattr__(self, name: str) -> Any:
        return Names(f"{name}.") if name in ("ballot", "pin") and not self._prefix else Name(f"{self._prefix}{name}")
