"""Train or evaluate a detector of d2freq from a YAML config or its lazy twin.

``python -m d2freq.train``, ``d2freq train`` and, in the source tree, ``train_net.py`` are the same;
see d2freq.train_arguments.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext

import d2freq
from d2freq.engine.own_data import apply_own_data
from d2freq.engine.processes import is_first, start_processes
from d2freq.engine.run import check_arguments, output_folder
from d2freq.errors import UserError
from d2freq.train_arguments import OWN_DATA_CONFIG, build_parser
from d2freq.utils.lock import locked
from d2freq.utils.notices import note, noted, tell_waiting
from d2freq.utils.streams import print_any_letter

__all__ = ["build_parser", "main", "start"]


def start(arguments: argparse.Namespace) -> None:
    """Check what can be checked, then train or evaluate in as many processes as asked for.

    Raises:
        UserError: config, data or weights are faulty; no process has started then.
    """
    if is_first(arguments):
        host = f"d2freq {d2freq.__version__} on {d2freq.describe_host()}"
        print(host, flush=True)
        note(host)
    said = apply_own_data(arguments, default_config=OWN_DATA_CONFIG)
    if is_first(arguments):
        print(*said, sep="\n", end="\n" if said else "", flush=True)
        note(*said)
    folder = output_folder(arguments)
    tell_waiting()
    holds = is_first(arguments) and "://" not in folder
    with locked(folder, "training") if holds else nullcontext():
        check_arguments(arguments)
        arguments.noted = noted()  # so that a new process does not tell it again
        try:
            start_processes(arguments)
        except OSError as error:
            place = "" if error.filename else f" (below {folder})"
            raise UserError(
                f"{error}{place}; what was saved before is untouched, and --resume goes on from it"
            ) from error


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m d2freq.train") -> int:
    """Read the command line and start; returns the exit code (0, or 2 for bad input)."""
    print_any_letter()
    arguments = build_parser(prog).parse_args(argv)
    try:
        start(arguments)
    except UserError as error:
        print(f"{prog}: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{prog}: interrupted before the first iteration: nothing to save", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
