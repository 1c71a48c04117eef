"""The documents say what the code does: every family, split, reason, benchmark and link is there, and the version."""

import re
from pathlib import Path

import pytest

from common.paths import ROOT
from common.software import VERSION
from eval.paper.transparency import section_of
from eval.problems.benchmark_sets import GENERATED, KNOWN
from eval.problems.families import HELD_OUT_PERCENT, SPLITS, TRAINED, UNSEEN
from eval.runs.log import RunConfig
from models.config.registry import load_config
from traces.keeping.keep import REASONS, KeepRules
from traces.problems.decontaminate import COSINE_THRESHOLD, RULES
from traces.thoughts.search import SearchSettings

CARD = (ROOT / "docs" / "data-card.md").read_text()
EVALUATION = (ROOT / "docs" / "evaluation.md").read_text()


def test_the_change_log_begins_with_this_version() -> None:
    assert re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0] == VERSION


def test_the_data_card_names_every_family_with_its_range() -> None:
    families = section_of(CARD, "^families")
    rows = {cells[1]: int(cells[3]) for line in families.splitlines() if len(cells := cells_of(line)) > 4}
    assert rows == {name: family.largest for name, family in TRAINED.items()}
    unseen = re.search(r"nobody trains\s+on: ([\w,\s]+)\.", families)
    assert unseen
    assert unseen[1].replace("\n", " ").split(", ") == list(UNSEEN)


def cells_of(line: str) -> list[str]:
    """The cells of a table's row that ends in a number."""
    cells = [cell.strip() for cell in line.split("|")]
    return cells if cells[-2:-1] and cells[-2].isdigit() else []


def test_the_data_card_names_every_split_and_reason() -> None:
    splits = section_of(CARD, "^splits")
    assert all(f"| {split} |" in splits for split in SPLITS)
    assert f"{100 - HELD_OUT_PERCENT} % of all numbers | training" in splits
    assert f"the other {HELD_OUT_PERCENT} % of all numbers | measuring" in splits
    rejected = section_of(CARD, "what is rejected")
    assert all(f"`{code}`" in rejected for code in REASONS)
    assert str(KeepRules().shortest_thought) in rejected
    assert len(re.findall(r"^\d\. ", section_of(CARD, "decontamination"), re.MULTILINE)) == len(RULES)
    assert str(COSINE_THRESHOLD) in section_of(CARD, "decontamination")


def test_the_data_card_states_the_search_as_it_is() -> None:
    said, settings = section_of(CARD, "^the search"), SearchSettings()
    assert f"most {settings.width} candidate" in said
    assert f"most {settings.depth} steps" in said
    assert settings.beam == 4
    assert "four best" in said


def test_the_evaluation_names_every_benchmark_and_the_defaults() -> None:
    why, config = section_of(EVALUATION, "why these benchmarks"), RunConfig("p", ("x",))
    assert all(f"| {title} |" in why for title in (*GENERATED.values(), *(known.title for known in KNOWN.values())))
    assert all(f"| {known.size} |" in why and known.hub in why for known in KNOWN.values())
    conditions = section_of(EVALUATION, "^conditions")
    assert "| max_tokens, thought and answer together | the pair's;" in conditions
    assert config.samples == 1


def test_the_evaluation_states_the_base_as_it_is() -> None:
    said, base = section_of(EVALUATION, "what is compared"), load_config().pairs["smol-135m"].base.architecture
    for number in (base.num_hidden_layers, base.hidden_size, base.intermediate_size, base.vocab_size):
        assert f"{number:,}" in said


@pytest.mark.parametrize("name", ["data-card.md", "evaluation.md"])
def test_every_linked_file_exists(name: str) -> None:
    folder: Path = ROOT / "docs"
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", (folder / name).read_text())
    assert links
    assert [link for link in links if not (folder / link).exists()] == []
