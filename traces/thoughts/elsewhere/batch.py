"""A teacher job as files: requests for `vllm run-batch` or a service's batch API, and the answers read back.

Both files have one JSON object per line, in OpenAI's batch format. Each request's `custom_id` encodes attempt, seed,
problem and prompt, so the answers may come in any order, in several files, and incomplete.
"""

import hashlib
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from openai.types.chat import ChatCompletion

from common import jsonl
from common.errors import DataError
from eval.problems.prompts import maths_prompt
from eval.records import Problem
from models.chat.client import Message
from traces.keeping.trace import Trace
from traces.thoughts.service.client import ServiceOptions, ServiceReply, read_reply, request_body
from traces.thoughts.teacher import trace_of

URL = "/v1/chat/completions"


class Asked(NamedTuple):
    """One attempt at one problem, as `custom_id` has it: `attempt:seed:hash of the prompt:problem`."""

    attempt: int
    seed: int
    prompt: str
    """The first 8 hex digits of its sha256."""
    problem: str

    @property
    def text(self) -> str:
        return ":".join(map(str, self))


def asked(text: str) -> Asked:
    """The attempt that a `custom_id` names. Raises ValueError."""
    attempt, seed, prompt, problem = text.split(":", 3)
    return Asked(int(attempt), int(seed), prompt, problem)


def prompt_hash(sent: str) -> str:
    return hashlib.sha256(sent.encode()).hexdigest()[:8]


def requests(
    problems: Iterable[Problem],
    prompt: str,
    model: str,
    options: ServiceOptions,
    *,
    attempts: int,
    seed: int,
    done: Mapping[str, Container[int]],
    failed: Mapping[str, int],
) -> Iterator[dict[str, Any]]:
    """A line for every attempt that is not in `done` (attempts by problem), and a further one for each of `failed`.

    `prompt` as for `teacher_attempt`.
    """
    for problem in problems:
        sent = prompt.format(prompt=maths_prompt(problem))
        for attempt in range(1, attempts + failed.get(problem.id, 0) + 1):
            if attempt in done.get(problem.id, ()):
                continue
            name = Asked(attempt, seed + attempt, prompt_hash(sent), problem.id)
            body = request_body(options, model, [Message("user", sent)], name.seed, {})
            yield {"custom_id": name.text, "method": "POST", "url": URL, "body": body}


def answers(path: Path, problems: Sequence[Problem], prompt: str, model: str) -> Iterator[Trace]:
    """The trace of every answer in a file, not yet verified; a request that failed is a reject already.

    Raises DataError for a line that is not an answer, or whose problem or prompt is not among those given.
    """
    known = {problem.id: problem for problem in problems}
    for number, line in jsonl.read(path):
        where = f"{path}, line {number}"
        try:
            name = asked(line["custom_id"])
            reply = _reply(line)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"{where} is not an answer of a batch ({error}).", "Give the batch's output file."
            ) from error
        problem = known.get(name.problem)
        if problem is None:
            raise DataError(
                f"{where} answers {name.problem}, which is not among the problems.", "Give the same problems."
            )
        sent = prompt.format(prompt=maths_prompt(problem))
        if prompt_hash(sent) != name.prompt:
            raise DataError(f"{where} answers another prompt.", "Give the same options as for --batch-out.")
        yield trace_of(problem, reply, sent, model, name.attempt, name.seed)


def _reply(line: Mapping[str, Any]) -> ServiceReply:
    response = line.get("response") or {}
    status, body = response.get("status_code", 0), response.get("body")
    if line.get("error") or status != 200 or not isinstance(body, dict):
        detail = str(line.get("error") or (body or {}).get("error") or body or "no answer")[:300]
        return ServiceReply(failure="server_error", detail=f"status {status}: {detail}")
    # Parsed as the client library parses a reply over HTTP, which does not check types.
    return read_reply(ChatCompletion.construct(**body))
