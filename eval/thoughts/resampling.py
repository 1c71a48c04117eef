"""Answers resampled after every sentence of a thought, and the files they are kept in.

<home>/importance/<thought>-<settings>.jsonl: the first line says what was asked (model, prompt, thought, sampling),
every other line is one answer. The name consists of hashes of both, so the same question always maps to the same file:
no answer is ever drawn twice, however the work was interrupted, and files are append-only.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common import jsonl
from common.errors import ConfigError, DataError
from common.locks import claimed
from common.paths import home
from common.text import digest
from eval.grading.grader import GradeItem, Grader, read_answer
from eval.records import CUT_OFF, Sample
from eval.runs.grades import facts_of
from eval.runs.jobs import Tell
from eval.runs.log import CONCURRENCY, Role, RunLog, sample_seed
from eval.runs.run_job import ServedRun
from eval.thoughts.asking import Asker
from eval.thoughts.importance import Draw, SentenceImportance, importances
from eval.thoughts.sentences import grouped, sentences
from eval.thoughts.transplant import LEAST_TOKENS, reasoning
from models.chat.client import Message
from models.chat.events import Reply
from models.chat.resume import transplant
from models.chat.retry import PAUSE_SECONDS
from models.config.sampling import Sampling

FOLDER = "importance"
MOST_SENTENCES = 24
"""Most parts of a thought; in a longer one, sentences are grouped."""
SAMPLES = 8
"""Answers drawn after each part."""
TEMPERATURE = 0.6
"""Used if the run was greedy, since drawing the same answer again and again would say nothing."""


@dataclass(frozen=True)
class Subject:
    """A thought in its original context. Every field is part of its file's name."""

    model: str
    weight_hash: str
    prompt: str
    thought: str
    thought_tokens: int
    sampling: Sampling
    history: tuple[Message, ...] = ()
    gold: str = ""
    """Empty if there is no right answer."""
    rule: str = "math"

    def __post_init__(self) -> None:
        if not self.thought.strip():
            raise ConfigError("There is no thought to look into.", "Choose an answer that has one.")
        if self.sampling.temperature <= 0:
            raise ConfigError(
                "Answers that are drawn at temperature 0 are all the same.", f"Set it above 0, e.g. {TEMPERATURE}."
            )

    @property
    def path(self) -> Path:
        facts = {name: value for name, value in asdict(self).items() if name != "thought"}
        return home() / FOLDER / f"{digest(self.thought)}-{digest(json.dumps(facts, sort_keys=True))}.jsonl"


def sample_of(log: RunLog, model: str, problem_id: str, index: int = 0) -> Sample:
    """One sample of a run. Raises DataError if there is none."""
    for sample in log.samples():
        if (sample.model, sample.problem_id, sample.index) == (model, problem_id, index) and not sample.error:
            return sample
    raise DataError(
        f"Run {log.folder.name} has no sample {index} of {model} for the problem “{problem_id}”.",
        "Its file problems.jsonl lists the problems.",
    )


def subject_of(log: RunLog, model: str, problem_id: str, index: int = 0, temperature: float | None = None) -> Subject:
    """The thought of one sample of a run, drawn as the run does, at TEMPERATURE if it was greedy. Raises DataError if
    the run has no such sample, ConfigError if it has no thought."""
    sample = sample_of(log, model, problem_id, index)
    info = log.info()
    config, side = info.config, info.sides[info.role_of(model)]  # type: ignore[index]
    drawn_at = (config.temperature or TEMPERATURE) if temperature is None else temperature
    sampling = Sampling(
        side.max_tokens or config.max_tokens, config.thinking_budget, drawn_at, config.top_p, sample.seed
    )
    gold, rule = facts_of(log)[problem_id]
    tokens, thought = sample.thought_tokens or sample.answer_tokens, reasoning(sample)
    return Subject(model, side.weight_hash, sample.prompt, thought, tokens, sampling, info.history, gold, rule)


def ends_of(thought: str, most: int = MOST_SENTENCES) -> list[int]:
    """Character positions at which answers are drawn: before the first sentence, and after each part of the thought."""
    return [0, *(span.end for span in grouped(sentences(thought), most))]


def missing(subject: Subject, *, samples: int = SAMPLES, most: int = MOST_SENTENCES) -> list[tuple[int, int]]:
    """(length of the thought, number of the draw) of every answer that is not drawn yet."""
    drawn = {(row["end"], row["index"]) for row in _rows(subject.path)}
    wanted = [(end, index) for end in ends_of(subject.thought, most) for index in range(samples)]
    return [each for each in wanted if each not in drawn]


def stored(subject: Subject) -> tuple[SentenceImportance, ...]:
    """The importance of each part, from what is drawn."""
    return importances(draws(subject.path))


async def resample(
    served: ServedRun,
    role: Role,
    subject: Subject,
    *,
    samples: int = SAMPLES,
    most: int = MOST_SENTENCES,
    concurrency: int = CONCURRENCY,
    progress: Tell = lambda done, total: None,
    pause: float = PAUSE_SECONDS,
) -> tuple[SentenceImportance, ...]:
    """Draw what is missing, and return the importance of each part of the thought.

    Raises ServerError at the end if requests failed, DataError if another process is working on the same thought.
    What was drawn is kept.
    """
    path, thought = subject.path, served.pair.model(role).thought
    path.parent.mkdir(parents=True, exist_ok=True)
    with claimed(path.with_suffix(".lock"), "This thought"), Grader(workers=1) as grader:
        if not path.exists():
            jsonl.append(path, [asdict(subject)])
        drawer = _Drawer(path, subject, grader)
        todo = missing(subject, samples=samples, most=most)
        asker = Asker(served, (role,), concurrency, pause)

        async def draw(end: int, index: int) -> None:
            # A space before the next word belongs to that word's token.
            resume = transplant(subject.thought[:end].rstrip(" "), thought, closed=False)
            messages = [*subject.history, Message("user", subject.prompt)]
            sampling = drawer.sampling(end, index)
            reply = await asker.ask(role, lambda client: client.complete(messages, sampling, resume=resume))
            if reply is not None:
                await drawer.keep(end, index, reply)
                progress(len(drawer.new), len(todo))

        await asker.all(draw(*each) for each in todo)
    asker.check_complete(len(todo) - len(drawer.new), len(todo), "answers")
    return stored(subject)


class _Drawer:
    """Keeps answers: graded, sorted into classes of equivalent ones, written down."""

    def __init__(self, path: Path, subject: Subject, grader: Grader) -> None:
        rows = list(_rows(path))
        self.new: list[dict[str, Any]] = []
        self._path, self._subject, self._grader = path, subject, grader
        self._leaders = {row["answer_class"]: row["extracted"] for row in reversed(rows)}
        """The first answer of each class."""
        self._leaders.pop(None, None)
        self._one_at_a_time = asyncio.Lock()

    def sampling(self, end: int, index: int) -> Sampling:
        """Sampling for one draw: what is left of the token limit after `end` characters, and a separate seed."""
        given = self._subject.sampling
        seed = sample_seed(given.seed or 0, f"{self._subject.path.stem}|{end}", index)
        used = self._subject.thought_tokens * end // len(self._subject.thought)
        left = max(given.max_tokens - used, min(LEAST_TOKENS, given.max_tokens))
        return Sampling(left, given.thinking_budget, given.temperature, given.top_p, seed)

    async def keep(self, end: int, index: int, reply: Reply) -> None:
        """Grade, sort and append one answer."""
        async with self._one_at_a_time:  # two equivalent new answers must end up in the same class
            row = await asyncio.to_thread(self._row, end, index, reply)
            jsonl.append(self._path, [row], durable=False)
            self.new.append(row)

    def _row(self, end: int, index: int, reply: Reply) -> dict[str, Any]:
        subject = self._subject
        cut_off = reply.finish_reason in CUT_OFF
        if subject.gold:
            item = GradeItem(reply.answer, subject.gold, subject.rule, cut_off)
            grade = next(self._grader.grade_many([item]))
            extracted, outcome = grade.extracted, str(grade.outcome)
        else:
            extracted, outcome = read_answer(reply.answer, "", subject.rule, cut_off=cut_off).answer, ""
        return {
            "end": end,
            "index": index,
            "extracted": extracted,
            "answer_class": self._class_of(extracted),
            "outcome": outcome,
            "tokens": reply.output_tokens,
            "finish_reason": reply.finish_reason,
        }

    def _class_of(self, extracted: str) -> int | None:
        numbers = sorted(self._leaders)
        classes = self._grader.classes([*(self._leaders[number] for number in numbers), extracted], self._subject.rule)
        if classes[-1] is None:
            return None
        if classes[-1] in classes[:-1]:
            return numbers[classes.index(classes[-1])]
        self._leaders[len(numbers)] = extracted
        return len(numbers)


def draws(path: Path) -> dict[int, list[Draw]]:
    """The answers in a file, by the length of thought after which they were drawn."""
    rights = {"correct": True, "wrong": False, "no_answer": False}
    by_end: dict[int, list[Draw]] = defaultdict(list)
    for row in _rows(path):
        by_end[row["end"]].append(Draw(row["answer_class"], rights.get(row["outcome"])))
    return by_end


def importance_of(thought: str, model: str = "") -> tuple[SentenceImportance, ...]:
    """The importance of each part of a thought, as far as computed, from the newest file; empty if it never was.

    `model`: only results from this model. Asks no server.
    """
    files = (home() / FOLDER).glob(f"{digest(thought)}-*.jsonl")
    for path in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True):
        head = next(iter(jsonl.read(path)), None)
        if head and (not model or head.value.get("model") == model) and (importance := importances(draws(path))):
            return importance
    return ()


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """The answers in a file; the first line is what was asked."""
    lines = jsonl.read(path) if path.exists() else iter(())
    return (line.value for line in lines if isinstance(line.value, dict) and "end" in line.value)
