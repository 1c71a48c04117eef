"""Weights from the Hugging Face hub. Every error becomes a message that says what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common.errors import WeightsError
from common.paths import cache
from models.config.sources import HubSource, PublishedFile
from models.weights.files import Report, disk_errors

PATTERNS = ["*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", "tokenizer*"]


def hub_folder(source: HubSource, report: Report) -> Path:
    """The snapshot in the hub's cache, downloaded unless it is complete, so that a second start needs no network."""
    from huggingface_hub import errors, snapshot_download

    def snapshot(*, offline: bool) -> Path:
        return Path(
            snapshot_download(source.hub, revision=source.revision, allow_patterns=PATTERNS, local_files_only=offline)
        )

    with _hub_errors(source.hub, source.revision):
        try:
            return snapshot(offline=True)
        except errors.LocalEntryNotFoundError:
            report(f"downloading {source.hub}")
            with disk_errors(cache()):
                return snapshot(offline=False)


def hub_file(file: PublishedFile, folder: Path) -> Path:
    """Download one file into `folder`; an interrupted download is resumed."""
    from huggingface_hub import hf_hub_download

    with _hub_errors(file.hub, file.revision), disk_errors(folder):
        return Path(hf_hub_download(file.hub, file.file, revision=file.revision, local_dir=folder))


@contextmanager
def _hub_errors(repo: str, revision: str) -> Iterator[None]:
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
