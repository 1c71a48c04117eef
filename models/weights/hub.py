"""Weights from the Hugging Face hub. Every error becomes a message that says what to do."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from common.errors import WeightsError
from models.config.sources import HubSource, PublishedFile
from models.weights.child import handed_over, run_child
from models.weights.files import FetchError, Report, disk_errors
from models.weights.progress import sizes, told

PATTERNS = ["*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", "tokenizer*"]
DOWNLOAD_SECONDS = 24 * 3600.0


def hub_folder(source: HubSource, check: Callable[[Path], None], report: Report) -> Path:
    """The snapshot in the hub's cache, so that a second start needs no network; downloaded if it is not there, or if
    `check` raises WeightsError because it is incomplete.

    Downloaded in a child process: the hub's library does so in threads that would keep the app from ending.
    """
    from huggingface_hub import constants, errors

    with _hub_errors(source.hub, source.revision):
        try:
            check(folder := _snapshot(source, offline=True))
            return folder
        except (errors.LocalEntryNotFoundError, WeightsError):
            pass
    blobs = Path(constants.HF_HUB_CACHE) / f"models--{source.hub.replace('/', '--')}" / "blobs"
    command = [sys.executable, "-m", "models.weights.hub", source.hub, source.revision]
    with told(report, source.hub, lambda: sum(sizes(blobs)), lambda: sum(_listed(source).values())):
        quiet = {"HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        run_child(command, f"Downloading {source.hub}", DOWNLOAD_SECONDS, quiet)
    with _hub_errors(source.hub, source.revision):
        folder = _snapshot(source, offline=True)
    listed = _listed(source)
    if not listed:  # by chance there was a part of it, and the library was content with that
        try:
            check(folder)
        except WeightsError as error:
            raise _refusal(source.hub, error) from error
    elif not any(path.endswith(".safetensors") for path in listed):
        raise FetchError(
            f"{source.hub} has no weights as safetensors at revision {source.revision!r}.",
            "Name a revision that has, or convert them: load the model with Transformers, call save_pretrained and "
            "name that folder.",
        )
    return folder


def download(source: HubSource) -> None:
    """Download what is missing of a repository into the hub's cache. Raises WeightsError."""
    from huggingface_hub import constants

    with _hub_errors(source.hub, source.revision), disk_errors(Path(constants.HF_HUB_CACHE), "HF_HOME"):
        _snapshot(source, offline=False)


def _snapshot(source: HubSource, *, offline: bool) -> Path:
    from huggingface_hub import snapshot_download

    return Path(
        snapshot_download(source.hub, revision=source.revision, allow_patterns=PATTERNS, local_files_only=offline)
    )


def _listed(source: HubSource) -> dict[str, int]:
    """The files to download, with their bytes, as the hub has listed them; empty until it has."""
    from huggingface_hub import errors, get_cached_repo_tree
    from huggingface_hub.utils import filter_repo_objects

    try:
        listed = get_cached_repo_tree(source.hub, revision=source.revision)
    except (errors.CachedRepoTreeNotFoundError, OSError, ValueError):
        return {}
    wanted = filter_repo_objects(listed, allow_patterns=PATTERNS, key=lambda file: file.path)
    return {file.path: file.size for file in wanted}


def hub_file(file: PublishedFile, folder: Path) -> Path:
    """Download one file into `folder`; an interrupted download is resumed."""
    from huggingface_hub import hf_hub_download

    with _hub_errors(file.hub, file.revision), disk_errors(folder):
        return Path(hf_hub_download(file.hub, file.file, revision=file.revision, local_dir=folder))


@contextmanager
def _hub_errors(repo: str, revision: str) -> Iterator[None]:
    import httpx2  # what huggingface_hub asks with
    from huggingface_hub import errors

    try:
        yield
    except errors.HFValidationError as error:
        raise FetchError(f"{repo!r} is neither a folder nor a hub id like org/name.", "Correct it.") from error
    except errors.GatedRepoError as error:
        raise FetchError(
            f"{repo} is gated on the hub.", "Accept its licence there, then set HF_TOKEN to a token that may read it."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise FetchError(f"{repo} has no revision {revision!r} on the hub.", "Correct the revision.") from error
    except errors.RepositoryNotFoundError as error:
        raise FetchError(
            f"The hub has no {repo}, or it is private.", "Correct the id, or set HF_TOKEN to a token that may read it."
        ) from error
    except (errors.LocalEntryNotFoundError, errors.HfHubHTTPError, ConnectionError) as error:
        raise _refusal(repo, error) from error
    except (httpx2.HTTPError, errors.XetDownloadError, RuntimeError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk; what the hub raises by itself has no number
        raise FetchError(
            f"The download of {repo} broke off ({type(error).__name__}: {error}).",
            "Check the network and start again; finished files are kept.",
            temporary=True,
        ) from error


def _refusal(repo: str, error: Exception) -> FetchError:
    """The error for a hub that gives nothing: it refuses, fails, cannot be reached, or is not to be asked.

    The library hides most refusals behind a LocalEntryNotFoundError.
    """
    from huggingface_hub import errors, is_offline_mode

    cause = error.__cause__ or error
    words = (str(cause).strip().splitlines() or [""])[0]
    if isinstance(cause, errors.HfHubHTTPError):
        status, words = cause.response.status_code, cause.server_message or words
        if status in (401, 403):
            return FetchError(
                f"The hub refuses {repo} to this account ({status}: {words}).",
                "Set HF_TOKEN to a token that may read it; a fine-grained one has to list the repository.",
            )
        if status in (408, 429) or status >= 500:
            return FetchError(
                f"The hub cannot give {repo} now ({status}: {words}).",
                "Start again later; finished files are kept.",
                temporary=True,
            )
        return FetchError(f"The hub refuses {repo} ({status}: {words}).", "Correct its id and revision.")
    if is_offline_mode():
        return FetchError(
            f"{repo} is not on this machine, and HF_HUB_OFFLINE forbids to download it.",
            "Unset HF_HUB_OFFLINE, or download it elsewhere and name its folder instead.",
        )
    why = f" ({type(cause).__name__}: {words})" if cause is not error else ""
    return FetchError(
        f"{repo} is not on this machine and the hub could not be reached{why}.",
        "Check the network, or download it elsewhere and name its folder instead.",
        temporary=True,
    )


if __name__ == "__main__":
    with handed_over():
        download(HubSource(hub=sys.argv[1], revision=sys.argv[2]))
