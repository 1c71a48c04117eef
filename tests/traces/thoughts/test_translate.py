"""Translations by a scripted service: verified anew, rejected when something was lost on the way."""

from dataclasses import replace

import pytest

from commands.arena import main
from common.errors import DataError
from models.chat.client import Endpoint
from traces.keeping.keep import reason_code
from traces.keeping.trace import Trace, append_trace, read_traces
from traces.keeping.yields import method_yields
from traces.thoughts.service.client import ServiceClient, ServiceOptions
from traces.thoughts.service.gather import gather
from traces.thoughts.translate import PROMPTS, tasks, translate_attempt

QUESTION = "3加20等于多少？"
THOUGHT = "我要求一个和。先加十位，再加个位：20加3是23。检查：23减20是3，对。"
ANSWER = "答案是 \\boxed{23}。"
GOOD = f"<question>\n{QUESTION}\n</question>\n\n<thought>\n{THOUGHT}\n</thought>\n\n<answer>\n{ANSWER}\n</answer>"


@pytest.fixture
def source(problems) -> Trace:
    return Trace(
        problems[3], "What is 3 plus 20?", "", "I add the tens first, then the ones.", "It is \\boxed{23}.",
        "teacher", "o1", tokens=900, cost=0.5, kept=True,
    )  # fmt: skip


async def translate(serve, turn, verifier, source, reply, out):
    service = serve(lambda n, body: turn(text=reply, tokens=70))
    (task,) = tasks([source], "chinese")
    async with ServiceClient(Endpoint(service.url, "translator"), ServiceOptions(timeout=5, retries=0)) as client:
        make = translate_attempt(client, {task.problem.id: source}, "chinese")
        await gather([task.problem], make, verifier.verify, out)
        await gather([task.problem], make, verifier.verify, out)
    assert len(service.requests) == 1, "what is done is not asked again"
    (trace,) = read_traces(out)
    return trace, service


async def test_a_translation_is_a_trace_of_its_own(serve, turn, verifier, source, tmp_path):
    trace, service = await translate(serve, turn, verifier, source, GOOD, tmp_path / "t.jsonl")
    assert trace.kept, trace.reason
    assert trace.problem.question == QUESTION and trace.thought == THOUGHT
    assert trace.prompt == PROMPTS["chinese"].format(question=QUESTION)
    assert trace.raw.startswith("<think>\n我") and trace.raw.endswith("\\boxed{23}。")
    assert (trace.method, trace.model, trace.tokens) == ("teacher", "o1, translated by translator", 70)
    assert trace.extra["translated_from"] == source.hash and trace.problem.id != source.problem.id
    assert "Chinese" in service.user_text(0) and source.thought in service.user_text(0)
    assert [row.asked for row in method_yields([source, trace])] == [1], "a translation is no thought more"


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("3加20等于", "3加30等于", "untranslated"),
        (QUESTION, "What is 3 plus 20?", "untranslated"),
        ("</answer>", "", "untranslated"),
        ("<thought>", "", "untranslated"),
        (THOUGHT, "I add the tens first and then the ones, which gives 23.", "mixed_language"),
        ("\\boxed{23}", "\\boxed{24}", "wrong_answer"),
        ("\\boxed{23}", "23", "no_box"),
    ],
)
async def test_what_is_lost_on_the_way_is_found(serve, turn, verifier, source, tmp_path, old, new, code):
    trace, _ = await translate(serve, turn, verifier, source, GOOD.replace(old, new), tmp_path / "t.jsonl")
    assert reason_code(trace) == code


async def test_a_solution_of_phase_one_stays_one(serve, turn, verifier, source, tmp_path):
    plain = replace(source, thought="", extra={"phase": 1, "shortcut": source.answer})
    reply = GOOD.replace(f"<thought>\n{THOUGHT}\n</thought>\n\n", "")
    trace, service = await translate(serve, turn, verifier, plain, reply, tmp_path / "t.jsonl")
    assert (trace.extra["phase"], trace.extra["shortcut"]) == (1, ANSWER)
    assert trace.raw == ANSWER
    assert "<thought>" not in service.user_text(0)


def test_both_phases_are_translated_in_one_call(serve, turn, source, tmp_path):
    solution = replace(source, thought="", attempt=2, extra={"phase": 1, "shortcut": source.answer})
    for trace in (source, solution):
        append_trace(tmp_path / "t.jsonl", trace)
    plain = GOOD.replace(f"<thought>\n{THOUGHT}\n</thought>\n\n", "")
    service = serve(lambda n, body: turn(text=GOOD if "<thought>" in body["messages"][0]["content"] else plain))
    out = tmp_path / "out.jsonl"
    given = [str(tmp_path / "t.jsonl"), "--url", service.url, "--model", "translator", "--out", str(out)]
    assert main(["traces", "translate", *given]) == 0
    assert [(trace.kept, trace.reason) for trace in read_traces(out)] == [(True, ""), (True, "")]


def test_traces_with_lines_that_must_not_be_learned_are_left_out(source):
    slip = replace(source, extra={"segments": [["3+20=24.", False], ["3+20=23.", True]]})
    assert [task.source for task in tasks([slip, source, replace(source, kept=False)], "chinese")] == [source]
    with pytest.raises(DataError, match="no kept trace to translate"):
        tasks([slip], "chinese")
