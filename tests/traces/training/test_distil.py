"""`arena train distil` from the seed to the published folder, and what it and `rows` refuse."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from commands.arena import build_parser, main
from commands.training import train as commands
from common.errors import WeightsError
from common.paths import ROOT
from eval.problems.families import MEASURED, generate
from models.config.registry import load_config
from models.config.sources import PackageSource
from models.weights.package import package_folder
from tests.traces.tiny import save_tiny
from traces.keeping.trace import append_trace, read_traces
from traces.publishing import measure
from traces.thoughts.journey import journey
from traces.thoughts.search import SearchSettings
from traces.training import recipe
from traces.training.make import token_counter

RECIPE = """
name: tiny
about: Two steps a phase.
base: embedded
parameters_billion: 0.135
adapter: {rank: 8, alpha: 8}
phases:
  - name: reformatted
    mix: {shortcut: 6, chat: 2}
    learning_rate: 1.0e-4
    batch_size: 4
  - name: journey
    mix: {journey: 6, chat: 2, skip: 6}
    learning_rate: 1.0e-4
    batch_size: 4
"""


def recipe_file(folder: Path, text: str = RECIPE) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(text)
    return path


@pytest.mark.engine
def test_the_whole_way_from_the_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "CHAT_PROMPTS", {"greetings": ("Hi there!", "Good evening!")})
    out, published = tmp_path / "out", tmp_path / "published"
    command = [
        "train",
        "distil",
        str(recipe_file(tmp_path)),
        "--out",
        str(out),
        "--publish",
        str(published),
        "--problems",
        "1",
        "--ways",
        "greedy",
        "chat",
        "--max-tokens",
        "256",
    ]
    assert main(command) == 0
    report = json.loads((published / "report.json").read_text())
    assert [(entry["phase"], entry["steps"]) for entry in report["training"]] == [("reformatted", 2), ("journey", 2)]
    for split in MEASURED:
        asked = report["evaluation"]["greedy"]["summary"][split]
        assert asked["base"]["problems"] == asked["distilled"]["problems"] == 1
    assert all(told["base"]["answer"] for told in report["evaluation"]["chat"])
    assert 0 < report["adapter"]["kept_of_difference"] < 1
    assert (out / "loss.png").exists() == ((out / "loss.jsonl").read_text() != "")
    card = (published / "README.md").read_text()
    assert "--ways greedy chat --problems 1 --max-tokens 256 --publish FOLDER`" in card and "Two steps a phase." in card
    assert len(list(read_traces(published / "traces" / "sample.traces.jsonl"))) == 12
    assert (published / "recipe.yaml").read_text() == RECIPE


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("base: embedded", "base: weights/other", "no pair weights/other"),
        ("adapter:", "method: full\nadapter:", "a recipe that gives an adapter"),
    ],
)
def test_what_it_cannot_rebuild_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, named: str
) -> None:
    path = recipe_file(tmp_path, RECIPE.replace(old, new))
    assert main(["train", "distil", str(path), "--out", str(tmp_path / "out")]) == 1
    assert named in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_no_row_is_made_of_a_problem_for_measuring(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "measured.traces.jsonl"
    append_trace(path, replace(journey(generate("same_kind", 1, 1)[0], 1, SearchSettings()), kept=True))
    assert main(["traces", "rows", str(path), "--out", str(tmp_path / "rows.jsonl")]) == 1
    assert "same_kind, which are for measuring" in capsys.readouterr().err
    assert not (tmp_path / "rows.jsonl").exists()


@pytest.mark.parametrize("command", ["run", "merge", "measure", "ablate"])
def test_a_removed_embedded_pair_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    config = load_config()
    others = {key: pair for key, pair in config.pairs.items() if key != recipe.EMBEDDED}
    monkeypatch.setattr(recipe, "load_config", lambda: config.model_copy(update={"pairs": others}))
    further = {"merge": [str(tmp_path / "merged")], "ablate": ["--out", str(tmp_path / "out")]}
    given = ROOT / "models" / "adapters" / "smol-135m" if command in ("merge", "measure") else recipe_file(tmp_path)
    assert main(["train", command, str(given), *further.get(command, [])]) == 1
    assert "spaces.yaml has no pair smol-135m" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "refused"),
    [
        ("make", ["--resume", "--problems=9", "--publish=p"]),
        ("check", ["--resume", "--problems=9", "--publish=p"]),
        ("run", ["--problems=9", "--publish=p"]),
        ("distil", []),
    ],
)
def test_a_command_takes_only_options_that_it_follows(
    capsys: pytest.CaptureFixture[str], command: str, refused: list[str]
) -> None:
    for option in ("--resume", "--problems=9", "--publish=p"):
        given = ["train", command, "recipe.yaml", option]
        if option in refused:
            with pytest.raises(SystemExit):
                build_parser(given).parse_args(given)
            assert f"unrecognized arguments: {option}" in capsys.readouterr().err
        else:
            build_parser(given).parse_args(given)


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["make", "recipe.yaml"], "Stopped."),
        (
            ["distil", "recipe.yaml"],
            "Stopped. Run the same command with --resume to continue. With make: make distil RESUME=1.",
        ),
        (["ablate", "recipe.yaml"], "Stopped. Run the same command again to continue."),
    ],
)
def test_who_stops_a_command_is_told_whether_it_can_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: list[str], says: str
) -> None:
    def stop(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "load_recipe", stop)
    assert main(["train", *command]) == 130
    assert capsys.readouterr().err == f"\n{says}\n"


@pytest.mark.parametrize("given", [[], ["RESUME=1"]])
def test_make_distil_can_be_resumed(given: list[str]) -> None:
    told = subprocess.run(["make", "-n", "distil", *given], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ("--resume" in told.stdout) == bool(given)


def test_a_folder_of_something_else_is_not_published_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(commands, "base_of", lambda *_: pytest.fail("it went on"))
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "README.md").write_text("Notes.")
    command = ["train", "distil", str(recipe_file(tmp_path)), "--out", str(tmp_path / "out"), "--publish"]
    assert main([*command, str(mine)]) == 1
    assert "something other than an adapter" in capsys.readouterr().err
    assert main([*command, str(mine / "README.md" / "below")]) == 1
    assert "cannot be written" in capsys.readouterr().err
    (mine / "adapter_config.json").write_text("{}")
    with pytest.raises(pytest.fail.Exception, match="it went on"):
        main([*command, str(mine)])


def test_tokens_are_counted_though_the_base_was_not_there_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEY_CACHE", str(tmp_path / "cache"))
    assert token_counter()("1+1=2.") == 0

    def fetch(name: str, _: object) -> Path:
        assert name == "embedded"
        source = recipe.named_pair("embedded").base.weights
        assert isinstance(source, PackageSource)
        return save_tiny(package_folder(source))

    monkeypatch.setattr(commands, "base_of", fetch)
    assert main(["train", "make", str(recipe_file(tmp_path)), "--out", str(tmp_path / "out")]) == 0
    assert all(trace.tokens > 0 for trace in read_traces(tmp_path / "out" / "data" / "journey.traces.jsonl"))


@pytest.mark.parametrize("command", ["make", "distil"])
def test_the_base_is_there_before_traces_are_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    def fail(name: str, _: object) -> Path:
        raise WeightsError(f"{name} cannot be fetched.")

    monkeypatch.setattr(commands, "base_of", fail)
    further = ["--publish", str(tmp_path / "published")] if command == "distil" else []
    assert main(["train", command, str(recipe_file(tmp_path)), "--out", str(tmp_path / "out"), *further]) == 1
    assert not (tmp_path / "out").exists()
