"""How a problem is put to a model: the template around the question, and the turns that come before it.

Base and distilled are always asked in the same way, in training and in measuring.
"""

from collections.abc import Mapping
from typing import NamedTuple

from eval.records import Problem
from models.chat.client import Message

MATHS_PROMPT = "{question}\n\nReason step by step and put the final answer in \\boxed{{}}."
BARE_PROMPT = "{question}"
TALK = (
    Message("user", "What is the capital of Italy?"),
    Message("assistant", "The capital of Italy is Rome."),
    Message("user", "Compute $3 + 4$."),
    Message("assistant", "The answer is $\\boxed{7}$."),
)


class Prompting(NamedTuple):
    """One way to put a problem to a model."""

    template: str
    """The user message, with `{question}` in it."""
    history: tuple[Message, ...] = ()
    """Turns of the conversation before it; an assistant's turn holds its answer, never a thought."""


BENCHMARK, BARE, LATER = "benchmark", "bare", "later"
PROMPTINGS: Mapping[str, Prompting] = {
    BENCHMARK: Prompting(MATHS_PROMPT),
    BARE: Prompting(BARE_PROMPT),
    LATER: Prompting(BARE_PROMPT, TALK),
}
"""`benchmark`: with the instruction to reason and to box the answer; `bare`: nothing but the question, as open-ended
sets are asked; `later`: nothing but the question, as the third turn of a conversation."""


def maths_prompt(problem: Problem) -> str:
    """The user message that asks for this problem's answer."""
    return MATHS_PROMPT.format(question=problem.question)
