"""The command line of a training script."""

from __future__ import annotations

import argparse
import os
import sys

_EXAMPLES = """
Examples:

One machine, eight GPUs:
    $ {script} --num-gpus 8 --config-file cfg.yaml

Options of the config, changed for this run:
    $ {script} --config-file cfg.yaml MODEL.WEIGHTS /path/to/weights.pth SOLVER.BASE_LR 0.001

Two machines, the address that of the first:
    (machine0)$ {script} --num-machines 2 --machine-rank 0 --dist-url tcp://host:port ...
    (machine1)$ {script} --num-machines 2 --machine-rank 1 --dist-url tcp://host:port ...

Started by torchrun:
    $ torchrun --nproc-per-node 2 {script} --config-file cfg.yaml
"""


def default_argument_parser(epilog: str | None = None) -> argparse.ArgumentParser:
    """A parser for the arguments that training scripts have in common.

    Args:
        epilog: text below the list of arguments; examples by default.
    """
    parser = argparse.ArgumentParser(
        epilog=_EXAMPLES.format(script=sys.argv[0]) if epilog is None else epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--config-file", default="", metavar="FILE", help="path to the config, .yaml or .py")
    add(
        "--resume",
        action="store_true",
        help="go on from the last checkpoint in the output directory, if there is one",
    )
    add("--eval-only", action="store_true", help="evaluate without training")
    add("--num-gpus", type=int, default=1, help="GPUs, or processes on a CPU, *per machine*")
    add("--num-machines", type=int, default=1, help="machines in all")
    add("--machine-rank", type=int, default=0, help="this machine among them, from 0")
    add(
        "--dist-url",
        default=f"tcp://127.0.0.1:{_port_of_user()}",
        help="where the processes meet: tcp://host:port on machine 0, or 'auto' on one machine",
    )
    add(
        "opts",
        nargs=argparse.REMAINDER,
        help="changes to the config: PATH.KEY VALUE pairs for YAML, path.key=value for .py",
    )
    return parser


def _port_of_user() -> int:
    """A port that is fixed for a user, so that two users of one machine do not collide."""
    first, count = 49152, 2**14  # the range of dynamic ports
    user = os.getuid() if hasattr(os, "getuid") else 1
    return first + user % count
