"""Small logs in the formats of other harnesses, written here after their documented schemas."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

QUESTIONS: Mapping[str, str] = {"What is 2 + 3?": "5", "What is 6 * 7?": "42", "What is 9 - 4?": "5"}
THOUGHT = "Let me see. Wait, I check it."


def thinking(answer: str) -> list[dict[str, str]]:
    return [{"type": "reasoning", "reasoning": THOUGHT}, {"type": "text", "text": f"So \\boxed{{{answer}}}."}]


def inspect_sample(number: int, question: str, target: str, answer: str, **changes: Any) -> dict[str, Any]:
    message = {"role": "assistant", "source": "generate", "content": thinking(answer)}
    return {
        "id": number,
        "epoch": 1,
        "input": question,
        "target": target,
        "messages": [{"role": "user", "content": f"{question} Think."}, message],
        "output": {
            "model": "org/model",
            "choices": [{"message": message, "stop_reason": "stop"}],
            "usage": {"input_tokens": 9, "output_tokens": 30, "total_tokens": 39, "reasoning_tokens": 20},
            "time": 1.5,
        },
        "scores": {"match": {"value": "C", "answer": answer}},
        "started_at": "2026-01-01T00:00:00+00:00",
        "events": [{"event": "model", "of": "a later version"}],
        "uuid": "…",
        **changes,
    }


def inspect_samples(answers: Sequence[str], **changes: Any) -> list[dict[str, Any]]:
    asked = zip(QUESTIONS.items(), answers, strict=True)
    return [inspect_sample(n, question, gold, said, **changes) for n, ((question, gold), said) in enumerate(asked, 1)]


def inspect_header(model: str) -> dict[str, Any]:
    return {
        "version": 2,
        "status": "success",
        "eval": {"task": "inspect_evals/gsm8k", "model": model, "dataset": {"name": "gsm8k", "samples": 3}},
        "plan": {"steps": []},
        "results": {"scores": []},
    }


def write_inspect(path: Path, model: str, samples: Sequence[Mapping[str, Any] | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", json.dumps(inspect_header(model)))
        for number, sample in enumerate(samples, 1):
            content = sample if isinstance(sample, bytes) else json.dumps(sample)
            archive.writestr(f"samples/{number}_epoch_1.json", content)
        archive.writestr("summaries.json", "[]")
        archive.writestr("header.json", json.dumps(inspect_header(model)))
    return path


def zstd_packed(path: Path) -> Path:
    """The same archive with every entry compressed by zstd, as newer versions write it."""
    with zipfile.ZipFile(path) as archive:
        entries = [(info.filename, archive.read(info)) for info in archive.infolist()]
    body, directory = io.BytesIO(), io.BytesIO()
    for name, content in entries:
        packed = bytes(pa.compress(content, codec="zstd", asbytes=True))
        about = (
            b"\x14\x00" b"\x00\x00" b"\x5d\x00" b"\x00\x00\x21\x50"
            + zipfile.crc32(content).to_bytes(4, "little")  # type: ignore[attr-defined]
            + len(packed).to_bytes(4, "little") + len(content).to_bytes(4, "little")
            + len(name.encode()).to_bytes(2, "little") + b"\x00\x00"
        )  # fmt: skip
        at = body.tell()
        body.write(b"PK\x03\x04" + about + name.encode() + packed)
        directory.write(
            b"PK\x01\x02\x14\x00" + about + b"\x00" * 10 + at.to_bytes(4, "little") + name.encode()
        )  # fmt: skip
    start, size, count = body.tell(), directory.tell(), len(entries).to_bytes(2, "little")
    end = b"PK\x05\x06\x00\x00\x00\x00" + count + count + size.to_bytes(4, "little") + start.to_bytes(4, "little")
    path.write_bytes(body.getvalue() + directory.getvalue() + end + b"\x00\x00")
    return path


def harness_row(number: int, question: str, gold: str, answer: str, **changes: Any) -> dict[str, Any]:
    return {
        "doc_id": number,
        "doc": {"question": question, "answer": f"Some work.\n#### {gold}"},
        "target": f"Some work.\n#### {gold}",
        "arguments": {"gen_args_0": {"arg_0": f"Question: {question}\nAnswer:", "arg_1": {"until": ["\n\n"]}}},
        "resps": [[f"<think>{THOUGHT}</think>\\boxed{{{answer}}}"]],
        "filtered_resps": [answer],
        "filter": "strict-match",
        "metrics": ["exact_match"],
        "doc_hash": "a",
        "prompt_hash": "b",
        "target_hash": "c",
        "exact_match": 1.0,
        **changes,
    }


def write_harness(folder: Path, model: str, answers: Sequence[str], more: Sequence[str] = ()) -> Path:
    """Every row twice, once for each filter, as the harness writes them; then these lines."""
    path = folder / model.replace("/", "__") / "samples_gsm8k_2026-01-01T10-00-00.123456.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    asked = list(enumerate(zip(QUESTIONS.items(), answers, strict=True)))
    rows = [
        harness_row(n, question, gold, said, filter=name)
        for name in ("strict-match", "flexible-extract") for n, ((question, gold), said) in asked
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "".join(more))
    return path


def lighteval_row(question: str, gold: str, answer: str) -> dict[str, Any]:
    return {
        "doc": {
            "query": question, "choices": [f" {gold}"], "gold_index": [0], "task_name": "lighteval|gsm8k|0",
            "specific": {"more": 1},
        },
        "model_response": {
            "input": f"<user>{question}",
            "text": [f"So \\boxed{{{answer}}}."],
            "reasonings": [THOUGHT],
            "output_tokens": [[1, 2, 3]],
            "logprobs": [],
        },
        "metric": {"extractive_match": 1.0},
    }  # fmt: skip


def older_lighteval_row(question: str, gold: str, answer: str) -> dict[str, Any]:
    """As before version 0.10, with lists as Python writes them."""
    return {
        "example": question, "full_prompt": f"Q: {question}", "gold": f"[' {gold}']", "metrics": "{'em': 1.0}",
        "predictions": f"['<think>{THOUGHT}</think>\\\\boxed{{{answer}}}']", "cont_tokens": "[[1, 2, 3]]",
    }  # fmt: skip


def write_lighteval(folder: Path, model: str, answers: Sequence[str], row: Any = lighteval_row) -> Path:
    path = folder / "details" / model / "t" / "details_lighteval|gsm8k|0_2026-01-01T10-00-00.123456.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [row(question, gold, said) for (question, gold), said in zip(QUESTIONS.items(), answers, strict=True)]
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def review(number: int, question: str, gold: str, answer: str) -> dict[str, Any]:
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": thinking(answer)}]
    score = {"value": {"acc": 1.0}, "extracted_prediction": answer, "prediction": answer}
    return {
        "index": number, "target": gold, "messages": messages, "agent_trace": None,
        "sample_score": {"score": score, "sample_id": number, "group_id": number},
    }  # fmt: skip


def prediction(number: int, question: str, _: str, answer: str) -> dict[str, Any]:
    """With the question as it was asked, and no gold answer."""
    message = {"role": "assistant", "content": thinking(answer)}
    return {
        "index": number, "model": "org-model", "messages": [{"role": "user", "content": f"{question}\nUse a box."}],
        "model_output": {
            "model": "org-model", "choices": [{"message": message, "stop_reason": "max_tokens"}],
            "usage": {"input_tokens": 9, "output_tokens": 12, "total_tokens": 21},
        },
        "metadata": {},
    }  # fmt: skip


def older_review(number: int, question: str, gold: str, answer: str) -> dict[str, Any]:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": f"\\boxed{{{answer}}}", "reasoning_content": THOUGHT},
        "review": {"gold": gold, "pred": answer, "result": 1.0},
    }
    return {
        "index": number, "choices": [choice], "raw_input": {"question": question, "answer": f"…#### {gold}"},
        "model": "org-model", "reviewed": True, "usage": {"completion_tokens": 12},
    }  # fmt: skip


def write_evalscope(folder: Path, model: str, answers: Sequence[str], row: Any = review) -> Path:
    path = folder / ("predictions" if row is prediction else "reviews") / model / "gsm8k_main.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    asked = enumerate(zip(QUESTIONS.items(), answers, strict=True))
    path.write_text("".join(json.dumps(row(n, q, gold, said)) + "\n" for n, ((q, gold), said) in asked))
    return path
