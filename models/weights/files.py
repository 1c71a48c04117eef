"""Weight files on disk: free space, completeness, hashes, and building a folder exactly once."""

import contextlib
import errno
import hashlib
import json
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from common.errors import DISK_FULL, WeightsError
from common.paths import cache

GIB = 2**30
LOCK_SECONDS = 6 * 3600.0
"""How long one server waits for another that prepares the same weights: as long as they may take to download."""

_SHARD = re.compile(r"(.+-)\d+(-of-(\d+)\.safetensors)")
FRAMING = frozenset((".json", ".jinja", ".txt", ".model"))
_BLOB = re.compile(r"[0-9a-f]{64}")


class FetchError(WeightsError):
    """Weights that cannot be fetched."""

    def __init__(self, message: str, remedy: str = "", *, temporary: bool = False) -> None:
        super().__init__(message, remedy)
        self.temporary = temporary
        """Whether the same may succeed a minute later, as after a fault of the network."""


def may_pass(error: Exception) -> bool:
    """Whether it is of a download that may succeed a minute later."""
    return isinstance(error, FetchError) and error.temporary


def ensure_space(folder: Path, needed: int) -> None:
    """Raise WeightsError unless the disk under `folder` has `needed` free bytes."""
    existing = next(p for p in (folder, *folder.parents) if p.exists())
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise WeightsError(
            f"The disk under {existing} has {free / GIB:.1f} GiB free, but the weights need {needed / GIB:.1f} GiB.",
            "Free some space, or set JOURNEY_CACHE to a folder on a larger disk.",
        )


@contextlib.contextmanager
def disk_errors(folder: Path, variable: str = "JOURNEY_CACHE") -> Iterator[None]:
    """Turn a full or unwritable disk, or one that cannot lock files, into a WeightsError that says so.

    variable: the one that moves the folder.
    """
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise WeightsError(
                f"The disk is full: writing to {folder} failed.",
                f"Free some space, or set {variable} to a folder on a larger disk.",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise WeightsError(
                f"{folder} cannot be written: {error.strerror}.", f"Set {variable} to a folder you can write to."
            ) from error
        if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
            raise WeightsError(
                f"The disk of {folder} cannot lock files, as some network disks cannot.",
                f"Set {variable} to a folder on a disk of this machine.",
            ) from error
        raise


def build_once(target: Path, build: Callable[[Path], None]) -> Path:
    """Return `target`, calling `build` first if it does not exist. Atomic, also across processes.

    `build` gets an empty folder beside `target`, which is renamed into place when it returns.
    """
    if target.is_dir():
        return target
    with disk_errors(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(target.parent / f".{target.name}.lock", timeout=LOCK_SECONDS):
                if not target.is_dir():
                    _build(target, build)
        except Timeout as error:
            raise WeightsError(
                f"Another process has been preparing {target} for {LOCK_SECONDS / 60:.0f} minutes.",
                "Stop the other process and start again.",
            ) from error
    return target


def _build(target: Path, build: Callable[[Path], None]) -> None:
    for left_over in target.parent.glob(f".{target.name}.part-*"):
        shutil.rmtree(left_over, ignore_errors=True)  # safe under the lock: the process that made it was killed
    part = Path(tempfile.mkdtemp(prefix=f".{target.name}.part-", dir=target.parent))
    try:
        build(part)
        part.chmod(0o755)
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a model or adapter, in order of name."""
    return sorted(folder.glob("*.safetensors"))


def check_whole(folder: Path) -> None:
    """Raise WeightsError unless `folder` holds a complete model: config.json and all safetensors files indexed."""
    if not (folder / "config.json").is_file():
        if (folder / "adapter_config.json").is_file():
            remedy = "Name it as an adapter: {adapter: …}."
            raise WeightsError(f"{folder} is a LoRA adapter, not a whole model.", remedy)
        raise WeightsError(f"{folder} is not a model folder: config.json is missing.", "Give a Transformers folder.")
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            named = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise WeightsError(f"{index} is damaged.", "Fetch the weights again.") from error
        missing = sorted(name for name in named if not (folder / name).is_file())
    else:
        missing = _missing_shards(folder) if weight_files(folder) else ["model.safetensors"]
    if missing and any(folder.glob("pytorch_model*.bin")):
        remedy = "Convert them: load the model with Transformers and call save_pretrained."
        raise WeightsError(f"{folder} has its weights as pytorch_model.bin, and they must be safetensors.", remedy)
    if missing:
        raise WeightsError(f"{folder} is incomplete: {', '.join(missing[:3])} missing.", "Fetch the weights again.")


def _missing_shards(folder: Path) -> list[str]:
    """How many of each series of files like `model-00001-of-00037.safetensors` are not there."""
    matches = (_SHARD.fullmatch(file.name) for file in weight_files(folder))
    series = Counter((match[1], match[2], int(match[3])) for match in matches if match)
    return [f"{of - there} of {of} files {head}*{tail}" for (head, tail, of), there in series.items() if there < of]


def weights_hash(folder: Path) -> str:
    """Hex sha256 over the names and hashes of the folder's safetensors files; for an adapter also over its config.

    Cached by path, size and modification time, since rereading 140 GB at every start would take minutes.
    """
    files = weight_files(folder)
    if not files:
        raise WeightsError(f"{folder} has no safetensors files.", "Give a folder with weights as safetensors.")
    adapter_config = folder / "adapter_config.json"
    files += [adapter_config] if adapter_config.is_file() else []
    return _hash_of(files)


def framing_hash(folder: Path) -> str:
    """Hex sha256 over the files by which a model's conversations become tokens: tokenizer, chat template, settings."""
    files = [f for f in folder.iterdir() if f.suffix in FRAMING and not f.name.endswith(".safetensors.index.json")]
    return _hash_of(sorted(files))


def _hash_of(files: Iterable[Path]) -> str:
    lines = "".join(f"{file.name} {_remembered_sha256(file)}\n" for file in files)
    return hashlib.sha256(lines.encode()).hexdigest()


def _remembered_sha256(file: Path) -> str:
    blob = file.resolve()
    if file.is_symlink() and _BLOB.fullmatch(blob.name):
        return blob.name  # the hub's cache names large files by their sha256
    stat = blob.stat()
    key = hashlib.sha256(f"{blob}\n{stat.st_size}\n{stat.st_mtime_ns}".encode()).hexdigest()
    note = cache() / "hashes" / key
    if note.is_file() and _BLOB.fullmatch(known := note.read_text(encoding="utf-8")):
        return known
    digest = sha256_of(blob)
    with disk_errors(note.parent):
        note.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=note.parent, delete=False) as draft:
            draft.write(digest)
        Path(draft.name).replace(note)
    return digest


Report = Callable[[str], None]
"""Called with a short sentence about progress."""


def silent(_: str) -> None:
    """A Report that discards its sentence."""
