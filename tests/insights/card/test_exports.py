"""The card's files for other tools: the hub, Every Eval Ever, LLM Comparator."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries

from eval.problems.benchmark_sets import KNOWN
from insights.card.benchmarks import SetRun, find_sets
from insights.card.comparator import battles, runs
from insights.card.exports import eval_results, every_eval_ever
from models.config.registry import load_config
from tests.insights.card.helpers import make_sets
from tests.insights.helpers import make_reply, make_vote


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs_folder = tmp_path_factory.mktemp("exports") / "runs"
    make_sets(runs_folder, {"gsm8k": {"base": 5, "distilled": 15}, "toy": {"base": 3, "distilled": 3}}, samples=2)
    return runs_folder


@pytest.fixture(scope="module")
def sets(folder: Path) -> list[SetRun]:
    return find_sets(folder, "smol-135m")


def test_the_hub_reads_what_is_written_for_it(sets: list[SetRun]) -> None:
    (entry,) = parse_eval_result_entries(yaml.safe_load(eval_results(sets, "distilled")))
    assert (entry.dataset_id, entry.value) == ("openai/gsm8k", 75.0)
    assert entry.dataset_revision == KNOWN["gsm8k"].revision
    assert "20 problems, 2 sample(s) each" in str(entry.notes)
    assert eval_results([one for one in sets if one.result.set == "toy"], "base") == ""


def test_every_eval_ever_has_what_its_schema_requires(sets: list[SetRun]) -> None:
    spec = load_config().pairs["smol-135m"].base
    record = every_eval_ever(sets, "base", spec, "2026-01-02T00:00:00+00:00", "1.0")
    required = {"schema_version", "evaluation_id", "retrieved_timestamp", "source_metadata", "model_info",
                "eval_library", "evaluation_results"}  # fmt: skip
    assert required <= set(record) <= required | {"evaluation_timestamp"}
    assert record["retrieved_timestamp"] == "1767312000"
    details = record["model_info"]["additional_details"]
    assert (details["deployment_type"], details["model_availability"]) == ("self_deployed", "open_weights")
    first, second = record["evaluation_results"]
    assert first["score_details"]["score"] == pytest.approx(0.25)
    bounds = first["score_details"]["uncertainty"]["confidence_interval"]
    assert bounds["lower"] < 0.25 < bounds["upper"]
    assert first["source_data"]["hf_repo"] == "openai/gsm8k" and second["source_data"]["source_type"] == "other"
    assert all(isinstance(text, str) for text in strings_of(record))


def strings_of(value: Any) -> list[Any]:
    """All values below keys that may hold strings only."""
    if isinstance(value, list):
        return [found for part in value for found in strings_of(part)]
    if not isinstance(value, dict):
        return []
    own = [part for key in ("additional_details", "details") for part in value.get(key, {}).values()]
    return own + [found for part in value.values() for found in strings_of(part)]


def test_a_battle_is_shown_with_the_distilled_model_as_a() -> None:
    distilled = make_reply("distilled", "four", 7, thought_tokens=5)
    agreed: dict[str, Any] = {"licence": "CC-BY-4.0", "a_role": "base", "distilled": distilled, "battle": "one"}
    votes = [
        make_vote("b", reasons=("correct",), **agreed),
        make_vote("a", stage="reasoning", **agreed),
        make_vote("tie", battle="two", licence="CC-BY-4.0"),
        make_vote("a", battle="three"),
        make_vote("a", battle="four", licence="CC-BY-4.0", blocked="a"),
    ]
    document = battles(votes, ("D", "B"))
    assert [model["name"] for model in document["models"]] == ["D", "B"]
    one, two = document["examples"]
    assert (one["output_text_a"], one["output_text_b"], one["score"]) == ("four", "5", 1.0)
    assert [rating["score"] for rating in one["individual_rater_scores"]] == [1.0, -1.0]
    assert one["individual_rater_scores"][0]["rationale"] == "answers alone, correct"
    assert one["custom_fields"]["tokens"] == [12, 10] and two["score"] == 0.0
    check_document(document)


def test_runs_are_shown_problem_by_problem(folder: Path, sets: list[SetRun]) -> None:
    document = runs(folder, sets, ("D", "B"))
    assert len(document["examples"]) == 40
    assert sum(example["score"] for example in document["examples"]) == 10
    check_document(document)


def check_document(document: dict[str, Any]) -> None:
    """Every example has the fields that LLM Comparator reads, and the custom ones that are announced."""
    fields = {field["name"] for field in document["metadata"]["custom_fields_schema"]}
    for example in document["examples"]:
        assert set(example) == {"input_text", "tags", "output_text_a", "output_text_b", "score",
                                "individual_rater_scores", "custom_fields"}  # fmt: skip
        assert set(example["custom_fields"]) == fields
