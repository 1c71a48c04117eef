"""The map in docs/architecture.md has a line for every folder of code, and the documents link only to what exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("common", "models", "eval", "traces", "votes", "insights", "battles", "ui", "commands", "bench")
DOCUMENTS = ["README.md", *sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "docs").rglob("*.md"))]
TREE = (ROOT / "docs" / "architecture.md").read_text().split("<!-- tree -->")[1].split("<!-- /tree -->")[0]


@pytest.mark.parametrize("package", PACKAGES)
def test_the_map_has_a_line_for_every_folder_and_none_for_others(package: str) -> None:
    block = re.search(rf"^{package}/ .*\n((?:  .*\n)*)", TREE, re.MULTILINE)
    assert block, f"{package}/ is missing from the map"
    listed = {line.split()[0].rstrip("/") for line in block.group(1).splitlines() if line.split()[0].endswith("/")}
    folders = {p.parent.relative_to(ROOT / package).as_posix() for p in (ROOT / package).rglob("*.py")} - {"."}
    assert folders <= listed
    assert all((ROOT / package / name).is_dir() for name in listed)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_picture_and_file_linked_exists(document: str) -> None:
    links = re.findall(r"\]\((?!https?:|#|\?|mailto:)([^)#\s]+)", (ROOT / document).read_text())
    assert [link for link in links if not ((ROOT / document).parent / link).exists()] == []
