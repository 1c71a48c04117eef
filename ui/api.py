"""The API for programs, with names, types and docs: ask, compare, read results, download exports.

These are the only public endpoints of Gradio's API, and the tools of the MCP server if that extra is installed. A
program never votes: its questions are not battles, so there is nothing to vote on. The docstrings of the endpoints are
the documentation that programs and models see.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

import gradio as gr

from battles.sampling import within_contexts
from common.errors import ConfigError, DataError, ServerError
from eval.judging.scored import pair_scores
from eval.results.overview import overview
from eval.results.report import run_report
from eval.runs.log import OPEN_ENDED, RUNS, list_runs
from models.chat.client import Message
from models.chat.events import Reply
from models.config.registry import ROLES, Role
from models.config.sampling import Sampling
from models.serving.clients import client_of
from ui.kit.downloads import PressFolders
from ui.kit.events import spoken
from ui.preferences.tab import FILES, read_ballots, write_file
from ui.services import Services
from votes.ballot import Side
from votes.casting.limits import Action, Rate, RateLimiter, clean_prompt
from votes.ranking import WinRate, win_rates_by

Json = dict[str, Any]
RATES: Mapping[Action, Rate] = {"turn": Rate(per_visitor=10, in_total=120)}
"""Rate limits for programs; visitors of the page have separate limits."""
AT_ONCE = 2
"""Programs' questions answered concurrently; kept low, since people come first."""
IN_LINE = 50
"""Programs that may wait for that."""
ANSWER_SECONDS = 600.0
"""Longest time for an answer. A program that has hung up is not noticed before that."""
READY_SECONDS = 20.0
_SIDES: dict[Role, Side] = {"base": "a", "distilled": "b"}


def mcp_installed() -> bool:
    """Whether Gradio's MCP server can be offered: its extra is installed, as on a Space, in a version that works."""
    try:
        import_module("gradio.mcp")
    except ImportError:
        return False
    return find_spec("mcp") is not None  # which gradio itself imports late


def build_api(services: Services) -> None:
    """Add the endpoints to the enclosing page."""
    program = Program(services)
    asking: tuple[Any, ...] = (program.ask, program.compare)
    reading: tuple[Any, ...] = (program.results, program.report, program.preferences)
    for endpoint in asking:  # which keep their own line: gradio's is as long for programs as for people
        gr.api(endpoint, api_name=endpoint.__name__, concurrency_limit=None)
    for endpoint in reading:
        gr.api(spoken()(endpoint), api_name=endpoint.__name__, concurrency_limit=2, concurrency_id="readers")
    # A file needs a component that hands it out; nobody sees these.
    name = gr.Dropdown(list(FILES), value=next(iter(FILES)), label="name", visible=False)
    file = gr.File(label="file", visible=False)
    started = gr.Button(visible=False)
    started.click(spoken()(program.export), name, file, api_name="export", api_visibility="public", concurrency_limit=1)


class Program:
    """The endpoints, on one page's services."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._rates = RateLimiter(RATES, time.monotonic)
        self._folders = PressFolders("export")
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._in_line = 0

    async def ask(
        self,
        request: gr.Request,
        question: str,
        model: Literal["base", "distilled"] = "distilled",
        max_tokens: int = 512,
        temperature: float = 0.0,
    ) -> Json:
        """
        Ask one of the two models a question, and get its answer and its thought. Nothing is stored.

        Args:
            question: The question, in plain text.
            model: Which model answers: base, or distilled (which was trained to think at length).
            max_tokens: Most tokens of thought and answer together.
            temperature: 0 always takes the likeliest token.

        Returns:
            model, answer, thought, thought_tokens, answer_tokens, seconds and finish_reason.
        """
        with spoken():
            (reply,) = (await self._asked(request, question, [check_role(model)], max_tokens, temperature)).values()
        return reply

    async def compare(
        self, request: gr.Request, question: str, max_tokens: int = 512, temperature: float = 0.0
    ) -> Json:
        """
        Ask both models the same question, and get both answers by name. Nothing is stored, and there is no vote on it.

        Args:
            question: The question, in plain text.
            max_tokens: Most tokens of thought and answer together, for each model.
            temperature: 0 always takes the likeliest token.

        Returns:
            base and distilled, each with model, answer, thought, thought_tokens, answer_tokens, seconds, finish_reason.
        """
        with spoken():
            return await self._asked(request, question, list(ROLES), max_tokens, temperature)

    def results(self, pair: str = "") -> Json:
        """
        Get the benchmark results of a pair: one entry a set, from the largest complete run of both models.

        Args:
            pair: Key of a pair. Empty: the pair that is served here.

        Returns:
            pair, and sets: accuracy of both models, their difference with its 95 % interval, tokens, and the run's id;
            judged: scores of answers that a judge model has read, with how far people agree with that judge.
        """
        pair, home = pair or self._services.served.pair.key, self._services.home
        sets = [one._asdict() for one in overview(home / RUNS, pair)]
        return {"pair": pair, "sets": sets, "judged": list(map(asdict, pair_scores(home / OPEN_ENDED, pair)))}

    def report(self, run: str) -> str:
        """
        Get the whole report of one benchmark run as Markdown.

        Args:
            run: Id of the run, as results names it.

        Returns:
            The report: the paired difference first, at the end how to repeat the run.
        """
        runs = self._services.home / RUNS
        if run not in [info.id for info in list_runs(runs)]:
            raise DataError("There is no run of that id.", "Take one from results.")
        return run_report(runs, run)

    def preferences(self, pair: str = "") -> Json:
        """
        Get what visitors preferred: win rates of the distilled model against its base, from votes that are final.

        Args:
            pair: Key of a pair. Empty: the pair that is served here.

        Returns:
            pair, votes, and by stage (answers alone, with the reasoning) wins, losses, ties, both_bad, rate, interval.
        """
        pair = pair or self._services.served.pair.key
        votes = [vote for vote in read_ballots(self._services)[0] if vote.pair == pair and not vote.blocked]
        blind = (vote for vote in votes if vote.before_reading or vote.after_reading)
        by_stage = win_rates_by(blind, lambda vote: vote.stage)
        return {"pair": pair, "votes": len(votes), "stages": {stage: in_json(rate) for stage, rate in by_stage.items()}}

    def export(self, name: str) -> str:
        """
        Get every final vote as a file. Words are included where their visitors agreed to publication.

        Args:
            name: votes.parquet, votes.csv, preferences.jsonl, or preferences-with-reasoning.jsonl.

        Returns:
            The file.
        """
        if name not in FILES:
            raise ConfigError(f"There is no export {str(name)[:80]!r}.", f"Choose one of {', '.join(FILES)}.")
        return str(write_file(self._services, name, self._folders.new()))

    async def _asked(
        self, request: gr.Request, question: str, roles: list[Role], max_tokens: int, temperature: float
    ) -> dict[str, Json]:
        """These models' replies. Raises VoteError for a question that the page would refuse, or that comes too soon."""
        services = self._services
        question = clean_prompt(question, services.desk.limits)
        sampling = check_sampling(max_tokens, temperature)
        self._rates.take("turn", services.visitor(request))
        within = within_contexts(services.served, dict.fromkeys(roles, sampling))
        async with self._turn():
            replies = await self._replies(question, {role: within[role] for role in roles})
        done = dict(zip((_SIDES[role] for role in roles), replies, strict=True))
        if services.guard:
            done = await services.guard.screen(question, done)
        return {role: self._in_json(role, done[_SIDES[role]]) for role in roles}

    @asynccontextmanager
    async def _turn(self) -> AsyncGenerator[None, None]:
        """Wait until it is this program's turn. ServerError if too many do."""
        if self._in_line >= IN_LINE:
            raise ServerError(f"{IN_LINE} programs are waiting already.", "Try again in a few minutes.")
        self._in_line += 1
        try:
            await self._turns.acquire()
        finally:
            self._in_line -= 1
        try:
            yield
        finally:
            self._turns.release()

    async def _replies(self, question: str, sampling: Mapping[Role, Sampling]) -> list[Reply]:
        """All of them; if one fails, the others are not waited for. ServerError after `ANSWER_SECONDS`."""
        asked = [asyncio.create_task(self._reply(role, question, its)) for role, its in sampling.items()]
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await asyncio.gather(*asked)
        except TimeoutError as error:
            minutes = ANSWER_SECONDS / 60
            raise ServerError(f"No answer within {minutes:.0f} minutes.", "Ask for fewer tokens.") from error
        finally:
            for task in asked:
                task.cancel()

    async def _reply(self, role: Role, question: str, sampling: Sampling) -> Reply:
        started = time.monotonic()
        async with await client_of(self._services.served, role, READY_SECONDS, end_repetition=True) as client:
            reply = await client.complete([Message("user", question)], sampling)
        if reply.finish_reason == "failed":
            raise ServerError(f"The {role} model did not answer: {reply.error}", "Try again.")
        return replace(reply, seconds=time.monotonic() - started)

    def _in_json(self, role: Role, reply: Reply) -> Json:
        return {
            "model": self._services.served.pair.model(role).title,
            "answer": reply.answer,
            "thought": reply.thought,
            "thought_tokens": reply.thought_tokens,
            "answer_tokens": reply.answer_tokens,
            "seconds": round(reply.seconds, 3),
            "finish_reason": reply.finish_reason,
        }


def check_role(model: object) -> Role:
    """ConfigError unless it is one of the two."""
    for role in ROLES:
        if model == role:
            return role
    raise ConfigError(f"There is no model {str(model)[:40]!r} here.", f"Choose {' or '.join(ROLES)}.")


def check_sampling(max_tokens: object, temperature: object) -> Sampling:
    """ConfigError unless these are numbers that a model can be asked with. A program may send anything."""
    if not isinstance(max_tokens, int) or isinstance(max_tokens, bool) or not 1 <= max_tokens <= 2**20:
        raise ConfigError("max_tokens must be a whole number of at least 1.", "Send a number such as 512.")
    if not isinstance(temperature, int | float) or isinstance(temperature, bool) or not 0 <= temperature <= 2:
        raise ConfigError("temperature must be a number from 0 to 2.", "Send a number such as 0.7.")
    return Sampling(max_tokens=max_tokens, temperature=float(temperature))


def in_json(rate: WinRate) -> Json:
    """Counts, the rate between 0 and 1 and its 95 % interval."""
    counts = {name: getattr(rate, name) for name in ("wins", "losses", "ties", "both_bad")}
    return {**counts, "rate": rate.rate, "interval": list(rate.interval) if rate.interval else None}
