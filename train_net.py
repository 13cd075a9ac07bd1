#!/usr/bin/env python
"""Train or evaluate a detector of d2freq from a YAML config or its lazy twin.

    python train_net.py --config-file configs/demo/faster_rcnn_R18_HSFPN_scenes.yaml
    python train_net.py --config-file configs/demo/faster_rcnn_R18_HSFPN_scenes.py train.max_iter=9
    python train_net.py --config-file C --eval-only MODEL.WEIGHTS output/x/model_final.pth
    python train_net.py --config-file C --resume --num-gpus 8 SOLVER.IMS_PER_BATCH 16

Flags and KEY VALUE overrides are those of Detectron2's tools/train_net.py. Where d2freq is
installed, ``d2freq train`` and ``python -m d2freq.train`` do the same from any folder.
"""

import sys

from d2freq_command import train

if __name__ == "__main__":
    sys.exit(train(prog="train_net.py"))
