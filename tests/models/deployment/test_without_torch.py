"""A Space whose models are at addresses has neither torch nor vLLM: the page must import and serve without them."""

import os
import subprocess
import sys
from pathlib import Path

from common.paths import ROOT

BLOCKED = ("torch", "vllm", "transformers", "tokenizers", "peft", "trl", "accelerate", "safetensors", "gguf")
SCRIPT = f"""
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {(*BLOCKED, "sentence_transformers")!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
import importlib, pkgutil
import app
for package in ("battles", "votes", "insights", "ui", "commands"):
    for module in pkgutil.walk_packages([package], package + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
from models.config.registry import load_config
from models.serving.pair import ServedPair
from ui.layout import build_app
from ui.services import Services
from votes.casting.desk import Desk
from votes.store import Store
from votes.visitor import load_salt
from common.paths import home
config = load_config()
store = Store(home() / "votes.duckdb")
served = ServedPair(config, config.pairs["qwen2.5-72b"], config.profiles["remote"])
built = build_app(Services(config, served, Desk(store), store, home(), load_salt(home())))
store.close()
print("BUILT")
"""


def test_the_page_is_built_without_torch_and_vllm(tmp_path: Path) -> None:
    environment = os.environ | {
        "JOURNEY_HOME": str(tmp_path),
        "JOURNEY_BASE_URL": "http://127.0.0.1:1/v1",
        "JOURNEY_DISTILLED_URL": "http://127.0.0.1:2/v1",
    }
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "BUILT" in done.stdout, done.stderr[-3000:]
