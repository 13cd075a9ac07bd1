#!/usr/bin/env python
"""Train or evaluate a detector of d2freq from a YAML config or its lazy twin.

    python train_net.py --config-file configs/demo/faster_rcnn_R18_HSFPN_scenes.yaml
    python train_net.py --config-file configs/demo/faster_rcnn_R18_HSFPN_scenes.py train.max_iter=9
    python train_net.py --config-file C --eval-only MODEL.WEIGHTS output/x/model_final.pth
    python train_net.py --config-file C --resume --num-gpus 8 SOLVER.IMS_PER_BATCH 16

Flags and KEY VALUE overrides are those of Detectron2's tools/train_net.py.
"""

import sys

import d2freq  # chooses the host before anything of detectron2 is imported

# isort: split
from detectron2.engine import default_argument_parser, launch

from d2freq.errors import UserError


def main(args) -> dict:
    """One process of a training or an evaluation."""
    from d2freq.engine import run

    return run(args)


if __name__ == "__main__":
    arguments = default_argument_parser().parse_args()
    print(f"d2freq {d2freq.__version__} on {d2freq.describe_host()}", flush=True)
    try:
        from d2freq.engine import check_arguments

        check_arguments(arguments)
        launch(
            main,
            arguments.num_gpus,
            num_machines=arguments.num_machines,
            machine_rank=arguments.machine_rank,
            dist_url=arguments.dist_url,
            args=(arguments,),
        )
    except UserError as error:
        print(f"train_net.py: error: {error}", file=sys.stderr)
        sys.exit(2)
