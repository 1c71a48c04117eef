"""`arena thoughts …`: measures what a thought is worth, by asking the served models."""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from commands.kit.arguments import (
    AGAIN,
    Commands,
    add_profile_option,
    add_run_argument,
    count,
    group,
    leaf,
    positive,
    whole,
)
from commands.kit.printing import progress, show
from common.paths import home

if TYPE_CHECKING:
    from eval.runs.log import RunLog
    from eval.thoughts.divergence import TokenDivergence
    from eval.thoughts.importance import SentenceImportance
    from eval.thoughts.resampling import Subject

MOST_SHOWN = 20
WIDTH = 90


def add_thoughts(parser: argparse.ArgumentParser) -> None:
    commands = group(parser)
    for add in (add_transplant, add_give, add_importance, add_divergence):
        add(commands)


def add_transplant(commands: Commands) -> None:
    text = "ask both models of a run again, each with the other's thought"
    example = "arena thoughts transplant 20261127-124343-smol-135m"
    parser = leaf(commands, "transplant", transplant_command, text, example, continues=AGAIN)
    add_run_argument(parser)
    parser.add_argument(
        "--given", action="append", choices=("other", "half", "none", "more"),
        help="the other's thought, half of it, no thought, or its own made longer; may be repeated (default: all)",
    )  # fmt: skip
    add_profile_option(parser)


def add_give(commands: Commands) -> None:
    text = "let a model of a run answer from a thought that you wrote or edited"
    example = "arena thoughts give 20261127-124343-smol-135m thought.txt --problem same_kind/gcd/2a51 --role base"
    parser = leaf(commands, "give", give_command, text, example)
    add_run_argument(parser)
    parser.add_argument("file", type=Path, help="the thought, as UTF-8 text")
    parser.add_argument("--problem", required=True, help="id of a problem of the run")
    parser.add_argument("--role", choices=("base", "distilled"), default="distilled", help="default: distilled")
    parser.add_argument("--open", action="store_true", help="let the model go on thinking before it answers")
    add_profile_option(parser)


def add_importance(commands: Commands) -> None:
    text = "draw the answer again from every sentence of a thought, to see which of them it depends on"
    example = "arena thoughts importance 20261127-124343-smol-135m --problem same_kind/gcd/2a51"
    parser = leaf(commands, "importance", importance_command, text, example, continues=AGAIN)
    _add_sample_options(parser)
    parser.add_argument("--draws", type=count, default=8, help="answers after each sentence (default: 8)")
    parser.add_argument(
        "--sentences", type=count, default=24, help="split the thought into at most so many parts (default: 24)"
    )
    parser.add_argument("--temperature", type=positive, help="default: the run's; 0.6 if that is 0")


def add_divergence(commands: Commands) -> None:
    text = "compare how likely both models find each token of an answer"
    example = "arena thoughts divergence 20261127-124343-smol-135m --problem same_kind/gcd/2a51"
    _add_sample_options(leaf(commands, "divergence", divergence_command, text, example))


def _add_sample_options(parser: argparse.ArgumentParser) -> None:
    add_run_argument(parser)
    parser.add_argument("--problem", required=True, help="id of a problem of the run")
    parser.add_argument("--role", choices=("base", "distilled"), default="distilled", help="default: distilled")
    parser.add_argument("--sample", type=whole, default=0, help="which sample of the problem (default: 0)")
    add_profile_option(parser)


def transplant_command(options: argparse.Namespace) -> None:
    from commands.kit.serving import serving
    from eval.results.transplanted import transplanted
    from eval.runs.plan import check_own
    from eval.thoughts.carried import carried, gain
    from eval.thoughts.transplant import GIVEN, pending, transplant_thoughts

    log = _run(options)
    check_own(log.info())
    given = options.given or list(GIVEN)
    new_answers = 0
    with log.claim():
        if pending(log, given):
            with serving(log.info().config.pair, options.profile) as served:
                new_answers = asyncio.run(transplant_thoughts(log, served, given, progress=progress("answers")))
    values = {"run": options.run, "made": new_answers, "given": carried(log), "gain": gain(log)}
    show(options, values, transplanted(log) or "No problem has been answered both ways.")


def give_command(options: argparse.Namespace) -> None:
    from commands.kit.serving import serving
    from common.jsonl import read_text
    from eval.runs.plan import check_own
    from eval.thoughts.transplant import answer_from, problem_of

    log, text = _run(options), read_text(options.file).strip()
    check_own(log.info())
    _model(log, options.role)
    problem_of(log, options.problem)
    with serving(log.info().config.pair, options.profile) as served:
        work = answer_from(served, log, options.role, options.problem, text, closed=not options.open)
        answered = asyncio.run(work)
    value = {"added": answered.added, "outcome": answered.outcome, "extracted": answered.extracted}
    show(options, value, f"{answered.added.strip()}\n\n{answered.outcome}: {answered.extracted or 'no answer found'}")


def importance_command(options: argparse.Namespace) -> None:
    from commands.kit.serving import serving
    from eval.runs.cost import most_in_flight
    from eval.runs.plan import check_own
    from eval.runs.run_job import check_served
    from eval.thoughts.resampling import missing, resample, stored, subject_of

    log = _run(options)
    info = log.info()
    check_own(info)
    subject = subject_of(log, _model(log, options.role), options.problem, options.sample, options.temperature)
    limits = {"samples": options.draws, "most": options.sentences}
    if missing(subject, **limits):
        with serving(info.config.pair, options.profile) as served:
            check_served(info, served)
            at_once = most_in_flight(served.profile)
            telling = progress("answers")
            asyncio.run(resample(served, options.role, subject, **limits, concurrency=at_once, progress=telling))
    spans = stored(subject)
    show(options, {"file": subject.path, "sentences": spans}, "\n".join(importance_lines(subject, spans)))


def importance_lines(subject: "Subject", spans: "tuple[SentenceImportance, ...]") -> list[str]:
    """Each part's importance, change in right answers, p-value and first words."""
    lines = ["importance  right    p      sentence"]
    for span in spans:
        text = " ".join(subject.thought[span.start : span.end].split())
        gain = "   –" if span.gain is None else f"{100 * span.gain:+4.0f}"
        lines.append(f"{span.value:10.2f}  {gain} pt  {span.p_value:5.3f}  {text[:WIDTH]}")
    return lines


def divergence_command(options: argparse.Namespace) -> None:
    from commands.kit.serving import serving
    from eval.runs.plan import check_own
    from eval.thoughts.divergence import keep, token_divergence
    from eval.thoughts.resampling import sample_of
    from models.chat.client import Message

    log = _run(options)
    info = log.info()
    check_own(info)
    sample = sample_of(log, _model(log, options.role), options.problem, options.sample)
    with serving(info.config.pair, options.profile) as served:
        messages = [*info.history, Message("user", sample.prompt)]
        divergence = asyncio.run(token_divergence(served, messages, sample.text))
    if sample.thought.strip():
        keep(sample.thought, divergence)  # the page shows it below the thought
    show(options, divergence._asdict(), "\n".join(divergence_lines(divergence)))


def divergence_lines(divergence: "TokenDivergence") -> list[str]:
    """The mean, and the tokens where the models differ most, with the text before each."""
    mean = sum(divergence.kl) / len(divergence.kl)
    cut = "" if divergence.whole else " The text is longer; this is its beginning."
    lines = [f"{len(divergence.tokens)} tokens, KL at least {mean:.3f} nats a token.{cut}", "    KL  log ratio  token"]
    for at in sorted(range(len(divergence.tokens)), key=lambda at: -divergence.kl[at])[:MOST_SHOWN]:
        before = "".join(divergence.tokens[max(0, at - 12) : at])[-40:]
        lines.append(
            f"{divergence.kl[at]:6.2f}  {divergence.differences[at]:+9.2f}  {before!r} → {divergence.tokens[at]!r}"
        )
    return lines


def _run(options: argparse.Namespace) -> "RunLog":
    from eval.runs.log import RUNS, RunLog

    return RunLog.open(home() / RUNS, options.run)


def _model(log: "RunLog", role: str) -> str:
    from common.errors import ConfigError

    sides = log.info().sides
    if role not in sides:
        raise ConfigError(f"Run {log.folder.name} has no {role} model.", f"Choose --role {', '.join(sides)}.")
    return sides[role].model
