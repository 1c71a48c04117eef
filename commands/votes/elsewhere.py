"""`arena votes import` and `sources`: votes cast elsewhere, kept apart from this arena's own unless asked for."""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.kit.arguments import Commands, leaf
from commands.kit.printing import show
from commands.kit.votes import final_ballots
from common.errors import ConfigError, DataError
from common.paths import home

if TYPE_CHECKING:
    from votes.ballot import Ballot, Vote
    from votes.elsewhere.vote import ForeignVote

OWN = "own"


def add_elsewhere(commands: Commands) -> None:
    text = "take in votes cast elsewhere: FastChat's and LMArena's JSON, or a preference set with chosen and rejected"
    taking = leaf(commands, "import", import_command, text,
                  "arena votes import clean_battles.json --source lmarena")  # fmt: skip
    taking.add_argument("file", help="a .json, .jsonl or .parquet file, or hub:<dataset>[:<configuration>]")
    taking.add_argument("--source", required=True, help="the name under which they are kept, apart from all others")
    taking.add_argument("--split", default="train", help="split of a hub dataset (default: train)")
    leaf(commands, "sources", sources_command, "list the votes that were imported", "arena votes sources")


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Which votes are read; without the options, this arena's own."""
    parser.add_argument("--pair", default="", help="only votes on this pair")
    parser.add_argument(
        "--source",
        nargs="+",
        default=[OWN],
        metavar="NAME",
        help="imported votes to read instead of this arena's own; the name own adds those (see arena votes sources)",
    )
    parser.add_argument("--models", nargs=2, metavar=("BASE", "DISTILLED"), help="the two models of imported votes")


def chosen_votes(options: argparse.Namespace) -> "list[Vote]":
    """The votes selected by `add_source_options`, without those on blocked answers. ConfigError if imported votes are
    selected without naming two models."""
    return [vote for vote in _all_votes(options) if not vote.blocked]


def _all_votes(options: argparse.Namespace) -> "list[Vote]":
    from votes.export import final_votes

    votes: list[Vote] = []
    for source in dict.fromkeys(options.source):
        if source == OWN:
            with final_ballots() as (store, _):
                votes += [vote for vote in final_votes(store) if options.pair in ("", vote.pair)]
        else:
            votes += _imported(source, options.models)
    return votes


def chosen_ballots(options: argparse.Namespace) -> "Sequence[Ballot]":
    """The same including votes on blocked answers, and without texts where they need not be read."""
    if options.source != [OWN]:
        return _all_votes(options)
    with final_ballots() as (_, ballots):
        return [ballot for ballot in ballots if options.pair in ("", ballot.pair)]


def export_imported(options: argparse.Namespace, form: str) -> None:
    """Write imported votes unchanged (`arena`, if that was their format), or as preference pairs (`dpo`)."""
    from common import jsonl
    from votes.elsewhere.forms import write_row
    from votes.elsewhere.kept import kept_votes

    if form not in ("arena", "dpo"):
        raise ConfigError(f"Imported votes are not written as {form}.", "Give --format arena or --format dpo.")
    votes = kept_votes(folder(), options.source)
    if form == "arena":
        chosen = [vote for vote in votes if all(vote.models)]
        rows = [write_row(vote, "arena") for vote in chosen]
    else:
        chosen = [vote for vote in votes if vote.verdict in ("a", "b") and vote.a and vote.b]
        rows = [write_row(vote, "preferences") for vote in chosen]
    jsonl.write(options.file, rows)
    values = {"file": options.file, "format": form, "rows": len(rows), "left_out": len(votes) - len(rows)}
    text = f"{len(rows)} rows written to {options.file}."
    if values["left_out"]:
        text += f" {values['left_out']} votes have no {'named models' if form == 'arena' else 'winner or no words'}."
    show(options, values, text)


def _imported(source: str, models: list[str] | None) -> "list[Vote]":
    from votes.elsewhere.kept import kept_votes
    from votes.elsewhere.vote import as_votes

    imported = kept_votes(folder(), source)
    pairs = Counter(" and ".join(sorted(vote.models)) for vote in imported if all(vote.models))
    if not models:
        most = "; ".join(f"{pair} ({number})" for pair, number in pairs.most_common(5)) or "none with names"
        raise ConfigError(f"{source} has votes on several models: {most}.", "Give two: --models BASE DISTILLED.")
    votes = as_votes(imported, source, *models)
    if not votes:
        raise ConfigError(f"{source} has no votes on {models[0]} and {models[1]}.", "See arena votes sources.")
    return votes


def folder() -> Path:
    """The folder of imported votes, with one file per source."""
    return home() / "votes-elsewhere"


def import_command(options: argparse.Namespace) -> None:
    from votes.elsewhere.forms import read_votes
    from votes.elsewhere.kept import keep_votes

    taken = read_votes(_rows(options.file, options.split))
    added, known = keep_votes(folder(), options.source, taken.votes)
    values = {"source": options.source, "added": added, "known": known, "left_out": taken.left_out}
    lines = [f"{added} votes added to {options.source}, {known} were there already."]
    if taken.left_out:
        lines.append(f"{taken.left_out} rows are no votes, or lack a winner or a side, and were left out.")
    show(options, values, "\n".join(lines))


def _rows(file: str, split: str) -> Iterator[Any]:
    """Rows as JSON values."""
    import json

    from eval.problems.rows import hub_rows, read_rows

    if file.startswith("hub:"):
        dataset, _, configuration = file.removeprefix("hub:").partition(":")
        rows = hub_rows(dataset, configuration, split)
    elif file.endswith(".parquet"):
        rows = _parquet_rows(Path(file))
    else:
        yield from read_rows(Path(file))
        return
    yield from (json.loads(json.dumps(row, default=str)) for row in rows)  # times become text


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as parquet:
            for batch in parquet.iter_batches():
                yield from batch.to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}.", "Check the path.") from error


def sources_command(options: argparse.Namespace) -> None:
    from votes.elsewhere.kept import kept_votes, sources

    source_rows = [_describe(name, kept_votes(folder(), name)) for name in sources(folder())]
    lines = [
        f"{one['source']}: {one['votes']} votes, {one['with_words']} with their words; "
        + ("; ".join(f"{pair} ({number})" for pair, number in one["models"].items()) or "models not named")
        for one in source_rows
    ]
    show(options, {"sources": source_rows}, "\n".join(lines) or "No votes were imported.")


def _describe(name: str, votes: "list[ForeignVote]") -> dict[str, Any]:
    pairs = Counter(" and ".join(sorted(vote.models)) for vote in votes if all(vote.models))
    return {
        "source": name,
        "votes": len(votes),
        "with_words": sum(bool(vote.a) for vote in votes),
        "models": dict(pairs.most_common(10)),
    }
