"""Train or evaluate a detector of d2freq from a YAML config or its lazy twin.

``python -m d2freq.train``, ``d2freq train`` and, in the source tree, ``train_net.py`` are the same:

    d2freq train --config-file demo/faster_rcnn_R18_HSFPN_scenes
    d2freq train --config-file demo/faster_rcnn_R18_HSFPN_scenes.py train.max_iter=9
    d2freq train --config-file C --eval-only MODEL.WEIGHTS output/x/model_final.pth
    d2freq train --config-file C --resume --num-gpus 8 SOLVER.IMS_PER_BATCH 16

Processes may also be started by torchrun or srun; see d2freq.engine.launch. Flags and KEY VALUE
overrides are those of Detectron2's tools/train_net.py, and --overwrite and --reset-lr. SIGTERM,
Ctrl-C and SLURM's SIGUSR1 save a checkpoint and end with 143, 130 and 138; --resume goes on from
it. One training at a time writes to an output folder.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext

import d2freq  # chooses the host before anything of detectron2 is imported

# isort: split
from detectron2.engine import default_argument_parser

from d2freq.engine.processes import is_first, start_processes
from d2freq.engine.run import check_arguments, output_folder
from d2freq.errors import UserError
from d2freq.utils.lock import locked

__all__ = ["build_parser", "main", "start"]


def build_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """The flags of a training: those of Detectron2's own parser."""
    parser = default_argument_parser(epilog=__doc__)
    parser.prog = prog or parser.prog
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="delete the training that the output folder holds, and start anew",
    )
    parser.add_argument(
        "--reset-lr",
        action="store_true",
        help="with --resume, take learning rate and options of the optimizer from the config, not "
        "from the checkpoint",
    )
    return parser


def start(arguments: argparse.Namespace) -> None:
    """Check what can be checked, then train or evaluate in as many processes as asked for.

    Raises:
        UserError: config, data or weights are faulty; no process has started then.
    """
    if is_first(arguments):
        print(f"d2freq {d2freq.__version__} on {d2freq.describe_host()}", flush=True)
    folder = output_folder(arguments)
    holds = is_first(arguments) and "://" not in folder
    with locked(folder, "training") if holds else nullcontext():
        check_arguments(arguments)
        try:
            start_processes(arguments)
        except OSError as error:
            place = "" if error.filename else f" (below {folder})"
            raise UserError(
                f"{error}{place}; what was saved before is untouched, and --resume goes on from it"
            ) from error


def main(argv: Sequence[str] | None = None, *, prog: str = "python -m d2freq.train") -> int:
    """Read the command line and start; returns the exit code (0, or 2 for bad input)."""
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
