"""Questions to click: one of each kind that shows where long thought helps, and where it does not."""

from typing import NamedTuple


class Example(NamedTuple):
    kind: str
    title: str
    """What stands on the button, after its kind."""
    question: str


EXAMPLES: tuple[Example, ...] = (
    Example(
        "Maths",
        "greatest common divisor of 84 and 126",
        "Find the greatest common divisor of 84 and 126. Reason step by step and put the final answer in \\boxed{}.",
    ),
    Example(
        "Algebra",
        "solve 7x + 15 = 64",
        "Solve for x: 7x + 15 = 64. Reason step by step and put the final answer in \\boxed{}.",
    ),
    Example(
        "False premise",
        "which emperor built the Great Wall in Japan?",
        "Since the Great Wall of China was built in Japan, which Japanese emperor ordered it?",
    ),
    Example(
        "Planning",
        "three days of walking without steep paths",
        "Plan a three-day walking holiday for two people who do not like steep paths.",
    ),
    Example(
        "中文",
        "鸡兔同笼：10 个头，28 只脚",
        "鸡和兔在同一个笼子里，一共有 10 个头和 28 只脚。请问有几只鸡、几只兔？",
    ),
)
