"""`arena index`: scores a repository on the paper's transparency index by the artefacts found in it."""

import argparse
import json
from pathlib import Path

from commands.kit.arguments import describe
from commands.kit.printing import show
from common.errors import ConfigError
from common.paths import ROOT


def add_index(parser: argparse.ArgumentParser) -> None:
    describe(parser, index_command, "arena index --markdown")
    parser.add_argument("--root", type=Path, default=ROOT, help="folder to score (default: this repository)")
    parser.add_argument("--markdown", action="store_true", help="print a badge and tables for a README")
    parser.add_argument("--save", action="store_true", help="also store the score, to show it on the page")


def index_command(options: argparse.Namespace) -> None:
    from eval.paper.transparency import report, save, self_score, to_json, to_markdown

    if not options.root.is_dir():
        raise ConfigError(f"{options.root} is not a folder.", "Name the folder of a repository.")
    assessment = self_score(options.root)
    text = to_markdown(assessment) if options.markdown else report(assessment)
    if options.save:
        save(assessment)
    show(options, json.loads(to_json(assessment)), text)
