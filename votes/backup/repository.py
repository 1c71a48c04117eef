"""Where copies are kept: a private dataset repository on the Hugging Face hub, or a folder (also a mounted bucket).

Files are only added, never changed. Several replicas of the page may share one repository: every file has its own name.
"""

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from common.errors import ConfigError, DataError

REPOSITORY = "JOURNEY_VOTES_REPO"
SUFFIX = ".parquet"
_DOWNLOADS_AT_ONCE = 8
_HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


class Fetched(NamedTuple):
    name: str
    path: Path
    """A copy on this disk, to be read and left alone."""


class Repository(Protocol):
    """Every method raises DataError, in words, if the repository cannot be used now."""

    @property
    def title(self) -> str:
        """What it is, to follow “copied to” in a sentence. Never its name, since the page shows this to everybody."""

    def names(self) -> set[str]:
        """The files that are there, as `votes/2026-11-28/….parquet`."""

    def fetch(self, names: Iterable[str]) -> Iterator[Fetched]: ...
    def add(self, files: Mapping[str, Path], message: str) -> None:
        """Add these files under their names."""


class FolderRepository:
    """A folder, e.g. on another disk or where a bucket is mounted. One that is not there is no empty one: it may be a
    disk that is not mounted, and copies would go to the very disk they are meant to outlive."""

    title = "another folder"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def names(self) -> set[str]:
        self._check_there()
        return {path.relative_to(self.folder).as_posix() for path in self.folder.rglob(f"*{SUFFIX}")}

    def fetch(self, names: Iterable[str]) -> Iterator[Fetched]:
        return (Fetched(name, self.folder / name) for name in names)

    def add(self, files: Mapping[str, Path], message: str) -> None:
        self._check_there()
        try:
            for name, source in files.items():
                target = self.folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                # Under another name first, so that nobody reads a partial file.
                draft = target.with_name(f".{target.name}.part")
                shutil.copyfile(source, draft)
                with draft.open("rb+") as file:
                    os.fsync(file.fileno())
                draft.replace(target)
        except OSError as error:
            raise DataError(f"{self.folder} cannot be written: {error.strerror}.", f"Check {REPOSITORY}.") from error

    def _check_there(self) -> None:
        if not self.folder.is_dir():
            raise DataError(
                f"There is no folder {self.folder} for the copies of votes.",
                f"Mount it, or create it if it is new; {REPOSITORY} names it.",
            )


class HubRepository:
    """A private dataset repository. It is made if it is not there; a public one is refused."""

    title = "a private dataset on the Hugging Face hub"

    def __init__(self, repo: str, token: str | None = None, api: Any = None) -> None:
        from huggingface_hub import HfApi

        self.repo = repo
        self._api = api or HfApi(token=token)
        self._is_private = False

    def names(self) -> set[str]:
        with _told(self.repo):
            self._check_private()
            return {name for name in self._api.list_repo_files(self.repo, repo_type="dataset") if name.endswith(SUFFIX)}

    def fetch(self, names: Iterable[str]) -> Iterator[Fetched]:
        with _told(self.repo), ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
            yield from pool.map(self._fetch_one, names)

    def add(self, files: Mapping[str, Path], message: str) -> None:
        from huggingface_hub import CommitOperationAdd

        with _told(self.repo):
            self._check_private()
            added = [CommitOperationAdd(name, str(path)) for name, path in files.items()]
            self._api.create_commit(self.repo, added, commit_message=message, repo_type="dataset")

    def _fetch_one(self, name: str) -> Fetched:
        return Fetched(name, Path(self._api.hf_hub_download(self.repo, name, repo_type="dataset")))

    def _check_private(self) -> None:
        """Raise unless the repository is private: rows include texts that nobody agreed to publish."""
        if self._is_private:
            return
        self._api.create_repo(self.repo, repo_type="dataset", private=True, exist_ok=True)
        self._is_private = bool(self._api.repo_info(self.repo, repo_type="dataset").private)
        if not self._is_private:
            raise DataError(f"The dataset {self.repo} is public.", f"Make it private, or name another in {REPOSITORY}.")


def open_repository(where: str, token: str | None = None) -> Repository:
    """The repository of that name: `org/name` on the hub, or a folder (`/…`, `./…`, `~/…`). ConfigError for neither."""
    if where.startswith(("/", "./", "../", "~")):
        return FolderRepository(Path(where).expanduser().resolve())
    if _HUB_NAME.fullmatch(where):
        return HubRepository(where, token)
    raise ConfigError(
        f"{REPOSITORY} is {where!r}.", "Name a dataset as org/name, or a folder that starts with / or ./."
    )


@contextmanager
def _told(repo: str) -> Iterator[None]:
    """Turn whatever the hub's client raises into a DataError."""
    from httpx2 import HTTPError  # what the hub's client is made with

    try:
        yield
    except (HTTPError, OSError, ValueError) as error:
        raise DataError(
            f"The dataset {repo} cannot be reached: {type(error).__name__}.",
            "Check its name, the network, and that HF_TOKEN may write to it.",
        ) from error
