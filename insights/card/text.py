"""A card as Markdown: the whole page with a link on every number, and a section for a model card."""

from collections.abc import Sequence

from insights.card.values import READINGS, Card, Line, Section

MODEL_CARD = ("benchmarks", "tokens", "people", "chat")
"""Sections that are about the model itself."""


def headline(card: Card) -> str:
    """One sentence on what the sets show; differences within noise are not reported."""
    lines = [line for line in card.section("benchmarks").lines if "set" in line.values and "by" not in line.values]
    if not lines:
        return "No benchmark has been run on this pair yet."
    parts = []
    for finding, words in (("distilled", "The distilled model is better on {}."), ("base", "The base is better on {}."),
                           ("open", "On {} the two cannot be told apart.")):  # fmt: skip
        names = [str(line.values["title"]) for line in lines if line.values["reading"] == finding]
        if names:
            parts.append(words.format(" and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))))
    return " ".join(parts)


def markdown(card: Card) -> str:
    """The page. Each number links to `rows/<table>.csv`; the link's title is the SQL condition for its rows."""
    parts = [f"# {cell(card.title)}", f"{cell(card.distilled)} against {cell(card.base)}, {card.made_at[:10]}."]
    parts.append(f"**{headline(card)}**")
    for section in card.sections:
        parts += [f"## {section.title}", cell(section.sentence)]
        if section.lines:
            parts.append(_table(section, [_linked(line) for line in section.lines]))
        if section.note and section.lines:
            parts.append(f"*{section.note}*")
    parts.append("## Rows\n\n" + "\n".join(
        f"- [{name}.csv](rows/{name}.csv): {len(table):,} rows" for name, table in card.tables.items()
    ))  # fmt: skip
    return "\n\n".join(filter(None, parts)) + "\n"


def model_card(card: Card) -> str:
    """A section to paste into a model card: the same tables without links."""
    parts = ["## Evaluation", f"Compared with {cell(card.base)} by Journey Arena. {headline(card)}"]
    for section in (card.section(key) for key in MODEL_CARD):
        if section.lines:
            rows = [(line.name, *line.cells) for line in section.lines]
            parts += [f"### {section.title}", _table(section, rows), section.note]
    parts.append(f"Made on {card.made_at[:10]} by `arena report --pair {card.pair} --card report`, which also writes "
                 "the rows behind every number.")  # fmt: skip
    return "\n\n".join(filter(None, parts)) + "\n"


def cell(text: str) -> str:
    """Escape a text to fit one table cell on one line, without HTML, links or images."""
    line = " ".join(text.split())
    for mark in ("\\", "|", "[", "]", "<", "`", "*", "_"):
        line = line.replace(mark, f"\\{mark}")
    return line


def _linked(line: Line) -> tuple[str, ...]:
    where = line.where.replace('"', '\\"')
    title = f' "{where}"' if where else ""
    linked = (f"[{cell(text)}](rows/{line.rows}.csv{title})" if is_number(text) else cell(text) for text in line.cells)
    return (line.name, *linked)


def is_number(text: str) -> bool:
    return text not in READINGS.values() and any(character.isdigit() for character in text)


def _table(section: Section, rows: Sequence[Sequence[str]]) -> str:
    lines: list[Sequence[str]] = [section.head, ["---"] * len(section.head)]
    lines += [[cell(row[0]), *(text.replace("|", "\\|") for text in row[1:])] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
