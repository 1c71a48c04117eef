"""How people ask for a solution: the prompt of the benchmarks, the bare question, and others.

Trained on one prompt only, a student thinks only when it sees that prompt. Does not know how the question was made.
"""

from random import Random

from eval.problems.prompts import MATHS_PROMPT

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
    """The question in one of the ways, drawn by weight."""
    (way,) = rng.choices([way for way, _ in PHRASINGS], [weight for _, weight in PHRASINGS])
    return way.format(question=question)
