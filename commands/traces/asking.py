"""`arena traces teacher`, `debate`, `reformat`, `translate` and `rehearse`: commands that ask a service."""

import argparse
import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from commands.kit.arguments import AGAIN, PROBLEMS, Commands, address, count, leaf
from commands.kit.printing import show
from commands.kit.service_options import add_attempt_options, add_service_options
from commands.traces.elsewhere import add_batch_options, batch_command
from common import jsonl
from common.errors import ConfigError, ServerError
from common.paths import ROOT, home

if TYPE_CHECKING:
    from traces.thoughts.service.pacing import CapReached

REHEARSAL = ROOT / "traces" / "training" / "rehearsal.jsonl"
SERVICE = "--url http://127.0.0.1:8001/v1 --model NAME"


def add_teacher(commands: Commands) -> None:
    example = f"arena traces teacher problems.jsonl {SERVICE} --attempts 2"
    parser = leaf(commands, "teacher", teacher_command, "ask a model for long thoughts", example, continues=AGAIN)
    _add_problems(parser, "<home>/traces/teacher.traces.jsonl")
    add_service_options(parser, batch=True)
    add_attempt_options(parser)
    add_batch_options(parser)
    parser.add_argument("--own-thoughts", action="store_true", help="the teacher shows its own thought: just ask")


def teacher_command(options: argparse.Namespace) -> int:
    from commands.kit.collecting import collect
    from traces.problems.sources import read_problems
    from traces.thoughts.service.past import Maker
    from traces.thoughts.teacher import TEACHER_PROMPT, teacher_attempt

    out = options.out or home() / "traces" / "teacher.traces.jsonl"
    prompt = "{prompt}" if options.own_thoughts else TEACHER_PROMPT
    by = Maker("thoughts", options.model)
    if options.batch_out or options.batch_in:
        return batch_command(options, read_problems(options.problems), out, by, prompt)
    if not options.url:
        raise ConfigError("It is not clear whom to ask.", "Give --url, or --batch-out FILE.")
    return collect(options, read_problems(options.problems), out, by, lambda client: teacher_attempt(client, prompt))


def add_debate(commands: Commands) -> None:
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
    from traces.thoughts.service.past import Maker

    out = options.out or home() / "traces" / "debate.traces.jsonl"
    debate = DebateOptions(step_tokens=options.max_tokens, schema=not options.no_schema)
    debate = replace(debate, turns=options.turns or debate.turns, tokens=options.debate_tokens or debate.tokens)
    key = os.environ.get(options.critic_key_variable, "")
    critic = Endpoint(options.critic_url or options.url, options.critic_model or options.model, key)
    problems, by = read_problems(options.problems), Maker("debates", f"{options.model}/{critic.model}")
    return collect(options, problems, out, by, lambda policy: Debate(policy, policy.beside(critic), debate).attempt)


def add_reformat(commands: Commands) -> None:
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
    from traces.thoughts.service.past import Maker

    out = options.out or home() / "traces" / "phase1" / "reformatted.jsonl"
    problems = with_solutions(read_problems(options.problems))
    return collect(options, problems, out, Maker("rewritten solutions", options.model), reformat_attempt, RULES)


def add_translate(commands: Commands) -> None:
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
    from traces.thoughts.service.past import Maker
    from traces.thoughts.translate import RULES, tasks, translate_attempt

    out = options.out or home() / "traces" / "translated.traces.jsonl"
    tasks_of = tasks((trace for path in options.traces for trace in read_traces(path)), options.to)
    sources = {task.problem.id: task.source for task in tasks_of}
    problems = [task.problem for task in tasks_of]
    attempt = lambda client: translate_attempt(client, sources, options.to)  # noqa: E731
    return collect(options, problems, out, Maker("translations", options.model), attempt, RULES)


def add_rehearse(commands: Commands) -> None:
    text = "store the base model's own replies to plain prompts, as training rows against forgetting"
    parser = leaf(commands, "rehearse", rehearse_command, text, f"arena traces rehearse {SERVICE} --out replies.jsonl")
    add_service_options(parser, max_tokens=240)
    parser.add_argument("--most", type=count, help="prompts to ask (default: all)")
    parser.add_argument("--chinese", action="store_true", help="ask prompts in Chinese too, and first")
    parser.add_argument("--rows", action="store_true", help="write training rows, for the `data` of a recipe")
    parser.add_argument(
        "--out",
        type=Path,
        help="file to write (default: it replaces the shipped traces/training/rehearsal.jsonl; with --rows, --most or "
        "--chinese, a file in <home>/traces)",
    )


def rehearse_command(options: argparse.Namespace) -> int:
    """Store the complete replies, also those that were there when it was stopped, but then not over an earlier file.
    3 when a cap stopped it."""
    from commands.kit.collecting import STOPPED_BY_CAP, claim, client_from, ledger_path
    from traces.thoughts.rehearse import ask_all, prompts
    from traces.training.dataset import Row, write_rows

    own = home() / "traces" / ("rehearsal.rows.jsonl" if options.rows else "rehearsal.jsonl")
    out = options.out or (own if options.rows or options.most or options.chinese else REHEARSAL)
    questions = prompts(chinese=options.chinese)[: options.most]

    replies: dict[str, str] = {}
    whole = False

    async def work() -> "CapReached | None":
        async with client_from(options, ledger_path(out)) as client:
            return await ask_all(client, questions, replies)

    with claim(out):
        try:
            stopped = asyncio.run(work())
            whole = stopped is None
        finally:
            if not whole and out.exists():
                out = out.with_name(f"{out.stem}.stopped{out.suffix}")
            told = [(prompt, replies[prompt]) for prompt in questions if prompt in replies]
            if told and options.rows:
                write_rows(out, (Row("chat", prompt, ((reply, True),)) for prompt, reply in told))
            elif told:
                jsonl.write(out, ({"prompt": prompt, "reply": reply} for prompt, reply in told))
    if not told:
        raise stopped or ServerError("The base gave no complete reply.", f"{out} is unchanged; try again.")
    text = f"{len(told)} of {len(questions)} replies are complete and stored in {out}."
    if stopped:
        text += f" {stopped.args[0]}"
    show(options, {"asked": len(questions), "kept": len(told), "file": out}, text)
    return STOPPED_BY_CAP if stopped else 0


def _add_problems(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument("problems", type=Path, help=PROBLEMS)
    parser.add_argument("--out", type=Path, help=f"traces file (default: {default})")
