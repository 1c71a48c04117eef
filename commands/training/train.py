"""`arena train …`: make training data; train, merge, measure and publish adapters."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.kit.arguments import AGAIN, RESUME, Commands, count, group, leaf, whole
from commands.kit.files import check_writable
from commands.kit.printing import note, show
from commands.training.dpo import add_dpo
from common.errors import ConfigError
from common.jsonl import write_text
from common.paths import ADAPTERS, home
from models.weights.adapter import check_readable
from traces.publishing.ways import MAX_TOKENS, MEASUREMENTS, WAYS
from traces.training.mix import after
from traces.training.recipe import (
    EMBEDDED,
    Recipe,
    base_here,
    base_of,
    load_recipe,
    named_pair,
    names_pair,
    where_base_is,
)
from traces.training.scale.processes import is_first

if TYPE_CHECKING:
    from traces.training.checkpoints import PhaseResult

QUICK = "recipes/quick.yaml"


def add_train(parser: argparse.ArgumentParser) -> None:
    commands = group(parser)
    make = leaf(commands, "make", make_command, "write a recipe's training files", f"arena train make {QUICK}")
    run = leaf(commands, "run", run_command, "run a recipe's phases and write the adapter",
               f"arena train run {QUICK} --resume", continues=RESUME)  # fmt: skip
    start = leaf(commands, "launch", launch_command, "run a recipe on several devices, a group of processes per phase",
                 "arena train launch recipes/qwen2.5-72b-lora.yaml", continues=RESUME)  # fmt: skip
    check = leaf(commands, "check", check_command, "check a recipe: configurations, memory and tokens",
                 "arena train check recipes/qwen2.5-72b.yaml")  # fmt: skip
    distil = leaf(commands, "distil", distil_command, "make, run, measure and publish: from the seed to an adapter",
                  f"arena train distil {QUICK} --publish data/adapters/quick",
                  continues=f"{RESUME} With make: make distil RESUME=1.")  # fmt: skip
    for command in (make, run, start, check, distil):
        command.add_argument("recipe", type=Path, metavar="RECIPE", help="a recipe file (see recipes/)")
        command.add_argument("--out", type=Path, help="folder (default: <home>/distil/<recipe>)")
    run.add_argument("--one-phase", action="store_true", help="end after the next phase")
    start.add_argument("--rank", type=whole, default=0, help="number of this machine, from 0 (default: 0)")
    start.add_argument("--main", metavar="HOST:PORT", help="where machine 0 is reached; needed for several machines")
    for command in (run, start, distil):
        command.add_argument("--resume", action="store_true", help="continue from checkpoints and finished phases")
    _add_measuring(distil)
    distil.add_argument("--publish", type=Path, help="folder of the adapter (default: models/adapters/<recipe>)")
    licence = "licence on the card, as the hub spells it; it must suit the base's (default: apache-2.0)"
    distil.add_argument("--licence", default="apache-2.0", help=licence)
    _add_adapter_commands(commands)
    _add_ablate(commands)
    add_dpo(commands)


def _add_adapter_commands(commands: Commands) -> None:
    example = "arena train merge models/adapters/smol-135m build/merged"
    merge = leaf(commands, "merge", merge_command, "write base and adapter as one model", example)
    merge.add_argument("adapter", type=Path, help="folder of a LoRA adapter")
    merge.add_argument("out", type=Path, help="folder to write")
    merge.add_argument("--base", default="embedded",
                       help="folder, hub:org/name, or a pair or model of spaces.yaml (default: embedded)")  # fmt: skip
    example = "arena train measure models/adapters/smol-135m --problems 60"
    measure = leaf(
        commands, "measure", measure_command, "base and adapter on the generated splits", example, continues=AGAIN
    )
    measure.add_argument("adapter", type=Path, help="folder of a LoRA adapter")
    measure.add_argument("--pair", default=EMBEDDED, help=f"the pair for whose base it is (default: {EMBEDDED})")
    _add_measuring(measure)
    measure.add_argument("--out", type=Path, help="folder (default: <home>/evaluation/<adapter>)")


def _add_ablate(commands: Commands) -> None:
    example = f"arena train ablate {QUICK} recipes/ablation/*.yaml --problems 40 --report data/ablation.json"
    text = "train and measure recipes side by side, to see what each part contributes"
    ablate = leaf(commands, "ablate", ablate_command, text, example, continues=AGAIN)
    ablate.add_argument("recipe", type=Path, nargs="+", metavar="RECIPE", help="recipe files on the embedded base")
    ablate.add_argument("--ranks", type=count, nargs="*", default=[32], help="also cut the first adapter to these")
    _add_problems(ablate, 100)
    ablate.add_argument("--out", type=Path, help="folder for weights and answers (default: <home>/distil/ablation)")
    ablate.add_argument("--report", type=Path, default=ADAPTERS / "smol-135m" / "ablation.json", help="file to write")


def _add_measuring(parser: argparse.ArgumentParser) -> None:
    _add_problems(parser, 60)
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="ways to ask them (default: all)")
    parser.add_argument(
        "--max-tokens", type=count, default=MAX_TOKENS, help=f"limit on thought and answer (default: {MAX_TOKENS})"
    )


def _add_problems(parser: argparse.ArgumentParser, default: int) -> None:
    parser.add_argument("--problems", type=count, default=default, help=f"problems per split (default: {default})")


def _recipe(options: argparse.Namespace) -> tuple[Recipe, Path]:
    """(recipe, output folder)."""
    recipe = load_recipe(options.recipe)
    return recipe, options.out or home() / "distil" / recipe.name


def make_command(options: argparse.Namespace) -> None:
    from traces.training.make import check_files, make

    recipe, out = _recipe(options)
    check_files(recipe)
    if names_pair(recipe.base):
        base_of(recipe.base, note)  # its tokenizer counts the traces' tokens
    phases = make(recipe, out / "data")
    lines = [f"{data.phase}: {data.rows} rows, sha256 {data.sha256}, {data.path}" for data in phases]
    show(options, {"recipe": recipe.name, "phases": phases}, "\n".join(lines))


def run_command(options: argparse.Namespace) -> None:
    recipe, out = _recipe(options)
    results, trained = _train(options, recipe, out)
    if not is_first():
        return
    lines = [json.dumps(result._asdict()) for result in results]
    show(options, {"recipe": recipe.name, "phases": results, **trained}, "\n".join([*lines, trained["sentence"]]))


def _train(options: argparse.Namespace, recipe: Recipe, out: Path) -> tuple[list["PhaseResult"], dict[str, Any]]:
    """The results of the phases, and where their output is."""
    from traces.publishing.push import push_trained
    from traces.training.checkpoints import note_result
    from traces.training.lora import extract_adapter, in_bf16
    from traces.training.train import train

    base = base_of(recipe.base, note)
    results = train(
        recipe,
        base,
        out / "data",
        out,
        resume=options.resume,
        one_phase=getattr(options, "one_phase", False),
        recipe_folder=options.recipe.parent,
        report=note,
    )
    last = after(out, results[-1].phase)
    if len(results) < len(recipe.phases):
        following = recipe.phases[len(results)].name
        return results, {"model": last, "sentence": f"{RESUME} Phase {following} is next."}
    if not is_first():
        return results, {}
    trained: dict[str, Any] = {"model": last}
    sentence = f"The trained model is in {last}."
    if recipe.method == "lora":
        in_bf16(last, out / "adapter")
        last = out / "adapter"
        trained = {"adapter": last, "rank": recipe.adapter.rank}
        sentence = f"The trained adapter is in {last}."
    if recipe.method == "full_to_lora":
        last = out / "adapter"
        compression = extract_adapter(base, after(out, recipe.phases[-1].name), recipe, last)
        write_text(out / "compression.json", json.dumps(compression._asdict()))
        trained = {"adapter": last, **compression._asdict()}
        kept = 100 * compression.kept
        sentence = f"The adapter of rank {compression.rank} holds {kept:.2f} % of the trained difference."
    if recipe.launch.push_to:
        sentence += f" It was pushed to {push_trained(last, recipe.launch.push_to)}."
    note_result(recipe, out)
    return results, {**trained, "sentence": sentence}


def launch_command(options: argparse.Namespace) -> None:
    from traces.training.scale.launch import Place, launch

    recipe, out = _recipe(options)
    host, _, port = (options.main or "").rpartition(":")
    if options.main and not (host and port.isdigit()):
        raise ConfigError(f"--main {options.main} is not HOST:PORT.", "For example: --main 10.0.0.5:29500.")
    if recipe.launch.machines > 1 and not options.main:
        raise ConfigError(
            f"The recipe is for {recipe.launch.machines} machines and --main is missing.",
            "Give the address of machine 0 on every machine, for example --main 10.0.0.5:29500.",
        )
    place = Place(options.rank, host, int(port)) if options.main else Place(options.rank)
    base_of(recipe.base, note)  # fetched once, before all the processes ask for it
    train_one = ["commands", "train", "run", str(options.recipe), "--one-phase", "--out", str(out)]
    launch(recipe, out, train_one, place, resume=options.resume, report=note)
    last = after(out, recipe.phases[-1].name) if recipe.method == "full" else out / "adapter"
    wrote = f"machine 0 writes {last}" if place.rank else f"the result is in {last}"
    show(options, {"recipe": recipe.name, "trained": last}, f"All phases are finished; {wrote}.")


def check_command(options: argparse.Namespace) -> None:
    from traces.training.configs import build_configs
    from traces.training.scale.needs import needs

    recipe, out = _recipe(options)
    folder = options.recipe.parent
    lines = [where_base_is(recipe.base), *build_configs(recipe, folder, out / "data", base_here(recipe.base))]
    needed = needs(recipe, folder, out)
    lines += needed.lines
    if fault := needed.fault(recipe, disk=options.out is not None):  # without --out it may be another machine's disk
        note("\n".join(lines))
        raise fault
    value = {"recipe": recipe.name, "checks": lines, "memory_gb": needed.states, "needs": needed._asdict()}
    show(options, value, "\n".join(lines))


def merge_command(options: argparse.Namespace) -> None:
    from models.weights.merge import merge_adapter

    check_readable(options.adapter)
    options.out.mkdir(parents=True, exist_ok=True)
    merge_adapter(base_of(options.base, note), options.adapter, options.out)
    show(options, {"folder": options.out}, f"Merged into {options.out}.")


def measure_command(options: argparse.Namespace) -> None:
    from traces.publishing.measure import measure_adapter

    check_readable(options.adapter)
    out = options.out or home() / "evaluation" / options.adapter.resolve().name
    evaluation = measure_adapter(
        named_pair(options.pair),
        options.adapter,
        out,
        options.problems,
        ways=options.ways,
        max_tokens=options.max_tokens,
    )
    summary = {name: evaluation[name]["summary"] for name in MEASUREMENTS if name in evaluation}
    show(options, {"folder": out, **summary}, json.dumps(summary, indent=1))


def ablate_command(options: argparse.Namespace) -> None:
    from traces.publishing.arms import ablate

    check_writable(options.report)
    recipes = [load_recipe(path) for path in options.recipe]  # find errors in all of them before training anything
    for path, recipe in zip(options.recipe, recipes, strict=True):
        if recipe.method != "full_to_lora" or recipe.base != "embedded":
            raise ConfigError(f"{path} cannot be compared.", "ablate needs method full_to_lora and base embedded.")
    out = options.out or home() / "distil" / "ablation"
    ablation = ablate(recipes, options.ranks, options.problems, out, options.report, note)
    show(options, {"report": options.report, **ablation.model_dump()}, f"Written to {options.report}.")


def distil_command(options: argparse.Namespace) -> None:
    from traces.publishing.measure import measure_adapter
    from traces.publishing.publish import Provenance, check_target, publish, publish_traces
    from traces.publishing.report import REPORT
    from traces.training.make import check_files, make

    recipe, out = _recipe(options)
    if recipe.method == "full":
        raise ConfigError(
            "distil needs a recipe that gives an adapter: method lora or full_to_lora.",
            "For other recipes use arena train run, and serve its result as a pair of your own (README).",
        )
    pair = named_pair(recipe.base)
    published = options.publish or ADAPTERS / recipe.name
    check_target(published)
    check_writable(published / REPORT)
    check_files(recipe)
    base = base_of(recipe.base, note)  # before the traces: its tokenizer counts their tokens
    phases = make(recipe, out / "data")
    results, trained = _train(options, recipe, out)
    note(trained["sentence"])
    evaluation = measure_adapter(
        pair,
        out / "adapter",
        out / "evaluation",
        options.problems,
        recipe.families,
        ways=options.ways,
        max_tokens=options.max_tokens,
    )
    provenance = Provenance(
        name=recipe.name,
        recipe=options.recipe,
        base=base,
        base_id=pair.base.base_id,
        data={item.phase: item.sha256 for item in phases},
        training=[result._asdict() for result in results],
        rank=trained["rank"],
        kept=trained.get("kept"),
        about=recipe.about,
        licence=options.licence,
    )
    publish(out / "adapter", published, provenance, evaluation)
    if traces := [out / "data" / f"{phase.name}.traces.jsonl" for phase in recipe.phases if phase.mix]:
        publish_traces(traces, published, options.licence)
    show(options, {"adapter": published, "phases": results}, f"Published to {published}.")
