"""Configuration keys of d2freq's trainer.

They stand beside config.py, not in engine/: the engine reads configs and so imports config.py.
"""

from detectron2.config import CfgNode as CN

__all__ = ["trainer_keys"]


def trainer_keys() -> CN:
    """D2FREQ: how d2freq's trainer differs from Detectron2's."""
    node = CN()
    # True: weights whose shape differs from the model's (another class count), and in --eval-only
    # also missing or surplus ones, are an error before anything runs. False: such layers start
    # anew or are left out with a warning, as in Detectron2, to fine-tune.
    node.STRICT_WEIGHTS = True
    # COCO files to register before training or evaluation, each [name, COCO file, image folder]:
    # data sets of one's own for DATASETS.TRAIN and TEST without a line of Python. Paths are
    # relative to the working directory. A lazy config calls d2freq.data.register_coco instead.
    node.DATASETS = []
    # "sgd" | "adam". "sgd", the default, is Detectron2's, for detectors. "adam": Adam by SOLVER's
    # BASE_LR and WEIGHT_DECAY (added to the gradient, not decoupled), for DeRefNet and the methods
    # beside it. A lazy config names torch's class instead.
    node.OPTIMIZER = "sgd"
    return node
