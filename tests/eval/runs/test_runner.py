"""The runner with queued replies: nothing repeated, nothing lost, whatever happens to the server or the process."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from common.errors import ConfigError, DataError, ServerError
from eval.judging.judged import judgements
from eval.records import Problem
from eval.results.report import run_report
from eval.results.samples import Results, sides_of
from eval.runs.columns import fault_of
from eval.runs.grades import ungraded
from eval.runs.log import LOGS, DataInfo, RunConfig, RunInfo, RunLog, SideInfo, find_run, list_runs, sample_seed
from eval.runs.runner import DOWN_AFTER, Runner
from models.chat.client import Completer, Message
from models.chat.events import Reply
from models.chat.retry import RETRIES
from models.config.sampling import Sampling

PROBLEMS = [Problem(f"toy/{i}", f"What is {i} + {i}?", str(2 * i), "toy") for i in range(6)]


SAMPLE = {
    "run": "r1", "model": "m-base", "problem_id": PROBLEMS[0].id, "index": 0, "prompt": "?", "text": "4", "thought": "",
    "answer": "4", "thought_tokens": 0, "answer_tokens": 1, "finish_reason": "stop", "seed": 0, "seconds": 0.5,
    "started_at": "2026-01-01T00:00:00+00:00", "config_hash": "x", "error": "",
}  # fmt: skip
OF_A_SAMPLE = {"model": "m-base", "problem_id": PROBLEMS[0].id, "index": 0}
ROWS: dict[str, dict[str, Any]] = {
    "samples": SAMPLE,
    "grades": {**OF_A_SAMPLE, "outcome": "wrong", "rung": "boxed", "extracted": "4", "note": ""},
    "classes": {"model": "m-base", "problem_id": PROBLEMS[0].id, "indices": [0, 1], "classes": [0, None]},
    "forced": {**OF_A_SAMPLE, "budget": 8, "answer": "4", "thought_tokens": 8, "answer_tokens": 1, "outcome": "wrong",
               "cut": True},
    "flags": {**OF_A_SAMPLE, "outcome": "wrong", "note": "no", "flagged_at": "2026-01-01T00:00:00+00:00"},
    "golds": {"checked": 3, "faults": [{"problem_id": PROBLEMS[0].id, "reason": "odd"}]},
    "judgements": {"item": "1", "rubric": "safety", "judge": "j", "value": "safe", "reason": "", "invalid": "",
                   "prompts": ["?"], "raws": ["safe"], "flipped": False, "extra": {"role": "base"}},
}  # fmt: skip


def make_log(runs: Path, samples: int = 1, **config: object) -> RunLog:
    temperature = 0.6 if samples > 1 else 0.0
    chosen = RunConfig("p", ("toy",), samples=samples, temperature=temperature, concurrency=4, **config)  # type: ignore[arg-type]
    data = (DataInfo("toy", "Toy", "abc", "made here", "math", len(PROBLEMS), len(PROBLEMS)),)
    sides = {"base": SideInfo("m-base", "Base"), "distilled": SideInfo("m-long", "Distilled")}
    info = RunInfo("r1", "2026-01-01T00:00:00+00:00", chosen, data, sides, "{question}")
    return RunLog.create(runs, info, PROBLEMS)


class Fake:
    """Answers each prompt with `behave(prompt, sampling, how often this prompt was asked)`."""

    def __init__(self, behave: Callable[[str, Sampling, int], Reply | Exception], seconds: float = 0.0) -> None:
        self.behave, self.seconds = behave, seconds
        self.asked: Counter[tuple[str, int | None]] = Counter()
        self.running = self.most_running = 0

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Reply:
        key = (messages[0].content, sampling.seed)
        self.asked[key] += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.running -= 1
        result = self.behave(messages[0].content, sampling, self.asked[key])
        if isinstance(result, Exception):
            raise result
        return result

    def connect(self) -> Callable[[], Awaitable[Completer]]:
        async def way() -> Completer:
            return self

        return way


def right(prompt: str, sampling: Sampling, times: int) -> Reply:
    return Reply("thought", "\\boxed{1}", "raw", thought_tokens=5, answer_tokens=3, seconds=0.1)


def runner(log: RunLog, base: Fake, distilled: Fake, **options: object) -> Runner:
    return Runner(log, {"base": base.connect(), "distilled": distilled.connect()}, pause=0.001, **options)  # type: ignore[arg-type]


def keys(log: RunLog) -> list[tuple[str, str, int]]:
    return sorted((r["model"], r["problem_id"], r["index"]) for r in log.rows("samples"))


async def test_both_sides_get_the_same_prompts_and_seeds(tmp_path: Path) -> None:
    log, base, distilled = make_log(tmp_path, samples=2), Fake(right, 0.002), Fake(right, 0.002)
    heard = []
    run = runner(log, base, distilled, on_sample=heard.append)
    assert await run.run()
    assert base.asked == distilled.asked
    assert len(base.asked) == 12  # each (prompt, seed) once: the seeds of two samples differ
    assert len(keys(log)) == len(set(keys(log))) == len(heard) == 24
    assert base.most_running == 4
    progress = run.progress()["base"]
    assert (progress.done, progress.total, progress.failed, progress.output_tokens) == (12, 12, 0, 96)
    sample = log.samples()[0]
    assert sample.config_hash == log.info().config_hash
    assert sample.output_tokens == 8
    assert sample.prompt.startswith("What is")


async def test_resuming_draws_only_what_is_missing(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    await runner(log, Fake(right), Fake(right)).run()
    lines = log.path("samples").read_text().splitlines(keepends=True)
    log.path("samples").write_text("".join(lines[:5]) + lines[5][:40])  # a crash tore the sixth line
    with log.claim():
        base, distilled = Fake(right), Fake(right)
        assert await runner(log, base, distilled).run()
    assert base.asked.total() + distilled.asked.total() == 7
    assert len(keys(log)) == len(set(keys(log))) == 12


async def test_a_failing_request_is_retried_then_recorded(tmp_path: Path) -> None:
    def sick(prompt: str, sampling: Sampling, times: int) -> Reply | Exception:
        if "3 + 3" in prompt:
            return ServerError("prompt refused")
        if "2 + 2" in prompt and times < 3:
            return Reply(finish_reason="failed", error="busy")
        return right(prompt, sampling, times)

    log, base = make_log(tmp_path), Fake(sick)
    run = runner(log, base, Fake(right))
    assert await run.run()
    failed = [s for s in log.samples() if s.error]
    assert [(s.problem_id, s.finish_reason, s.error) for s in failed] == [("toy/3", "failed", "prompt refused")]
    assert max(base.asked.values()) == RETRIES + 1
    assert run.progress()["base"].failed == 1

    healthy = Fake(right)
    await runner(log, healthy, Fake(right)).run()
    assert not healthy.asked
    await runner(log, healthy, Fake(right), retry_failed=True).run()
    assert healthy.asked.total() == 1
    assert not [s for s in log.samples() if s.error]


async def test_a_dead_server_stops_its_side_only_and_loses_nothing(tmp_path: Path) -> None:
    log = make_log(tmp_path, samples=4)
    dead = Fake(lambda prompt, sampling, times: ServerError("connection refused"))
    run = runner(log, dead, Fake(right))
    assert not await run.run()
    assert run.progress()["distilled"].done == 24
    assert run.progress()["base"].done == 0
    assert "failures in a row: connection refused" in run.progress()["base"].message
    assert max(dead.asked.values()) == RETRIES + 1
    assert len(dead.asked) < DOWN_AFTER + 4
    assert {r["model"] for r in log.rows("samples")} == {"m-long"}
    assert await runner(log, Fake(right), Fake(right)).run()
    assert len(keys(log)) == 48


async def test_a_server_that_dies_during_the_last_samples_leaves_them_to_be_drawn_again(tmp_path: Path) -> None:
    log, dead = make_log(tmp_path), False

    def dying(prompt: str, sampling: Sampling, times: int) -> Reply | Exception:
        nonlocal dead
        dead = dead or "3 + 3" in prompt
        return ServerError("connection refused") if dead else right(prompt, sampling, times)

    run = runner(log, Fake(dying), Fake(right))
    assert not await run.run()
    assert run.progress()["base"].done < len(PROBLEMS) < DOWN_AFTER
    assert "no longer answers: connection refused" in run.progress()["base"].message
    assert not [s for s in log.samples() if s.error]
    assert await runner(log, Fake(right), Fake(right)).run()
    assert len(keys(log)) == len(set(keys(log))) == 12


async def test_stop_keeps_what_is_whole(tmp_path: Path) -> None:
    log = make_log(tmp_path, samples=8)
    run = runner(log, Fake(right, 0.02), Fake(right, 0.02))
    task = asyncio.create_task(run.run())
    await asyncio.sleep(0.1)
    await asyncio.to_thread(run.stop)
    assert not await asyncio.wait_for(task, 2)
    done = len(keys(log))
    assert 0 < done < 96
    assert run.progress()["base"].message == "stopped"
    assert await runner(log, Fake(right), Fake(right)).run()
    assert len(keys(log)) == len(set(keys(log))) == 96


async def test_a_full_disk_stops_with_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = make_log(tmp_path)

    def full(self: RunLog, name: str, rows: object) -> None:
        raise DataError("The disk is full.")

    monkeypatch.setattr(RunLog, "append", full)
    run = runner(log, Fake(right), Fake(right))
    assert not await run.run()
    assert run.progress()["base"].message == "The disk is full."


async def test_a_disk_that_is_full_at_the_very_end_stops_with_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last sample failed and its server answers again: the failure is recorded once the side is through."""
    log = make_log(tmp_path)

    def script(prompt: str, sampling: Sampling, times: int) -> Reply | Exception:
        return ServerError("too busy") if "3 + 3" in prompt else right(prompt, sampling, times)

    whole = RunLog.append

    def append(self: RunLog, name: str, rows: list[dict[str, object]]) -> None:
        if any(row.get("error") for row in rows):
            raise DataError("The disk is full: failed.")
        whole(self, name, rows)

    monkeypatch.setattr(RunLog, "append", append)
    run = runner(log, Fake(script), Fake(right))
    assert not await run.run()
    assert run.progress()["base"].message == "The disk is full: failed."


async def test_a_server_that_never_gets_ready_says_so(tmp_path: Path) -> None:
    async def never() -> Completer:
        raise ServerError("The base server did not start.")

    log = make_log(tmp_path)
    run = Runner(log, {"base": never, "distilled": Fake(right).connect()})
    assert not await run.run()
    assert run.progress()["base"].message == "The base server did not start."
    assert run.progress()["distilled"].done == 6


KILLED = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = [{root!r}, {here!r}]
from test_runner import Fake, right, runner, RunLog
log = RunLog.open(Path({runs!r}), "r1")
def tell(sample):
    print(sample.model, sample.problem_id, sample.index, flush=True)
async def main():
    with log.claim():
        await runner(log, Fake(right, 0.01), Fake(right, 0.01), on_sample=tell).run()
asyncio.run(main())
"""


def test_kill_9_and_resume(tmp_path: Path) -> None:
    log = make_log(tmp_path, samples=20)
    here = Path(__file__).resolve()
    code = KILLED.format(root=str(here.parents[2]), here=str(here.parent), runs=str(tmp_path))
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    heard = [child.stdout.readline() for _ in range(20)]
    with pytest.raises(DataError, match="another process"), log.claim():
        pass
    os.kill(child.pid, signal.SIGKILL)
    heard += child.stdout.readlines()
    child.wait(5)
    assert child.returncode == -signal.SIGKILL
    announced = {tuple(line.split()) for line in heard if line.count(" ") == 2 and line.endswith("\n")}
    with log.claim():
        kept = {(m, p, str(i)) for m, p, i in keys(log)}
        assert announced <= kept
        base, distilled = Fake(right), Fake(right)
        assert asyncio.run(runner(log, base, distilled).run())
    assert base.asked.total() + distilled.asked.total() == 240 - len(kept)
    assert len(keys(log)) == len(set(keys(log))) == 240


def test_the_loop_is_light(tmp_path: Path) -> None:
    """The runner's own work per sample is far below what a server needs: under 2 ms, i.e. 5 % of a 40 ms request."""
    log = make_log(tmp_path, samples=100)
    begin = time.process_time()
    asyncio.run(runner(log, Fake(right), Fake(right)).run())
    assert (time.process_time() - begin) / 1200 < 0.002


def test_seeds_differ_and_repeat() -> None:
    seeds = {sample_seed(s, p.id, i) for s in range(3) for p in PROBLEMS for i in range(4)}
    assert len(seeds) == 72
    assert all(0 <= s < 2**31 for s in seeds)
    assert sample_seed(1, "toy/1", 0) == sample_seed(1, "toy/1", 0)


def test_info_comes_back_as_written(tmp_path: Path) -> None:
    log = make_log(tmp_path, samples=2, problems=5)
    info = log.info()
    assert info.config.samples == 2
    assert info.sides["base"].title == "Base"
    assert json.loads((log.folder / "run.json").read_text())["config_hash"] == info.config_hash
    assert [i.id for i in list_runs(tmp_path)] == ["r1"]
    assert log.problems() == PROBLEMS


@pytest.mark.parametrize(
    "options",
    [
        {"samples": 4}, {"samples": 0}, {"max_tokens": 0}, {"concurrency": 0}, {"benchmarks": ()}, {"problems": 0},
        {"problems": -1}, {"temperature": -0.1}, {"top_p": 0.0}, {"top_p": 1.5},
        {"top_p": float("nan")},
    ],
)  # fmt: skip
def test_configurations_that_make_no_sense(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        RunConfig(**{"pair": "p", "benchmarks": ("toy",), **options})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change", [{"config": {"pair": "p", "benchmarks": ["toy"], "problems": 0}}, {"config": {}}, {"sides": []}]
)
def test_a_run_that_cannot_be_read_is_left_out_of_the_list(tmp_path: Path, change: dict[str, object]) -> None:
    log = make_log(tmp_path)
    path = log.folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(DataError, match="cannot be read"):
        log.info()
    assert list_runs(tmp_path) == []


@pytest.mark.parametrize("run_id", ["nothing", "../r1", ""])
def test_unknown_run(tmp_path: Path, run_id: str) -> None:
    make_log(tmp_path)
    with pytest.raises(DataError):
        RunLog.open(tmp_path, run_id)


def test_damage_in_the_middle_is_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    log, grade = make_log(tmp_path), json.dumps(ROWS["grades"])
    log.path("grades").write_text(f'{grade}\n{{"a": \n{grade}\n')
    assert list(log.rows("grades")) == [ROWS["grades"]] * 2
    (told,) = log.left_out()
    assert told.startswith("grades.jsonl: 1 unusable row is left out (line 2: it is not JSON")


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"thought": None}, "`thought` is missing"),
        ({"index": "zero"}, "`index` is not a whole number"),
        ({"index": "1"}, "`index` is not a whole number"),
        ({"index": True}, "`index` is not a whole number"),
        ({"index": 2**40}, "`index` is not a whole number"),
        ({"thought_tokens": 1.5}, "`thought_tokens` is not a whole number"),
        ({"text": {"a": 1}}, "`text` is not text"),
        ({"text": 5}, "`text` is not text"),
        ({"seconds": "fast"}, "`seconds` is not a number"),
        ({"error": []}, "`error` is not text"),
        ({"started_at": "yesterday"}, "`started_at` is not a time"),
        ([1, 2], "it is not an object"),
        (7, "it is not an object"),
        (None, "it is not an object"),
        ("[" * 5000, "not JSON that can be read"),
        ("1" * 5000, "not JSON that can be read"),
    ],
)
def test_a_row_with_wrong_fields_is_left_out_and_told(tmp_path: Path, change: Any, fault: str) -> None:
    log = make_log(tmp_path)
    good = [{**SAMPLE, "problem_id": p.id, "model": m} for p in PROBLEMS[:2] for m in ("m-base", "m-long")]
    bad = change if isinstance(change, str) else json.dumps({**SAMPLE, **change} if type(change) is dict else change)
    lines = [json.dumps(row) for row in good]
    log.path("samples").write_text("\n".join([*lines[:2], bad, *lines[2:]]) + "\n")
    assert len(log.samples()) == len(ungraded(log)) == 4
    (told,) = log.left_out()
    assert told.startswith("samples.jsonl:") and "line 3" in told and fault in told
    results = Results(tmp_path, ["r1"])
    assert sum(len(results.rows(side)) for side in sides_of(log.info())) == 4, "the page counts what the log counts"
    assert fault in run_report(tmp_path, "r1")


@pytest.mark.parametrize("name", ["grades", "classes", "forced", "flags", "golds", "judgements"])
def test_rows_of_every_file_are_checked(tmp_path: Path, name: str) -> None:
    log, row = make_log(tmp_path), ROWS[name]
    wrong = [{key: value for key, value in row.items() if key != left_out} for left_out in row]
    wrong = [each for each in wrong if fault_of(name, each)] + [{key: {"a": [None]} for key in row}, {}]
    log.append(name, [row, *wrong, row])
    assert list(log.rows(name)) == [row, row]
    assert len(wrong) > 2 and log.left_out()[0].startswith(f"{name}.jsonl: {len(wrong)} unusable rows are left out")
    Results(tmp_path, ["r1"])
    judgements(log)
    run_report(tmp_path, "r1")


def test_a_sample_of_a_problem_that_the_run_lacks_is_not_graded(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    log.append("samples", [{**SAMPLE, "problem_id": "other/1"}])
    assert log.samples() == ungraded(log) == []


CONTEXT = "The conversation is too long for this model (5000 input tokens): its context holds 4096 tokens."


@pytest.mark.parametrize("order", ["long first", "long last", "mixed"])
@pytest.mark.parametrize("retry_failed", [False, True])
async def test_prompts_that_are_too_long_are_recorded_once_and_end_no_run(
    tmp_path: Path, order: str, retry_failed: bool
) -> None:
    long = {f"What is {i} + {i}?" for i in range(12) if {"long first": i < 10, "long last": i > 1}.get(order, i % 6)}
    problems = [Problem(f"toy/{i}", f"What is {i} + {i}?", str(2 * i), "toy") for i in range(12)]
    first = make_log(tmp_path)
    log = RunLog.create(tmp_path, replace(first.info(), id="r2"), problems)

    def behave(prompt: str, sampling: Sampling, times: int) -> Reply:
        return (
            Reply(finish_reason="failed", error=CONTEXT, refusal="too_long")
            if prompt in long
            else right(prompt, sampling, times)
        )

    base, distilled = Fake(behave), Fake(behave)
    run = runner(log, base, distilled)
    assert await run.run() and run.complete
    assert run.progress()["base"].message == "finished" and run.progress()["base"].failed == 10
    assert set(base.asked.values()) == {1} and len(base.asked) == 12, "nothing is asked twice"
    assert Counter(s.finish_reason for s in log.samples()) == {"too_long": 20, "stop": 4}
    again = Fake(behave)
    assert await runner(log, again, again, retry_failed=retry_failed).run()
    assert not again.asked, "nor on resuming"


LIMIT = "The token limit is too high for this model: its context holds 4096 tokens. Lower the token limit."


@pytest.mark.parametrize("refused", [1, 7, 12])
async def test_a_token_limit_that_does_not_fit_here_leaves_its_answers_to_be_drawn_elsewhere(
    tmp_path: Path, refused: int
) -> None:
    """As in a run that is resumed on a server with a shorter context."""
    prompts = [f"What is {i} + {i}?" for i in range(12)]
    problems = [Problem(f"toy/{i}", prompt, str(2 * i), "toy") for i, prompt in enumerate(prompts)]
    log = RunLog.create(tmp_path, replace(make_log(tmp_path).info(), id="r2"), problems)

    def behave(prompt: str, sampling: Sampling, times: int) -> Reply:
        if prompt in prompts[:refused]:
            return Reply(finish_reason="failed", error=LIMIT, refusal="limit_too_high")
        return right(prompt, sampling, times)

    base, distilled = Fake(behave), Fake(right)
    run = runner(log, base, distilled)
    assert not await run.run() and not run.complete
    assert run.progress()["base"].message == f"some answers cannot be drawn here: {LIMIT}"
    assert run.progress()["distilled"].message == "finished"
    assert set(base.asked.values()) == {1} and len(base.asked) <= max(12, refused)
    assert len(log.samples()) == 24 - refused and not any(s.error for s in log.samples())
    longer = Fake(right)
    assert await runner(log, longer, Fake(right)).run()
    assert len(longer.asked) == refused


def test_a_line_that_a_crash_cut_short_costs_no_other_line(tmp_path: Path) -> None:
    log = make_log(tmp_path)
    for name in (*LOGS, "judgements"):
        rows = [{**ROWS[name], "n": n} for n in (1, 3, 4)]
        log.append(name, rows[:1])
        with log.path(name).open("a", encoding="utf-8") as file:
            file.write('{"n": 2, "text": "cut')
        assert list(log.rows(name)) == rows[:1]
        log.append(name, rows[1:])
        assert list(log.rows(name)) == rows
    assert log.left_out() == []


@pytest.mark.parametrize("run_id", ["x" * 300, "nul\0", "..", "a/b", ""])
def test_a_run_id_that_is_none_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run_id: str) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    for find in (find_run, lambda name: RunLog.open(tmp_path, name)):
        with pytest.raises(DataError, match="There is no run") as error:
            find(run_id)
        assert len(str(error.value)) < 400
