"""The notebook in docs does what it says: its cells are run one after the other."""

import json
from typing import Any

import matplotlib
import pytest

from common.paths import ROOT

NOTEBOOK = json.loads((ROOT / "docs" / "run-to-figure.ipynb").read_text())


def test_the_cells_take_the_shipped_run_to_a_figure(capsys: pytest.CaptureFixture[str]) -> None:
    matplotlib.use("Agg")
    names: dict[str, Any] = {}
    for number, cell in enumerate(NOTEBOOK["cells"]):
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
    above, below = names["figure"].axes
    sets = len(names["compared"])
    assert sets == len(below.get_xticklabels()) > 0
    assert len(above.containers) == 2 and above.get_ylabel() == "accuracy"
    assert len(names["tokens"]) == 4 and "95 % interval" in capsys.readouterr().out


def test_it_is_stored_without_outputs() -> None:
    assert NOTEBOOK["nbformat"] == 4
    assert all(not cell.get("outputs") for cell in NOTEBOOK["cells"])
    assert all("id" in cell for cell in NOTEBOOK["cells"])
