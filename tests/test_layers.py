"""Imports point down, between packages and between their folders; each big library stays in its home."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAY_IMPORT = {
    "common": {"common"},
    "models": {"models", "common"},
    "eval": {"eval", "models", "common"},
    "traces": {"traces", "eval", "models", "common"},
    "votes": {"votes", "common"},
    "insights": {"insights", "votes", "traces", "eval", "models", "common"},
    "battles": {"battles", "votes", "traces", "eval", "models", "common"},
    "ui": {"ui", "battles", "insights", "votes", "traces", "eval", "models", "common"},
    "commands": {"commands", "insights", "votes", "traces", "eval", "models", "common"},
}
FLOORS = {
    "models": ["config", "weights", "chat", "serving", "deployment"],
    "eval": [
        "records",
        "statistics",
        "problems",
        "grading",
        "runs",
        "imports",
        "thoughts",
        "results",
        "judging",
        "paper",
    ],
    "traces": ["problems", "keeping", "thoughts", "training", "publishing", "cases"],
    "ui": [
        "services",
        "server",
        "kit",
        "lens",
        "traces",
        "open_ended",
        "cases",
        "benchmarks",
        "compare",
        "preferences",
        "transparency",
        "metrics",
        "api",
        "layout",
    ],
}
"""The folders of a package in their order: each may import from those before it."""
HOME = {
    "gradio": ("ui/",),
    "duckdb": ("votes/store/", "eval/results/samples.py"),
    "trl": ("traces/training/",),
    "peft": ("traces/training/", "models/weights/merge.py"),
    "argparse": ("commands/",),
}
FILES = [p.relative_to(ROOT).as_posix() for package in MAY_IMPORT for p in sorted((ROOT / package).rglob("*.py"))]
MOST_FILES, MOST_LINES = 12, 300


def imported_modules(path: Path) -> list[tuple[str, bool]]:
    """(module, whether by a plain `import`) for every import in the file, also those inside functions."""
    modules = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            modules += [(alias.name, True) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write absolute imports"
            modules.append((node.module or "", False))
            modules += [(f"{node.module}.{alias.name}", False) for alias in node.names]
    return modules


def floor(package: str, rest: list[str]) -> int:
    """Where in its package a module stands; -1 for what the package itself holds."""
    return FLOORS[package].index(rest[0]) if package in FLOORS and rest else -1


@pytest.mark.parametrize("file", FILES)
def test_imports_point_down(file: str) -> None:
    package, *here = file.removesuffix(".py").removesuffix("/__init__").split("/")
    for module, plain in imported_modules(ROOT / file):
        root, *there = module.split(".")
        assert root not in MAY_IMPORT or root in MAY_IMPORT[package], f"{file} imports {module}: points up"
        if root == package:
            assert floor(package, there) <= floor(package, here), f"{file} imports {module}: points up"
        assert not (plain and root == "eval"), f"{file}: `import eval…` hides the builtin; use `from {module} import …`"
        assert root not in HOME or file.startswith(HOME[root]), f"{file} imports {module}: its home is {HOME[root]}"


def test_no_file_imports_itself_by_a_detour() -> None:
    names = {file: file.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for file in FILES}
    arrows = {
        name: {module for module, _ in imported_modules(ROOT / file) if module in names.values()} - {name}
        for file, name in names.items()
    }
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " → ".join([*way[way.index(name) :], name])
        if name not in done:
            for other in sorted(arrows[name]):
                visit(other, (*way, name))
            done.add(name)

    sys.setrecursionlimit(max(sys.getrecursionlimit(), 10 * len(names)))
    for name in arrows:
        visit(name, ())


@pytest.mark.parametrize("folder", sorted({str(Path(file).parent) for file in FILES}))
def test_a_folder_holds_at_most_a_dozen_files(folder: str) -> None:
    assert len([p for p in (ROOT / folder).glob("*.py") if p.name != "__init__.py"]) <= MOST_FILES


@pytest.mark.parametrize("file", FILES)
def test_a_file_can_be_read_in_one_go(file: str) -> None:
    assert len((ROOT / file).read_text().splitlines()) <= MOST_LINES
