"""Whether the grades given here agree with those in the logs of other harnesses."""

from collections import Counter

from eval.imports.imported import Imported
from eval.runs.grades import last_outcomes


def agreement(imported: Imported) -> str:
    """How far the grades agree with the logs' own verdicts, in a sentence; empty where there are none."""
    outcomes = last_outcomes(imported.log)
    pairs: Counter[tuple[bool, bool]] = Counter()
    for sample, origin in zip(imported.log.samples(), imported.origins, strict=True):
        outcome = outcomes.get((sample.model, sample.problem_id, sample.index))
        if origin.right is not None and outcome in ("correct", "wrong", "no_answer"):
            pairs[origin.right, outcome == "correct"] += 1
    if not (compared := pairs.total()):
        return ""
    stricter, milder = pairs[True, False], pairs[False, True]
    sentence = f"The grades agree with {compared - stricter - milder:,} of {compared:,} verdicts in the logs"
    if not stricter + milder:
        return f"{sentence}."
    return f"{sentence}; {stricter:,} are right only by the log, {milder:,} only here."
