"""What each sentence does to the answer: the numbers, and the answers drawn for them, kept and never asked twice."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.arena import main
from common import jsonl
from common.errors import ConfigError, DataError, ServerError
from eval.grading.grader import Grader
from eval.runs.log import RUNS, RunLog
from eval.thoughts.importance import Draw, importances
from eval.thoughts.resampling import Subject, ends_of, importance_of, missing, resample, stored, subject_of
from models.config.sampling import Sampling
from tests.eval.thoughts.scripted import END, PAIR, PROMPT_END, Scripted, finished_run, install

SIX, SEVEN, NOTHING = Draw(0, True), Draw(1, False), Draw(None, False)
draws = st.lists(st.sampled_from([SIX, SEVEN, NOTHING]), min_size=1, max_size=8)


def test_a_sentence_that_decides_the_answer_and_one_that_does_not() -> None:
    before, after = [SEVEN] * 8, [SIX] * 8
    useless, decisive, last = importances({0: before, 5: before, 9: after, 20: [SIX] * 4 + [NOTHING] * 4})
    assert (useless.value, useless.gain, useless.p_value) == (0, 0, 1)
    assert (decisive.value, decisive.gain, decisive.start, decisive.end) == (1, 1, 5, 9)
    assert decisive.p_value < 0.01
    assert (last.value, last.gain) == (0.5, -0.5)
    assert (last.before, last.after) == (8, 8)


def test_few_draws_prove_nothing() -> None:
    (only,) = importances({0: [SIX], 4: [SEVEN]})
    assert (only.value, only.p_value) == (1, 1)


def test_without_a_gold_answer_there_is_no_gain() -> None:
    (only,) = importances({0: [Draw(0, None)] * 3, 4: [Draw(1, None)] * 3})
    assert (only.value, only.gain) == (1, None)


def test_places_without_answers_are_left_out() -> None:
    assert [(s.start, s.end) for s in importances({0: [SIX], 3: [], 7: [SIX]})] == [(0, 7)]
    assert importances({}) == importances({0: [SIX]}) == ()


@given(draws, draws)
def test_importance_is_a_distance(a: list[Draw], b: list[Draw]) -> None:
    there, back = importances({0: a, 1: b, 2: a})
    assert there.value == back.value
    assert 0 <= there.value <= 1
    assert 0 < there.p_value <= 1
    assert (there.value < 1e-9) == (sorted(map(str, a * len(b))) == sorted(map(str, b * len(a))))


THOUGHT = "Let me see.\nThe sum is=6.\nThat is all."


def script_for(scripted: Scripted) -> None:
    """Before the sum stands there, the answer depends on the seed; after it, it is 6."""
    server = scripted.servers["distilled"]

    def script(text: str) -> str:
        written = text.rpartition(PROMPT_END)[2]
        value = "6" if "=6" in written else f"{server.seen[-1]['seed'] % 5 + 10}"
        return f"\n</think>\n\n\\boxed{{{value}}}{END}"

    server.script = script


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(workers=1) as shared:
        yield shared


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch, grader: Grader, tmp_path: Path) -> Scripted:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    pair = Scripted()
    install(monkeypatch, grader, pair)
    script_for(pair)
    return pair


SUBJECT = Subject(
    PAIR.distilled.key, "w2", "What is 3 + 3?", THOUGHT, 20, Sampling(256, temperature=0.7, seed=3), gold="6"
)


async def test_the_deciding_sentence_is_found(scripted: Scripted) -> None:
    spans = await resample(scripted.served, "distilled", SUBJECT)
    assert [THOUGHT[span.start : span.end] for span in spans] == THOUGHT.splitlines(keepends=True)
    assert [span.value > 0.9 and span.p_value < 0.01 for span in spans] == [False, True, False]
    assert [span.gain for span in spans] == [0, 1, 0]
    assert {span.before for span in spans} == {8}
    assert spans == stored(SUBJECT) == importance_of(THOUGHT) == importance_of(THOUGHT, PAIR.distilled.key)
    assert importance_of(THOUGHT, "another-model") == importance_of("Another thought.") == ()


async def test_each_place_is_asked_with_its_beginning_and_seeds_of_its_own(scripted: Scripted) -> None:
    await resample(scripted.served, "distilled", SUBJECT, samples=2)
    asked = scripted.servers["distilled"].asked("/v1/completions")
    begun = sorted("".join(map(chr, body["prompt"])).rpartition(PROMPT_END)[2] for body in asked)
    ends = ends_of(THOUGHT)
    assert begun == sorted(f"<think>\n{THOUGHT[:end]}" for end in ends for _ in range(2))
    assert len({body["seed"] for body in asked}) == len(asked) == 8
    assert {body["temperature"] for body in asked} == {0.7}
    assert min(body["max_tokens"] for body in asked) == 236, "what the thought took of the limit is not given again"


async def test_it_resumes_after_a_kill_without_asking_twice(scripted: Scripted) -> None:
    class KilledError(Exception):
        """Stands for the end of the process."""

    def kill(done: int, total: int) -> None:
        if done == 5:
            raise KilledError

    with pytest.raises(BaseExceptionGroup):
        await resample(scripted.served, "distilled", SUBJECT, progress=kill, concurrency=1)
    with SUBJECT.path.open("a") as file:
        file.write('{"end": 12, "ind')  # a line that was being written
    todo, before = missing(SUBJECT), scripted.asked()
    assert len(todo) <= 4 * 8 - 5
    spans = await resample(scripted.served, "distilled", SUBJECT)
    assert scripted.asked() - before == len(todo)
    rows = [line.value for line in jsonl.read(SUBJECT.path)][1:]
    assert len({(row["end"], row["index"]) for row in rows}) == len(rows) == 32
    before = scripted.asked()
    assert await resample(scripted.served, "distilled", SUBJECT) == spans
    assert scripted.asked() == before


async def test_more_draws_are_added_to_those_there(scripted: Scripted) -> None:
    await resample(scripted.served, "distilled", SUBJECT, samples=2)
    before = scripted.asked()
    spans = await resample(scripted.served, "distilled", SUBJECT, samples=3)
    assert scripted.asked() - before == 4
    assert {span.after for span in spans} == {3}


async def test_another_prompt_or_sampling_is_another_file(scripted: Scripted) -> None:
    others = [replace(SUBJECT, prompt="?"), replace(SUBJECT, sampling=Sampling(256, temperature=0.8, seed=3))]
    assert len({SUBJECT.path, *(other.path for other in others)}) == 3


async def test_a_failing_server_leaves_the_rest_for_later(scripted: Scripted) -> None:
    server = scripted.servers["distilled"]
    server.refusal = (503, {"error": {"message": "busy"}})
    with pytest.raises(ServerError, match=r"32 of 32 answers were not made: .*busy"):
        await resample(scripted.served, "distilled", SUBJECT, pause=0)
    server.refusal = None
    assert len(await resample(scripted.served, "distilled", SUBJECT)) == 3


def test_a_long_thought_is_cut_coarser() -> None:
    thought = "A step. " * 1000
    ends = ends_of(thought, 24)
    assert (len(ends), ends[0], ends[-1]) == (25, 0, len(thought))


@pytest.mark.parametrize(
    ("facts", "words"),
    [({"thought": " \n"}, "no thought"), ({"sampling": Sampling()}, "temperature 0 are all the same")],
    ids=["empty thought", "greedy"],
)
def test_what_cannot_be_looked_into(facts: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        replace(SUBJECT, **facts)  # type: ignore[arg-type]


@pytest.fixture
def log(scripted: Scripted, tmp_path: Path) -> RunLog:
    return finished_run(tmp_path / RUNS)


def test_the_thought_of_a_run(log: RunLog) -> None:
    found = subject_of(log, PAIR.distilled.key, "toy/3")
    assert (found.gold, found.rule, found.weight_hash, found.sampling.temperature) == ("6", "math", "w2", 0.6)
    assert found.thought == "We add 3 and 3.\nSo 3+3=6."
    assert subject_of(log, PAIR.base.key, "toy/3").thought == "It is \\boxed{2}.", "its reasoning is in its answer"
    assert subject_of(log, PAIR.base.key, "toy/3", temperature=1.0).sampling.temperature == 1.0
    with pytest.raises(DataError, match=r"has no sample 0 of .* for the problem “toy/99”"):
        subject_of(log, PAIR.base.key, "toy/99")


async def test_the_command_shows_what_is_drawn(
    log: RunLog, scripted: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    subject = subject_of(log, PAIR.distilled.key, "toy/3")
    await resample(scripted.served, "distilled", subject)
    words = ["thoughts", "importance", log.folder.name, "--problem", "toy/3"]
    assert main(words) == 0  # all is there: no server is started
    assert capsys.readouterr().out.splitlines()[2].endswith("  So 3+3=6.")
    assert main([*words, "--json"]) == 0
    values = json.loads(capsys.readouterr().out)
    assert values["file"] == str(subject.path)
    assert [s["end"] for s in values["sentences"]] == ends_of(subject.thought)[1:]


def test_a_side_that_a_run_does_not_have_is_told(log: RunLog, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["thoughts", "importance", log.folder.name, "--problem", "toy/77"]) == 1
    assert "has no sample 0 of" in capsys.readouterr().err
