"""Long thoughts from a debate: a policy writes the next step, a critic says whether to go on or back, and why.

One model may play both roles. `traces.thoughts.transcript` turns the debate into a thought.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from eval.grading.extraction import last_box
from eval.problems.prompts import maths_prompt
from eval.records import Problem
from models.chat.client import Message
from models.chat.thought import split_text
from traces.keeping.keep import reject
from traces.keeping.trace import Trace, compose
from traces.thoughts.service.client import ServiceClient, ServiceReply
from traces.thoughts.teacher import TAGS
from traces.thoughts.transcript import CriticVerdict, Turn, first_person, parse_verdict, path_of, turn_row

POLICY_PROMPT = """{prompt}

Work on it one step at a time. {state}

Write only the next step, in two or three sentences. When a step reaches the answer, put it in \\boxed{{}}."""
CRITIC_PROMPT = """A student works on this problem:

{question}

The student's steps:
{steps}

Judge the last step. Reply with one JSON object and nothing else: \
{{"verdict": "go on", "reason": "…"}} if it is right and helps, or \
{{"verdict": "go back", "to": N, "reason": "…"}} if it is wrong or leads nowhere, where N is the number of the last \
step that may stay (0 for none) and the reason tells the student in one sentence what is wrong."""
VERDICT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "verdict": {"enum": ["go on", "go back"]},
        "to": {"type": "integer", "minimum": 0},
        "reason": {"type": "string", "maxLength": 300},
    },
    "required": ["verdict", "reason"],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class DebateOptions:
    """The budget of one debate, and how the critic's output format is enforced."""

    turns: int = 16
    """Steps of the policy."""
    tokens: int = 8192
    """Output tokens of both together; no new turn starts once they are spent."""
    step_tokens: int = 400
    verdict_tokens: int = 200
    verdict_tries: int = 2
    """Attempts to get a valid verdict; after that the debate continues without one."""
    schema: bool = True
    """Ask the critic's server for JSON of the verdict's schema; False for services that do not support it."""


class Debate:
    """The two roles and their budget; `attempt` runs one debate, for `traces.thoughts.service.gather`."""

    def __init__(self, policy: ServiceClient, critic: ServiceClient, options: DebateOptions = DebateOptions()) -> None:
        self.policy, self.critic, self.options = policy, critic, options

    async def attempt(self, problem: Problem, number: int, seed: int) -> Trace:
        """One debate as a trace; already rejected if a request failed or the budget ended before an answer."""
        progress = _Progress(problem, seed)
        while len(progress.turns) < self.options.turns and progress.tokens < self.options.tokens:
            path = path_of(progress.turns)
            reply = progress.note(await self._next_step(problem, progress, path))
            if progress.failure:
                return reject(self._trace(progress, number), "request", progress.failure)
            turn = read_step(reply, len(path) + 1)
            if not turn.text:
                progress.empty_steps += 1
                progress.turns.append(replace(turn, verdict=CriticVerdict(True, "I wrote nothing", len(path))))
                continue
            verdict = await self._judge(problem, progress, [*path, turn])
            progress.turns.append(replace(turn, verdict=verdict))
            if progress.failure:
                return reject(self._trace(progress, number), "request", progress.failure)
            if last_box(turn.whole) and not (verdict and verdict.back):
                return self._trace(progress, number)
        return reject(self._trace(progress, number), "budget")

    async def _next_step(self, problem: Problem, progress: "_Progress", path: Sequence[Turn]) -> ServiceReply:
        state = _numbered(path) if path else "There are no steps yet."
        last = progress.turns[-1].verdict if progress.turns else None
        if last and last.back:
            state += f"\n\nYour last attempt at the next step was taken back: {last.reason} Do it differently."
        text = POLICY_PROMPT.format(prompt=maths_prompt(problem), state=state)
        limit = {self.policy.options.token_field: self.options.step_tokens}
        return await self.policy.ask([Message("user", text)], seed=progress.next_seed(), **limit)

    async def _judge(self, problem: Problem, progress: "_Progress", path: Sequence[Turn]) -> CriticVerdict | None:
        text = CRITIC_PROMPT.format(question=problem.question, steps=_numbered(path))
        body: dict[str, Any] = {self.critic.options.token_field: self.options.verdict_tokens}
        if self.options.schema:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "verdict", "schema": VERDICT_SCHEMA},
            }
        for _ in range(self.options.verdict_tries):
            reply = progress.note(await self.critic.ask([Message("user", text)], seed=progress.next_seed(), **body))
            if reply.failure:
                return None
            if verdict := parse_verdict(reply.text, len(path)):
                return verdict
            progress.invalid_verdicts += 1
        return None

    def _trace(self, progress: "_Progress", number: int) -> Trace:
        turns = [turn for turn in progress.turns if turn.text]
        path = path_of(turns)
        answer = (path[-1].answer or path[-1].text) if path and last_box(path[-1].whole) else ""
        thought = first_person(turns)
        return Trace(
            problem=progress.problem,
            prompt=maths_prompt(progress.problem),
            raw=compose(thought, answer),
            thought=thought,
            answer=answer,
            method="debate",
            model=f"{self.policy.endpoint.model}/{self.critic.endpoint.model}",
            tokens=progress.tokens,
            seconds=round(progress.seconds, 3),
            cost=progress.cost,
            attempt=number,
            seed=progress.seed,
            extra={
                "turns": [turn_row(turn) for turn in progress.turns],
                "went_back": sum(bool(turn.verdict and turn.verdict.back) for turn in turns),
                "invalid_verdicts": progress.invalid_verdicts,
                "empty_steps": progress.empty_steps,
            },
        )


class _Progress:
    """What one debate has gathered so far."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self.problem, self.seed = problem, seed
        self.turns: list[Turn] = []
        self.tokens = self.invalid_verdicts = self.empty_steps = 0
        self.cost = self.seconds = 0.0
        self.failure = ""
        """Why a request failed; nothing more is asked after that."""
        self._requests = 0

    def next_seed(self) -> int:
        self._requests += 1
        return self.seed * 1000 + self._requests

    def note(self, reply: ServiceReply) -> ServiceReply:
        self.tokens += reply.output_tokens
        self.cost += reply.cost
        self.seconds += reply.seconds
        if reply.failure:
            self.failure = f"{reply.failure}, {reply.detail}"
        return reply


def _numbered(path: Sequence[Turn]) -> str:
    return "Steps so far:\n" + "\n".join(f"{number}. {turn.whole}" for number, turn in enumerate(path, start=1))


def read_step(reply: ServiceReply, depth: int) -> Turn:
    """The step, split into thought and answer if it has tags. A step cut off ends with its last complete sentence."""
    split = split_text(TAGS, reply.text, ended=reply.finish_reason != "length")
    text, answer = split.thought or split.answer, split.answer if split.thought else ""
    text = re.sub(r"^(?:step\s*)?\d+[.:)]\s+", "", text.strip(), flags=re.IGNORECASE)
    if reply.finish_reason == "length" and not answer:
        whole = re.match(r"(.*[.!?。！？\n])", text, re.DOTALL)
        text = whole.group(1).strip() if whole else ""
    return Turn(text, None, depth, answer.strip())
