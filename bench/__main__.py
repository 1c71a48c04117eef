"""`python -m bench [--quick] [section …]`: measure, print a table, save the numbers."""

import argparse
import logging
import sys
import traceback
from importlib import import_module

from bench.context import Bench
from bench.report import Section, describe, machine, save

SECTIONS = (
    "startup",
    "streaming",
    "page",
    "visitors",
    "voting",
    "preference",
    "grading",
    "running",
    "tracing",
    "reading",
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="section", help=f"of {', '.join(SECTIONS)}; all unless named")
    parser.add_argument("--quick", action="store_true", help="few repetitions, to see that everything runs")
    arguments = parser.parse_args()
    if unknown := set(arguments.sections) - set(SECTIONS):
        parser.error(f"no section {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}")
    logging.basicConfig(level=logging.ERROR)
    print(", ".join(f"{name} {value}" for name, value in machine().items()), flush=True)
    done: list[Section] = []
    failed: dict[str, str] = {}
    with Bench(arguments.quick) as bench:
        for name in arguments.sections or SECTIONS:
            try:
                section = import_module(f"bench.sections.{name}").run(bench)
            except Exception as error:  # one broken measurement must not lose the others; it is reported and recorded
                traceback.print_exc()
                failed[name] = repr(error)
                continue
            print(describe(section), flush=True)
            done.append(section)
    print(f"\nsaved in {save(done, failed, arguments.quick)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
