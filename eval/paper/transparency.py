"""The Technical Transparency Index (25 items, 100 points), for scoring any work, and this product by its artefacts.

`arena index` looks for the artefacts named in transparency.yaml, reports for each item what it found and where, and
adds up the points. One rule holds everywhere: an item without evidence is a no.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from common import jsonl
from common.errors import DataError
from common.paths import ROOT, home
from eval.paper.figures import Standing
from eval.paper.quoted import below, figures_hold, parse_document

Dimension = Literal["data", "methodology", "evaluation", "open_source"]
DIMENSIONS: Mapping[Dimension, str] = {
    "data": "Data",
    "methodology": "Methodology",
    "evaluation": "Evaluation",
    "open_source": "Open source",
}
Answer = Literal["yes", "no", "not_used"]
ANSWERS: Mapping[Answer, str] = {"yes": "Yes", "no": "No", "not_used": "Openly not used"}
SELF = "Journey Arena"
_READ_LIMIT = 2_000_000


@dataclass(frozen=True)
class Check:
    """Something that must be found among the artefacts; see the head of transparency.yaml."""

    what: str
    files: tuple[str, ...]
    section: str = ""
    contains: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    bytes: int = 1
    figures: bool = False


@dataclass(frozen=True)
class Item:
    """One question of the index."""

    key: str
    dimension: Dimension
    weight: int
    question: str
    technique: bool = False
    """Whether “openly not used” is a valid answer: a technique can be left out, a licence cannot."""
    artefacts: tuple[Check, ...] = ()
    statement: tuple[Check, ...] = ()


@dataclass(frozen=True)
class Entry:
    """The answer to one item."""

    item: str
    answer: Answer = "no"
    evidence: str = ""
    """A link or a path; without it the item is a no."""
    note: str = ""


@dataclass(frozen=True)
class Assessment:
    """One work, scored by someone. Items without an entry are a no."""

    work: str
    entries: tuple[Entry, ...]
    assessor: str = ""
    made_at: str = ""
    """UTC, ISO 8601."""


@cache
def items() -> tuple[Item, ...]:
    """The 25 items in the order of the paper."""
    rows = yaml.safe_load((Path(__file__).parent / "transparency.yaml").read_text(encoding="utf-8"))
    return tuple(
        Item(**{**row, "artefacts": _checks(row.get("artefacts")), "statement": _checks(row.get("statement"))})
        for row in rows
    )


def _checks(rows: Iterable[Mapping[str, Any]] | None) -> tuple[Check, ...]:
    def check(row: Mapping[str, Any]) -> Check:
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
        return Check(**values)

    return tuple(check(row) for row in rows or ())


def full_marks() -> Standing:
    """The most a work can get in each dimension."""
    return Standing("Full marks", *(sum(i.weight for i in items() if i.dimension == d) for d in DIMENSIONS))


def earns(item: Item, entry: Entry) -> bool:
    """Whether the answer earns the item's points: yes (or, for a technique, openly not used), with evidence."""
    allowed = entry.answer == "yes" or (entry.answer == "not_used" and item.technique)
    return allowed and bool(entry.evidence.strip())


def score(assessment: Assessment) -> Standing:
    """Points by dimension. Raises DataError for an item that does not exist or is answered twice."""
    entries = {entry.item: entry for entry in assessment.entries}
    unknown = sorted(set(entries) - {item.key for item in items()})
    if unknown or len(entries) != len(assessment.entries):
        raise DataError(f"“{assessment.work}”: {', '.join(unknown) or 'an item'} is unknown or answered twice.",
                        "Each of the 25 items may be answered once.")  # fmt: skip
    points = dict.fromkeys(DIMENSIONS, 0)
    for item in items():
        if item.key in entries and earns(item, entries[item.key]):
            points[item.dimension] += item.weight
    return Standing(assessment.work, *points.values())


def unsupported(assessment: Assessment) -> tuple[Item, ...]:
    """Items answered yes or openly not used that earn nothing yet because the evidence is missing."""
    waiting = {e.item for e in assessment.entries if e.answer != "no" and not e.evidence.strip()}
    return tuple(item for item in items() if item.key in waiting)


def self_score(root: Path = ROOT) -> Assessment:
    """Score this product by the artefacts below `root`."""
    entries = tuple(_look(item, root) for item in items())
    return Assessment(SELF, entries, "arena index", datetime.now(UTC).isoformat(timespec="seconds"))


def _look(item: Item, root: Path) -> Entry:
    for answer, checks in (("yes", item.artefacts), ("not_used", item.statement)):
        paths = [_find(check, root) for check in checks]
        if checks and None not in paths:
            where = ", ".join(dict.fromkeys(path.relative_to(root).as_posix() for path in paths if path))
            return Entry(item.key, answer, where, "; ".join(check.what for check in checks))  # type: ignore[arg-type]
    missing = [check for check in (*item.artefacts, *item.statement) if _find(check, root) is None]
    wanted = "; ".join(f"{check.what} ({' or '.join(check.files)})" for check in missing)
    return Entry(item.key, "no", "", f"not found: {wanted}")


def _find(check: Check, root: Path) -> Path | None:
    candidates = sorted(path for pattern in check.files for path in root.glob(pattern) if path.is_file())
    return next((path for path in candidates if _passes(check, path, root)), None)


def _passes(check: Check, path: Path, root: Path) -> bool:
    if not check.section and path.stat().st_size < check.bytes:
        return False
    if not (check.section or check.contains or check.keys or check.figures):
        return True
    text = path.read_bytes()[:_READ_LIMIT].decode("utf-8", errors="replace")
    if check.section:
        text = section_of(text, check.section)
        if len(text.encode()) < check.bytes:
            return False
    wanted = (pattern.replace(" ", r"\s+") for pattern in check.contains)  # a line may end inside a phrase
    if not all(re.search(pattern, text, re.IGNORECASE | re.MULTILINE) for pattern in wanted):
        return False
    return (not check.keys or _has_keys(text, check.keys)) and (not check.figures or figures_hold(text, root))


def section_of(text: str, heading: str) -> str:
    """The text under the first matching Markdown heading, up to the next one of its level; empty if none matches."""
    lines: list[str] = []
    rank = 0
    for line in text.splitlines():
        mark = re.match(r"(#+)\s+(.*)", line)
        if rank and mark and len(mark[1]) <= rank:
            break
        if rank:
            lines.append(line)
        elif mark and re.search(heading, mark[2], re.IGNORECASE):
            rank = len(mark[1])
    return "\n".join(lines).strip()


def _has_keys(text: str, keys: Sequence[str]) -> bool:
    try:
        document = parse_document(text)
    except (ValueError, yaml.YAMLError):
        return False
    return all(below(document, key.split(".")) not in (None, "", [], {}) for key in keys)


def to_json(assessment: Assessment) -> str:
    """The assessment with its score, as a document that `from_json` reads."""
    standing = score(assessment)
    points = {**asdict(standing), "total": standing.total}
    return json.dumps({"format": "transparency-1", **asdict(assessment), "score": points}, ensure_ascii=False, indent=1)


def from_json(text: str, where: str = "The file") -> Assessment:
    """Raises DataError naming `where` and what is wrong with it."""
    remedy = "Give a JSON file exported by the transparency tab."
    row = jsonl.parse(text, where)
    try:
        entries = tuple(Entry(e["item"], e["answer"], e.get("evidence", ""), e.get("note", "")) for e in row["entries"])
        assessment = Assessment(row["work"], entries, row.get("assessor", ""), row.get("made_at", ""))
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{where} is not a transparency assessment ({error!r}).", remedy) from error
    texts = [assessment.work, *(text for e in entries for text in (e.item, e.evidence, e.note))]
    if not all(isinstance(t, str) for t in texts) or any(e.answer not in get_args(Answer) for e in entries):
        raise DataError(f"{where} has an answer that is none of yes, no, not_used, or text that is none.", remedy)
    score(assessment)
    return assessment


def to_markdown(assessment: Assessment) -> str:
    """A badge and the whole assessment, to paste into a README."""
    standing, full = score(assessment), full_marks()
    badge = f"https://img.shields.io/badge/transparency-{standing.total}%2F{full.total}-0d9488"
    lines = [f"[![Transparency {standing.total}/{full.total}]({badge})](https://arxiv.org/abs/2411.16489)", ""]
    lines += [f"**{assessment.work}** on the Technical Transparency Index: {standing.total} of {full.total}", ""]
    lines += ["| dimension | points | of |", "|---|---|---|"]
    lines += [f"| {title} | {getattr(standing, d)} | {getattr(full, d)} |" for d, title in DIMENSIONS.items()]
    lines += ["", "| item | answer | points | evidence |", "|---|---|---|---|"]
    entries = {entry.item: entry for entry in assessment.entries}
    for item in items():
        entry = entries.get(item.key, Entry(item.key))
        points = item.weight if earns(item, entry) else 0
        lines.append(
            f"| {item.question} | {ANSWERS[entry.answer]} | {points}/{item.weight} | {_cell(entry.evidence)} |"
        )
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split()) or "–"


def folder() -> Path:
    return home() / "transparency"


def save(assessment: Assessment) -> Path:
    """Append to the work's file; earlier scores of the same work are kept in it. Raises DataError without a name."""
    slug = re.sub(r"\W+", "-", assessment.work.strip().lower()).strip("-")[:80]
    if not slug:
        raise DataError("The work has no name.", "Write the name of the work before saving.")
    path = folder() / f"{slug}.jsonl"
    jsonl.append(path, [json.loads(to_json(assessment))])
    return path


def saved() -> list[Assessment]:
    """The newest saved score of each work. Raises DataError naming a file that cannot be read."""
    last_lines = ((path, list(jsonl.read_lines(path))[-1:]) for path in sorted(folder().glob("*.jsonl")))
    return [from_json(text, f"{path}, line {number}") for path, lines in last_lines for number, text in lines]


def report(assessment: Assessment) -> str:
    """The self-score as text: each item, what was found and where, and the sums."""
    standing, full = score(assessment), full_marks()
    lines: list[str] = []
    for dimension, title in DIMENSIONS.items():
        lines += ["", f"{title}: {getattr(standing, dimension)} of {getattr(full, dimension)}"]
        for item, entry in zip(items(), assessment.entries, strict=True):
            if item.dimension == dimension:
                mark, points = ("+", item.weight) if earns(item, entry) else ("-", 0)
                lines.append(f"  {mark} {points}/{item.weight}  {item.question}")
                lines.append(f"         {ANSWERS[entry.answer].lower()}: {entry.evidence or entry.note}")
    return "\n".join([f"{assessment.work}: {standing.total} of {full.total}", *lines])
