"""Planning, jobs, forced answers, imports and reports, with fake servers and the real grader."""

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from commands.arena import main
from common.errors import ConfigError, DataError, ServerError
from eval.grading.grader import Grader
from eval.imports.imported import import_outputs
from eval.imports.outputs import Fields, read_outputs
from eval.problems.benchmark import Benchmark, content_hash
from eval.problems.open_ended import plain_set
from eval.problems.prompts import PROMPTINGS, TALK, Prompting
from eval.records import Problem
from eval.results.comparison import build_comparison, headline
from eval.results.report import command, data_lines, differences, run_report
from eval.results.samples import Results, Side, sides_of
from eval.runs.cost import cost, throughput, throughputs
from eval.runs.grades import grade_run, ungraded
from eval.runs.jobs import Jobs
from eval.runs.log import ROLES, Role, RunConfig, RunLog, find_run, list_runs
from eval.runs.open_ended import configure, load_set, start_run
from eval.runs.plan import check_resumable, chosen_problems, find_or_prepare, load_benchmarks, prepare
from eval.runs.run_job import RunJob, complete_run, served_names
from eval.runs.runner import DOWN_AFTER
from eval.thoughts.forced import ForcedJob, force_answers, pending
from models.chat.client import Endpoint, Message
from models.chat.events import Reply
from models.chat.retry import RETRIES
from models.config.machine import Processor
from models.config.plan import make_plan, precision
from models.config.registry import load_config
from models.config.sampling import Sampling
from models.config.thought_format import ThoughtFormat

PROBLEMS = tuple(Problem(f"toy/{i}", f"What is {i} + {i}?", str(2 * i), "toy", "sums", "1") for i in range(8))
TOY = Benchmark("toy", PROBLEMS, "abc", "made here", "math", "Toy")
HASHES: dict[Role, str] = {"base": "w1", "distilled": "w2"}


def pair() -> Any:
    return load_config().pairs["smol-135m"]


class FakeClient:
    """Base answers 1, distilled thinks and answers what is asked for, slowly if told to."""

    def __init__(self, endpoint: Endpoint, thought: Any, kwargs: Any, system: Any, **_: Any) -> None:
        self.endpoint, self.thought = endpoint, thought
        self.distilled = "distilled" in endpoint.model

    async def complete(self, messages: Any, sampling: Any, *, resume: Any = None) -> Any:
        await asyncio.sleep(self.endpoint.url.count("slow") * 0.05)
        number = re.findall(r"What is (\d+)", messages[0].content)[0]
        value = 2 * int(number) if self.distilled else 2
        answer = f"It is \\boxed{{{value}}}."
        if resume is not None:
            return Reply("I was cut", answer, "…", thought_tokens=resume.reply.thought_tokens, answer_tokens=4)
        if not self.distilled:
            return Reply("", answer, answer, answer_tokens=6, seconds=0.01)
        raw = f"<think>\nSome thought.\n</think>\n\n{answer}"
        return Reply("Some thought.", answer, raw, thought_tokens=100, answer_tokens=6, seconds=0.02)

    async def thought_at(self, reply: Any, tokens: int) -> Any:
        from models.chat.resume import cut_thought

        return cut_thought(reply, self.thought, "<think>\nSome", tokens)

    async def aclose(self) -> None: ...


def served(speed: str = "", weights: dict[Role, str] = HASHES) -> Any:
    async def wait_ready(role: Role, timeout: float | None = None) -> Endpoint:  # noqa: ASYNC109
        return Endpoint(f"http://{speed}/v1", f"m-{role}")

    profile = load_config().profiles["cpu"]
    return SimpleNamespace(pair=pair(), profile=profile, wait_ready=wait_ready, weight_hash=lambda role: weights[role],
                           software=lambda: {"vllm": "0.1"})  # fmt: skip


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    """One real grader for all tests here: its workers take seconds to start."""
    with Grader(workers=1) as shared:
        yield shared


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch, grader: Grader) -> None:
    monkeypatch.setattr("models.serving.clients.ModelClient", FakeClient)
    for module in ("eval.runs.run_job", "eval.thoughts.forced"):
        monkeypatch.setattr(f"{module}.Grader", lambda workers: nullcontext(grader))
    monkeypatch.setattr("eval.grading.grader.Grader", lambda **_: nullcontext(grader))


def begin(runs: Path, **options: Any) -> RunLog:
    return prepare(runs, RunConfig("smol-135m", ("toy",), **options), pair(), HASHES, [TOY])


def test_a_grader_that_breaks_down_is_told_and_the_samples_are_graded_later(
    tmp_path: Path, grader: Grader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: Any) -> None:
        raise RuntimeError("no more processes")

    monkeypatch.setattr("eval.runs.grades.grade_samples", breaks)
    log = begin(tmp_path)
    progress = RunJob(log, served()).run()
    assert "Grading broke off (RuntimeError)" in progress.message
    assert len(ungraded(log)) == 16


def test_a_sitting_draws_grades_and_reports(tmp_path: Path, grader: Grader) -> None:
    log = begin(tmp_path)
    job = RunJob(log, served())
    progress = job.run()
    assert (progress.phase, progress.message) == ("finished", "")
    assert not ungraded(log)
    text = run_report(tmp_path, log.folder.name)
    assert "**Distilled solves 8 of 8, base 1 of 8: +87.5 points, 95 % interval [" in text
    assert text.index("+87.5") < text.index("| model |")
    assert "arena run --pair smol-135m --benchmark toy --samples 1" in text
    assert "weights w2" in text
    assert "Incomplete" not in text
    before = log.path("samples").read_bytes()
    assert grade_run(log, grader, anew=True) == 16
    assert log.path("samples").read_bytes() == before
    assert throughputs(tmp_path, pair())["distilled"].tokens_per_sample == 106  # type: ignore[union-attr]


def test_what_made_the_grader_fail_is_graded_again(tmp_path: Path, grader: Grader) -> None:
    log = begin(tmp_path)
    RunJob(log, served()).run()
    failed = {**next(log.rows("grades")), "outcome": "grader_failed"}
    log.append("grades", [failed])
    assert [s.problem_id for s in ungraded(log)] == [failed["problem_id"]]
    assert grade_run(log, grader) == 1
    assert not ungraded(log)


def test_several_samples_get_classes(tmp_path: Path) -> None:
    log = begin(tmp_path, samples=2, temperature=0.5)
    assert RunJob(log, served()).run().phase == "finished"
    assert len(list(log.rows("classes"))) == 16
    assert "maj@2" in run_report(tmp_path, log.folder.name)


def test_a_sitting_in_the_background_stops_and_another_resumes(tmp_path: Path) -> None:
    log, jobs = begin(tmp_path, samples=4, temperature=0.5, concurrency=1), Jobs()
    jobs.start(RunJob(log, served("slow")))
    with pytest.raises(ServerError, match="is still running"):
        jobs.start(RunJob(log, served()))
    wait_for(lambda: len(log.samples()) > 3)
    jobs.stop()
    wait_for(lambda: jobs.current is not None and jobs.current.over)
    assert jobs.current is not None
    assert jobs.current.progress().phase == "stopped"
    assert len(log.samples()) < 64
    assert re.search(r"Incomplete: \d+ of 32 answers of the base", run_report(tmp_path, log.folder.name))
    jobs.start(RunJob(log, served()))
    wait_for(lambda: jobs.current is not None and jobs.current.over)
    assert jobs.current.progress().phase == "finished"
    assert len(list(log.rows("samples"))) == len(log.samples()) == 64


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)


def test_changed_weights_never_mix_into_a_run(tmp_path: Path) -> None:
    log = begin(tmp_path)
    progress = RunJob(log, served(weights={"base": "w1", "distilled": "other"})).run()
    assert progress.phase == "failed"
    assert "has changed: weights" in progress.message
    assert not log.samples()
    with pytest.raises(ConfigError, match="is loaded"):
        check_resumable(log.info(), load_config().pairs["qwen-math-7b-r1"], HASHES)


def test_a_run_asks_by_the_rule_it_was_begun_with_even_when_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(PROMPTINGS, "polite", Prompting("Please: {question}"))  # type: ignore[arg-type]
        log = begin(tmp_path, prompting="polite")
    other = begin(tmp_path)
    assert log.info().config_hash != other.info().config_hash
    RunJob(log, served()).run()
    log.path("samples").write_text("".join(log.path("samples").read_text().splitlines(keepends=True)[:3]))
    assert RunJob(log, served()).run().phase == "finished"
    assert {s.prompt for s in log.samples()} == {f"Please: {p.question}" for p in PROBLEMS}
    imported = replace(log.info(), prompt="not known", origin="imported from a.jsonl")
    with pytest.raises(ConfigError, match=r"imported from a\.jsonl"):
        check_resumable(imported, pair(), HASHES)


async def test_a_later_turn_is_asked_after_its_conversation_wherever_it_is_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[list[Message]] = []

    class Listening(FakeClient):
        async def complete(self, messages: Any, sampling: Any, *, resume: Any = None) -> Any:
            sent.append(list(messages))
            return await super().complete(messages[-1:], sampling, resume=resume)

    monkeypatch.setattr("models.serving.clients.ModelClient", Listening)
    log = begin(tmp_path, prompting="later")
    assert await asyncio.to_thread(RunJob(log, served()).run)
    assert await force_answers(log, served(), [20]) == len(PROBLEMS)
    assert {tuple(turns[:-1]) for turns in sent} == {TALK} and len(sent) == 3 * len(PROBLEMS)
    assert {turns[-1].content for turns in sent} == {p.question for p in PROBLEMS}
    assert log.info().history == TALK and log.info().prompt == "{question}"
    assert log.info().config_hash != begin(tmp_path, prompting="bare").info().config_hash
    assert "--prompting later" in run_report(tmp_path, log.folder.name)


def test_an_unknown_prompting_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no prompting “rude”"):
        begin(tmp_path, prompting="rude")
    assert not list(tmp_path.iterdir())


def test_one_side_alone_is_a_run_and_the_same_measurement_is_found_again(tmp_path: Path) -> None:
    config = RunConfig("smol-135m", ("toy",))
    log = find_or_prepare(tmp_path, config, pair(), {"distilled": "w2"}, [TOY])
    complete_run(log, served())
    assert {sample.model for sample in log.samples()} == {"smol-135m-distilled"} and not ungraded(log)
    again = find_or_prepare(tmp_path, config, pair(), {"distilled": "w2"}, [TOY])
    assert again == log
    for changed in ({"distilled": "w3"}, HASHES):
        assert find_or_prepare(tmp_path, config, pair(), changed, [TOY]) != log  # type: ignore[arg-type]
    assert find_or_prepare(tmp_path, replace(config, prompting="bare"), pair(), {"distilled": "w2"}, [TOY]) != log
    text = run_report(tmp_path, log.folder.name)
    assert "8 of 8" in text or "100.0%" in text


def test_a_measurement_that_is_not_complete_says_why_and_is_completed_by_another_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(FakeClient):
        async def complete(self, messages: Any, sampling: Any, *, resume: Any = None) -> Any:
            if "What is 7" in messages[-1].content:
                return Reply(finish_reason="failed", error="the server fell over")
            if "What is" not in messages[-1].content:
                return Reply(answer="Yes?")  # still there, so that the request was at fault
            return await super().complete(messages, sampling, resume=resume)

    monkeypatch.setattr("eval.runs.runner.PAUSE_SECONDS", 0)
    monkeypatch.setattr("models.chat.retry.random.uniform", lambda *_: 0.0)
    log = begin(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("models.serving.clients.ModelClient", Broken)
        with pytest.raises(ServerError, match="2 requests"):
            complete_run(log, served())
    complete_run(log, served())
    assert len(log.samples()) == 16 and not any(s.error for s in log.samples())


def test_plain_prompts_are_a_set_that_is_asked_and_not_graded(tmp_path: Path) -> None:
    chat = plain_set("chat", "Plain chat", {"sums": ["What is 1 + 1?", "What is 2 + 2?"], "more": ["What is 3 + 3?"]})
    config = RunConfig("smol-135m", ("chat",), prompting="bare")
    log = prepare(tmp_path, config, pair(), HASHES, [chat])
    complete_run(log, served())
    assert {(p.question, p.subject) for p in log.problems()} == {
        ("What is 1 + 1?", "sums"), ("What is 2 + 2?", "sums"), ("What is 3 + 3?", "more")
    }  # fmt: skip
    assert len(log.samples()) == 6 and not log.path("grades").read_bytes()


def served_otherwise(**change: Any) -> Any:
    """The pair with another distilled model: asked in another way, not of other weights."""
    other = served()
    distilled = pair().distilled.model_copy(update=change)
    other.pair = pair().model_copy(update={"distilled": distilled})
    return other


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"system_prompt": "Be brief."}, "system prompt"),
        ({"chat_template_kwargs": {"enable_thinking": False}}, "settings of the chat template"),
        ({"thought": ThoughtFormat("none")}, "how a thought is marked"),
    ],
)
def test_a_run_never_mixes_two_ways_of_asking(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    log = begin(tmp_path)
    progress = RunJob(log, served_otherwise(**change)).run()
    assert progress.phase == "failed"
    assert f"has changed: {words}." in progress.message
    assert not log.samples()


def test_a_run_never_mixes_two_precisions(tmp_path: Path) -> None:
    profiles = load_config().profiles
    fp8 = next(profile for profile in profiles.values() if profile.kv_cache == "fp8")
    log = prepare(tmp_path, RunConfig("smol-135m", ("toy",)), pair(), HASHES, [TOY], fp8)
    info = log.info()
    assert (info.profile, info.sides["base"].precision) == (fp8.key, "auto, fp8 per channel, KV cache fp8")
    assert "computed in auto, fp8 per channel" in run_report(tmp_path, info.id)
    with pytest.raises(ConfigError, match=f"started on profile {fp8.key}, .* has changed: precision"):
        check_resumable(info, pair(), HASHES, profiles["cpu"])
    check_resumable(info, pair(), HASHES, fp8)


def remote(name: str) -> Any:
    """Models at addresses, whose weights nobody sees here; `name`: what the server calls the distilled one."""
    away = served(weights={"base": "", "distilled": ""})
    away.endpoint = lambda role: Endpoint("http://elsewhere/v1", name if role == "distilled" else "small-base")
    return away


def test_a_run_at_addresses_says_which_model_answered_and_never_mixes_two(tmp_path: Path) -> None:
    away = remote("org/long-7b")
    names, hashes = served_names(away, ROLES), {role: away.weight_hash(role) for role in ROLES}
    assert names == {"base": "small-base", "distilled": "org/long-7b"}
    log = prepare(tmp_path, RunConfig("smol-135m", ("toy",)), pair(), hashes, [TOY], None, None, names)
    assert {role: side.served for role, side in log.info().sides.items()} == names
    progress = RunJob(log, remote("org/long-72b")).run()
    assert progress.phase == "failed" and "has changed: model at its server." in progress.message
    with pytest.raises(ConfigError, match="model at its server"):
        asyncio.run(force_answers(log, remote("org/long-72b"), [40]))
    assert RunJob(log, away).run().phase == "finished"
    assert "(smol-135m-distilled), weights not known, org/long-7b at its server |" in run_report(
        tmp_path, log.folder.name
    )


def test_a_run_from_before_names_were_kept_keeps_its_hash_and_goes_on(tmp_path: Path) -> None:
    """And one whose weights are known needs no name."""
    assert served_names(served(), ROLES) == {}
    log = prepare(tmp_path, RunConfig("smol-135m", ("toy",)), pair(), dict.fromkeys(ROLES, ""), [TOY])
    path = log.folder / "run.json"
    raw = json.loads(path.read_text())
    assert all(side.pop("served") == "" for side in raw["sides"].values()) and raw.pop("extends") == ""
    path.write_text(json.dumps(raw))
    assert log.info().config_hash == raw["config_hash"]
    assert RunJob(log, remote("org/long-7b")).run().phase == "finished"


@pytest.mark.parametrize("own", [0, 900])
def test_a_run_is_not_resumed_where_its_answers_do_not_fit(tmp_path: Path, own: int) -> None:
    """`own`: the limit of a side whose context was too short for the run's when it began."""
    log = begin(tmp_path)
    info = log.info()
    sides = {role: replace(side, max_tokens=own) for role, side in info.sides.items()}
    info = replace(info, sides=sides, profile="h200")
    for context, fits in ((512 + (own or 1024), True), (511 + (own or 1024), False)):
        models = {role: pair().model(role).model_copy(update={"context_length": context}) for role in info.sides}
        short = pair().model_copy(update=models)
        if fits:
            check_resumable(info, short, HASHES)
            continue
        with pytest.raises(ConfigError, match=r"may write .* on profile h200, or start a new run"):
            check_resumable(info, short, HASHES)


@pytest.mark.parametrize(
    ("processor", "told"),
    [
        (Processor((0, 1), bf16=True), "bfloat16"),
        (Processor((0, 1), bf16=False), "float32, fp16 weights"),
        (Processor((0, 1), bf16=False, x86=False), "float32"),
    ],
)
def test_precision_is_what_the_engine_is_told(processor: Processor, told: str) -> None:
    config, base = load_config(), pair().base
    profiles = config.profiles
    assert precision(base, profiles["cpu"], processor) == told
    assert precision(base, profiles["remote"]) == ""
    dtype, *weights = told.split(", ")
    for engine in make_plan(config, pair(), profiles["cpu"], processor=processor).engines:
        assert engine.options[engine.options.index("--dtype") + 1] == dtype
        assert ("fp16_weights" in engine.options) is bool(weights)


def test_a_run_that_knows_no_precision_keeps_its_hash_and_goes_on(tmp_path: Path) -> None:
    """As those begun before it was written down."""
    log = begin(tmp_path)
    path = log.folder / "run.json"
    raw = json.loads(path.read_text())
    raw.pop("profile")
    for side in raw["sides"].values():
        side.pop("precision")
    path.write_text(json.dumps(raw))
    assert log.info().config_hash == raw["config_hash"]
    assert RunJob(log, served()).run().phase == "finished"


def test_answers_that_wait_for_a_judge_are_drawn_and_not_graded(tmp_path: Path) -> None:
    judged = replace(TOY, rule="judged")
    log = prepare(tmp_path, RunConfig("smol-135m", ("toy",), prompting="bare"), pair(), HASHES, [judged])
    assert RunJob(log, served()).run().phase == "finished"
    assert len(log.samples()) == 2 * len(PROBLEMS)
    assert not list(log.rows("grades"))
    assert not list(log.rows("golds"))


def test_a_budget_beyond_the_context_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="max_tokens"):
        begin(tmp_path, max_tokens=10_000_000)
    config = RunConfig("smol-135m", ("toy",), max_tokens=8000)
    with pytest.raises(ConfigError, match="7680 or less"):
        prepare(tmp_path, config, pair(), HASHES, [TOY], load_config().profiles["cpu"])
    assert not list(tmp_path.iterdir())


def test_two_sets_of_one_name_are_refused(tmp_path: Path) -> None:
    files = [tmp_path / folder / "test.jsonl" for folder in "ab"]
    for file in files:
        file.parent.mkdir()
        write(file, [{"problem": f"In {file.parent.name}?", "answer": "1"}])
    assert [found.name for found in load_benchmarks([str(files[0]), "same_kind"])] == ["test", "same_kind"]
    for names in ([str(file) for file in files], ["same_kind"] * 2):
        with pytest.raises(ConfigError, match="rename one"):
            load_benchmarks(names)


def test_problems_are_drawn_with_the_seed() -> None:
    first = chosen_problems(TOY, 3, 1)
    assert first == chosen_problems(TOY, 3, 1)
    assert len(first) == 3
    assert first == sorted(first, key=lambda p: p.id)
    assert any(chosen_problems(TOY, 3, seed) != first for seed in range(5))
    assert chosen_problems(TOY, None, 1) == chosen_problems(TOY, 99, 1) == list(PROBLEMS)


def test_cost_is_unknown_before_and_measured_after(tmp_path: Path) -> None:
    config = RunConfig("smol-135m", ("toy",), max_tokens=1000)
    blank = cost(config, [8], {"base": None, "distilled": None})
    assert (blank.requests, blank.most_tokens, blank.expected_tokens, blank.seconds) == (16, 16_000, None, None)
    assert "unknown" in blank.sentence
    log = begin(tmp_path)
    RunJob(log, served()).run()
    known = cost(config, [8], throughputs(tmp_path, pair()))
    assert known.expected_tokens == 8 * (6 + 106)
    assert known.seconds is not None
    assert "points or more" in known.power_sentence
    assert "Too few problems" in cost(config, [5], {}).power_sentence
    assert throughput([]) is None


def test_imported_runs_say_nothing_of_the_pace_here(tmp_path: Path) -> None:
    row = {"problem": "q", "gold": "1", "output": "1", "model": pair().base.key, "started_at": "yesterday at noon"}
    import_outputs(tmp_path, write(tmp_path / "a.jsonl", [row]), role="base", title="t")
    assert throughputs(tmp_path, pair()) == {"base": None, "distilled": None}


def test_forced_answers_are_made_once_and_only_where_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def cut_off(client: Any, messages: Any, sampling: Any, *, resume: Any) -> Reply:
        number = re.findall(r"What is (\d+)", messages[0].content)[0]
        said = f"The answer is {2 * int(number)}"
        return Reply("I was cut", said, "…", thought_tokens=30, answer_tokens=4, finish_reason="length")

    log = begin(tmp_path)
    RunJob(log, served()).run()
    assert asyncio.run(force_answers(log, served(), [40, 200])) == 16  # distilled only: the base has no thought
    rows = list(log.rows("forced"))
    assert {(r["budget"], r["cut"], r["thought_tokens"]) for r in rows} == {(40, True, 40), (200, False, 100)}
    assert {r["outcome"] for r in rows} == {"correct"}
    assert not pending(log, [40, 200])
    assert len(pending(log, [50])) == 8
    monkeypatch.setattr("tests.eval.runs.test_run_job.FakeClient.complete", cut_off)
    asyncio.run(force_answers(log, served(), [30]))
    outcomes = {row["budget"]: row["outcome"] for row in log.rows("forced")}
    assert outcomes[30] == "no_answer", "an answer that its own limit cut off is not stated"
    with pytest.raises(ConfigError):
        asyncio.run(force_answers(log, served(), [0]))


@pytest.mark.parametrize(("failures", "made"), [(3, 8), (4, 7), (1000, 7)])
def test_a_forced_answer_that_fails_is_tried_again_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failures: int, made: int
) -> None:
    """One that never succeeds is left out and told of, and the others are made."""
    log = begin(tmp_path)
    RunJob(log, served()).run()
    asked: list[str] = []
    answer = FakeClient.complete

    async def sick(self: FakeClient, messages: Any, sampling: Any, *, resume: Any = None) -> Any:
        if "3 + 3" in messages[0].content:
            asked.append(messages[0].content)
            if len(asked) <= failures:
                return Reply(finish_reason="failed", error="prompt refused")
        return await answer(self, messages, sampling, resume=resume)

    monkeypatch.setattr(FakeClient, "complete", sick)
    making = force_answers(log, served(), [40], pause=0.001)
    if made == 8:
        assert asyncio.run(making) == 8
    else:
        with pytest.raises(ServerError, match="1 of 8 forced answers were not made: prompt refused"):
            asyncio.run(making)
    assert len(asked) == RETRIES + 1
    assert len(list(log.rows("forced"))) == made
    assert len(pending(log, [40])) == 8 - made


def test_forced_answers_stop_when_the_server_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = replace(TOY, problems=tuple(replace(PROBLEMS[0], id=f"toy/{i}") for i in range(30)))
    log = prepare(tmp_path, RunConfig("smol-135m", ("toy",), concurrency=2), pair(), HASHES, [many])
    RunJob(log, served()).run()
    asked: list[int] = []

    async def dead(self: FakeClient, messages: Any, sampling: Any, *, resume: Any = None) -> Any:
        asked.append(1)
        return Reply(finish_reason="failed", error="connection refused")

    monkeypatch.setattr(FakeClient, "complete", dead)
    with pytest.raises(ServerError, match="30 of 30 forced answers were not made: connection refused"):
        asyncio.run(force_answers(log, served(), [40], pause=0))
    assert len(asked) <= (DOWN_AFTER + 1) * (RETRIES + 1)


def test_failures_that_are_not_in_a_row_do_not_stop_forced_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = replace(TOY, problems=tuple(replace(PROBLEMS[i % 8], id=f"toy/{i}") for i in range(30)))
    log = prepare(tmp_path, RunConfig("smol-135m", ("toy",), concurrency=1), pair(), HASHES, [many])
    RunJob(log, served()).run()
    answer = FakeClient.complete

    async def odd(self: FakeClient, messages: Any, sampling: Any, *, resume: Any = None) -> Any:
        if re.search(r"is [1357] ", messages[0].content):
            return Reply(finish_reason="failed", error="prompt refused")
        return await answer(self, messages, sampling, resume=resume)

    monkeypatch.setattr(FakeClient, "complete", odd)
    with pytest.raises(ServerError, match="15 of 30 forced answers were not made: prompt refused"):
        asyncio.run(force_answers(log, served(), [40], pause=0))


def test_forced_answers_never_come_from_other_weights(tmp_path: Path) -> None:
    log = begin(tmp_path)
    RunJob(log, served()).run()
    job = ForcedJob(log, served(weights={"base": "w1", "distilled": "other"}), [40])
    assert job.run().phase == "failed"
    assert "has changed: weights" in job.progress().message
    assert not list(log.rows("forced"))


def test_a_gold_that_fails_against_itself_is_listed_with_the_run(tmp_path: Path) -> None:
    broken = (*PROBLEMS, Problem("toy/broken", "What is 9 + 9?", r"rac{1}{2", "toy"))
    log = prepare(tmp_path, RunConfig("smol-135m", ("toy",)), pair(), HASHES, [replace(TOY, problems=broken)])
    assert RunJob(log, served()).run().message == "1 gold answers are not graded equal to themselves: toy/broken."
    assert "| gold answers not graded equal to themselves | toy/broken |" in run_report(tmp_path, log.folder.name)


def test_forced_answers_in_the_background(tmp_path: Path) -> None:
    log, jobs = begin(tmp_path), Jobs()
    RunJob(log, served()).run()
    jobs.start(ForcedJob(log, served("slow"), [40]))
    wait_for(lambda: jobs.current is not None and jobs.current.over)
    assert jobs.current is not None
    assert jobs.current.progress().phase == "finished"
    assert jobs.current.progress().message == "8 forced answers made."
    stopped = ForcedJob(log, served("slow" * 40), [50])
    jobs.start(stopped)
    jobs.stop()
    wait_for(lambda: stopped.over)
    assert stopped.progress().phase == "stopped"
    assert len(list(log.rows("forced"))) == 8


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_outputs_made_elsewhere_pair_with_a_run(tmp_path: Path, grader: Grader) -> None:
    log = begin(tmp_path)
    RunJob(log, served()).run()
    rows = [{"question": f" {p.question}\n", "outputs": [f"<think>x</think>\\boxed{{{p.gold}}}"]} for p in PROBLEMS]
    made = import_outputs(
        tmp_path, write(tmp_path / "a.jsonl", rows), role="distilled", title="Other", benchmark=TOY
    ).log
    grade_run(made, grader)
    results = Results(tmp_path, [log.folder.name, made.folder.name])
    base, other = sides_of(log.info())[0], Side(made.folder.name, "Other")
    comparison = build_comparison(results.rows(base), results.rows(other), ("Base", "Other"))
    assert comparison.paired is not None
    assert comparison.paired.problems == 8
    assert made.samples()[0].thought == "x"
    assert "Distilled solves 8 of 8" in headline(comparison)
    assert "imported from a.jsonl" in run_report(tmp_path, made.folder.name)


def test_a_file_is_imported_by_the_fields_it_is_graded_by(tmp_path: Path) -> None:
    """A harness that keeps the set's own answer beside a cleaned-up one, in a file as Windows writes it."""
    rows: list[dict[str, Any]] = [
        {"question": "q", "gt": "10", "answer": "10,\\!080", "code": ["\\boxed{10080}"], "pred": ["10080"]},
        {"question": "r", "gt": "27", "answer": 27.0, "code": ["\\boxed{27}"], "pred": ["27"]},
    ]
    path = write(tmp_path / "a.jsonl", rows)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    made = import_outputs(tmp_path, path, role="base", title="t").log
    rows_read = read_outputs(path)
    assert [p.gold for p in made.problems()] == [row.gold for row in rows_read] == ["10,\\!080", "27"]
    assert [s.text for s in made.samples()] == [output.text for row in rows_read for output in row.outputs]
    assert made.info().data[0].sha256 == content_hash(made.problems())


@pytest.mark.parametrize(("role", "side"), [("base", "base"), ("student", "distilled"), (None, "distilled")])
def test_a_file_says_whose_its_outputs_are_or_the_person_who_brings_it(
    tmp_path: Path, role: str | None, side: str
) -> None:
    row = {"problem": "q", "gold": "1", "output": "x", "model": "m", "role": role}
    made = import_outputs(tmp_path, write(tmp_path / "a.jsonl", [row]), role="distilled", title="t").log
    assert list(made.info().sides) == [side]


def test_what_cut_an_imported_answer_off_is_known_by_many_names(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"problem": "q", "gold": "1", "output": "\\boxed{1}"},
        {"problem": "r", "gold": "1", "outputs": ["<think>\\boxed{1}", "\\boxed{1}", "so"], "tokens": [7, 3, 9],
         "finish_reason": ["MAX_TOKENS", "stop", "length"]},
    ]  # fmt: skip
    samples = import_outputs(tmp_path, write(tmp_path / "a.jsonl", rows), role="base", title="t").log.samples()
    assert [s.finish_reason for s in samples] == ["", "length", "stop", "length"]
    assert [s.output_tokens for s in samples] == [0, 7, 3, 9]
    assert (samples[1].thought, samples[1].answer) == ("\\boxed{1}", "")


@pytest.mark.parametrize(
    ("row", "fields", "answers"),
    [
        ({"output": ""}, Fields(), [""]),
        ({"output": None}, Fields(), [""]),
        ({"outputs": ["\\boxed{1}", None, ""]}, Fields(), ["\\boxed{1}", "", ""]),
        ({"reply": None, "output": "x"}, Fields(output="reply"), [""]),
        ({"output": "", "text": "x"}, Fields(), ["x"]),
    ],
)
def test_an_empty_output_is_one_that_says_nothing(
    tmp_path: Path, row: dict[str, Any], fields: Fields, answers: list[str]
) -> None:
    path = write(tmp_path / "a.jsonl", [{"problem": "q", "gold": "1", **row}])
    samples = import_outputs(tmp_path, path, role="base", title="t", fields=fields).log.samples()
    assert [sample.answer for sample in samples] == answers


def test_an_export_comes_back_whole(tmp_path: Path, grader: Grader) -> None:
    log = begin(tmp_path)
    RunJob(log, served()).run()
    results = Results(tmp_path, [log.folder.name])
    path = results.export(sides_of(log.info()), tmp_path / "out.json", "json")
    made = import_outputs(tmp_path, path, role="base", title="", benchmark=None).log
    grade_run(made, grader)
    again = Results(tmp_path, [made.folder.name])
    for side in sides_of(log.info()):
        ours = [(r.problem_id, r.outcome, r.output_tokens) for r in results.rows(side)]
        theirs = [(r.problem_id, r.outcome, r.output_tokens) for r in again.rows(Side(made.folder.name, side.model))]
        assert ours == theirs


def test_problems_of_one_id_in_several_sets_keep_their_own_golds(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"problem_id": "1", "benchmark": "aime", "problem": "q", "gold": "1", "output": "x"},
        {"problem_id": "1", "benchmark": "math", "problem": "r", "gold": "2", "output": "y"},
        {"benchmark": "math", "problem": "q", "gold": "3", "output": "z"},
    ]
    made = import_outputs(tmp_path, write(tmp_path / "a.jsonl", rows), role="base", title="t").log
    assert [(p.benchmark, p.question, p.gold) for p in made.problems()] == [
        ("aime", "q", "1"), ("math", "r", "2"), ("math", "q", "3")
    ]  # fmt: skip
    assert [s.problem_id for s in made.samples()] == [p.id for p in made.problems()]


@pytest.mark.parametrize("other", [{"problem_id": "7", "problem": "r", "gold": "1"}, {"problem_id": "7", "gold": "2"}])
def test_no_answer_is_graded_by_another_problems_gold(tmp_path: Path, other: dict[str, str]) -> None:
    first = {"problem": "q", "gold": "1", "output": "x", "problem_id": other.get("problem_id", "")}
    with pytest.raises(DataError, match=r"line 2: .* has another question or gold answer"):
        import_outputs(tmp_path, write(tmp_path / "a.jsonl", [first, first | other]), role="base", title="t")


def test_one_question_with_two_golds_is_two_problems(tmp_path: Path, grader: Grader) -> None:
    rows = [{"prompt": "Solve it.", "gold": gold, "output": "\\boxed{2}"} for gold in ("1", "2", "1")]
    made = import_outputs(tmp_path, write(tmp_path / "a.jsonl", rows), role="base", title="t").log
    grade_run(made, grader)
    assert [p.gold for p in made.problems()] == ["1", "2"]
    assert [row["outcome"] for row in made.rows("grades")] == ["wrong", "correct", "wrong"]


def test_a_question_is_wanted_where_it_is_looked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", [{"gold": "1", "output": "x"}, {"gold": "2", "output": "x"}])
    assert len(import_outputs(tmp_path, path, role="base", title="t").log.problems()) == 2
    with pytest.raises(DataError, match="line 1 has no question"):
        import_outputs(tmp_path, path, role="base", title="t", benchmark=TOY)
    with pytest.raises(DataError, match=r"no question at meta\.text"):
        import_outputs(tmp_path, path, role="base", title="t", fields=Fields(question="meta.text"))


def test_rows_without_a_gold_answer_are_told_and_left_out(tmp_path: Path, grader: Grader) -> None:
    golds: list[Any] = ["1", "", None, ["1", "2"], "1"]
    rows = [{"problem": f"q{n}", "gold": gold, "output": "\\boxed{1}"} for n, gold in enumerate(golds)]
    rows.append({"problem": "q9", "output": "\\boxed{1}"})
    made = import_outputs(tmp_path, write(tmp_path / "a.jsonl", rows), role="base", title="t")
    assert [text.partition(" has")[0] for text in made.left_out] == [f"a.jsonl, line {n}" for n in (2, 3, 4, 6)]
    assert grade_run(made.log, grader) == 2
    assert "4 rows of the file (lines 2, 3, 4, 6)" in run_report(tmp_path, made.log.folder.name)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "empty"),
        ([{"problem": "q", "output": "x"}], "no row has a gold"),
        ([{"problem": "q", "gold": "1"}], "no output"),
        ([{"problem": "q", "gold": "1", "output": 3}], "no output"),
        ([{"problem": "q", "gold": "1", "outputs": []}], "no output"),
        ([{"problem": "q", "gold": "1", "output": "x", "model": m} for m in "ab"], "2 models"),
        (
            [{"problem": "q", "gold": "1", "output": "x", "tokens": float("inf")}],
            "line 1: cannot convert float infinity",
        ),
    ],
)
def test_imports_that_cannot_be_read(tmp_path: Path, rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        import_outputs(tmp_path / "runs", write(tmp_path / "a.jsonl", rows), role="base", title="t")
    assert not (tmp_path / "runs").exists()


def test_half_a_character_in_an_output_is_replaced(tmp_path: Path) -> None:
    rows = [{"problem": "q", "gold": "1", "output": "\ud83d \\boxed{1}"}]
    (sample,) = import_outputs(tmp_path, write(tmp_path / "a.jsonl", rows), role="base", title="t").log.samples()
    assert sample.text == "\ufffd \\boxed{1}"


def test_an_import_that_finds_the_disk_full_leaves_no_empty_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: RunLog, name: str, rows: object) -> None:
        raise DataError("The disk is full.")

    monkeypatch.setattr(RunLog, "append", full)
    path = write(tmp_path / "a.jsonl", [{"problem": "q", "gold": "1", "output": "x"}])
    with pytest.raises(DataError, match="full"):
        import_outputs(tmp_path / "runs", path, role="base", title="t")
    assert not list((tmp_path / "runs").iterdir())


def test_runs_that_differ_in_more_than_the_model_say_so(tmp_path: Path) -> None:
    first, second = begin(tmp_path).info(), begin(tmp_path, max_tokens=64).info()
    assert differences([first]) == differences([first, first]) == []
    assert differences([first, second]) == ["The runs differ in max tokens: 1024 and 64."]
    other = replace(first, data=(replace(first.data[0], sha256="other"),))
    assert differences([first, other]) == [
        "The runs hold different copies of Toy: two problems of one name may not be the same."
    ]
    later = replace(first, history=(Message("user", "Hello."), Message("assistant", "Hi.")))
    assert differences([first, later]) == ["The runs differ in turns before the question: “none” and “Hello. / Hi.”."]
    assert data_lines([first], "toy") == ["Toy: 8 of 8 problems, sha256 abc…, made here."]
    assert data_lines([first], "other") == []


def test_the_command_repeats_the_run(tmp_path: Path) -> None:
    log = begin(tmp_path, problems=4, thinking_budget=64)
    assert command(log.info()).endswith("--problems 4 --thinking-budget 64")
    own = replace(log.info(), config=replace(log.info().config, benchmarks=("/my sets/a.jsonl",)))
    assert "--benchmark '/my sets/a.jsonl' --samples" in command(own)


def test_what_was_not_counted_is_not_shown_as_nothing(tmp_path: Path, grader: Grader) -> None:
    rows = [{"problem": p.question, "gold": p.gold, "output": f"\\boxed{{{p.gold}}}"} for p in [*PROBLEMS, PROBLEMS[0]]]
    made = import_outputs(tmp_path, write(tmp_path / "a.jsonl", rows), role="base", title="Other").log
    grade_run(made, grader)
    text = run_report(tmp_path, made.folder.name)
    for name in ("mean output tokens", "  thought", "seconds an answer", "tokens/s, all requests"):
        assert f"| {name} | – | – |" in text
    assert "Incomplete" not in text  # one problem has two outputs, the others have all there were
    assert "100.0% [" in text


def test_a_run_beyond_maths_is_resumed_by_its_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    monkeypatch.setattr("commands.kit.serving.serving", lambda pair, profile: nullcontext(served()))
    config, judged = RunConfig("smol-135m", ("toy",), prompting="bare"), replace(TOY, rule="judged")
    log = prepare(tmp_path / "beyond", config, pair(), HASHES, [judged])
    run = log.folder.name
    assert main(["resume", run]) == 0
    assert len(log.samples()) == 2 * len(PROBLEMS)
    assert f"have to be judged: arena judge run {run} " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "options", "asked", "told"),
    [
        ("own", [], 60, "mine: all 60 questions;"),
        ("own", ["--problems", "7"], 7, "mine: 7 of 60 questions; --problems asks another number."),
        ("flames", [], 50, "Flames: 50 of 60 questions; --problems asks another number."),
        ("flames", ["--problems", "99"], 60, "Flames: all 60 questions;"),
        ("sycophancy", ["--problems", "3"], 6, "Sycophancy probe: all 6 questions;"),
    ],
)
def test_how_many_questions_are_asked_beyond_maths_is_said_and_kept(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    options: list[str],
    asked: int,
    told: str,
) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    monkeypatch.setenv("JOURNEY_DATA", str(tmp_path))
    monkeypatch.setattr("commands.kit.serving.serving", lambda pair, profile: nullcontext(served()))
    monkeypatch.setattr("commands.benchmarks.runs.watch", lambda *_: 0)
    (tmp_path / "flames").mkdir()
    rows = [{"prompt": f"What is {i} + {i}?"} for i in range(60)]
    write(tmp_path / "flames" / "test.jsonl", rows)
    own = str(write(tmp_path / "mine.jsonl", rows))
    assert main(["run", "--open-ended", "--benchmark", own if name == "own" else name, *options]) == 0
    said = capsys.readouterr().err
    assert told in said and f"{2 * asked} answers, at most" in said
    (info,) = list_runs(tmp_path / "beyond")
    assert (info.data[0].problems, info.data[0].size) == (asked, 60 if name != "sycophancy" else asked)


def test_a_run_beyond_maths_asks_as_much_at_once_as_the_servers_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    benchmark = load_set("sycophancy", 2)
    config = configure(served().pair, served().profile, benchmark, Sampling(64, 32, 0.5, 0.9), seed=7)
    kept = start_run(served(), benchmark, config).log.info().config
    assert kept.concurrency == served().profile.engine["max-num-seqs"]
    assert (kept.max_tokens, kept.thinking_budget, kept.temperature, kept.top_p, kept.seed) == (64, 32, 0.5, 0.9, 7)
    with pytest.raises(ConfigError, match="max_tokens"):
        configure(served().pair, served().profile, benchmark, Sampling(10**6))


@pytest.mark.parametrize("command", [["resume"], ["forced", "--budget", "20"]])
def test_what_was_made_elsewhere_or_by_a_lost_pair_cannot_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    row = {"problem": "q", "gold": "1", "output": "1"}
    made = import_outputs(tmp_path / "runs", write(tmp_path / "a.jsonl", [row]), role="base", title="t").log
    assert main([*command, made.folder.name]) == 1
    assert "was imported from a.jsonl: its prompt is not known." in capsys.readouterr().err
    lost = begin(tmp_path / "runs")
    path = lost.folder / "run.json"
    path.write_text(path.read_text().replace('"pair": "smol-135m"', '"pair": "gone"'))
    assert main([*command, lost.folder.name]) == 1
    assert "There is no pair “gone”" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--benchmark", "same_kind", "--max-tokens", "1000000"], "max_tokens is 1000000"),
        (["--benchmark", "sycophancy", "--max-tokens", "1000000"], "max_tokens is 1000000"),
        (["--benchmark", "sycophancy", "--temperature", "-1"], "temperature"),
        (["--benchmark", "no-such.jsonl", "--open-ended"], "no-such"),
    ],
)
def test_what_cannot_be_run_is_refused_before_a_model_is_loaded(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    words: str,
) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    monkeypatch.setattr("commands.kit.serving.serving", lambda *_: pytest.fail("a model is loaded"))
    assert main(["run", *options]) == 1
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(("refusal", "code"), [("", 1), ("too_long", 0)])
def test_a_finished_run_with_failed_requests_says_how_to_repeat_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], refusal: Any, code: int
) -> None:
    class Sick(FakeClient):
        async def complete(self, messages: Any, sampling: Any, *, resume: Any = None) -> Any:
            if "What is 3" in messages[-1].content:
                return Reply(finish_reason="failed", error="the server fell over", refusal=refusal)
            if "What is" not in messages[-1].content:
                return Reply(answer="Yes?")
            return await super().complete(messages, sampling, resume=resume)

    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    monkeypatch.setattr("models.chat.retry.random.uniform", lambda *_: 0.0)
    own = write(tmp_path / "toy.jsonl", [{"problem": p.question, "answer": p.gold} for p in PROBLEMS])
    monkeypatch.setattr("commands.kit.serving.serving", lambda pair, profile: nullcontext(served()))
    with monkeypatch.context() as patch:
        patch.setattr("models.serving.clients.ModelClient", Sick)
        assert main(["run", "--benchmark", str(own), "--json"]) == code
    said = capsys.readouterr()
    result = json.loads(said.out)
    assert (result["phase"], result["failed"]) == ("finished", 2 * code)
    told = f"2 requests failed. Ask again with: arena resume {result['run']} --retry-failed"
    assert (told in said.err) is bool(code)
    assert main(["resume", result["run"], "--retry-failed"]) == 0
    assert "--retry-failed" not in capsys.readouterr().err


def test_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    own = write(tmp_path / "toy.jsonl", [{"problem": p.question, "answer": p.gold} for p in PROBLEMS])
    monkeypatch.setattr("commands.kit.serving.serving", lambda pair, profile: nullcontext(served()))
    assert main(["run", "--benchmark", str(own), "--max-tokens", "256", "--problems", "6"]) == 0
    said = capsys.readouterr()
    assert "Distilled solves 6 of 6" in said.out
    assert said.err.index("a difference of 96 points or more would show") < said.err.index("\nrun ")
    assert main(["runs"]) == 0
    run = capsys.readouterr().out.split()[0]
    assert main(["resume", run]) == 0
    assert main(["forced", run, "--budget", "20"]) == 0
    with monkeypatch.context() as patched, find_run(run).claim():
        patched.setattr("commands.kit.serving.serving", lambda *_: pytest.fail("a model is loaded"))
        assert main(["resume", run]) == main(["forced", run, "--budget", "30"]) == 1
    assert main(["regrade", run, "--all"]) == 0
    export = tmp_path / "all.csv"
    assert main(["report", run, "--out", str(tmp_path / "r.md"), "--export", str(export)]) == 0
    assert len(export.read_text().splitlines()) >= 13
    assert (tmp_path / "r.md").read_text().startswith("## toy")
    assert main(["report", run, "--out", str(tmp_path / "new" / "r.md")]) == 0
    assert main(["report", run, "--out", str(tmp_path / "r.md" / "r.md")]) == 1
    assert main(["report", run, "--export", "x.xls"]) == 1
    assert main(["resume", "nothing"]) == 1
    assert main(["run", "--benchmark", "nothing"]) == 1
    assert "Choose one of" in capsys.readouterr().err
