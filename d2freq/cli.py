"""The command ``d2freq``: one subcommand a job, each a module of d2freq.commands.

Bad input ends with one line on stderr and exit code 2. Nothing heavy is imported before the words
are read, here and at the top of the subcommands' modules; see d2freq_command. Then a command's
``check``, where it sets one beside ``run``, refuses files that are not there; ``needs_host=False``
is of one that works without torch.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

import d2freq
from d2freq.commands.options import gather_overrides
from d2freq.errors import UserError
from d2freq.utils.config_names import find_config
from d2freq.utils.output import check_output
from d2freq.utils.parser import Parser
from d2freq.utils.present import present
from d2freq.utils.streams import print_any_letter

# each is d2freq/commands/<name>.py, - as _, with SUMMARY and add_arguments(parser)
COMMANDS = (
    "analyze",
    "configs",
    "convert",
    "cost",
    "dct-statistics",
    "demo",
    "detect",
    "evaluate",
    "export",
    "generate",
    "report",
    "strip",
    "train",
    "unmix",
    "validate",
    "visualize",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; returns the exit code (0, or 2 for bad input)."""
    print_any_letter()
    parser = build_parser()
    words = sys.argv[1:] if argv is None else argv
    if not words:
        parser.print_help(sys.stderr)
        return 2
    arguments = parser.parse_args(words)
    gather_overrides(arguments)
    check = vars(arguments).pop("check", None)
    needs_host = vars(arguments).pop("needs_host", True)
    try:
        check_files(arguments)
        if check is not None:
            check(arguments)
        if needs_host:
            d2freq.register()  # where d2freq_command has left it to us
        # a command that finds its input faulty, and has said so, returns its own exit code
        return arguments.run(arguments) or 0
    except (UserError, OSError) as error:
        print(f"d2freq: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except UnicodeEncodeError as error:
        # the name of a file whose bytes are no text, as archives of other systems unpack them
        word = error.object[max(0, error.start - 40) : error.end + 40].strip()
        print(f"d2freq: {ascii(word)} cannot be written as text; rename that file", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("d2freq: interrupted; the same command goes on from here", file=sys.stderr)
        return 130


def check_files(arguments: argparse.Namespace) -> None:
    """Refuse a config that nobody has, files that are not there, and places where nothing can be
    written, of whichever command.

    Raises:
        UserError: the message names the nearest config, or the option.
    """
    config = getattr(arguments, "config_file", None)
    if config and not os.path.isdir(config):  # a training's output folder stands for its config
        find_config(config)
    for name in ("image", "metrics", "truth"):
        place = getattr(arguments, name, None)
        if isinstance(place, str) and place:
            present(place, f"--{name}")
    for name in ("output", "fix", "histogram", "pairs"):
        places = getattr(arguments, name, None) or []
        for place in [places] if isinstance(places, str) else places:
            check_output(place, f"--{name}")


def build_parser() -> argparse.ArgumentParser:
    """The parser with every subcommand."""
    parser = Parser(prog="d2freq", description="Tools of d2freq.")
    parser.add_argument("--version", action="version", version=f"d2freq {d2freq.__version__}")
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
