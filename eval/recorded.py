"""Runs that ship with the product, made with the embedded pair, so that there is something to see before the first run.

    python -m eval.recorded data/runs/RUN      pack a run's folder into eval/recorded

Each is an archive of a run's folder and becomes a run like any other when the app starts. Does not know how a run is
made or shown.
"""

import logging
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

RECORDED = Path(__file__).parent / "recorded"
LOG = logging.getLogger(__name__)


@cache
def recorded_runs() -> frozenset[str]:
    """Ids of the runs that ship."""
    return frozenset(archive.stem for archive in RECORDED.glob("*.zip"))


def unpack_recorded(runs: Path) -> None:
    """Put the runs that ship among the others, once. What cannot be written is logged and left out."""
    for archive in sorted(RECORDED.glob("*.zip")):
        target = runs / archive.stem
        if target.exists():
            continue
        try:
            runs.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=runs) as folder:  # whole or not at all
                shutil.unpack_archive(archive, folder)
                (Path(folder) / archive.stem).rename(target)
        except (OSError, BadZipFile, shutil.ReadError) as error:
            LOG.warning("The recorded run %s cannot be shown: %s", archive.stem, error)


def pack_run(run: Path, folder: Path) -> Path:
    """A run's folder as an archive: forced answers, flags with their comments, earlier grades and all."""
    target = folder / f"{run.name}.zip"
    with ZipFile(target, "w", ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(run.glob("*.json*")):
            archive.write(path, f"{run.name}/{path.name}")
    return target


if __name__ == "__main__":
    RECORDED.mkdir(exist_ok=True)
    print(pack_run(Path(sys.argv[1]), RECORDED))
