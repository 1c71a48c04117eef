"""A card as a folder: the page in three forms, the rows behind it, and the files for other tools."""

import csv
import json
import math
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

from common.errors import DataError
from common.jsonl import write_text
from common.software import versions
from eval.runs.log import ROLES
from insights.card.build import Built
from insights.card.comparator import battles, runs
from insights.card.exports import eval_results, every_eval_ever
from insights.card.page import page
from insights.card.picture import draw
from insights.card.text import headline, markdown, model_card
from insights.card.values import Card, Table
from models.config.registry import PairSpec
from votes.export import safe_cell


def files(built: Built, pair: PairSpec) -> dict[str, str | bytes]:
    """Path in the folder → content. Files without content are left out."""
    card = built.card
    picture = draw(card)
    contents: dict[str, str | bytes] = {
        "report.md": markdown(card),
        "report.html": page(card, picture),
        "report.png": picture,
        "report.json": _json(values(card)),
        "model-card.md": model_card(card),
        **{f"rows/{name}.csv": table_csv(table) for name, table in card.tables.items()},
    }
    titles = (card.distilled, card.base)
    if built.sets:
        version = versions(()).get("journey-arena", "unknown")
        for role in ROLES:
            record = every_eval_ever(built.sets, role, pair.model(role), card.made_at, version)
            contents[f"every-eval-ever/{role}.json"] = _json(record)
            if text := eval_results(built.sets, role):
                contents[f"hub/{role}/.eval_results/journey-arena.yaml"] = text
        contents["llm-comparator/runs.json"] = _json(runs(built.runs, built.sets, titles))
    agreed = battles(built.votes, titles)
    if agreed["examples"]:
        contents["llm-comparator/battles.json"] = _json(agreed)
    return contents


def write_folder(content: Mapping[str, str | bytes], folder: Path) -> list[Path]:
    """Write every file below `folder`; older ones of the same names are replaced. DataError if the disk refuses."""
    written = []
    for name, data in content.items():
        path = folder / name
        if isinstance(data, str):
            write_text(path, data)
        else:
            _write_bytes(path, data)
        written.append(path)
    return written


def write_archive(content: Mapping[str, str | bytes], path: Path, name: str) -> Path:
    """The same as a zip file whose only folder is `name`."""
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for file, data in content.items():
            archive.writestr(f"{name}/{file}", data)
    return path


def values(card: Card) -> dict[str, Any]:
    """The card for programs: every line with its numbers and its rows."""
    return {
        "format": "journey-arena-card-1",
        "pair": card.pair,
        "title": card.title,
        "base": card.base,
        "distilled": card.distilled,
        "made_at": card.made_at,
        "headline": headline(card),
        "sections": {
            section.key: {
                "title": section.title,
                "sentence": section.sentence,
                "lines": [
                    {"name": line.name, **line.values, "rows": f"rows/{line.rows}.csv", "where": line.where}
                    for line in section.lines
                ],
            }
            for section in card.sections
        },
        "rows": {f"rows/{name}.csv": len(table) for name, table in card.tables.items()},
    }


def table_csv(table: Table) -> str:
    """The rows with a header, every row with the columns of the first."""
    text = StringIO()
    writer = csv.DictWriter(text, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: safe_cell(value) for name, value in row.items()} for row in table)
    return text.getvalue()


def _json(value: Any) -> str:
    return json.dumps(_finite(value), ensure_ascii=False, indent=1) + "\n"


def _finite(value: Any) -> Any:
    """The value with null in place of nan and infinity, which JSON lacks."""
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write_bytes(path: Path, data: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}.", "Check the folder’s permissions.") from error
