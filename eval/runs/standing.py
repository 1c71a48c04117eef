"""How far a run is: what resuming it, or forced answers, could still add."""

from typing import NamedTuple

from eval.records import Sample
from eval.runs.grades import ungraded
from eval.runs.log import RunLog
from eval.runs.runner import may_be_retried


class Standing(NamedTuple):
    """Counts over the samples of a run."""

    answers: int
    """Samples there are, failed ones too."""
    missing: int
    """Samples not asked for yet, or whole and not graded."""
    failed: int
    """Failed requests that may be asked for again."""
    thoughts: int
    """Samples with a thought, which forced answers can close."""


def standing_of(log: RunLog) -> Standing:
    """The standing of a run as its files are now."""
    info = log.info()
    samples: list[Sample] = log.samples()
    due = sum(data.problems for data in info.data) * info.config.samples * len(info.sides)
    return Standing(
        answers=len(samples),
        missing=max(0, due - len(samples)) + len(ungraded(log)),
        failed=sum(may_be_retried(sample) for sample in samples),
        thoughts=sum(bool(sample.thought) for sample in samples),
    )
