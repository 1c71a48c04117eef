"""The command `export`: traces as Parquet with a dataset card."""

import argparse
from pathlib import Path

import pyarrow.parquet as pq

from common.paths import home
from traces.keeping.trace import read_traces
from traces.publishing.export import export


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m commands.train export`."""
    parser.add_argument("traces", type=Path, nargs="+", help="traces files")
    parser.add_argument("--title", default="Journey Arena long thoughts")
    parser.add_argument("--licence", default="apache-2.0", help="as the hub spells it")
    parser.add_argument("--kept-only", action="store_true", help="leave rejected traces out")
    parser.add_argument("--out", type=Path, help="folder (default: <home>/export)")


def run(args: argparse.Namespace) -> int:
    """Export traces files as one data set."""
    folder = args.out or home() / "export"
    traces = (trace for path in args.traces for trace in read_traces(path) if trace.kept or not args.kept_only)
    path = export(traces, folder, title=args.title, licence=args.licence)
    print(f"{pq.read_metadata(path).num_rows} traces: {path}")
    return 0
