"""The command `transparency`: this product scored by its own artefacts."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from common.paths import ROOT
from eval.paper.transparency import report, save, self_score, to_json, to_markdown


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m commands.transparency", description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="folder to look in (default: this repository)")
    parser.add_argument("--format", choices=("text", "json", "markdown"), default="text")
    parser.add_argument("--save", action="store_true", help="also keep the score among the scored works")
    options = parser.parse_args(arguments)
    assessment = self_score(options.root)
    write = {"text": report, "json": to_json, "markdown": to_markdown}[options.format]
    print(write(assessment))
    if options.save:
        save(assessment)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
