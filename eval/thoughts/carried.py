"""Where the gain comes from: answers from transplanted thoughts against a model's own, paired by problem."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from eval.records import CUT_OFF
from eval.runs.grades import last_outcomes
from eval.runs.log import RunLog
from eval.statistics.paired import Paired, compare
from eval.thoughts.transplant import GIVEN, Given

JUDGED = ("correct", "wrong", "no_answer")
Verdicts = Mapping[str, Mapping[int, bool]]
"""By problem, then by the number of the sample."""


class Carried(NamedTuple):
    """One model's answers from one kind of thought, against its own answers to the same problems."""

    role: str
    model: str
    given: Given
    paired: Paired
    """`base` is the model's own answer, `distilled` the answer from the thought it was given."""
    tokens: float
    """Mean tokens the model added."""
    cut_share: float


class Gain(NamedTuple):
    """The models by themselves, and each with the other's whole thought, all paired with the base's own answers."""

    own: Paired
    """The distilled model against the base: the gain in question."""
    thought: Paired | None
    """The base with the distilled model's thought, against the base: the effect of the thought alone."""
    weights: Paired | None
    """The distilled model with the base's reasoning, against the base: the effect of the weights alone."""


def carried(log: RunLog) -> list[Carried]:
    """A row for each model and each kind of thought, over the problems that have both answers."""
    info, own, given = log.info(), own_verdicts(log), given_rows(log)
    rows = []
    for role, side in sorted(info.sides.items()):
        for kind in GIVEN:
            answers = given.get((side.model, kind), {})
            before, after = paired_verdicts(own[side.model], verdicts(answers))
            if before:
                every = [row for of_problem in answers.values() for row in of_problem]
                tokens = sum(row["thought_tokens"] + row["answer_tokens"] for row in every) / len(every)
                cut = sum(row["finish_reason"] in CUT_OFF for row in every) / len(every)
                rows.append(Carried(role, side.model, kind, compare(before, after), tokens, cut))
    return rows


def gain(log: RunLog) -> Gain | None:
    """How the gain changes when the two models swap thoughts; None with only one model, or without a problem that both
    have answered."""
    info, own, given = log.info(), own_verdicts(log), given_rows(log)
    if not {"base", "distilled"} <= info.sides.keys():
        return None
    base, distilled = info.sides["base"].model, info.sides["distilled"].model

    def against_base(other: Verdicts) -> Paired | None:
        before, after = paired_verdicts(own[base], other)
        return compare(before, after) if before else None

    whole = against_base(own[distilled])
    if whole is None:
        return None
    swapped = [against_base(verdicts(given.get((model, "other"), {}))) for model in (base, distilled)]
    return Gain(whole, *swapped)


def paired_verdicts(a: Verdicts, b: Verdicts) -> tuple[list[list[bool]], list[list[bool]]]:
    """The verdicts on the samples that both have, by problem and in one order: of the same number, so of one seed."""
    common = {key: sorted(a[key].keys() & b[key].keys()) for key in sorted(a.keys() & b.keys())}
    of_a, of_b = ([[side[key][n] for n in common[key]] for key in common if common[key]] for side in (a, b))
    return of_a, of_b


def own_verdicts(log: RunLog) -> Mapping[str, Verdicts]:
    """By model: the run's own verdicts; the last grade of a sample counts."""
    by_model: dict[str, dict[str, dict[int, bool]]] = defaultdict(lambda: defaultdict(dict))
    for (model, problem_id, index), outcome in last_outcomes(log).items():
        if outcome in JUDGED:
            by_model[model][problem_id][index] = outcome == "correct"
    return by_model


def given_rows(log: RunLog) -> dict[tuple[str, str], dict[str, list[dict[str, Any]]]]:
    """By model and kind of thought, then by problem: the answers; the first of each sample counts."""
    first_rows: dict[tuple[str, str, int, str], dict[str, Any]] = {}
    for row in log.rows("transplants"):
        first_rows.setdefault((row["model"], row["problem_id"], row["index"], row["given"]), row)
    by_kind: dict[tuple[str, str], dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    for row in first_rows.values():
        if row["outcome"] in JUDGED:
            by_kind[row["model"], row["given"]][row["problem_id"]].append(row)
    return by_kind


def verdicts(rows: Mapping[str, Sequence[dict[str, Any]]]) -> Verdicts:
    return {key: {row["index"]: row["outcome"] == "correct" for row in of_problem} for key, of_problem in rows.items()}
