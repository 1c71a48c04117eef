"""`arena traces …`: the group of commands from problems to training rows."""

import argparse

from commands.kit.arguments import group
from commands.traces.asking import add_debate, add_reformat, add_rehearse, add_teacher, add_translate
from commands.traces.elsewhere import add_import
from commands.traces.files import add_curate, add_export, add_rows
from commands.traces.samples import add_keep, add_sample


def add_traces(parser: argparse.ArgumentParser) -> None:
    commands = group(parser)
    for add in (
        add_curate,
        add_teacher,
        add_debate,
        add_reformat,
        add_translate,
        add_import,
        add_sample,
        add_keep,
        add_rehearse,
        add_rows,
        add_export,
    ):
        add(commands)
