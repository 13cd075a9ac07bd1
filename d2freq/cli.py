"""The command ``d2freq``: one subcommand a job, each a module of d2freq.commands.

Bad input ends with one line on stderr and exit code 2.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

from d2freq.commands.options import gather_overrides
from d2freq.errors import UserError

# each is d2freq/commands/<name>.py, - as _, with SUMMARY and add_arguments(parser)
COMMANDS = (
    "analyze",
    "configs",
    "convert",
    "cost",
    "dct-statistics",
    "detect",
    "evaluate",
    "export",
    "generate",
    "report",
    "strip",
    "train",
    "validate",
    "visualize",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit code (0, or 2 for bad input)."""
    arguments = build_parser().parse_args(argv)
    gather_overrides(arguments)
    try:
        # a command that finds its input faulty, and has said so, returns its own exit code
        return arguments.run(arguments) or 0
    except (UserError, OSError) as error:
        print(f"d2freq: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("d2freq: interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def build_parser() -> argparse.ArgumentParser:
    """The parser with every subcommand."""
    parser = argparse.ArgumentParser(prog="d2freq", description="Tools of d2freq.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in COMMANDS:
        module = importlib.import_module(f"d2freq.commands.{name.replace('-', '_')}")
        command = commands.add_parser(
            name,
            help=module.SUMMARY,
            description=module.SUMMARY,
            parents=module.parents() if hasattr(module, "parents") else [],
            conflict_handler="resolve",  # a parent brings --help, which the command has already
        )
        module.add_arguments(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
