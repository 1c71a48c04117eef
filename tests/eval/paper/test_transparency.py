"""The index adds up, evidence is asked for, and the self-score fails when an artefact is gone."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.arena import main
from common.errors import DataError
from common.paths import ROOT
from eval.paper.figures import LEADERBOARD
from eval.paper.transparency import (
    DIMENSIONS,
    Assessment,
    Entry,
    from_json,
    full_marks,
    items,
    save,
    saved,
    score,
    section_of,
    self_score,
    to_json,
    to_markdown,
    unsupported,
)

WEIGHTS = {
    "data": [3, 3, 4, 4],
    "methodology": [4, 6, 6, 6, 3, 2, 2, 4],
    "evaluation": [4, 4, 4, 4, 4, 4],
    "open_source": [3, 5, 5, 4, 4, 4, 4],
}
ARTEFACTS = {
    "models/adapters/toy/README.md": (
        "SmolLM2-135M-Instruct, 135M parameters, Apache licence, seed 1. Families, level, split. Rejected, "
        "decontaminated. Tree search of width 3 and depth 5. We do not use reinforcement learning. Long thoughts "
        "turn back from a wrong step. make distil runs phase 1 and 2. 2 cores, 100 tokens/s, 90 minutes. "
        "Greedy, max_tokens 1024, the same prompt and the same budget."
    ),
    "models/adapters/toy/adapter_model.safetensors": "x" * 200_000,
    "LICENSE": "Apache License",
}


def everything(answer="yes", evidence="https://example.org") -> Assessment:
    return Assessment("Work", tuple(Entry(item.key, answer, evidence) for item in items()))


def test_weights_and_counts_are_those_of_the_paper() -> None:
    assert {d: [i.weight for i in items() if i.dimension == d] for d in DIMENSIONS} == WEIGHTS
    full = full_marks()
    assert (full.data, full.methodology, full.evaluation, full.open_source) == (14, 33, 24, 29)
    assert (full.total, len(items()), len({i.key for i in items()})) == (100, 25, 25)


def test_no_work_of_the_paper_passes_full_marks() -> None:
    full = full_marks()
    assert all(getattr(row, d) <= getattr(full, d) for row in LEADERBOARD for d in DIMENSIONS)


def test_every_item_can_be_scored_by_artefacts() -> None:
    assert all(item.artefacts or item.statement for item in items())


def test_an_item_without_evidence_is_a_no() -> None:
    assert score(everything()).total == 100
    assert score(everything(evidence="  ")).total == 0
    assert len(unsupported(everything(evidence=""))) == 25
    assert score(everything(answer="no")).total == 0


def test_openly_not_used_counts_for_techniques_only() -> None:
    expected = sum(item.weight for item in items() if item.technique)
    assert 0 < score(everything(answer="not_used")).total == expected < 100


def test_unknown_and_doubled_items_are_refused() -> None:
    with pytest.raises(DataError, match="humour"):
        score(Assessment("W", (Entry("humour", "yes", "x"),)))
    with pytest.raises(DataError, match="twice"):
        score(Assessment("W", (Entry("weights"), Entry("weights"))))


ENTRIES = st.lists(
    st.builds(Entry, st.sampled_from([i.key for i in items()]), st.sampled_from(["yes", "no", "not_used"]), st.text()),
    unique_by=lambda entry: entry.item,
)


@given(st.text(min_size=1), ENTRIES)
def test_json_comes_back_as_it_was(work, entries) -> None:
    assessment = Assessment(work, tuple(entries), "someone", "2024-11-22T00:00:00+00:00")
    assert from_json(to_json(assessment)) == assessment
    assert 0 <= score(assessment).total <= 100


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"work": "W"}', '{"work": "W", "entries": [{"item": "weights", "answer": "maybe"}]}',
     '{"work": 3, "entries": []}', '{"work": "W", "entries": [{"item": "weights", "answer": "yes", "evidence": 1}]}'],
)  # fmt: skip
def test_a_broken_file_is_refused_by_name(text) -> None:
    with pytest.raises(DataError, match=r"scores\.json"):
        from_json(text, "scores.json")


def test_markdown_states_total_and_every_item() -> None:
    text = to_markdown(Assessment("W", (Entry("weights", "yes", "a | b"),)))
    assert "transparency-5%2F100" in text
    assert text.count("\n| ") == 1 + len(DIMENSIONS) + 1 + 25
    assert "a \\| b" in text


def test_saving_keeps_every_version_and_lists_the_newest(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    save(Assessment("My Work!", ()))
    path = save(Assessment("My Work!", (Entry("weights", "yes", "here\u2028and there"),)))
    assert path.read_text().count("\n") == 2
    assert [score(a).total for a in saved()] == [5]
    with pytest.raises(DataError, match="no name"):
        save(Assessment("  ", ()))


@pytest.fixture
def product(tmp_path) -> Path:
    for name, text in ARTEFACTS.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def answer_to(key: str, root: Path) -> Entry:
    return next(entry for entry in self_score(root).entries if entry.item == key)


def test_an_empty_folder_scores_nothing(tmp_path) -> None:
    assessment = self_score(tmp_path)
    assert score(assessment).total == 0
    assert all(entry.note.startswith("not found") for entry in assessment.entries)


@pytest.mark.parametrize(
    ("key", "artefact"),
    [
        ("weights", "models/adapters/toy/adapter_model.safetensors"),
        ("weights", "LICENSE"),
        ("compute", "models/adapters/toy/README.md"),
        ("rl_algorithm", "models/adapters/toy/README.md"),
    ],
)
def test_an_item_is_lost_with_its_artefact(product, key, artefact) -> None:
    before = score(self_score(product)).total
    weight = next(item.weight for item in items() if item.key == key)
    assert artefact in answer_to(key, product).evidence
    (product / artefact).unlink()
    assert answer_to(key, product).answer == "no"
    assert score(self_score(product)).total <= before - weight


def test_a_file_that_no_longer_says_it_is_no_evidence(product) -> None:
    assert answer_to("rl_algorithm", product).answer == "not_used"
    card = product / "models/adapters/toy/README.md"
    card.write_text(card.read_text().replace("do not use reinforcement learning", "say nothing"))
    assert answer_to("rl_algorithm", product).answer == "no"


@pytest.mark.parametrize("entry", [e for e in self_score().entries if e.evidence], ids=lambda entry: entry.item)
def test_every_point_of_the_product_goes_with_any_of_its_artefacts(entry: Entry, tmp_path: Path) -> None:
    named = entry.evidence.split(", ")
    for name in named:
        link(name, tmp_path)
    assert answer_to(entry.item, tmp_path) == entry
    for name in named:
        (tmp_path / name).unlink()
        assert answer_to(entry.item, tmp_path).answer == "no", name
        link(name, tmp_path)


def link(name: str, folder: Path) -> None:
    """The product's own file in another folder; weights are not copied."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).symlink_to(ROOT / name)


@pytest.mark.parametrize("key", ["benchmark_choice", "granularity", "custom_metrics", "data_sources"])
def test_words_without_their_section_are_no_evidence(key: str, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    texts = {name: (ROOT / "docs" / name).read_text() for name in ("evaluation.md", "data-card.md")}

    def answer(change: Callable[[list[str]], list[str]]) -> str:
        for name, text in texts.items():
            (tmp_path / "docs" / name).write_text("\n".join(change(text.splitlines())))
        return answer_to(key, tmp_path).answer

    assert answer(lambda lines: lines) == "yes"
    assert answer(lambda lines: [line.lstrip("# ") for line in lines]) == "no"
    assert answer(lambda lines: [line for line in lines if line.startswith("#")]) == "no"


def test_a_section_reaches_to_the_next_heading_of_its_rank() -> None:
    text = "# A\none\n## Metrics\ntwo\n### Deeper\nthree\n## Metrics of our own\nfour\n"
    assert section_of(text, "^metrics$") == "two\n### Deeper\nthree"
    assert section_of(text, "of our own") == "four"
    assert section_of(text, "humour") == ""


ARM = {"name": "a", "results": {"same_kind": {"correct": 1}}}


@pytest.mark.parametrize(
    ("arms", "answer"),
    [([{**ARM, "what": "journey"}, {**ARM, "what": "shortcut, no phase 1"}], "yes"), ([ARM], "no"), ([], "no")],
)
def test_an_ablation_needs_arms_with_results(arms: list[object], answer: str, tmp_path: Path) -> None:
    report = tmp_path / "models/adapters/toy/ablation.json"
    report.parent.mkdir(parents=True)
    made = {"question": "shortcut or journey, with or without phase 1?", "made": {"seed": 1}}
    report.write_text(json.dumps({**made, "arms": arms}))
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/ablation.md").write_text("Ablation: the shortcut against the journey, phase by phase.")
    assert answer_to("ablations", tmp_path).answer == answer


def test_data_under_a_false_name_are_no_data(tmp_path: Path) -> None:
    traces = tmp_path / "models/adapters/toy/traces"
    (traces / "data").mkdir(parents=True)
    (traces / "README.md").write_text("Long-thought solutions. Columns: `thought`.")
    (traces / "sample.traces.jsonl").write_text('{"thought": "…", "tree": {}}' * 1000)
    for content, answer in (("x" * 20_000, "no"), ("PAR1" + "x" * 20_000, "yes"), ("PAR1", "no")):
        (traces / "data/train.parquet").write_text(content)
        assert answer_to("long_thought_data", tmp_path).answer == answer


def test_a_placeholder_is_no_weights(product) -> None:
    (product / "models/adapters/toy/adapter_model.safetensors").write_text("version https://git-lfs…")
    assert answer_to("weights", product).answer == "no"


def test_the_product_itself_loses_points_without_its_licence(tmp_path) -> None:
    copy = tmp_path / "copy"
    for name in ("eval", "LICENSE"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, copy / name)
    licence = [item.key for item in items() if any("LICENSE" in check.files for check in item.artefacts)]
    (copy / "LICENSE").unlink()
    assert all(answer_to(key, copy).answer == "no" for key in licence)


def test_the_command_prints_every_item_and_the_sum(product, capsys) -> None:
    assert main(["index", "--root", str(product)]) == 0
    text = capsys.readouterr().out
    assert all(item.question in text for item in items())
    assert main(["index", "--root", str(product), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["score"]["total"] == score(self_score(product)).total


def test_a_score_that_a_crash_cut_short_costs_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_HOME", str(tmp_path))
    for assessor in ("Ann", "Bo"):
        path = save(Assessment("A work", (), assessor))
        with path.open("a", encoding="utf-8") as file:
            file.write('{"format": "transparency-1", "work": "A w')
        assert [work.assessor for work in saved()] == [assessor]
    assert len(path.read_text(encoding="utf-8").splitlines()) == 3, "the first, the second, and what was cut short last"
