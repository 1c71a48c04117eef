"""Logs of inspect_ai: `.eval`, a zip with a JSON file a sample, and `.json`, one object with all samples.

An `.eval` holds `header.json` (while the evaluation runs, `_journal/start.json`) and `samples/<id>_epoch_<n>.json`.
A sample, shortened: {"id": 1, "epoch": 1, "input": "What is 2 + 3?", "target": "5", "output": {"choices": [{"message":
{"role": "assistant", "content": [{"type": "reasoning", "reasoning": "…"}, {"type": "text", "text": "5"}]},
"stop_reason": "stop"}], "usage": {"output_tokens": 9}}, "scores": {"match": {"value": "C"}}}
"""

import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from common.errors import DataError
from common.jsonl import parse, read_text
from eval.imports.messages import (
    LogRows,
    RowFault,
    Spoken,
    asked,
    gold_of,
    output,
    spoken,
    task_of,
    tokens_of,
    verdict_of,
)
from eval.imports.outputs import Output, OutputRow

HARNESS = "inspect_ai"
LARGEST = 256 * 2**20
"""Bytes of one sample, unpacked."""
ZSTD = 93
"""Compression method of newer logs; zipfile supports it only from Python 3.14."""
_LOCAL_HEADER = 30
"""Bytes before the name in a zip's local header; the last four are the lengths of name and extra field."""


def is_inspect(value: Any) -> bool:
    """Whether this content of a JSON file is an inspect_ai log."""
    return isinstance(value, Mapping) and isinstance(value.get("eval"), Mapping) and "task" in value["eval"]


def read_eval(path: Path) -> LogRows:
    """Read an `.eval` file. Raises DataError if it is not a zip or does not describe an evaluation."""
    try:
        with zipfile.ZipFile(path) as archive:
            spec = _spec(archive, path.name)
            return _rows(path.name, spec, _samples(archive, path.name))
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise DataError(f"{path.name} is not a whole .eval file: {error}.", "Get the file again.") from error


def read_json(path: Path) -> LogRows:
    """Read a `.json` log. Raises DataError for a log without samples, such as one made with `--no-log-samples`."""
    value = parse(read_text(path), path.name)
    samples = value.get("samples")
    if not isinstance(samples, list) or not samples:
        raise DataError(f"{path.name} is a log without samples.", "Evaluate again with samples logged.")
    numbered = ((f"{path.name}, sample {number}", sample) for number, sample in enumerate(samples, 1))
    return _rows(path.name, value["eval"], numbered)


def _spec(archive: zipfile.ZipFile, name: str) -> Mapping[str, Any]:
    for entry in ("header.json", "_journal/start.json"):
        if entry in archive.namelist():
            header = parse(_unpacked(archive, entry).decode("utf-8", "replace"), f"{name}, {entry}")
            if is_inspect(header):
                return dict(header["eval"])
    raise DataError(f"{name} has no header of inspect_ai.", "Give an .eval file that inspect_ai wrote.")


def _samples(archive: zipfile.ZipFile, name: str) -> Iterator[tuple[str, Any]]:
    """The location of each sample, with the sample or a RowFault."""
    for entry in sorted({each for each in archive.namelist() if each.startswith("samples/")}, key=_in_order):
        where, *deeper = entry.removeprefix("samples/").split("/")
        if deeper and deeper != ["sample.json"]:
            continue
        where = f"{name}, sample {where.removesuffix('.json')}"
        if deeper:
            yield where, RowFault("is stored in pieces; convert the log with `inspect log convert --to json`")
            continue
        try:
            yield where, parse(_unpacked(archive, entry).decode("utf-8", "replace"), "it")
        except DataError as error:
            yield where, RowFault(f"cannot be read: {error}")
        except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, pa.ArrowException):
            yield where, RowFault("is damaged")


def _in_order(entry: str) -> tuple[int, str]:
    """Sort key: numbered samples by number (2 before 10), others by name."""
    number = entry.removeprefix("samples/").partition("_epoch_")[0]
    return (int(number), entry) if number.isdecimal() and len(number) < 19 else (2**63, entry)


def _unpacked(archive: zipfile.ZipFile, entry: str) -> bytes:
    """The decompressed content of an entry, including one compressed with zstd."""
    info = archive.getinfo(entry)
    if info.file_size > LARGEST:
        raise DataError(f"{entry} has {info.file_size / 2**20:,.0f} MiB; at most {LARGEST // 2**20} are read.")
    if info.compress_type != ZSTD:
        return archive.read(entry)
    file = archive.fp
    if file is None:
        raise zipfile.BadZipFile("the file is closed")
    file.seek(info.header_offset)
    header = file.read(_LOCAL_HEADER)
    if len(header) < _LOCAL_HEADER:
        raise zipfile.BadZipFile("a header is cut short")
    lengths = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    file.seek(lengths, 1)
    packed = pa.BufferReader(file.read(info.compress_size))
    with pa.CompressedInputStream(packed, "zstd") as stream:
        content: bytes = stream.read(LARGEST + 1)
    if len(content) != info.file_size:
        raise zipfile.BadZipFile(f"{entry} is cut short")
    return content


def _rows(name: str, spec: Mapping[str, Any], samples: Iterator[tuple[str, Any]]) -> LogRows:
    rows: list[OutputRow] = []
    faults: list[str] = []
    for number, (where, sample) in enumerate(samples, 1):
        try:
            if isinstance(sample, RowFault):
                raise sample
            rows.append(_row(number, where, sample, spec))
        except RowFault as fault:
            faults.append(f"{where} {fault}.")
    return LogRows(HARNESS, rows, faults)


def _row(number: int, where: str, sample: Any, spec: Mapping[str, Any]) -> OutputRow:
    if not isinstance(sample, Mapping):
        raise RowFault("is not an object")
    sample = _resolved(sample)
    row = {"model": str(spec.get("model") or ""), "benchmark": task_of(spec.get("task"))}
    key = str(sample.get("id") or number)
    return OutputRow(
        number, where, asked(sample.get("input")), gold_of(sample.get("target")), key, _outputs(sample), row
    )


def _outputs(sample: Mapping[str, Any]) -> tuple[Output, ...]:
    """The model's final output; for a failed sample, its error."""
    model_output = sample.get("output")
    model_output = model_output if isinstance(model_output, Mapping) else {}
    error = sample.get("error")
    facts = {
        "seconds": next(
            (s for s in (model_output.get("time"), sample.get("total_time")) if isinstance(s, int | float)), 0
        ),
        "started_at": sample.get("started_at"),
        "error": str(error.get("message") or "failed") if isinstance(error, Mapping) else "",
        **tokens_of(model_output.get("usage")),
    }
    score = sample.get("scores")
    score = next(iter(score.values()), None) if isinstance(score, Mapping) else None
    right = verdict_of(score.get("value")) if isinstance(score, Mapping) else None
    choices = [choice for choice in model_output.get("choices") or () if isinstance(choice, Mapping)]
    if not choices:
        if not facts["error"]:
            raise RowFault("has no output of the model")
        return (output(Spoken(None, ""), "", facts),)
    return tuple(output(spoken(choice.get("message")), choice.get("stop_reason"), facts, right) for choice in choices)


def _resolved(sample: Mapping[str, Any]) -> Mapping[str, Any]:
    """The sample with references to attachments replaced by their text, only in the parts that are read."""
    attachments = sample.get("attachments")
    if not isinstance(attachments, Mapping) or not attachments:
        return sample

    def resolve(value: Any) -> Any:
        if isinstance(value, str) and value.startswith("attachment://"):
            return attachments.get(value.removeprefix("attachment://"), value)
        if isinstance(value, list):
            return [resolve(each) for each in value]
        return {key: resolve(each) for key, each in value.items()} if isinstance(value, Mapping) else value

    return {key: resolve(value) if key in ("input", "target", "output") else value for key, value in sample.items()}
