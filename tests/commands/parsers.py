"""The sub-commands of `arena`, read from its parser."""

import argparse


def leaves(parser: argparse.ArgumentParser, prefix: str = "") -> dict[str, argparse.ArgumentParser]:
    """Every sub-command that does something, by its name: `run`, `traces curate`."""
    found = {}
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for group in groups:
        for name, inner in group.choices.items():
            found |= leaves(inner, f"{prefix}{name} ")
    return found or {prefix.strip(): parser}
