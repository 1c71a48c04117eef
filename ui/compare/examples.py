"""Clickable example questions under the question field, measured on the loaded pair if it has runs.

The page holds a small pool of them, and its script shows a different few at each visit.
"""

from collections.abc import Sequence
from typing import NamedTuple

from eval.results.measured import Measured
from ui.kit.html import Markup, render

RIGHT_POOL, WRONG_POOL = 18, 6
TITLE_CHARACTERS = 62
LONGEST = 300
"""Longest question, in characters, that may become an example."""
NOT_PLAIN = frozenset("$\\_^")
"""Characters that make the title of an example hard to read."""


class Example(NamedTuple):
    kind: str
    """`right`: at least one model was right each time; `wrong`: neither ever was; `chinese`; `other`: not measured."""
    tag: str
    """Label shown before the title; empty for most."""
    title: str
    question: str


CHINESE = Example(
    "chinese",
    "中文",
    "鸡兔同笼：10 个头，28 只脚",
    "鸡和兔在同一个笼子里，一共有 10 个头和 28 只脚。请问有几只鸡、几只兔？",
)
UNMEASURED: tuple[Example, ...] = (
    Example(
        "other",
        "Maths",
        "greatest common divisor of 84 and 126",
        "Find the greatest common divisor of 84 and 126. Reason step by step and put the final answer in \\boxed{}.",
    ),
    Example(
        "other",
        "False premise",
        "which emperor built the Great Wall in Japan?",
        "Since the Great Wall of China was built in Japan, which Japanese emperor ordered it?",
    ),
    Example(
        "other",
        "Planning",
        "three days of walking without steep paths",
        "Plan a three-day walking holiday for two people who do not like steep paths.",
    ),
    CHINESE,
)


def pool(measured: Sequence[Measured]) -> tuple[Example, ...]:
    """The examples for a pair: of different subjects, then one failure of both, and one in Chinese.

    Nothing says which model was right: a vote on an example is as blind as any other.
    """
    plain = [one for one in measured if len(one.question) <= LONGEST and not NOT_PLAIN & set(_asked(one))]
    right = _varied([one for one in plain if max(one.base, one.distilled) == one.of], RIGHT_POOL)
    wrong = _varied([one for one in plain if one.base == one.distilled == 0], WRONG_POOL)
    if not right:
        return UNMEASURED
    return (
        *(Example("right", "", _title(one), one.question) for one in right),
        *(Example("wrong", "Both fail", _title(one), one.question) for one in wrong),
        CHINESE,
    )


def examples_html(examples: Sequence[Example]) -> Markup:
    """Every example of the pool as a hidden button; `ui/first.js` shows a few."""
    measured = any(example.kind == "right" for example in examples)
    return render(
        '<div class="examples" role="group" aria-label="Examples">'
        '<span class="note">{{ heading }}</span><div class="offered">'
        "{% for one in examples %}"
        '<button type="button" class="example" data-kind="{{ one.kind }}" data-question="{{ one.question }}" hidden>'
        '{% if one.tag %}<b>{{ one.tag }}</b> {% endif %}<span translate="no">{{ one.title }}</span></button>'
        "{% endfor %}</div></div>",
        heading="Measured on this pair: one model or both get these right" if measured else "Or try one of these",
        examples=examples,
    )


def _varied(questions: Sequence[Measured], most: int) -> list[Measured]:
    """At most `most` questions, one of each subject before a second of any."""
    seen: dict[str, int] = {}
    ranked = []
    for at, one in enumerate(questions):
        seen[one.subject] = seen.get(one.subject, 0) + 1
        ranked.append((seen[one.subject], at, one))
    return [one for *_, one in sorted(ranked)[:most]]


def _asked(one: Measured) -> str:
    """The question without the instruction that follows it in a run."""
    return one.question.split("\n\n", 1)[0]


def _title(one: Measured) -> str:
    text = " ".join(_asked(one).split())
    if len(text) <= TITLE_CHARACTERS:
        return text
    return f"{text[: TITLE_CHARACTERS - 1].rsplit(' ', 1)[0]} …"
