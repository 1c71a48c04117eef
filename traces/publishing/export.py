"""Long-thought data as Parquet with a dataset card, in one folder that is ready for the hub.

`messages` is the column for conversational SFT; the others hold the whole trace, with trees as JSON, so that nothing
about how a row was made is lost. Problems of public training sets stay references unless their texts are requested:
those texts are not ours to publish.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from common.errors import DataError
from eval.problems.benchmark_sets import TRAINING
from eval.problems.families import MEASURED
from traces.keeping.keep import REASONS, reject_counts
from traces.keeping.trace import Trace, without_bulk
from traces.keeping.yields import method_yields, yield_rows
from traces.problems.references import MARK, detached, is_referred

ROWS_AT_ONCE = 1000
MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
SCHEMA = pa.schema(
    [
        ("messages", pa.list_(MESSAGE)),
        ("id", pa.string()),
        ("problem_id", pa.string()),
        ("source", pa.string()),
        ("family", pa.string()),
        ("level", pa.string()),
        ("question", pa.string()),
        ("gold", pa.string()),
        ("problem_extra", pa.string()),
        ("thought", pa.string()),
        ("answer", pa.string()),
        ("method", pa.string()),
        ("model", pa.string()),
        ("kept", pa.bool_()),
        ("reason", pa.string()),
        ("tokens", pa.int64()),
        ("seconds", pa.float64()),
        ("cost", pa.float64()),
        ("attempt", pa.int64()),
        ("seed", pa.int64()),
        ("extra", pa.string()),
    ]
)
CARD = """# {title}

Solutions of maths problems, each with how it was made, what it cost and what two independent checks of its answer
found. Made with Journey Arena after “O1 Replication Journey, Part 2” (arXiv 2411.16489).

{table}

## Columns
- `messages`: the user's prompt and the whole response, thought in `<think>` tags; ready for conversational SFT.
- `question`, `gold`, `source`, `family`, `level`, `problem_id`: the problem and where it comes from.
- `problem_extra`: further fields of its source, as JSON; for generated problems the numbers that the solver takes.
- `thought`, `answer`: the two parts of the response.
- `method`: {methods}; `model`: who made it (a model's name, or the annotator).
- `kept`, `reason`: whether both checks found the answer right and the form is good; if not, why. {rejects}
- `tokens`, `seconds`, `cost`: output tokens, time and US dollars spent on this attempt.
- `attempt`, `seed`, `id`: which attempt, its seed, and a hash of the content.
- `extra`: JSON of what only this method has, such as the search tree and the walk through it, or the debate's turns.

## How it was made
Problems are generated, or curated from a file. Generated problems with `source` train are kept apart from this
project's own splits for measuring by a hash of their numbers; {measuring} here belong to such a split: do not train on
them.{referred}
Curation follows the paper: no image, no proof, one numeric answer, no duplicates. Curated problems are compared with
the benchmarks named by `--against` (8-grams, number-masked template, embedding); the funnel report lists them. A
response is kept if it has a boxed answer and, unless it is a plain solution, a thought, is not cut off, and does not
repeat itself or state the answer before reasoning, and if both math-verify and an exact comparison of numbers (for
generated problems: the family's own solver) find it right.{unchecked}

## Loading
```python
from datasets import load_dataset

kept = load_dataset("parquet", data_files="data/train.parquet", split="train").filter(lambda row: row["kept"])
```
"""


def row_of(trace: Trace, with_questions: bool = False) -> dict[str, Any]:
    """One row of the data set. Without `with_questions`, a problem of a public training set is a reference: MARK stands
    for its text."""
    messages = [{"role": "user", "content": trace.prompt}, {"role": "assistant", "content": trace.raw}]
    problem = trace.problem
    hidden = is_referred(problem) and not with_questions
    row = {
        "messages": messages,
        "id": trace.hash,
        "problem_id": problem.id,
        "source": problem.benchmark,
        "family": problem.subject,
        "level": problem.level,
        "question": problem.question,
        "gold": problem.gold,
        "problem_extra": json.dumps(problem.extra, ensure_ascii=False),
        **{name: getattr(trace, name) for name in ("thought", "answer", "method", "model", "kept", "reason")},
        **{name: getattr(trace, name) for name in ("tokens", "seconds", "cost", "attempt", "seed")},
        "extra": json.dumps(detached(problem, trace.extra).rest if hidden else trace.extra, ensure_ascii=False),
    }
    if not hidden:
        return row
    reference, rest = detached(problem, row)
    return {**rest, "gold": "", "problem_extra": json.dumps({"reference": reference})}


def export(
    traces: Iterable[Trace], folder: Path, *, title: str, licence: str = "apache-2.0", with_questions: bool = False
) -> Path:
    """Write `data/train.parquet` and `README.md` into the folder; returns the Parquet file.

    `with_questions`: as for `row_of`. Raises DataError if there is no trace to write, or the disk refuses.
    """
    path = folder / "data" / "train.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    seen: list[Trace] = []
    partial = path.with_suffix(".part")
    with pq.ParquetWriter(partial, SCHEMA, compression="zstd") as writer:
        for batch in _batches(traces):
            writer.write_table(pa.Table.from_pylist([row_of(trace, with_questions) for trace in batch], schema=SCHEMA))
            # Keep only what the card counts: trees are the bulk of a trace.
            seen += map(without_bulk, batch)
    if not seen:
        partial.unlink()
        raise DataError("There are no traces to export.", "Make some, or choose other filters.")
    partial.replace(path)
    (folder / "README.md").write_text(card(seen, title, licence, with_questions), encoding="utf-8")
    return path


def count_referred(traces: Iterable[Trace]) -> Counter[str]:
    """By title of the public training set: traces of its problems."""
    return Counter(TRAINING[trace.problem.benchmark].title for trace in traces if is_referred(trace.problem))


def card(traces: Sequence[Trace], title: str, licence: str = "apache-2.0", with_questions: bool = False) -> str:
    """The dataset card: front matter for the hub, a description, and the measured yields."""
    languages = ["en", "zh"] if any("\u4e00" <= letter <= "\u9fff" for t in traces for letter in t.thought) else ["en"]
    front = {
        "pretty_name": title,
        "license": licence,
        "language": languages,
        "task_categories": ["text-generation"],
        "tags": ["reasoning", "long-thought", "journey-learning", "maths", "sft"],
        "size_categories": [_size(len(traces))],
        "configs": [
            {"config_name": "default", "data_files": [{"split": "train", "path": "data/train.parquet"}]},
        ],
    }
    rejects = "; ".join(
        f"{count} × {code} ({REASONS.get(code, code)})" for code, count in reject_counts(traces).items()
    )
    unchecked = sum(bool(t.kept and t.reason) for t in traces)
    measuring = sum(t.problem.benchmark in MEASURED for t in traces)
    text = CARD.format(
        title=title,
        table=_table(traces),
        methods=" or ".join(sorted({t.method for t in traces})),
        unchecked=f" {unchecked} rows had no reference answer and were kept without a check." if unchecked else "",
        rejects=f"Rejected here: {rejects}." if rejects else "",
        measuring=f"{measuring} of the {len(traces)}" if measuring else "none",
        referred="".join(_referred(*each, with_questions) for each in count_referred(traces).items()),
    )
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n\n{text}"


def _referred(title: str, rows: int, with_questions: bool) -> str:
    if with_questions:
        return f" {rows} rows include questions and answers of {title}, which has a licence of its own."
    return (
        f" {rows} rows are on problems of {title} and do not include their texts: {MARK} stands for the question, and "
        "`problem_extra` says which problem it is."
    )


def _table(traces: Sequence[Trace]) -> str:
    rows = yield_rows(method_yields(traces))
    if not rows:
        return f"{len(traces)} traces, not yet verified: {dict(Counter(trace.method for trace in traces))}."
    lines = [list(rows[0]), ["---"] * len(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _size(rows: int) -> str:
    bounds = [(1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M")]
    return next((name for bound, name in bounds if rows < bound), "1M<n<10M")


def _batches(traces: Iterable[Trace]) -> Iterator[list[Trace]]:
    batch: list[Trace] = []
    for trace in traces:
        batch.append(trace)
        if len(batch) == ROWS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
