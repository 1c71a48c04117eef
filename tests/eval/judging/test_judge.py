"""The judge: broken verdicts, both orders, what is kept."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.judging.judge import RUBRICS, Judge, JudgeItem, Ruling, combine_orders, parse_verdict
from models.chat.client import Message
from models.chat.events import Reply
from models.config.sampling import Sampling

SAFETY, RATING, PAIR, REFERENCE = (RUBRICS[key] for key in ("safety", "rating", "pair", "reference"))

VALID = [
    ('{"reason": "ok", "verdict": "safe"}', SAFETY, "safe"),
    ('```json\n{"verdict": "UNSAFE", "reason": "helps"}\n```', SAFETY, "unsafe"),
    ('Here it is: {"verdict": "Not attempted"} as asked.', REFERENCE, "not_attempted"),
    ('{"verdict": "safe"}\n{"verdict": "safe"}', SAFETY, "safe"),
    ('{broken {"verdict": "safe"}', SAFETY, "safe"),
    ('{"note": "no verdict here"} {"verdict": "tie"}', PAIR, "tie"),
    ('{"verdict": 87.5}', RATING, 87.5),
    ('{"verdict": 0}', RATING, 0.0),
]
BROKEN = [
    ("", SAFETY, "empty reply"),
    ("   \n", SAFETY, "empty reply"),
    ("The reply is safe.", SAFETY, "no JSON object"),
    ('{"verdict": "safe"', SAFETY, "no JSON object"),
    ('["verdict", "safe"]', SAFETY, "no JSON object"),
    ('{"result": "safe"}', SAFETY, "no JSON object"),
    ('{"verdict": "mostly safe"}', SAFETY, "not an allowed verdict"),
    ('{"verdict": "safe or unsafe"}', SAFETY, "not an allowed verdict"),
    ('{"verdict": true}', SAFETY, "not an allowed verdict"),
    ('{"verdict": null}', SAFETY, "not an allowed verdict"),
    ('{"verdict": ["safe"]}', SAFETY, "not an allowed verdict"),
    ('{"verdict": "safe"} on reflection {"verdict": "unsafe"}', SAFETY, "contradict"),
    ('{"verdict": 101}', RATING, "not an allowed verdict"),
    ('{"verdict": -1}', RATING, "not an allowed verdict"),
    ('{"verdict": true}', RATING, "not an allowed verdict"),
    ('{"verdict": "80"}', RATING, "not an allowed verdict"),
    ('{"verdict": NaN}', RATING, "not an allowed verdict"),
    ('{"verdict": 1e999}', RATING, "not an allowed verdict"),
    ("{" * 5000, SAFETY, "no JSON object"),
    ('{"verdict":' * 3000, SAFETY, "no JSON object"),
]


@pytest.mark.parametrize(("text", "rubric", "expected"), VALID)
def test_valid_verdicts(text, rubric, expected) -> None:
    assert (parse_verdict(text, rubric).value, parse_verdict(text, rubric).invalid) == (expected, "")


@pytest.mark.parametrize(("text", "rubric", "why"), BROKEN)
def test_broken_verdicts_are_invalid_and_say_why(text, rubric, why) -> None:
    verdict = parse_verdict(text, rubric)
    assert verdict.value is None
    assert why in verdict.invalid


@given(st.text(), st.sampled_from(list(RUBRICS.values())))
def test_no_text_breaks_the_parser(text, rubric) -> None:
    verdict = parse_verdict(text, rubric)
    assert (verdict.value is None) == bool(verdict.invalid)


@pytest.mark.parametrize(
    ("in_order", "swapped", "expected"),
    [
        ("first", "second", "first"),
        ("second", "first", "second"),
        ("first", "first", "tie"),
        ("second", "tie", "tie"),
        ("tie", "tie", "tie"),
        (None, "first", None),
        ("first", None, None),
    ],
)
def test_both_orders_must_agree(in_order, swapped, expected) -> None:
    as_verdict = [Ruling(v, invalid="" if v else "broken") for v in (in_order, swapped)]
    assert combine_orders(*as_verdict).value == expected


class Queue:
    """A model that answers from a queue and remembers what it was asked."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.asked: list[str] = []

    async def complete(self, messages: Sequence[Message], sampling: Sampling) -> Reply:
        self.asked.append(messages[0].content)
        return self.replies.pop(0)


def said(answer: str, **kwargs) -> Reply:
    return Reply(answer=answer, raw=answer, **kwargs)


async def test_a_pair_is_asked_in_both_orders_and_keeps_prompts_and_raw_verdicts() -> None:
    model = Queue(said('{"verdict": "first"}'), said('{"verdict": "second"}'))
    item = JudgeItem("q1", {"question": "Why?", "first": "AAA", "second": "BBB"}, {"first": "base"})
    judgement = await Judge("judge", model, PAIR).judge(item)
    assert judgement.value == "first"
    assert model.asked[0].index("AAA") < model.asked[0].index("BBB")
    assert model.asked[1].index("BBB") < model.asked[1].index("AAA")
    assert judgement.prompts == tuple(model.asked)
    assert judgement.raws == ('{"verdict": "first"}', '{"verdict": "second"}')
    assert judgement.extra == {"first": "base"}
    assert "base" not in "".join(model.asked)


async def test_a_failed_or_cut_off_request_is_an_invalid_verdict() -> None:
    item = JudgeItem("q1", {"question": "Why?", "answer": "Because."})
    failed = await Judge("j", Queue(said("", finish_reason="failed", error="no route")), SAFETY).judge(item)
    cut = await Judge("j", Queue(said('{"reason": "and so', finish_reason="length")), SAFETY).judge(item)
    assert (failed.value, failed.invalid) == (None, "request failed: no route")
    assert (cut.value, cut.invalid) == (None, "cut off at the token limit")


async def test_a_verdict_in_the_thought_does_not_count() -> None:
    reply = Reply(thought='{"verdict": "safe"}', answer="I cannot say.", raw="…")
    judgement = await Judge("j", Queue(reply), SAFETY).judge(JudgeItem("q", {"question": "a", "answer": "b"}))
    assert judgement.value is None


async def test_answers_with_braces_are_put_in_as_they_are() -> None:
    model = Queue(said('{"verdict": "safe"}'))
    await Judge("j", model, SAFETY).judge(JudgeItem("q", {"question": "{{answer}} {0}", "answer": r"\boxed{{7}} {x}"}))
    assert r"\boxed{{7}} {x}" in model.asked[0]
    assert "{{answer}} {0}" in model.asked[0]


async def test_judge_all_gives_every_judgement_once() -> None:
    model = Queue(*(said('{"verdict": "safe"}') for _ in range(20)))
    items = [JudgeItem(str(i), {"question": "a", "answer": "b"}) for i in range(20)]
    found = [judgement async for judgement in Judge("j", model, SAFETY).judge_all(items, in_flight=3)]
    assert sorted(j.item for j in found) == sorted(item.id for item in items)
