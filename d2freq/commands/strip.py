"""``d2freq strip``: the detector's weights alone, out of a checkpoint that was trained with SET."""

import argparse
import os

from d2freq.errors import UserError
from d2freq.utils.present import present

SUMMARY = "write the detector's weights alone, out of a checkpoint trained with SET"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The two files."""
    parser.add_argument("checkpoint", metavar="IN", help="such as output/model_final.pth")
    parser.add_argument("output", metavar="OUT", help="the file to write, for a plain config")
    parser.add_argument("--overwrite", action="store_true", help="replace OUT if it is there")
    parser.set_defaults(run=_run, check=_check)


def _check(arguments: argparse.Namespace) -> None:
    present(arguments.checkpoint)
    if os.path.exists(arguments.output) and not arguments.overwrite:
        raise UserError(
            f"{arguments.output} is there already; name another file, or say --overwrite"
        )


def _run(arguments: argparse.Namespace) -> None:
    from d2freq.engine.weights.set import strip

    print(strip(arguments.checkpoint, arguments.output, overwrite=arguments.overwrite))
