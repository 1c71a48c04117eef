"""`arena traces curate`, `rows` and `export`: filter problems; write traces as training rows or as a dataset."""

import argparse
from pathlib import Path

from commands.kit.arguments import Commands, count, leaf
from commands.kit.files import check_apart, check_writable
from commands.kit.printing import note, show
from common.paths import home


def add_curate(commands: Commands) -> None:
    text = "filter problems: answerable, numeric, no duplicates, no benchmark problems"
    parser = leaf(
        commands, "curate", curate_command, text, "arena traces curate problems.jsonl --against math500 aime2024"
    )
    parser.add_argument("source", help="a JSONL file, hub:<dataset>[:<configuration>], or gsm8k/train")
    parser.add_argument("--split", default="train", help="split of a hub dataset (default: train)")
    parser.add_argument("--limit", type=count, help="read only this many rows")
    parser.add_argument("--against", nargs="*", default=[], metavar="BENCHMARK", help="drop problems of these sets")
    parser.add_argument("--no-embedding", action="store_true", help="skip the rule that compares embeddings")
    parser.add_argument("--out", type=Path, help="folder (default: <home>/problems)")


def curate_command(options: argparse.Namespace) -> None:
    """Write <name>.jsonl and <name>.funnel.json."""
    from eval.problems.benchmark_sets import load_benchmark
    from traces.problems.curate import curate
    from traces.problems.decontaminate import Decontaminator, minilm_embedder
    from traces.problems.sources import read_source, write_problems

    source = read_source(options.source, split=options.split, limit=options.limit)
    benchmarks = [problem for name in options.against for problem in load_benchmark(name).problems]
    folder = options.out or home() / "problems"
    path, funnel = folder / f"{source.name}.jsonl", folder / f"{source.name}.funnel.json"
    check_writable(path)
    check_apart(path, [Path(options.source)])
    embed = minilm_embedder() if benchmarks and not options.no_embedding else None
    note(f"{source.name}: {len(source.problems)} problems")
    curated = curate(source, benchmarks, decontaminator=Decontaminator(benchmarks, embed), progress=note)
    write_problems(path, curated.problems)
    curated.report.save(funnel)
    read, kept = curated.report.read, curated.report.kept
    show(options, {"read": read, "kept": kept, "file": path, "funnel": funnel}, f"{kept} of {read} kept: {path}")


def add_rows(commands: Commands) -> None:
    example = "arena traces rows teacher.traces.jsonl --out journey.rows.jsonl"
    parser = leaf(commands, "rows", rows_command, "turn kept traces into a recipe's training rows", example)
    parser.add_argument("traces", type=Path, nargs="+", help="traces files")
    parser.add_argument("--out", type=Path, required=True, help="file to write")


def rows_command(options: argparse.Namespace) -> None:
    """Write the rows; the result has the sha256 to put into the recipe."""
    from traces.keeping.trace import read_traces
    from traces.training.dataset import write_rows
    from traces.training.mix import rows_of

    check_writable(options.out)
    check_apart(options.out, options.traces)
    conversion = rows_of(trace for path in options.traces for trace in read_traces(path))
    sha256 = write_rows(options.out, conversion.rows)
    lines = [f"{conversion.kept} of {conversion.traces} traces are kept and became rows."]
    if conversion.empty:
        lines.append(f"{conversion.empty} kept traces have no prompt or no answer and were left out.")
    values = {
        "traces": conversion.traces,
        "kept": conversion.kept,
        "empty": conversion.empty,
        "sha256": sha256,
        "file": options.out,
    }
    show(options, values, "\n".join([*lines, f"sha256 {sha256}"]))


def add_export(commands: Commands) -> None:
    example = "arena traces export teacher.traces.jsonl --kept-only --out build/dataset"
    parser = leaf(commands, "export", export_command, "write traces as Parquet with a dataset card", example)
    parser.add_argument("traces", type=Path, nargs="+", help="traces files")
    parser.add_argument("--title", default="Journey Arena long thoughts", help="title of the card")
    parser.add_argument("--licence", default="apache-2.0", help="as the hub spells it (default: apache-2.0)")
    parser.add_argument("--kept-only", action="store_true", help="leave rejected traces out")
    parser.add_argument(
        "--with-questions",
        action="store_true",
        help="write out the questions and answers of public training sets (default: refer to them)",
    )
    parser.add_argument("--out", type=Path, help="folder (default: <home>/export)")


def export_command(options: argparse.Namespace) -> None:
    import pyarrow.parquet as pq

    from eval.problems.benchmark_sets import TRAINING
    from traces.keeping.trace import read_traces
    from traces.publishing.export import export

    folder = options.out or home() / "export"
    check_writable(folder / "README.md")
    traces = (t for path in options.traces for t in read_traces(path) if t.kept or not options.kept_only)
    path = export(traces, folder, title=options.title, licence=options.licence, with_questions=options.with_questions)
    sources = pq.read_table(path, columns=["source"])["source"].to_pylist()
    referred = sum(source in TRAINING for source in sources)
    lines = [f"{len(sources)} traces: {path}"]
    if referred and options.with_questions:
        lines.append(f"{referred} include the question of a public training set: check its licence before publishing.")
    elif referred:
        lines.append(f"{referred} refer to problems of public training sets; --with-questions writes their texts.")
    values = {"traces": len(sources), "referred": referred, "with_questions": options.with_questions, "file": path}
    show(options, values, "\n".join(lines))
