"""The folder to push as a Space, and README's front matter."""

from pathlib import Path

import pytest
import yaml

from common.errors import ConfigError
from common.paths import ROOT
from models.config.registry import load_config
from models.deployment.card import front_matter, without_front_matter
from models.deployment.space import PARTS, tracked_files, write_space

CONFIG = load_config()


def read_front_matter(readme: Path) -> dict[str, object]:
    head, block, _ = readme.read_text(encoding="utf-8").split("---\n", 2)
    assert head == ""
    loaded = yaml.safe_load(block)
    assert isinstance(loaded, dict)
    return loaded


def test_readme_front_matter_is_generated() -> None:
    assert (ROOT / "README.md").read_text(encoding="utf-8").startswith(front_matter(CONFIG.space)), (
        "README.md must begin with the output of `arena front-matter`"
    )


@pytest.mark.parametrize("key", list(CONFIG.profiles))
def test_space_folder(tmp_path: Path, key: str) -> None:
    profile = CONFIG.profiles[key]
    message = write_space(CONFIG, profile, tmp_path)
    card = read_front_matter(tmp_path / "README.md")
    assert card["sdk"] == profile.sdk
    assert card["suggested_hardware"] == profile.hardware
    assert profile.hardware in message
    assert (tmp_path / "app.py").is_file()
    assert (tmp_path / "spaces.yaml").read_text() == (ROOT / "spaces.yaml").read_text()
    assert not (tmp_path / "data").exists()
    assert not (tmp_path / "tests").exists()
    if profile.sdk == "docker":
        check_docker(tmp_path, card)
    else:
        assert card["sdk_version"] == CONFIG.space.sdk_version
        assert (tmp_path / "requirements.txt").read_text() == (ROOT / "requirements.txt").read_text()
        assert not (tmp_path / "Dockerfile").exists()


def check_docker(folder: Path, card: dict[str, object]) -> None:
    recipe = (folder / "Dockerfile").read_text()
    assert card["app_port"] == 7860
    assert recipe.index("-r requirements-cpu.txt") < recipe.index("--no-deps -r requirements-cpu-engine.txt")
    assert "--uid 1000" in recipe
    assert not (folder / "requirements.txt").exists()
    for name in ("requirements-cpu.txt", "requirements-cpu-engine.txt"):
        assert (folder / name).is_file()


def test_pinned_gradio_is_the_cards() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert f"gradio=={CONFIG.space.sdk_version}" in lines


def test_a_full_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(ConfigError, match="not empty"):
        write_space(CONFIG, CONFIG.profiles["cpu"], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_only_what_is_needed_is_taken() -> None:
    assert {path.parts[0] for path in tracked_files()} <= set(PARTS)
    assert not any("__pycache__" in path.parts for path in tracked_files())


def test_front_matter_is_replaced_not_doubled() -> None:
    readme = front_matter(CONFIG.space) + "\n# Title\n\n---\n\nText\n"
    assert without_front_matter(readme) == "\n# Title\n\n---\n\nText\n"
    assert without_front_matter("# Title\n") == "# Title\n"
