"""The figures of docs/paper.md are those of the files it cites; the transparency index notices when they are not."""

import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from common.paths import ROOT
from eval.paper.quoted import READABLE, Quoted, differing, figures_hold, numbers_of, quoted_tables, read_document
from eval.paper.transparency import section_of, self_score
from eval.results.report import run_comparisons
from eval.results.samples import Results, Row, Side
from eval.runs.log import RUNS
from eval.runs.recorded import RECORDED, unpack_recorded
from eval.statistics.metrics import Scored, truncation_curve
from eval.statistics.paired import compare
from traces.keeping.trace import read_traces
from traces.keeping.yields import method_yields

PAPER = (ROOT / "docs" / "paper.md").read_text(encoding="utf-8")
TABLES = quoted_tables(PAPER)
ADAPTER = "models/adapters/smol-135m"
RUN = "20261128-010432-smol-135m"
BUDGETS = (128, 256, 512)
SIDES = ("base", "distilled")


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """What stands in a cited file, or what follows from it."""
    computed: dict[str, Any] = {}

    def document(file: str) -> Any:
        if file.endswith(READABLE):
            return read_document(ROOT / file)
        if file not in computed:
            computed[file] = COMPUTED[file](tmp_path_factory.mktemp("cited"))
        return computed[file]

    return document


def recorded(home: Path) -> dict[str, Any]:
    """Every set of the recorded run, and parts of the unseen families."""
    unpack_recorded(home)
    runs = home / RUNS
    results = Results(runs, [RUN])
    sets: dict[str, Any] = {}
    for one in run_comparisons(runs, RUN):
        assert one.paired is not None
        rows = {side: results.rows(Side(RUN, f"smol-135m-{side}"), one.benchmark) for side in SIDES}
        paired = one.paired._asdict()
        sets[one.benchmark] = {
            **{name: paired[name] for name in ("difference", "low", "high")},
            **{side: side_figures(getattr(one, side), rows[side]) for side in SIDES},
        }
    unseen = [grouped(results.rows(Side(RUN, f"smol-135m-{side}"), "unseen_families")) for side in SIDES]
    parts: dict[str, Callable[[str], bool]] = {
        "all_seven_families": lambda family: True,
        "price": lambda family: family == "price",
        "the_other_six": lambda family: family != "price",
    }
    return {**sets, "unseen": {name: part_figures(unseen, chosen) for name, chosen in parts.items()}}


def side_figures(side: Any, rows: Sequence[Row]) -> dict[str, Any]:
    problems = [[Scored(r.correct, r.output_tokens) for r in group] for group in grouped(rows).values()]
    return {
        "accuracy": side.accuracy.value,
        "tokens": side.output_tokens,
        "cut_off": side.cut_share,
        "pass_at": {str(k): value for k, value in side.pass_at.items()},
        "maj_at": {str(k): value._asdict() for k, value in side.maj_at.items()},
        "truncated": {str(p.budget): p.accuracy.value for p in truncation_curve(problems, BUDGETS)},
    }


def part_figures(sides: Sequence[dict[str, list[Row]]], chosen: Callable[[str], bool]) -> dict[str, Any]:
    names = [name for name, rows in sides[0].items() if chosen(rows[0].subject)]
    base, distilled = ([[row.correct for row in side[name]] for name in names] for side in sides)
    return compare(base, distilled)._asdict()


def grouped(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Judged samples by problem."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row.judged:
            groups[row.problem_id].append(row)
    return groups


def yields(_: Path) -> dict[str, Any]:
    """What each way to a long thought gave and cost."""
    searched = train().select(["kept", "tokens", "seconds"]).to_pylist()
    kept = sum(row["kept"] for row in searched)
    costs = {name: sum(row[name] for row in searched) / kept for name in ("tokens", "seconds")}
    found: dict[str, Any] = {"tree_search": {"asked": len(searched), "kept": kept, **costs}}
    for way in ("teacher", "debate"):
        (one,) = method_yields(read_traces(ROOT / ADAPTER / "traces" / f"{way}.traces.jsonl"))
        found[way] = {"asked": one.asked, "kept": one.kept, "tokens": one.tokens_per_kept}
        found[way]["seconds"] = one.seconds_per_kept
    return found


def train() -> Any:
    return pq.read_table(ROOT / ADAPTER / "traces" / "data" / "train.parquet")


def chat(_: Path) -> dict[str, Any]:
    """Plain prompts that got no answer, and mean tokens, by where the form of the prompt is from."""
    rows = read_document(ROOT / ADAPTER / "report.json")["evaluation"]["chat"]
    found: dict[str, Any] = {}
    for form in {row["form"] for row in rows}:
        own = [row for row in rows if row["form"] == form]
        found[form.replace(" ", "_")] = {"prompts": len(own)} | {
            side: {
                "failed": sum(row[side]["cut_off"] or not row[side]["answer"].strip() for row in own),
                "tokens": sum(row[side]["tokens"] for row in own) / len(own),
            }
            for side in SIDES
        }
    return found


COMPUTED: dict[str, Callable[[Path], Any]] = {
    f"eval/recorded/{RUN}.zip": recorded,
    f"{ADAPTER}/traces": yields,
    f"{ADAPTER}/report.json#chat": chat,
}


def wrong_in(table: Quoted, documents: Callable[[str], Any]) -> list[str]:
    if table.file.endswith(".md"):
        return not_in_markdown(table)
    return differing(table, documents(table.file))


def not_in_markdown(table: Quoted) -> list[str]:
    """Numbers that do not stand, in this order, in the row of the cited document that begins with the same word."""
    lines = [line.strip().strip("|").split("|") for line in (ROOT / table.file).read_text("utf-8").splitlines()]
    cited = {cells[0].strip(): [n for cell in cells[1:] for n in numbers_of(cell)] for cells in lines if len(cells) > 1}
    wrong = []
    for name, *cells in table.rows:
        there = iter(cited.get(name.split()[0], []))
        wrong += [f"{name}: {n}" for cell in cells for n in numbers_of(cell) if n not in there]
    return wrong


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"{table.file} {table.prefix}")
def test_every_number_of_a_table_is_the_one_in_its_file(table: Quoted, documents: Callable[[str], Any]) -> None:
    assert wrong_in(table, documents) == []


@pytest.mark.parametrize("table", TABLES, ids=lambda table: f"{table.file} {table.prefix}")
def test_any_other_number_is_noticed(table: Quoted, documents: Callable[[str], Any]) -> None:
    name, *cells = table.rows[0]
    for place, cell in enumerate(cells):
        if digit := re.search(r"\d(?=\D*$)", cell):
            other = cell[: digit.start()] + str((int(digit[0]) + 5) % 10) + cell[digit.end() :]
            row = (name, *cells[:place], other, *cells[place + 1 :])
            assert wrong_in(table._replace(rows=(row, *table.rows[1:])), documents), other


def test_every_table_of_results_says_where_it_is_from() -> None:
    results = section_of(PAPER, "^results$")
    heads = re.findall(r"^\|[ :|-]+\|$", results, re.MULTILINE)
    assert len(quoted_tables(results)) == len(heads) == results.count("\nSource: ") >= 10


def test_what_the_text_says_of_the_thoughts_that_ship() -> None:
    thoughts = train()["thought"].to_pylist()
    for count, mark in ((1564, "Wait, that is wrong"), (1333, "Not the same."),
                        (1868, r", (?:no|too small|too big|not in the list)\b")):  # fmt: skip
        assert sum(bool(re.search(mark, thought)) for thought in thoughts) == count
        assert f"{count:,} ({count / len(thoughts):.0%})".replace("%", " %") in PAPER


def test_the_text_states_the_tokens_of_the_report() -> None:
    report = read_document(ROOT / ADAPTER / "report.json")
    assert f"Of {report['training_tokens']:,} training tokens" in PAPER
    assert f"{sum(phase['learned'] for phase in report['training']):,} are learned" in PAPER
    assert f"{100 * report['adapter']['kept_of_difference']:.1f} % of the squared norm" in PAPER


def test_the_recorded_run_is_the_only_one_of_its_pair_that_ships() -> None:
    assert [archive.stem for archive in RECORDED.glob("*-smol-135m.zip")] == [RUN]


CITED = ["docs/paper.md", *(f"{ADAPTER}/{name}" for name in ("report.json", "ablation.json", "recipe.yaml"))]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.7 → 85.0 %", "1.7 → 86.0 %"),
        ("| 132,818 | 14 |", "| 132,818 | 15 |"),
        ("## Limitations", "## Outlook"),
        ("## References", "## More"),
        ("<!-- figures: models", "<!-- models"),
    ],
)
def test_the_index_takes_no_report_for_one_that_differs_from_its_files(old: str, new: str, tmp_path: Path) -> None:
    for name in CITED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)

    def answer() -> str:
        return next(entry.answer for entry in self_score(tmp_path).entries if entry.item == "full_paper")

    assert answer() == "yes"
    assert old in PAPER
    (tmp_path / "docs" / "paper.md").write_text(PAPER.replace(old, new), encoding="utf-8")
    assert answer() == "no"


def test_settings_that_are_not_the_recipes_are_no_evidence(tmp_path: Path) -> None:
    recipe = tmp_path / ADAPTER / "recipe.yaml"
    recipe.parent.mkdir(parents=True)
    shutil.copy(ROOT / ADAPTER / "recipe.yaml", recipe)
    section = section_of(PAPER, "^hyperparameters$")
    assert figures_hold(section, tmp_path)
    recipe.write_text(recipe.read_text().replace("learning_rate: 2.0e-4", "learning_rate: 3.0e-4"))
    assert not figures_hold(section, tmp_path)
    recipe.write_text("phases: [")
    assert not figures_hold(section, tmp_path)
    assert not figures_hold("no table", tmp_path)
