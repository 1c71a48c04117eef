"""Runs of the pairs that ship, which ship with them, so that there is something to see before the first run.

    arena record RUN      pack a run's folder into eval/recorded, or eval/recorded/beyond for an open-ended set

Each is an archive of a run's folder and becomes a run like any other when the app starts. Its run.json then says that
it was recorded elsewhere. Problems of public sets are named in it, not quoted: their texts belong to others.
"""

import json
import logging
import shutil
import tempfile
from pathlib import Path
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

from common.errors import DataError
from common.jsonl import write_text
from common.paths import ROOT
from eval.problems.benchmark_sets import KNOWN
from eval.problems.open_ended import SETS
from eval.problems.rows import FOLDER
from eval.runs.log import OPEN_ENDED, RUNS, RunLog

RECORDED = ROOT / "eval" / "recorded"
UNMARKED = frozenset({"20261127-124343-smol-135m", "20261127-172848-smol-135m", "20261127-222410-smol-135m"})
"""Runs that shipped before run.json recorded it."""
NOTE = "[The problem’s text is in the published set, and not in this run.]"
LOG = logging.getLogger(__name__)


def unpack_recorded(home: Path) -> None:
    """Put the runs that ship among the others, once. What cannot be written is logged and left out.

    home: folder of the installation's data.
    """
    _unpack(RECORDED, home / RUNS)
    _unpack(RECORDED / OPEN_ENDED, home / OPEN_ENDED)
    for run in (home / RUNS / name for name in UNMARKED):
        try:
            if run.exists():
                _mark(run)
        except (OSError, ValueError, DataError) as error:
            LOG.warning("The run %s cannot be marked as a recorded one: %s", run.name, error)


def _unpack(archives: Path, runs: Path) -> None:
    for archive in sorted(archives.glob("*.zip")):
        if (runs / archive.stem).exists():
            continue
        try:
            runs.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=runs) as folder:  # whole or not at all
                shutil.unpack_archive(archive, folder)
                unpacked = Path(folder) / archive.stem
                _mark(unpacked)
                unpacked.rename(runs / archive.stem)
        except (OSError, ValueError, BadZipFile, shutil.ReadError, DataError) as error:
            LOG.warning("The recorded run %s cannot be shown: %s", archive.stem, error)


def _mark(run: Path) -> None:
    """Note in run.json that this run was recorded elsewhere: later versions may ship different runs."""
    path = run / "run.json"
    info = json.loads(path.read_text(encoding="utf-8"))
    if not info.get("recorded"):
        write_text(path, json.dumps({**info, "recorded": True}, indent=1, ensure_ascii=False))


def pack_run(run: Path, folder: Path) -> Path:
    """A run's folder as an archive: forced answers, flags with their comments, earlier grades and all.

    Raises DataError for a folder that holds no samples.
    """
    samples = run / "samples.jsonl"
    if not samples.is_file() or samples.stat().st_size == 0:
        raise DataError(f"{run.name} holds no answers yet.", "Choose a run that has some.")
    target = folder / f"{run.name}.zip"
    with ZipFile(target, "w", ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(run.glob("*.json*")):
            archive.write(path, f"{run.name}/{path.name}")
    return target


def without_texts(run: Path, folder: Path) -> Path:
    """A copy of a run, below `folder`, in which NOTE stands wherever a problem of a public set was quoted.

    Nor does it say in which folder of this machine the sets were.
    """
    copy = Path(shutil.copytree(run, folder / run.name))
    texts = [problem.question for problem in RunLog(copy).problems() if _is_public(problem.benchmark)]
    quoted = [json.dumps(text, ensure_ascii=False)[1:-1] for text in sorted(texts, key=len, reverse=True)]
    for path in copy.glob("*.jsonl"):
        lines = path.read_text(encoding="utf-8")
        for text in quoted:
            lines = lines.replace(text, NOTE)
        write_text(path, lines)
    path = copy / "run.json"
    info = json.loads(path.read_text(encoding="utf-8"))
    for data in info["data"]:
        data["texts"] = not _is_public(data["name"])
        if data["source"].startswith(FOLDER):
            data["source"] = "a folder of the machine that ran it"
    write_text(path, json.dumps(info, indent=1, ensure_ascii=False))
    return copy


def _is_public(name: str) -> bool:
    """Whether a set is somebody else's."""
    return name in KNOWN or (name in SETS and not SETS[name].shipped)
