"""Pushing trained weights to a model repository on the hub."""

import os
from pathlib import Path
from typing import Any

from common.errors import DataError


def push_trained(folder: Path, repo: str, api: Any = None) -> str:
    """Upload a folder of weights, creating a private repository if there is none; returns its address.

    After an interruption, files already uploaded are not sent again. Raises DataError if the hub refuses.
    """
    from httpx2 import HTTPError
    from huggingface_hub import HfApi

    api = api or HfApi(token=os.environ.get("HF_TOKEN"))
    try:
        address = str(api.create_repo(repo, repo_type="model", private=True, exist_ok=True))
        api.upload_folder(repo_id=repo, folder_path=str(folder), repo_type="model", commit_message="Trained weights")
    except (HTTPError, OSError, ValueError) as error:
        raise DataError(
            f"{folder} could not be pushed to {repo}: {type(error).__name__}.",
            f"Check the name, the network and that HF_TOKEN may write there, then push it: hf upload {repo} {folder}",
        ) from error
    return address
