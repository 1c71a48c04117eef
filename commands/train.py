"""`python -m commands.train`: make, train, check, merge, evaluate, distil, rows, and the ways to get traces.

Knows arguments and printing; the work is done elsewhere. Heavy libraries are imported by the command that needs them.
"""

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.errors import ArenaError, ConfigError
from common.paths import ROOT, home
from models.weights.merge import merge_adapter
from traces.training.recipe import Recipe, base_here, base_of, load_recipe

ELSEWHERE = {
    "curate": ("commands.traces.curate", "problem files through the paper's funnel"),
    "teacher": ("commands.traces.teacher", "long thoughts from any OpenAI-compatible endpoint"),
    "debate": ("commands.traces.debate", "long thoughts from a policy and a critic"),
    "reformat": ("commands.traces.reformat", "known solutions rewritten step by step, for phase 1"),
    "translate": ("commands.traces.translate", "kept traces in a second language: bilingual data, as in the paper"),
    "rehearse": ("commands.traces.rehearse", "what the base replies to plain prompts, kept as rows against forgetting"),
    "ablate": ("commands.ablate", "recipes trained and measured side by side: what each part contributes"),
    "export": ("commands.traces.export", "traces as Parquet with a dataset card"),
}
GO_ON = {
    **dict.fromkeys(("train", "distil"), "Given again with --resume it goes on."),
    **dict.fromkeys(("ablate", "teacher", "debate", "reformat", "translate"), "Given again it goes on."),
}
"""Commands that keep what was done when they are stopped, and how each is taken up."""
ADAPTERS = ROOT / "models" / "adapters"


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser(given[:1]).parse_args(given)
    try:
        return int(options.action(options) or 0)
    except ArenaError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", GO_ON.get(given[0], "Given again it begins anew."), file=sys.stderr)
        return 130


def parser(chosen: Sequence[str]) -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="python -m commands.train", description="Long-thought traces and distillation.")
    commands = root.add_subparsers(required=True, metavar="command")
    for name, action, text in (
        ("make", make_command, "write a recipe's training files from its seed"),
        ("train", train_command, "run a recipe's phases and write the adapter"),
        ("check", check_command, "build every configuration of a recipe; print memory and tokens"),
        ("distil", distil_command, "make, train, evaluate and publish: the whole way from the seed"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("path", type=Path, nargs="?", metavar="RECIPE", help="a recipe file")
        command.add_argument("--recipe", type=Path, help="the same, by name")
        command.add_argument("--out", type=Path, help="folder (default: <home>/distil/<recipe>)")
        if name in ("train", "distil"):
            command.add_argument("--resume", action="store_true", help="go on from checkpoints and finished phases")
        if name == "distil":
            command.add_argument("--problems", type=int, default=60, help="problems a split measured (default: 60)")
            command.add_argument("--publish", type=Path, help=f"publish here (default: under {ADAPTERS.name}/)")
        command.set_defaults(action=action)
    merge = commands.add_parser("merge", help="base + adapter as one model")
    merge.add_argument("adapter", type=Path)
    merge.add_argument("out", type=Path)
    merge.add_argument("--base", default="embedded", help="weights folder (default: the packaged base)")
    merge.set_defaults(action=merge_command)
    evaluate = commands.add_parser("evaluate", help="base and distilled on the generated splits, on vLLM")
    evaluate.add_argument("adapter", type=Path)
    evaluate.add_argument("--problems", type=int, default=60, help="problems a split (default: 60)")
    evaluate.add_argument("--out", type=Path, help="folder for attempts and report (default: beside the adapter)")
    evaluate.set_defaults(action=evaluate_command)
    rows = commands.add_parser("rows", help="kept traces as a recipe's rows, with the hash to put into it")
    rows.add_argument("traces", type=Path, nargs="+")
    rows.add_argument("--out", type=Path, required=True)
    rows.set_defaults(action=rows_command)
    for name, (module, text) in ELSEWHERE.items():
        command = commands.add_parser(name, help=text)
        if name in chosen:
            owner: Any = importlib.import_module(module)
            owner.add_arguments(command)
            command.set_defaults(action=owner.run)
    return root


def recipe_of(options: argparse.Namespace) -> tuple[Recipe, Path, Path]:
    """(recipe, its file, output folder)."""
    path = options.recipe or options.path
    if path is None:
        raise ConfigError("No recipe was named.", "For example: `python -m commands.train distil recipes/quick.yaml`.")
    recipe = load_recipe(path)
    return recipe, path, options.out or home() / "distil" / recipe.name


def make_command(options: argparse.Namespace) -> None:
    from traces.training.make import make

    recipe, _, out = recipe_of(options)
    if recipe.base == "embedded":
        base_of(recipe.base)  # its tokenizer counts the traces' tokens
    for made in make(recipe, out / "data"):
        print(f"{made.phase}: {made.rows} rows, sha256 {made.sha256}, {made.path}")


def train_command(options: argparse.Namespace) -> None:
    from traces.training.lora import extract_adapter
    from traces.training.train import train

    recipe, path, out = recipe_of(options)
    base = base_of(recipe.base)
    for result in train(recipe, base, out / "data", out, resume=options.resume, recipe_folder=path.parent):
        print(json.dumps(result._asdict()))
    last = out / f"after_{recipe.phases[-1].name}"
    if recipe.method == "full_to_lora":
        compression = extract_adapter(base, last, recipe, out / "adapter")
        (out / "compression.json").write_text(json.dumps(compression._asdict()))
        print(f"Adapter of rank {compression.rank}: holds {100 * compression.kept:.2f} % of the difference.")
    else:
        print(f"The trained {'adapter' if recipe.method == 'lora' else 'model'} is {last}.")


def check_command(options: argparse.Namespace) -> None:
    from traces.training.configs import build_configs, memory_needed

    recipe, path, out = recipe_of(options)
    for line in build_configs(recipe, path.parent, out / "data", base_here(recipe.base)):
        print(line)
    needed, launch = memory_needed(recipe, path.parent), recipe.launch
    print(f"Memory: {needed:.1f} GB a device for weights, gradients and optimiser, activations on top.")
    if launch.memory_per_device_gb is not None and needed > 0.9 * launch.memory_per_device_gb:
        raise ConfigError(
            f"launch.memory_per_device_gb is {launch.memory_per_device_gb:g}, which leaves no room for activations.",
            "Use more devices, or method lora.",
        )


def merge_command(options: argparse.Namespace) -> None:
    options.out.mkdir(parents=True, exist_ok=True)
    merge_adapter(base_of(options.base), options.adapter, options.out)
    print(f"Merged into {options.out}.")


def evaluate_command(options: argparse.Namespace) -> None:
    from traces.publishing.measure import measure_adapter

    out = options.out or options.adapter.parent / "evaluation"
    evaluation = measure_adapter(options.adapter, out, options.problems)
    print(json.dumps({name: part["summary"] for name, part in evaluation.items() if "summary" in part}, indent=1))


def rows_command(options: argparse.Namespace) -> None:
    from traces.keeping.trace import read_traces
    from traces.training.dataset import write_rows
    from traces.training.mix import rows_of

    made = rows_of(trace for path in options.traces for trace in read_traces(path))
    print(f"{made.kept} of {made.traces} traces are kept and become rows; unverified and rejected ones do not.")
    if made.empty:
        print(f"{made.empty} kept traces have no prompt or no answer and were left out.")
    print(f"sha256 {write_rows(options.out, made.rows)}")


def distil_command(options: argparse.Namespace) -> None:
    from traces.publishing.measure import measure_adapter
    from traces.publishing.publish import Provenance, publish, publish_traces
    from traces.training.make import make

    recipe, path, out = recipe_of(options)
    if recipe.method != "full_to_lora" or recipe.base != "embedded" or not all(phase.mix for phase in recipe.phases):
        raise ConfigError(
            "distil rebuilds an adapter of the embedded base from its seed: method full_to_lora, base embedded, and "
            "every phase with a `mix`.",
            "For other recipes use `train`, and serve what it gives as a pair of your own (README).",
        )
    base = base_of(recipe.base)  # first of all: its tokenizer counts the traces' tokens
    made = make(recipe, out / "data")
    train_command(options)
    compression = json.loads((out / "compression.json").read_text())
    evaluation = measure_adapter(out / "adapter", out / "evaluation", options.problems, recipe.families)
    provenance = Provenance(
        name=recipe.name,
        recipe=path,
        base=base,
        data={item.phase: item.sha256 for item in made},
        training=json.loads((out / "phases.json").read_text()),
        rank=compression["rank"],
        kept=compression["kept"],
        about=recipe.about,
    )
    published = publish(out / "adapter", options.publish or ADAPTERS / recipe.name, provenance, evaluation)
    publish_traces([item.path.with_name(f"{item.phase}.traces.jsonl") for item in made], published)
    print(f"Published to {published}.")


if __name__ == "__main__":
    sys.exit(main())
