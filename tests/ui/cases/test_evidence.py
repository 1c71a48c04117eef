"""The product's own evidence: every figure comes from a report, and what a report lacks is said to be missing."""

import json
from pathlib import Path
from typing import Any

import pytest

from common.paths import ROOT
from traces.publishing.report import read_report
from ui.cases.evidence import ADAPTER, CORRECTIONS, ablation_html, bitter_evidence

FIGURES = {"problems": 60, "accuracy": 0.5, "low": 0.4, "high": 0.6, "mean_tokens": 171.4}
COUNTS = dict(zip(CORRECTIONS, (9, 4, 1, 5, 2, 3, 1), strict=True))
CHAT = [
    {"prompt": "<b>Hi", "base": {"answer": "Hello"}, "distilled": {"answer": "\\boxed{1}", "thought": "Hm."}},
    {"prompt": "Why?", "base": {"answer": "So."}, "distilled": {"answer": ""}},
]


def report(**evaluation: Any) -> dict[str, Any]:
    return {"training_seconds": 600, "training_tokens": 5000, "evaluation": evaluation}


def greedy(**roles: Any) -> dict[str, Any]:
    return {"summary": {"same_kind": roles}}


def test_every_figure_of_a_whole_report_is_read() -> None:
    whole = greedy(base=FIGURES, distilled={**FIGURES, "accuracy": 0.75, "corrections": COUNTS})
    found = bitter_evidence(report(greedy=whole, chat=CHAT))
    for part in ("50 %", "75 %", "40 to 60", "60 problems", "171 tokens"):
        assert part in found["ceiling"]
    assert "10 minutes on 5,000 tokens" in found["effort"]
    assert "of 100 points" in found["hiding"]
    for part in (
        "of 9 thoughts", "4 contain a false calculation; 1 of these", "5 end with a check", "over 2 of these",
        "In 3 a check finds a fault; 1 of these", "of 2 plain chat prompts, 1 are now answered with a box",
        "1 with a thought, 1 with nothing (before: 0)",
    ):  # fmt: skip
        assert part in found["shortcuts"]
    assert "<b>Hi" not in found["shortcuts"]


BROKEN = [
    {},
    {"evaluation": None},
    report(greedy=None, chat=None),
    report(greedy={"summary": []}, chat={"prompt": "Hi"}),
    report(greedy=greedy(base=None, distilled=[]), chat=["Hi"]),
    report(greedy=greedy(distilled={"corrections": {**COUNTS, "saved": None}}), chat=[{}]),
    report(greedy=greedy(distilled={"accuracy": "high", "corrections": {"thoughts": 9}})),
    {"training_seconds": "long", "training_tokens": 1},
]


@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_missing_is_said_and_never_made_up(broken: dict[str, Any]) -> None:
    found = bitter_evidence(broken)
    assert "not measured" in found["ceiling"]
    assert "Checks here: not measured yet" in found["shortcuts"]
    assert "%" not in found["ceiling"]
    assert ("not measured" in found["effort"]) == (broken.get("training_seconds") != 600)


def test_a_side_that_was_not_measured_is_named_beside_the_other() -> None:
    found = bitter_evidence(report(greedy=greedy(base=FIGURES)))
    assert "50 %" in found["ceiling"]
    assert "<td>not measured</td>" in found["ceiling"]


def test_the_shipped_report_has_every_key_that_is_read() -> None:
    found = bitter_evidence(read_report(ADAPTER))
    assert not any("not measured" in text for text in found.values())


def test_a_report_that_is_not_there_or_damaged_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    assert read_report(tmp_path) == {}
    for text in ("{", "[1]"):
        path.write_text(text)
        assert read_report(tmp_path) == {}


def test_an_ablation_is_a_table_with_intervals_or_honestly_missing(tmp_path: Path) -> None:
    assert "Not measured yet" in ablation_html(tmp_path / "ablation.json")
    assert "models/adapters" in ablation_html(ROOT / "models/adapters/none/ablation.json")
    result = {"same_kind": {"correct": 24, "problems": 60, "mean_tokens": 171.4}}
    arm = {"what": "phase 1 & more", "problems": 760, "tokens": 198000, "minutes": 18.2}
    arms = [{**arm, "name": "journey", "results": result}, {**arm, "name": "<shortcut>", "results": {}}]
    path = tmp_path / "ablation.json"
    path.write_text(json.dumps({"question": "Which?", "made": {"seed": 11}, "arms": arms}))
    shown = ablation_html(path)
    for part in (
        "Which?",
        "24/60, 40 %",
        "29 to 53",
        "171 tokens",
        "198,000 tokens, 18 min",
        "seed 11",
        "not measured",
    ):
        assert part in shown
    assert "<shortcut>" not in shown
    path.write_text(json.dumps({"question": "Which?", "made": {}, "arms": arms[:1]}))
    assert "two arms" in ablation_html(path)
