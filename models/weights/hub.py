"""Weights from the Hugging Face hub. Every error becomes a message that says what to do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from common.errors import WeightsError
from models.config.sources import HubSource, PublishedFile
from models.weights.files import Report, disk_errors

PATTERNS = ["*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", "tokenizer*"]


def hub_folder(source: HubSource, check: Callable[[Path], None], report: Report) -> Path:
    """The snapshot in the hub's cache, so that a second start needs no network; downloaded if it is not there, or if
    `check` raises WeightsError because it is incomplete."""
    from huggingface_hub import constants, errors, snapshot_download

    def snapshot(*, offline: bool) -> Path:
        return Path(
            snapshot_download(source.hub, revision=source.revision, allow_patterns=PATTERNS, local_files_only=offline)
        )

    with _hub_errors(source.hub, source.revision):
        try:
            check(folder := snapshot(offline=True))
            return folder
        except (errors.LocalEntryNotFoundError, WeightsError):
            report(f"downloading {source.hub}")
            with disk_errors(Path(constants.HF_HUB_CACHE), "HF_HOME"):
                return snapshot(offline=False)


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
    except (httpx2.HTTPError, errors.XetDownloadError, RuntimeError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk; what the hub raises by itself has no number
        raise WeightsError(
            f"The download of {repo} broke off ({type(error).__name__}: {error}).",
            "Check the network and start again; finished files are kept.",
        ) from error
