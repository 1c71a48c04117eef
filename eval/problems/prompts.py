"""The one prompt of maths problems, the same for base and distilled, in training and in measuring."""

from eval.records import Problem

MATHS_PROMPT = "{question}\n\nReason step by step and put the final answer in \\boxed{{}}."


def maths_prompt(problem: Problem) -> str:
    """The user message that asks for this problem's answer."""
    return MATHS_PROMPT.format(question=problem.question)
