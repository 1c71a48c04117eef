"""Write a release into a folder, and push it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from common.errors import DataError
from common.jsonl import write_text
from votes.casting.limits import Limits
from votes.export import final_battles, write_dpo, write_parquet
from votes.release.card import dataset_card
from votes.release.choose import Counts, choose
from votes.release.personal import Scanner
from votes.store import Store

FILES = ("README.md", "votes.parquet", "preferences.jsonl")


def write_release(store: Store, out: Path, scan: Scanner, *, include_flagged: bool = False, now: datetime) -> Counts:
    """Write `votes.parquet`, `preferences.jsonl` and the card into the folder, over what an earlier release left.

    DataError if it cannot be written.
    """
    final = final_battles(store.ballots(), store.revealed(), now, Limits())
    votes, counts = choose(store.votes(), final, scan, include_flagged=include_flagged, hidden=len(store.hidden()))
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_parquet(votes, out / "votes.parquet")
        write_dpo(votes, out / "preferences.jsonl", with_reasoning=False)
    except OSError as error:
        raise DataError(f"{out} cannot be written: {error.strerror}.", "Give another folder.") from error
    day = f"{now.astimezone(UTC):%Y-%m-%d}"
    write_text(out / "README.md", dataset_card(counts, day))
    return counts


def push_release(folder: Path, repo: str, token: str | None = None, api: Any = None) -> str:
    """Push the folder as the dataset `repo`, created if needed, and return its address. Raises DataError."""
    from httpx2 import HTTPError
    from huggingface_hub import HfApi

    api = api or HfApi(token=token)
    try:
        address = str(api.create_repo(repo, repo_type="dataset", exist_ok=True))
        api.upload_folder(
            repo_id=repo,
            folder_path=str(folder),
            repo_type="dataset",
            allow_patterns=list(FILES),
            commit_message="Release of votes",
        )
    except (HTTPError, OSError, ValueError) as error:
        message = f"The release in {folder} could not be pushed to {repo}: {type(error).__name__}."
        raise DataError(message, "Check the name and the network, and that HF_TOKEN may write there.") from error
    return address
