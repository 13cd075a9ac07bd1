"""The commands ``d2freq`` and ``train_net.py``, which read their words before torch is imported.

``import d2freq`` registers every model with the host, and for that imports torch: seconds, which
--help and a mistyped word need not wait for. So this module stands outside the package and imports
it unregistered, and the words are read. Where there is work to do, ``d2freq.register()`` comes
before it.
"""

import sys
from types import ModuleType

__all__ = ["main", "train"]

reading = False  # True while a command imports d2freq, which then leaves registering to it


def main() -> int:
    """Run ``d2freq`` with the words of ``sys.argv``; returns the exit code."""
    _import_unregistered()
    from d2freq.cli import main as run

    return run()


def train(prog: str) -> int:
    """Run ``train_net.py`` with the words of ``sys.argv``; returns the exit code."""
    d2freq = _import_unregistered()
    from d2freq.train_arguments import build_parser

    arguments = build_parser(prog).parse_args()
    from d2freq.cli import check_files
    from d2freq.data.own.flags import check_data_flags
    from d2freq.errors import UserError

    try:
        check_files(arguments)
        check_data_flags(arguments)
    except UserError as error:
        print(f"{prog}: error: {error}", file=sys.stderr)
        return 2
    d2freq.register()
    from d2freq.train import main as run

    return run(prog=prog)


def _import_unregistered() -> ModuleType:
    global reading
    reading = True
    try:
        import d2freq  # the package alone: all below it is imported as always
    finally:
        reading = False
    return d2freq


if __name__ == "__main__":
    # this module under its own name, by which d2freq looks for it
    import d2freq_command

    sys.exit(d2freq_command.main())
