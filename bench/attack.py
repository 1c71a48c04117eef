"""`python -m bench.attack [--url http://127.0.0.1:7860]`: attack the votes, and a started app, and say what held.

Without an address, clients vote into a store of their own while they are killed (`kill -9`), and every forgery that a
raw caller could try is tried at the desk. With one, every endpoint of the app gets every payload as well. Only
addresses of this machine are attacked; every part is bounded in time. The exit code is 1 if something did not hold.
"""

import argparse
import contextlib
import itertools
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx

from common.errors import ArenaError
from models.chat.endpoint import LOOPBACK
from votes.ballot import RecordedReply, Role
from votes.casting.desk import Desk
from votes.casting.limits import Action, Limits, Rate
from votes.store import Store

ROOT = Path(__file__).resolve().parent.parent
FREE: dict[Action, Rate] = {action: Rate(10**9, 10**9) for action in ("battle", "turn", "vote")}
THREADS = 8
WAIT_SECONDS = 3.0
"""Time limit for one endpoint's answer to one payload; after that the next is tried."""
PAYLOAD_SECONDS = 300.0
"""Time limit for all of them."""
FORMULA, MARKUP, HUGE = "=HYPERLINK(1)", "<img src=x onerror=alert(1)>", "x" * 200_000
PAYLOADS: list[Any] = [
    None,
    "",
    "\x00",
    "\ud800",
    MARKUP,
    FORMULA,
    HUGE,
    -1,
    1e308,
    True,
    [],
    {},
    [[[]]],
    "../../etc/passwd",
]
LEAKS = ("Traceback (most recent call last)", "duckdb.", "/site-packages/", "votes.duckdb")
"""Strings that must never reach a visitor."""


class Outcome(NamedTuple):
    """What was tried, and what did not hold."""

    name: str
    tried: str
    faults: list[str]


def kill_rounds(rounds: int, seconds: float) -> Outcome:
    """Clients vote, their process is killed at a random moment, and starts again on the same store."""
    acknowledged: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        for number in range(rounds):
            voter = subprocess.Popen(
                [sys.executable, "-m", "bench.attack", "--voter", name, str(number)],
                stdout=subprocess.PIPE,
                encoding="utf-8",
                cwd=ROOT,
            )
            assert voter.stdout is not None
            first = voter.stdout.readline()  # timing starts with the first vote, however long Python takes to start
            threading.Timer(random.uniform(0.05, seconds), voter.kill).start()
            lines = [first, *voter.stdout]
            voter.wait()
            acknowledged += [line.strip() for line in lines if line.endswith("\n")]
        store = Store(Path(name) / "votes.duckdb")
        rows = list(store.votes())
        notice = store.notice
        store.close()
    stored = [row.row_id for row in rows]
    stages = [(row.battle_id, row.stage) for row in rows]
    faults = [f"the store says: {notice}"] if notice else []
    if lost := set(acknowledged) - set(stored):
        faults.append(f"{len(lost)} acknowledged votes were lost")
    if doubled := len(stored) - len(set(stored)) + len(stages) - len(set(stages)):
        faults.append(f"{doubled} votes were doubled")
    return Outcome("kill -9", f"{rounds} rounds, {len(acknowledged)} acknowledged votes", faults)


def vote_until_killed(folder: Path, life: int) -> None:
    """Print the row id of every vote that was acknowledged."""
    desk = Desk(Store(folder / "votes.duckdb"), limits=Limits(rates=FREE, gesture_seconds=0.0))
    printing = threading.Lock()

    def visit(number: int) -> None:
        visitor = f"visitor {life} {number}"
        while True:
            battle = play(desk, visitor)
            for stage in ("answers", "reasoning"):
                receipt = desk.cast(battle, visitor, stage, random.choice(("a", "b", "tie")))
                with printing:
                    print(receipt.row_id, flush=True)

    for number in range(THREADS):
        threading.Thread(target=visit, args=(number,)).start()


def play(desk: Desk, visitor: str) -> str:
    """A battle with one finished turn."""
    battle = desk.open(visitor, pair="attacked")
    turn = desk.begin_turn(battle, visitor, "What is 2 + 2?")
    roles: tuple[Role, ...] = ("base", "distilled")
    desk.finish_turn(battle, turn, {role: RecordedReply(role, role, "hash", answer=f"4 {role}") for role in roles})
    return battle


def forgeries() -> Outcome:
    """Votes, reveals and turns that the rules forbid: each is refused in words, and nothing is written."""
    faults, tried = [], 0
    with tempfile.TemporaryDirectory() as name:
        store = Store(Path(name) / "votes.duckdb")
        desk = Desk(store, limits=Limits(rates=FREE))
        for what, forge in forged_calls(desk):
            tried += 1
            try:
                forge()
            except ArenaError as error:
                faults += [f"{what}: the refusal tells “{leak}”" for leak in LEAKS if leak in str(error)]
            except Exception as error:
                faults.append(f"{what}: {type(error).__name__} instead of a refusal")
            else:
                faults.append(f"{what}: accepted")
        if written := store.ballots():
            faults.append(f"{len(written)} forged votes were written")
        faults += ten_at_once(desk, store)
        store.close()
    return Outcome("forgeries", f"{tried} calls at the desk, ten equal votes at once", faults)


def forged_calls(desk: Desk) -> Iterator[tuple[str, Callable[[], Any]]]:
    """(description, call) of every forgery, each on a separate battle."""
    for payload in PAYLOADS:
        own = play(desk, "owner")
        yield f"verdict {payload!r:.30}", partial(desk.cast, own, "owner", "answers", payload)
        yield f"stage {payload!r:.30}", partial(desk.cast, own, "owner", payload, "a")
        yield f"battle {payload!r:.30}", partial(desk.cast, payload, "owner", "answers", "a")
        yield f"reason {payload!r:.30}", partial(desk.cast, own, "owner", "answers", "a", [payload])
    own, empty, revealed = play(desk, "owner"), desk.open("owner", pair="attacked"), play(desk, "owner")
    desk.forfeit(revealed, "owner")
    running = play(desk, "owner")
    desk.begin_turn(running, "owner", "And more?")
    yield "a stranger's vote", lambda: desk.cast(own, "stranger", "answers", "a")
    yield "a stranger's reveal", lambda: desk.reveal(own, "stranger")
    yield "a stranger's look", lambda: desk.mine(own, "stranger")
    yield "the second vote first", lambda: desk.cast(own, "owner", "reasoning", "a")
    yield "the names before the vote", lambda: desk.reveal(own, "owner")
    yield "a vote on nothing", lambda: desk.cast(empty, "owner", "answers", "a")
    yield "a vote while models answer", lambda: desk.cast(running, "owner", "answers", "a")
    yield "a turn while models answer", lambda: desk.begin_turn(running, "owner", "Another")
    yield "a vote after the names", lambda: desk.cast(revealed, "owner", "answers", "a")
    yield "a turn after the names", lambda: desk.begin_turn(revealed, "owner", "Another")
    yield "an undo of nothing", lambda: desk.undo(own, "owner")
    yield "a comment too long", lambda: desk.cast(own, "owner", "answers", "a", [], HUGE)
    yield "a question too long", lambda: desk.begin_turn(own, "owner", HUGE)


def ten_at_once(desk: Desk, store: Store) -> list[str]:
    battle, start = play(desk, "owner"), threading.Barrier(10)

    def cast() -> None:
        start.wait()
        with contextlib.suppress(ArenaError):
            desk.cast(battle, "owner", "answers", "a")

    threads = [threading.Thread(target=cast) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    votes = len(store.votes_of(battle))
    return [] if votes == 1 else [f"ten equal votes at once cast {votes}"]


def payloads(url: str) -> Outcome:
    """Every payload to every endpoint of a started app, sent raw: the app stays up and gives nothing away."""
    faults: list[str] = []
    with httpx.Client(base_url=url, timeout=10 * WAIT_SECONDS, trust_env=False) as http:
        config = http.get("/config").raise_for_status().json()
        endpoints = [d for d in config["dependencies"] if d.get("backend_fn", True)]
        calls = [(endpoint, payload) for payload in PAYLOADS for endpoint in endpoints]
        until = time.monotonic() + PAYLOAD_SECONDS

        def call(what: tuple[dict[str, Any], Any]) -> list[str] | None:
            endpoint, payload = what
            if time.monotonic() > until:
                return None
            where = f"endpoint {endpoint['id']} ({endpoint.get('api_name')}), payload {payload!r:.20}"
            try:
                complaints = send(http, config, endpoint["id"], [payload] * len(endpoint["inputs"]))
            except httpx.HTTPError as error:
                complaints = [f"no answer ({type(error).__name__})"]
            return [f"{where}: {fault}" for fault in complaints]

        with ThreadPoolExecutor(THREADS) as threads:
            answers = [answer for answer in threads.map(call, calls) if answer is not None]
        faults += itertools.chain.from_iterable(answers)
        begun = time.monotonic()
        http.get("/").raise_for_status()
        if time.monotonic() - begun > WAIT_SECONDS:
            faults.append("the page takes long to answer after it")
        if "content-security-policy" not in http.get("/").headers:
            faults.append("the page has no content security policy")
    return Outcome("payloads", f"{len(answers)} of {len(calls)} calls to {len(endpoints)} endpoints", faults)


def send(http: httpx.Client, config: dict[str, Any], fn_index: int, data: list[Any]) -> list[str]:
    """What is wrong with the answer to one call through the queue."""
    session = f"attack{random.getrandbits(40):x}"
    prefix = config.get("api_prefix", "/gradio_api")
    body = json.dumps({"data": data, "fn_index": fn_index, "session_hash": session})  # lone surrogates stay escaped
    joined = http.post(f"{prefix}/queue/join", content=body, headers={"content-type": "application/json"})
    if joined.status_code >= 500:
        return [f"status {joined.status_code}"]
    answer, until = joined.text, time.monotonic() + WAIT_SECONDS
    if joined.is_success:
        with (
            contextlib.suppress(httpx.TimeoutException),
            http.stream(
                "GET", f"{prefix}/queue/data", params={"session_hash": session}, timeout=WAIT_SECONDS
            ) as events,
        ):
            for line in events.iter_lines():
                answer += line
                if "process_completed" in line or "close_stream" in line or time.monotonic() > until:
                    break
    return [f"tells “{leak}”" for leak in LEAKS if leak in answer]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.attack", description=__doc__)
    parser.add_argument("--url", help="a started app on this machine, e.g. http://127.0.0.1:7860")
    parser.add_argument("--rounds", type=int, default=5, help="how often the voting clients are killed")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long they may vote at most")
    parser.add_argument("--voter", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.voter:
        vote_until_killed(Path(arguments.voter[0]), int(arguments.voter[1]))
        return 0
    if arguments.url and urlsplit(arguments.url).hostname not in LOOPBACK:
        parser.error("only an app on this machine is attacked: give an address such as http://127.0.0.1:7860")
    parts = [lambda: kill_rounds(arguments.rounds, arguments.seconds), forgeries]
    if arguments.url:
        parts.append(lambda: payloads(arguments.url))
    held = True
    for part in parts:
        try:
            outcome = part()
        except httpx.HTTPError as error:
            outcome = Outcome("payloads", arguments.url, [f"the app does not answer: {error}"])
        held = held and not outcome.faults
        print(f"{outcome.name}: {outcome.tried}: {'held' if not outcome.faults else 'DID NOT HOLD'}", flush=True)
        for fault in outcome.faults[:20]:
            print(f"  {fault}")
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
