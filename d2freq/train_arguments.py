"""The command line of a training: the flags of Detectron2's train_net.py, and d2freq's own.

They stand here, apart from the training, so that --help and a mistyped flag are answered before
torch is imported. tests/d2freq/test_train.py holds them against the host's own parser.
"""

import argparse
import os

from d2freq.utils.parser import Parser

__all__ = ["OWN_DATA_CONFIG", "TRAINING", "build_parser"]

OWN_DATA_CONFIG = "own_data/faster_rcnn_MobileNetV2_FPN"  # what --data alone trains

TRAINING = """\
Train or evaluate a detector of d2freq from a YAML config or its lazy twin.

``python -m d2freq.train``, ``d2freq train`` and, in the source tree, ``train_net.py`` are the same:

    d2freq train --config-file demo/faster_rcnn_R18_HSFPN_scenes
    d2freq train --config-file demo/faster_rcnn_R18_HSFPN_scenes.py train.max_iter=9
    d2freq train --config-file C --eval-only MODEL.WEIGHTS output/x/model_final.pth
    d2freq train --config-file C --resume --num-gpus 8 SOLVER.IMS_PER_BATCH 16
    d2freq train --data FOLDER OUTPUT_DIR output/mine

Processes may also be started by torchrun or srun; see d2freq.engine.launch. SIGTERM, Ctrl-C and
SLURM's SIGUSR1 save a checkpoint and end with 143, 130 and 138; --resume goes on from it. One
training at a time writes to an output folder.
"""
# ports from here on are nobody's (RFC 6335); each user of a machine gets one of 2^14
FIRST_PORT, PORTS = 49152, 2**14


def build_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """The flags of a training, by the names and defaults that Detectron2's own parser has."""
    parser = Parser(
        prog=prog, epilog=TRAINING, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--config-file", default="", metavar="FILE", help="YAML or lazy config, or its name")
    add(
        "--resume",
        action="store_true",
        help="go on from the newest checkpoint in the output folder that can be read",
    )
    add("--eval-only", action="store_true", help="measure the config's weights, and do not train")
    add("--num-gpus", type=int, default=1, help="processes of this machine, one for each GPU")
    add("--num-machines", type=int, default=1, help="machines that train together")
    add("--machine-rank", type=int, default=0, help="which of them this one is, from 0")
    user = os.getuid() if hasattr(os, "getuid") else 1
    add(
        "--dist-url",
        default=f"tcp://127.0.0.1:{FIRST_PORT + user % PORTS}",
        help="where processes of several machines meet: tcp://HOST:PORT of the first",
    )
    add(
        "--overwrite",
        action="store_true",
        help="delete the training that the output folder holds, and start anew",
    )
    add(
        "--reset-lr",
        action="store_true",
        help="with --resume, take learning rate and options of the optimizer from the config, not "
        "from the checkpoint",
    )
    add("--verbose", action="store_true", help="print all that the log file has")
    _add_data_flags(parser)
    add(
        "opts",
        nargs=argparse.REMAINDER,
        help="overrides behind all flags: KEY VALUE of a YAML config, key=value of a lazy one",
    )
    return parser


def _add_data_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--data",
        metavar="PLACE",
        help="train on data of one's own: a folder, a COCO file or a YOLO data.yaml. Sets DATASETS "
        f"and the class count; without --config-file it is {OWN_DATA_CONFIG}",
    )
    add("--val-data", metavar="PLACE", help="the data that measures, where --data has none")
    add(
        "--images",
        metavar="FOLDER",
        help="the folder of the images of a COCO file, where they are not near it",
    )
    add("--val-images", metavar="FOLDER", help="likewise for --val-data")
