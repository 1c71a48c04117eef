"""Ways to ask for a solution: the benchmark prompt, the bare question, and others.

A student trained on a single prompt thinks only when it sees that prompt.
"""

from random import Random

from eval.problems.prompts import MATHS_PROMPT
from eval.records import Problem

PHRASINGS: tuple[tuple[str, int], ...] = (
    (MATHS_PROMPT, 10),
    ("{question}", 5),
    ("{question}\nThink step by step.", 1),
    ("{question} Explain how you get there.", 1),
    ("{question}\n\nGive the final answer in \\boxed{{}}.", 1),
    ("Solve this problem: {question}", 1),
    ("Can you help me with this? {question}", 1),
)
"""(template, weight)"""


def ask(question: str, rng: Random) -> str:
    """The question in one of the phrasings, drawn by weight."""
    (phrasing,) = rng.choices([template for template, _ in PHRASINGS], [weight for _, weight in PHRASINGS])
    return phrasing.format(question=question)


def asked(problem: Problem, seed: int) -> str:
    """The problem in one of the phrasings, always the same for this seed."""
    return ask(problem.question, Random(f"ask/{problem.id}/{seed}"))
