"""Publishing carries provenance, names no folder of the training machine, and says when nothing was measured."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import save_file

from common.errors import WeightsError
from eval.problems.families import TRAINED, generate
from eval.problems.families.family import LEVELS
from eval.records import Problem, Sample
from tests.traces.tiny import save_tiny
from traces.keeping.trace import append_trace, read_traces
from traces.publishing.figures import Answer, corrections, figures, summarize_answers
from traces.publishing.publish import Provenance, publish, publish_traces
from traces.thoughts.journey import journey


def answer(role: str, correct: bool, thought: str = "", number: int = 0) -> Answer:
    problem = Problem(f"same_kind/{number}", "?", "1", "same_kind", "sums", "1")
    sample = Sample("run", role, problem.id, 0, "?", "", thought, "It is 1.", 4, 6, "stop", 0, 0.1, "", "")
    return Answer(role, problem, sample, correct, found=True)


ANSWERS = [answer("base", number < 2, number=number) for number in range(20)]
ANSWERS += [answer("distilled", number < 15, "1+1=2.\nCheck: 2-1=1. Good.", number) for number in range(20)]


@pytest.fixture
def adapter(tmp_path: Path) -> Path:
    folder = tmp_path / "run" / "adapter"
    folder.mkdir(parents=True)
    save_file({"a.lora_A.weight": torch.zeros(2, 2)}, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"r": 2, "base_model_name_or_path": str(tmp_path)}))
    entries = [{"phase": phase, "step": step, "loss": 1 / step} for phase in ("one", "two") for step in (10, 20)]
    (folder.parent / "loss.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return folder


def provenance(tmp_path: Path) -> Provenance:
    (tmp_path / "r.yaml").write_text("name: r\n")
    training = [{"phase": "one", "seconds": 60.0, "tokens": 1000}]
    base = save_tiny(tmp_path / "base")
    return Provenance("tiny", tmp_path / "r.yaml", base, "someone/Tiny-1B", {"one": "ab"}, training, 2, 0.5)


def test_everything_needed_to_check_it_is_there(tmp_path: Path, adapter: Path) -> None:
    settings = {"temperature": 0.0, "samples": 1, "max_tokens": 512}
    evaluation = {"greedy": {"settings": settings, "summary": summarize_answers(ANSWERS)}}
    out = publish(adapter, tmp_path / "out", provenance(tmp_path), evaluation)
    assert {file.name for file in out.iterdir()} == {
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "loss.jsonl",
        "loss.png",
        "recipe.yaml",
        "report.json",
    }
    assert str(tmp_path) not in "".join(f.read_text() for f in out.iterdir() if f.suffix in (".json", ".md", ".yaml"))
    card = (out / "README.md").read_text()
    assert "| same kind | 20 | 10.0 % (3–30) | 10 | 75.0 % (53–89) | 10 |" in card
    report = json.loads((out / "report.json").read_text())
    assert report["data_sha256"] == {"one": "ab"}
    assert report["versions"]["torch"] == torch.__version__


def test_the_card_says_how_the_adapter_came_about(tmp_path: Path, adapter: Path) -> None:
    cut = provenance(tmp_path)
    card = (publish(adapter, tmp_path / "out", cut, None) / "README.md").read_text()
    assert "base_model: someone/Tiny-1B\n" in card and "teaches Tiny-1B to think" in card
    assert "\nlicense: apache-2.0\n" in card
    llama = replace(cut, licence="llama3.3")
    assert "\nlicense: llama3.3\n" in (publish(adapter, tmp_path / "out", llama, None) / "README.md").read_text()
    assert "the adapter is the rank-2 truncated SVD" in card and "50.0 % of its squared norm" in card
    config = json.loads((tmp_path / "out" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "someone/Tiny-1B"
    card = (publish(adapter, tmp_path / "out", replace(cut, kept=None), None) / "README.md").read_text()
    assert "Trained as a LoRA adapter of rank 2." in card and "SVD" not in card


def test_an_unmeasured_adapter_says_so(tmp_path: Path, adapter: Path) -> None:
    out = publish(adapter, tmp_path / "out", provenance(tmp_path), None)
    assert "Nothing has been measured" in (out / "README.md").read_text()


def test_the_card_names_a_phase_that_its_time_limit_ended(tmp_path: Path, adapter: Path) -> None:
    given = provenance(tmp_path)
    ended = replace(given, training=[{**given.training[0], "finished": False}, {**given.training[0], "phase": "two"}])
    card = (publish(adapter, tmp_path / "out", ended, None) / "README.md").read_text()
    assert "Phase one was ended early by its time limit" in card and "Phase two was" not in card


def test_a_missing_file_is_named(tmp_path: Path, adapter: Path) -> None:
    (adapter / "adapter_config.json").unlink()
    with pytest.raises(WeightsError, match=r"lacks adapter_config\.json"):
        publish(adapter, tmp_path / "out", provenance(tmp_path), None)


def test_figures_count_problems_and_keep_the_interval() -> None:
    found = figures([a for a in ANSWERS if a.role == "distilled"])
    assert (found["problems"], found["accuracy"]) == (20, 0.75)
    assert found["low"] < 0.75 < found["high"]


@pytest.mark.parametrize(
    ("thought", "correct", "expected"),
    [
        (
            "7*8=54.\nCheck: 8*7=56, had 54. Not the same.\nWait, that is wrong: 7*8 is not 54. Go back.\n7*8=56.",
            True,
            "saved",
        ),
        ("7*8=54.\nCheck: 54. Good.", False, "sham_checks"),
        ("1+1=2.\nCheck: 2-1=1. Good.", True, "checks_said_good"),
        ("3+4=7 leads nowhere. Go back.", True, "dead_ends"),
        ("Try x=5: 3*5=15, too small.", True, "trials_left"),
    ],
)
def test_corrections_are_counted(thought: str, correct: bool, expected: str) -> None:
    assert corrections([answer("distilled", correct, thought)])[expected] == 1


def test_published_traces_are_all_of_them_and_a_sample(tmp_path: Path) -> None:
    file = tmp_path / "journey.traces.jsonl"
    traces = [replace(journey(problem, 1), kept=True) for problem in generate("train", 120, seed=1)]
    for trace in traces:
        append_trace(file, trace)
    append_trace(file, replace(traces[0], kept=False, reason="loop: x", attempt=2))
    folder = publish_traces([file], tmp_path)
    rows = pq.read_table(folder / "data" / "train.parquet").to_pylist()
    assert len(rows) == 121
    assert rows[3]["thought"] == traces[3].thought
    sample = list(read_traces(folder / "sample.traces.jsonl"))
    assert {(t.problem.subject, t.problem.level) for t in sample} == {
        (t.problem.subject, t.problem.level) for t in traces
    }
    assert len(sample) == len(TRAINED) * LEVELS
    assert all(trace.kept and trace.extra["tree"] for trace in sample)
