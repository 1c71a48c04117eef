"""Reading a YAML file strictly: no doubled key, no unknown key, every complaint with the path of its key.

Does not know what the file is about.
"""

import dataclasses
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from common.errors import ConfigError


class Strict(BaseModel):
    """A frozen value whose unknown keys are refused with the list of known ones."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, value: Any) -> Any:
        return _refuse_unknown(value, list(cls.model_fields))


def strictly(dataclass: type) -> BeforeValidator:
    """The same refusal for a field that is a plain dataclass."""
    names = [field.name for field in dataclasses.fields(dataclass)]
    return BeforeValidator(lambda value: _refuse_unknown(value, names))


def _refuse_unknown(value: Any, known: list[str]) -> Any:
    unknown = [str(key) for key in value if key not in known] if isinstance(value, dict) else []
    if unknown:
        raise ValueError(f"unknown key {', '.join(unknown)}; allowed are {', '.join(known)}")
    return value


def describe(error: ValidationError, most: int = 5) -> str:
    """The complaints as `path.to.key: what is wrong (found …)`, at most `most` of them."""
    complaints = []
    for detail in error.errors()[:most]:
        path = ".".join(str(part) for part in detail["loc"] if not str(part).endswith("Source"))
        message = detail["msg"].removeprefix("Value error, ")
        found = detail["input"]
        shown = f" (found {found!r})" if isinstance(found, str | int | float | bool) else ""
        complaints.append(f"{path}: {message}{shown}" if path else f"{message}{shown}")
    more = error.error_count() - most
    return "; ".join(complaints) + (f"; and {more} more" if more > 0 else "")


class _NoDoubles(yaml.SafeLoader):
    """PyYAML silently keeps the last of two equal keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise ConfigError(
                    f"{key.value!r} stands twice (line {key.start_mark.line + 1}).", "Remove one of them."
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises ConfigError with file and line."""
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), _NoDoubles)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", "It belongs to the repository.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path.name} is not YAML: {error}.", "Correct it and start again.") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path.name} holds no mapping.", "See the README for its sections.")
    return raw
