"""`arena traces …`: problems filtered, long thoughts made by services, and traces as training rows or as a data set."""

import argparse
import asyncio
import os
from dataclasses import replace
from pathlib import Path

from commands.kit.arguments import AGAIN, Commands, address, count, group, leaf
from commands.kit.files import check_writable
from commands.kit.printing import note, show
from commands.kit.service_options import add_attempt_options, add_service_options
from common import jsonl
from common.errors import ServerError
from common.paths import ROOT, home

REHEARSAL = ROOT / "traces" / "training" / "rehearsal.jsonl"
SERVICE = "--url http://127.0.0.1:8001/v1 --model NAME"


def add_traces(parser: argparse.ArgumentParser) -> None:
    commands = group(parser)
    for add in (
        _add_curate,
        _add_teacher,
        _add_debate,
        _add_reformat,
        _add_translate,
        _add_rehearse,
        _add_rows,
        _add_export,
    ):
        add(commands)


def _add_curate(commands: Commands) -> None:
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
    from eval.problems.maths import load_benchmark
    from traces.problems.curate import curate
    from traces.problems.decontaminate import Decontaminator, minilm_embedder
    from traces.problems.sources import read_source, write_problems

    source = read_source(options.source, split=options.split, limit=options.limit)
    benchmarks = [problem for name in options.against for problem in load_benchmark(name).problems]
    folder = options.out or home() / "problems"
    path, funnel = folder / f"{source.name}.jsonl", folder / f"{source.name}.funnel.json"
    check_writable(path)
    embed = minilm_embedder() if benchmarks and not options.no_embedding else None
    note(f"{source.name}: {len(source.problems)} problems")
    curated = curate(source, benchmarks, decontaminator=Decontaminator(benchmarks, embed), progress=note)
    write_problems(path, curated.problems)
    curated.report.save(funnel)
    read, kept = curated.report.read, curated.report.kept
    show(options, {"read": read, "kept": kept, "file": path, "funnel": funnel}, f"{kept} of {read} kept: {path}")


def _add_teacher(commands: Commands) -> None:
    example = f"arena traces teacher problems.jsonl {SERVICE} --attempts 2"
    parser = leaf(commands, "teacher", teacher_command, "ask a model for long thoughts", example, continues=AGAIN)
    _add_problems(parser, "<home>/traces/teacher.traces.jsonl")
    add_service_options(parser)
    add_attempt_options(parser)
    parser.add_argument("--own-thoughts", action="store_true", help="the teacher shows its own thought: just ask")


def teacher_command(options: argparse.Namespace) -> int:
    from commands.kit.collecting import collect
    from traces.problems.sources import read_problems
    from traces.thoughts.teacher import TEACHER_PROMPT, teacher_attempt

    out = options.out or home() / "traces" / "teacher.traces.jsonl"
    prompt = "{prompt}" if options.own_thoughts else TEACHER_PROMPT
    return collect(options, read_problems(options.problems), out, lambda client: teacher_attempt(client, prompt))


def _add_debate(commands: Commands) -> None:
    example = f"arena traces debate problems.jsonl {SERVICE} --turns 12"
    text = "let one model solve step by step while another one criticises"
    parser = leaf(commands, "debate", debate_command, text, example, continues=AGAIN)
    _add_problems(parser, "<home>/traces/debate.traces.jsonl")
    add_service_options(parser, 400, "one step")
    add_attempt_options(parser)
    parser.add_argument("--critic-url", type=address, help="the critic's address (default: --url)")
    parser.add_argument("--critic-model", help="the critic's model (default: --model)")
    parser.add_argument("--critic-key-variable", default="OPENAI_API_KEY", help="environment variable with its key")
    parser.add_argument("--turns", type=count, help="steps in one debate")
    parser.add_argument("--debate-tokens", type=count, help="output tokens of one debate, the critic's included")
    parser.add_argument("--no-schema", action="store_true", help="the critic's server does not support JSON schemas")


def debate_command(options: argparse.Namespace) -> int:
    from commands.kit.collecting import collect
    from models.chat.client import Endpoint
    from traces.problems.sources import read_problems
    from traces.thoughts.debate import Debate, DebateOptions

    out = options.out or home() / "traces" / "debate.traces.jsonl"
    debate = DebateOptions(step_tokens=options.max_tokens, schema=not options.no_schema)
    debate = replace(debate, turns=options.turns or debate.turns, tokens=options.debate_tokens or debate.tokens)
    key = os.environ.get(options.critic_key_variable, "")
    critic = Endpoint(options.critic_url or options.url, options.critic_model or options.model, key)
    problems = read_problems(options.problems)
    return collect(options, problems, out, lambda policy: Debate(policy, policy.beside(critic), debate).attempt)


def _add_reformat(commands: Commands) -> None:
    example = f"arena traces reformat problems.jsonl {SERVICE}"
    text = "rewrite known solutions step by step, for phase 1"
    parser = leaf(commands, "reformat", reformat_command, text, example, continues=AGAIN)
    _add_problems(parser, "<home>/traces/phase1/reformatted.jsonl")
    add_service_options(parser)
    add_attempt_options(parser)


def reformat_command(options: argparse.Namespace) -> int:
    from commands.kit.collecting import collect
    from traces.problems.sources import read_problems
    from traces.thoughts.reformat import RULES, reformat_attempt, with_solutions

    out = options.out or home() / "traces" / "phase1" / "reformatted.jsonl"
    problems = with_solutions(read_problems(options.problems))
    return collect(options, problems, out, reformat_attempt, RULES)


def _add_translate(commands: Commands) -> None:
    example = f"arena traces translate teacher.traces.jsonl --to chinese {SERVICE}"
    text = "translate kept traces, for bilingual training data"
    parser = leaf(commands, "translate", translate_command, text, example, continues=AGAIN)
    parser.add_argument("traces", type=Path, nargs="+", help="traces files")
    parser.add_argument("--to", choices=("chinese", "english"), default="chinese", help="language (default: chinese)")
    parser.add_argument("--out", type=Path, help="traces file (default: <home>/traces/translated.traces.jsonl)")
    add_service_options(parser)
    add_attempt_options(parser)


def translate_command(options: argparse.Namespace) -> int:
    from commands.kit.collecting import collect
    from traces.keeping.trace import read_traces
    from traces.thoughts.translate import RULES, tasks, translate_attempt

    out = options.out or home() / "traces" / "translated.traces.jsonl"
    tasks_of = tasks((trace for path in options.traces for trace in read_traces(path)), options.to)
    sources = {task.problem.id: task.source for task in tasks_of}
    problems = [task.problem for task in tasks_of]
    attempt = lambda client: translate_attempt(client, sources, options.to)  # noqa: E731
    return collect(options, problems, out, attempt, RULES)


def _add_rehearse(commands: Commands) -> None:
    text = "store the base model's own replies to plain prompts, as training rows against forgetting"
    parser = leaf(commands, "rehearse", rehearse_command, text, f"arena traces rehearse {SERVICE} --out replies.jsonl")
    add_service_options(parser, max_tokens=240)
    parser.add_argument("--out", type=Path, default=REHEARSAL, help="file to write")


def rehearse_command(options: argparse.Namespace) -> None:
    from commands.kit.collecting import client_from
    from traces.thoughts.rehearse import prompts, replies_of

    check_writable(options.out)  # before anything is asked and paid for
    questions = prompts()

    async def work() -> list[dict[str, str]]:
        async with client_from(options, home() / "rehearsal.ledger.jsonl") as client:
            return await replies_of(client, questions)

    kept = asyncio.run(work())
    if not kept:
        raise ServerError("The base gave no complete reply.", f"{options.out} is unchanged; try again.")
    jsonl.write(options.out, kept)
    text = f"{len(kept)} of {len(questions)} replies are complete and stored in {options.out}."
    show(options, {"asked": len(questions), "kept": len(kept), "file": options.out}, text)


def _add_rows(commands: Commands) -> None:
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
    made = rows_of(trace for path in options.traces for trace in read_traces(path))
    sha256 = write_rows(options.out, made.rows)
    lines = [f"{made.kept} of {made.traces} traces are kept and became rows."]
    if made.empty:
        lines.append(f"{made.empty} kept traces have no prompt or no answer and were left out.")
    values = {"traces": made.traces, "kept": made.kept, "empty": made.empty, "sha256": sha256, "file": options.out}
    show(options, values, "\n".join([*lines, f"sha256 {sha256}"]))


def _add_export(commands: Commands) -> None:
    example = "arena traces export teacher.traces.jsonl --kept-only --out build/dataset"
    parser = leaf(commands, "export", export_command, "write traces as Parquet with a dataset card", example)
    parser.add_argument("traces", type=Path, nargs="+", help="traces files")
    parser.add_argument("--title", default="Journey Arena long thoughts", help="title of the card")
    parser.add_argument("--licence", default="apache-2.0", help="as the hub spells it (default: apache-2.0)")
    parser.add_argument("--kept-only", action="store_true", help="leave rejected traces out")
    parser.add_argument("--out", type=Path, help="folder (default: <home>/export)")


def export_command(options: argparse.Namespace) -> None:
    import pyarrow.parquet as pq

    from traces.keeping.trace import read_traces
    from traces.publishing.export import export

    folder = options.out or home() / "export"
    check_writable(folder / "README.md")
    traces = (t for path in options.traces for t in read_traces(path) if t.kept or not options.kept_only)
    path = export(traces, folder, title=options.title, licence=options.licence)
    rows = pq.read_metadata(path).num_rows
    show(options, {"traces": rows, "file": path}, f"{rows} traces: {path}")


def _add_problems(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("problems", type=Path, help="a curated problem file (see arena traces curate)")
    parser.add_argument("--out", type=Path, help=f"traces file (default: {default})")
