"""The values a benchmark is made of: a problem, a sample of a model's answer, a grade."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Outcome = Literal["correct", "wrong", "no_answer", "grader_failed"]
"""Four outcomes, never merged: a failure of the grader does not make the answer wrong."""

ExtractionMethod = Literal["marker", "boxed", "stated", "none"]
"""How the answer was found: after a final-answer marker, in the last balanced box, in a plain statement that ends the
text ("The answer is 18."), or not at all. Files and tables call it `rung`."""

CUT_OFF = frozenset({"length", "max_tokens", "max_length", "max_output_tokens", "repetition"})
"""Finish reasons, in lower case, that services give for an output that they ended before the model did."""


@dataclass(frozen=True)
class Problem:
    """One question with one checkable answer, e.g. Problem("aime24/60", "Every morning Aya …", "204", "aime24")."""

    id: str
    """Unique within its benchmark, stable between runs."""
    question: str
    gold: str
    benchmark: str
    subject: str = ""
    """Subject or problem family; empty where the set has none."""
    level: str = ""
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sample:
    """One generated answer to one problem: a row of the append-only sample log."""

    run: str
    """Id of the run that made it."""
    model: str
    problem_id: str
    index: int
    """Which of the k samples of this problem, from 0."""
    prompt: str
    text: str
    """The model's raw output, tags included."""
    thought: str
    answer: str
    """What remains of `text` without the thought; the only part that is graded."""
    thought_tokens: int
    answer_tokens: int
    finish_reason: str
    seed: int
    seconds: float
    started_at: str
    """UTC, ISO 8601."""
    config_hash: str
    error: str = ""

    @property
    def output_tokens(self) -> int:
        return self.thought_tokens + self.answer_tokens


@dataclass(frozen=True)
class Grade:
    """The verdict on one sample. Regrading makes a new Grade and never touches the sample."""

    outcome: Outcome
    extraction_method: ExtractionMethod
    extracted: str
    """The answer as found; empty when `extraction_method` is `none`."""
    note: str = ""
    """Why the grader failed, or which rule decided."""

    def row(self) -> dict[str, Any]:
        """The grade as stored in files, where the extraction method is called `rung`."""
        return {"rung" if name == "extraction_method" else name: value for name, value in asdict(self).items()}
