"""The command `curate`: problem files through the paper's funnel."""

import argparse
from pathlib import Path

from common.paths import home
from eval.problems.maths import load_benchmark
from traces.problems.curate import curate
from traces.problems.decontaminate import Decontaminator, minilm_embedder
from traces.problems.sources import read_source, write_problems


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m commands.train curate`."""
    parser.add_argument("source", help="a JSONL file, or hub:<dataset>[:<configuration>]")
    parser.add_argument("--split", default="train", help="split of a hub dataset (default train)")
    parser.add_argument("--limit", type=int, help="read only so many rows")
    parser.add_argument("--against", nargs="*", default=[], metavar="BENCHMARK", help="benchmarks to keep clear of")
    parser.add_argument("--no-embedding", action="store_true", help="leave the embedding rule out")
    parser.add_argument("--out", type=Path, help="folder (default: <home>/problems)")


def run(args: argparse.Namespace) -> int:
    """Curate a source: writes <name>.jsonl and <name>.funnel.json and prints the funnel."""
    source = read_source(args.source, split=args.split, limit=args.limit)
    benchmarks = [problem for name in args.against for problem in load_benchmark(name).problems]
    embed = minilm_embedder() if benchmarks and not args.no_embedding else None
    print(f"{source.name}: {len(source.problems)} problems")
    curated = curate(source, benchmarks, decontaminator=Decontaminator(benchmarks, embed), progress=print)
    folder = args.out or home() / "problems"
    write_problems(folder / f"{source.name}.jsonl", curated.problems)
    curated.report.save(folder / f"{source.name}.funnel.json")
    print(f"{curated.report.kept} of {curated.report.read} kept: {folder / f'{source.name}.jsonl'}")
    return 0
