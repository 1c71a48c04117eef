"""Weights from the hub: found in its cache, downloaded in a child with its bytes told, every refusal told as it is."""

import errno
import json
import time
from pathlib import Path

import httpx2
import huggingface_hub
import pytest
from huggingface_hub import constants, errors

from common.errors import WeightsError
from models.config.sources import AdapterSource, HubSource
from models.weights import hub, progress
from models.weights.files import may_pass
from models.weights.find import find_adapter, find_weights

RUN_CHILD = hub.run_child


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What is replaced in the hub's library counts, and its cache is empty."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))

    def run(command: list[str], *_: object, **__: object) -> None:
        hub.download(HubSource(hub=command[-2], revision=command[-1]))

    monkeypatch.setattr(hub, "run_child", run)


def hub_cache(monkeypatch: pytest.MonkeyPatch, cache: Path, *, whole: bool) -> None:
    """A hub cache that holds one model, laid out as huggingface_hub lays it out, and no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    snapshot = cache / "models--me--model" / "snapshots" / ("c" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    if whole:
        (snapshot / "model.safetensors").write_bytes(b"x")
    refs = cache / "models--me--model" / "refs"
    refs.mkdir()
    (refs / "main").write_text("c" * 40)


def list_files(repository: Path, files: dict[str, int]) -> None:
    """What the hub's library notes of a repository before it downloads: its files and their bytes."""
    from huggingface_hub._snapshot_download import TreeCacheEntry, write_tree_cache

    rest = {"blob_id": "b", "lfs_sha256": None, "lfs_size": None, "xet_hash": None}
    entries = {name: TreeCacheEntry(size=size, **rest) for name, size in files.items()}
    write_tree_cache(str(repository), "c" * 40, entries)


def test_model_in_the_hub_cache_needs_no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub_cache(monkeypatch, tmp_path / "hub", whole=True)
    said: list[str] = []
    assert find_weights(HubSource(hub="me/model"), None, said.append).name == "c" * 40
    assert said == []


def test_half_a_model_in_the_hub_cache_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub_cache(monkeypatch, tmp_path / "hub", whole=False)
    with pytest.raises(WeightsError, match=r"me/model is not on this machine, and HF_HUB_OFFLINE"):
        find_weights(HubSource(hub="me/model"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    folder = str(next((tmp_path / "hub").glob("models--*/snapshots/*")))
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *_, **__: folder)  # as out of reach of the hub
    with pytest.raises(WeightsError, match=r"me/model is not on this machine and the hub could not be") as raised:
        find_weights(HubSource(hub="me/model"))
    assert may_pass(raised.value)


def test_half_a_model_in_the_hub_cache_is_completed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As left by a program that needed only the configuration."""
    hub_cache(monkeypatch, tmp_path / "hub", whole=False)
    snapshot = tmp_path / "hub" / "models--me--model" / "snapshots" / ("c" * 40)

    def download(*_: object, local_files_only: bool, **__: object) -> str:
        if not local_files_only:
            (snapshot / "model.safetensors").write_bytes(b"x")
        return str(snapshot)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    said: list[str] = []
    assert find_weights(HubSource(hub="me/model"), None, said.append) == snapshot
    assert said == ["downloading me/model: 0 MB"]


def broken_off() -> list[Exception]:
    return [
        httpx2.ReadError("reset"),
        httpx2.ReadTimeout("slow"),
        httpx2.ProxyError("502"),
        errors.XetDownloadError("cut"),
        RuntimeError("Data processing error: CAS service error"),
        OSError("Consistency check failed: file should be of size 2 but has size 1"),
    ]


@pytest.mark.parametrize("error", broken_off(), ids=lambda error: type(error).__name__)
def test_a_download_that_breaks_off_is_told(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    fail_online(monkeypatch, error)
    with pytest.raises(
        WeightsError, match=r"download of me/model broke off \(\w+: .* start again; finished files are kept"
    ) as raised:
        find_weights(HubSource(hub="me/model"))
    assert may_pass(raised.value)


def test_a_full_disk_of_the_hubs_cache_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    fail_online(monkeypatch, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(WeightsError, match=r"disk is full.* set HF_HOME to a folder on a larger disk") as raised:
        find_weights(HubSource(hub="me/model"))
    assert not may_pass(raised.value)


def fail_online(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """A hub whose cache is empty and whose downloads end with this error."""

    def download(*_: object, local_files_only: bool, **__: object) -> str:
        raise errors.LocalEntryNotFoundError("not here") if local_files_only else error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)


def refused(status: int, kind: type[errors.HfHubHTTPError] = errors.HfHubHTTPError) -> errors.HfHubHTTPError:
    """As the hub answers, with a token that may not read the repository."""
    response = httpx2.Response(status, request=httpx2.Request("GET", "http://hub"))
    return kind(f"{status} Client Error. (Request ID: abc)\n\nmore", response=response, server_message="so it says")


RAISED = [
    (refused(403, errors.GatedRepoError), r"gated.*licence.*HF_TOKEN", False),
    (refused(404, errors.RepositoryNotFoundError), "no me/model, or it is private", False),
    (refused(404, errors.RevisionNotFoundError), "no revision 'main'", False),
    (ConnectionError(), r"could not be reached\. Check the network", True),
]
EITHER = [
    (refused(403), r"refuses me/model to this account \(403: so it says\).*HF_TOKEN.*fine-grained", False),
    (refused(401), r"refuses me/model to this account \(401", False),
    (refused(410), r"refuses me/model \(410", False),
    (refused(429), r"cannot give me/model now \(429: so it says\)", True),
    (refused(503), r"cannot give me/model now \(503", True),
]
HIDDEN = [
    (httpx2.ConnectError("no route"), r"could not be reached \(ConnectError: no route\).*Check the network", True)
]
HUB_ERRORS = [(*row, hidden) for rows, hidden in ((RAISED + EITHER, False), (EITHER + HIDDEN, True)) for row in rows]


@pytest.mark.parametrize(("error", "words", "temporary", "hidden"), HUB_ERRORS)
def test_hub_errors_in_words(
    monkeypatch: pytest.MonkeyPatch, error: Exception, words: str, temporary: bool, hidden: bool
) -> None:
    """Raised as they are or, as snapshot_download does with many, hidden behind a file that is not there."""

    def refuse(*_: object, **__: object) -> str:
        if hidden:
            raise errors.LocalEntryNotFoundError(f"Got: {error}") from error
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    with pytest.raises(WeightsError, match=words) as raised:
        hub.download(HubSource(hub="me/model"))
    assert may_pass(raised.value) == temporary


def test_an_app_that_is_to_stay_offline_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    hub_cache(monkeypatch, tmp_path / "hub", whole=True)
    with pytest.raises(WeightsError, match=r"me/other is not on this machine, and HF_HUB_OFFLINE") as raised:
        find_weights(HubSource(hub="me/other"))
    assert not may_pass(raised.value)


@pytest.mark.parametrize("file", ["pytorch_model.bin.index.json", "config.json", "adapter_config.json", "README.txt"])
def test_a_repository_without_safetensors_is_told_as_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, file: str
) -> None:
    """Its .bin or .gguf files are not fetched, and fetching again would change nothing."""
    hub_cache(monkeypatch, tmp_path / "hub", whole=False)
    snapshot = tmp_path / "hub" / "models--me--model" / "snapshots" / ("c" * 40)
    (snapshot / "config.json").unlink()
    (snapshot / file).write_text("{}")
    list_files(tmp_path / "hub" / "models--me--model", {file: 2, "pytorch_model.bin": 900, "model.gguf": 900})
    for find in (
        lambda: find_weights(HubSource(hub="me/model")),
        lambda: find_adapter(AdapterSource(adapter="me/model")),
    ):
        with pytest.raises(WeightsError, match=r"me/model has no weights as safetensors.*save_pretrained") as raised:
            find()
        assert not may_pass(raised.value)


def test_the_bytes_of_a_download_are_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of how many, once the hub has listed them."""
    monkeypatch.setattr(progress, "MB", 1)
    monkeypatch.setattr(progress, "LOOK_SECONDS", 0.01)
    repository, said = tmp_path / "hub" / "models--me--model", list[str]()
    snapshot = repository / "snapshots" / ("c" * 40)

    def wait_for(sentence: str) -> None:
        until = time.monotonic() + 30
        while said[-1] != sentence and time.monotonic() < until:
            time.sleep(0.01)
        assert said[-1] == sentence

    def download(*_: object, local_files_only: bool, **__: object) -> str:
        if local_files_only and not snapshot.exists():
            raise errors.LocalEntryNotFoundError("not here")
        if local_files_only:
            return str(snapshot)
        for folder in (repository / "blobs", repository / "trees", repository / "refs", snapshot):
            folder.mkdir(parents=True)
        (repository / "blobs" / "ab.incomplete").write_bytes(b"x" * 30)
        wait_for("downloading me/model: 30 MB")
        (repository / "refs" / "main").write_text("c" * 40)
        list_files(repository, {"model.safetensors": 90, "config.json": 10, "model.gguf": 5000})
        wait_for("downloading me/model: 30 of 100 MB")
        (repository / "blobs" / "cd").write_bytes(b"x" * 80)
        wait_for("downloading me/model: 100 of 100 MB")
        (snapshot / "config.json").write_text(json.dumps({}))
        (snapshot / "model.safetensors").write_bytes(b"x")
        return str(snapshot)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert find_weights(HubSource(hub="me/model"), None, said.append) == snapshot
    assert said[0] == "downloading me/model: 0 MB"


@pytest.mark.parametrize(
    ("offline", "words", "temporary"),
    [("1", "HF_HUB_OFFLINE forbids", False), ("0", r"hub could not be reached \(\w+", True)],
)
def test_the_child_tells_what_is_wrong(
    offline: str, words: str, temporary: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The real one, in a process of its own."""
    monkeypatch.setattr(hub, "run_child", RUN_CHILD)
    for name, value in {
        "HF_HUB_OFFLINE": offline,
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HF_HOME": str(tmp_path),
        "HF_HUB_CACHE": str(tmp_path / "hub"),
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(WeightsError, match=words) as raised:
        find_weights(HubSource(hub="me/model"))
    assert may_pass(raised.value) == temporary
