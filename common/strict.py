"""Strict YAML reading: no repeated keys, no unknown keys, and every error names the path of its key."""

import dataclasses
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from common.errors import ConfigError, DataError
from common.jsonl import MOST_DEPTH, is_deeper, read_text
from common.text import whole_characters

_SHOWN_CHARACTERS = 80
"""How many characters of a value an error message quotes."""


class Strict(BaseModel):
    """A frozen model that rejects unknown keys with an error listing the known ones."""

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
    """The errors as `path.to.key: what is wrong (found …)`, at most `most` of them."""
    complaints = []
    for detail in error.errors()[:most]:
        path = ".".join(str(part) for part in detail["loc"] if not str(part).endswith("Source"))
        message = detail["msg"].removeprefix("Value error, ")
        value = detail["input"]
        shown = f" (found {_quoted(value)})" if isinstance(value, str | int | float | bool) else ""
        complaints.append(f"{path}: {message}{shown}" if path else f"{message}{shown}")
    more = error.error_count() - most
    return "; ".join(complaints) + (f"; and {more} more" if more > 0 else "")


def _quoted(value: str | int | float) -> str:
    try:
        text = repr(value)
    except ValueError:  # an integer of thousands of digits
        return "a very large number"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


class _NoRepeats(yaml.SafeLoader):
    """PyYAML silently keeps the last of two equal keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                problem = f"key {_quoted(key.value)} appears twice"
                raise yaml.constructor.ConstructorError(problem=problem, problem_mark=key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        """Replace lone surrogates, which an escape can write and UTF-8 cannot hold."""
        value = super().construct_scalar(node)
        return whole_characters(value) if isinstance(value, str) else value


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises ConfigError with file and line."""
    try:
        raw = yaml.load(read_text(path), _NoRepeats)
    except DataError as error:
        raise ConfigError(str(error)) from error
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}," if error.problem_mark else ""
        raise ConfigError(f"{path}{line} is not YAML that can be used: {error.problem}.", "Correct it.") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not YAML: {str(error).splitlines()[0]}.", "Correct it.") from error
    except RecursionError as error:
        raise ConfigError(f"{path} is nested too deeply.", "See the README for its sections.") from error
    except (ValueError, TypeError, AttributeError, LookupError, OverflowError) as error:
        # PyYAML lets these escape for a tag whose value does not fit it: `!!int x`, 2024-99-99, `!!timestamp x`
        raise ConfigError(f"{path} holds a value that does not fit its type: {error}.", "Correct it.") from error
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} is not a mapping of keys to values.", "See the README for its sections.")
    if is_deeper(raw, MOST_DEPTH):
        raise ConfigError(f"{path} is nested too deeply.", "See the README for its sections.")
    return raw
