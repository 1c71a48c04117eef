"""Cases that a served pair is asked, and the recordings of them that ship."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from common.errors import ServerError
from common.software import versions
from models.chat.client import Message
from models.config.registry import ROLES, Role
from models.config.sampling import Sampling
from models.serving.clients import client_of
from models.serving.pair import ServedPair
from traces.cases.cases import RECORDED, Case, CaseRun, SideRun, new_run
from traces.cases.files import plain


async def reply_of(served: ServedPair, role: Role, case: Case, sampling: Sampling) -> SideRun:
    """One model's reply to the case, as it is shown on the page. Raises ServerError when it failed."""
    spec = served.pair.model(role)
    async with await client_of(served, role) as client:
        reply = await client.complete([Message("user", case.question)], sampling)
    if reply.finish_reason == "failed":
        raise ServerError(f"{spec.title} failed on “{case.title}”: {reply.error}", "Look at the server's log.")
    return SideRun(spec.key, spec.title, reply, served.weight_hash(role))


async def record(
    served: ServedPair, cases: Sequence[Case], max_tokens: int, report: Callable[[str], None] = lambda line: None
) -> list[CaseRun]:
    """Both models' greedy replies to each case, of at most `max_tokens`, all cases at once; the thinking budget is the
    pair's."""
    sampling = replace(served.pair.base.sampling, temperature=0.0, top_p=1.0, seed=0, max_tokens=max_tokens)

    async def run_of(case: Case) -> CaseRun:
        replies = await asyncio.gather(*(reply_of(served, role, case, sampling) for role in ROLES))
        sides = dict(zip(ROLES, replies, strict=True))
        tokens = ", ".join(f"{role} {sides[role].reply.output_tokens} tokens" for role in ROLES)
        report(f"{case.key}: {tokens}")
        software = versions(()) | served.software()
        return new_run(case, served.pair.key, sampling, sides, "recorded", software)

    return await asyncio.gather(*map(run_of, cases))


def write_recorded(runs: Sequence[CaseRun], folder: Path = RECORDED) -> None:
    """One file per case and pair; a later recording replaces an earlier one."""
    folder.mkdir(parents=True, exist_ok=True)
    for run in runs:
        text = json.dumps(plain(run), ensure_ascii=False, indent=1)
        (folder / f"{run.pair}-{run.case}.json").write_text(text + "\n", encoding="utf-8")
