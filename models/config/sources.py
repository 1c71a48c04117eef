"""Where a model's weights come from, as data: the forms of `weights` in spaces.yaml."""

import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from common.errors import ConfigError
from common.strict import Strict

REQUIREMENT = r"^[A-Za-z0-9._-]+==[A-Za-z0-9._-]+$"
"""A package and its exact version."""


class FolderSource(Strict):
    """A Transformers folder on this machine; a relative path starts at the repository."""

    folder: str


class HubSource(Strict):
    """A repository on the hub."""

    hub: str
    revision: str = "main"


class PackageSource(Strict):
    """A GGUF file inside the wheel of a Python package."""

    package: str = Field(pattern=REQUIREMENT)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    file: str


class Part(Strict):
    """A file inside the wheel of a Python package that is one part of a larger file."""

    package: str = Field(pattern=REQUIREMENT)
    file: str


class PublishedFile(Strict):
    """A file that its publisher keeps on the hub."""

    hub: str
    revision: str
    file: str


class PartsSource(Strict):
    """A GGUF file split across several wheels; its parts joined in order give the `published` file."""

    package: tuple[Part, ...] = Field(min_length=1)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Hash of the joined file, taken from its publisher, so the makers of the wheels need not be trusted."""
    size: int = Field(gt=0)
    """Bytes of the joined file."""
    published: PublishedFile
    """Where to fetch the same file if the packages are unavailable."""


class AdapterSource(Strict):
    """A LoRA adapter (folder or hub id) on the pair's base."""

    adapter: str
    revision: str = "main"


class AddressSource(Strict):
    """Running servers that speak the OpenAI protocol; nothing is started for them."""

    address: str = ""
    """Several comma-separated servers of one model are used in turn."""
    address_env: str = ""
    """Environment variable with the address, where `address` is empty."""
    model: str = ""
    """The name the server knows the model by; empty: the first one it lists."""
    model_env: str = ""
    key_env: str = ""
    """Environment variable with the API key."""

    @model_validator(mode="after")
    def _one_address(self) -> "AddressSource":
        if bool(self.address) == bool(self.address_env):
            raise ValueError("give either `address` or `address_env`")
        return self


class EnvironmentSource(Strict):
    """Weights named by an environment variable: a folder, a hub id (`org/name` or `org/name@revision`), or an adapter
    (a folder with adapter_config.json, or `adapter:org/name`)."""

    env: str
    what: str
    """What to put there, for the error shown when it is unset."""


Source = FolderSource | HubSource | PackageSource | PartsSource | AdapterSource | AddressSource | EnvironmentSource
SOURCE_KEYS = {
    "folder": FolderSource,
    "hub": HubSource,
    "package": PackageSource,
    "adapter": AdapterSource,
    "address": AddressSource,
    "address_env": AddressSource,
    "env": EnvironmentSource,
}


def _source_tag(value: Any) -> str | None:
    if isinstance(value, Strict):
        return type(value).__name__
    named = [cls for key, cls in SOURCE_KEYS.items() if isinstance(value, dict) and key in value]
    if named == [PackageSource] and isinstance(value["package"], list):
        return PartsSource.__name__
    return named[0].__name__ if len(named) == 1 else None


SourceField = Annotated[
    Annotated[FolderSource, Tag("FolderSource")]
    | Annotated[HubSource, Tag("HubSource")]
    | Annotated[PackageSource, Tag("PackageSource")]
    | Annotated[PartsSource, Tag("PartsSource")]
    | Annotated[AdapterSource, Tag("AdapterSource")]
    | Annotated[AddressSource, Tag("AddressSource")]
    | Annotated[EnvironmentSource, Tag("EnvironmentSource")],
    Discriminator(
        _source_tag,
        custom_error_type="source",
        custom_error_message="name exactly one of folder, hub, package, adapter, address, address_env, env",
    ),
]


def hub_name(source: Source) -> str | None:
    """The id on the hub of what a source names; None where it names none."""
    if isinstance(source, HubSource):
        return source.hub
    local = (".", "/", "~", "models/")
    if isinstance(source, AdapterSource) and source.adapter.count("/") == 1 and not source.adapter.startswith(local):
        return source.adapter
    return None


def resolve_environment(source: Source) -> Source:
    """Replace an EnvironmentSource by what its variable names. Raises ConfigError if it is unset."""
    if not isinstance(source, EnvironmentSource):
        return source
    value = os.environ.get(source.env, "").strip()
    if not value:
        raise ConfigError(f"{source.env} is not set.", f"Set it to {source.what}.")
    folder = Path(value).expanduser()
    if value.startswith("adapter:"):
        return AdapterSource(adapter=value.removeprefix("adapter:"))
    if folder.is_dir():
        is_adapter = (folder / "adapter_config.json").is_file()
        named = str(folder.resolve())
        return AdapterSource(adapter=named) if is_adapter else FolderSource(folder=named)
    hub, _, revision = value.partition("@")
    return HubSource(hub=hub, revision=revision or "main")
