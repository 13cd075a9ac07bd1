"""``d2freq configs``: the names that --config-file takes, and a copy to build on."""

import argparse
import shutil
from pathlib import Path

from d2freq.errors import UserError
from d2freq.utils.config_names import config_names, configs_folder

SUMMARY = "list the configs of d2freq, whose names --config-file takes, or copy them all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Words to look for, or where to copy to."""
    parser.add_argument("words", nargs="*", metavar="WORD", help="only names with every word")
    parser.add_argument(
        "--copy",
        metavar="FOLDER",
        help="write all configs, bases and READMEs into a new folder, to write your own there",
    )
    parser.set_defaults(run=_run, needs_host=False)


def _run(arguments: argparse.Namespace) -> None:
    if arguments.copy:
        target = Path(arguments.copy)
        if target.exists():
            raise UserError(f"{target} is there already: name a new folder")
        shutil.copytree(configs_folder(), target, ignore=shutil.ignore_patterns("__pycache__"))
        print(f"{target}: {len(config_names())} configs and their bases")
        return
    words = [word.lower() for word in arguments.words]
    names = [n for n in config_names() if all(word in n.lower() for word in words)]
    if not names:
        raise UserError(f"no config has {' and '.join(arguments.words)} in its name")
    lazy = set(config_names(lazy=True))
    print("\n".join(f"{name}{'  (also .py)' if name in lazy else ''}" for name in names))
