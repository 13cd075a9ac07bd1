"""Configuration keys of d2freq's trainer.

They stand beside config.py, not in engine/: the engine reads configs and so imports config.py.
"""

from typing import Any

from detectron2.config import CfgNode as CN

__all__ = ["host_node_keys", "lazy_name", "lazy_names", "setting_default", "trainer_keys"]

YAML_ALONE = ("datasets", "optimizer")  # a lazy config registers and names its own in Python


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
    # "sgd" | "adam" | "adamw". "sgd", the default, is Detectron2's, for detectors. "adam": Adam by
    # SOLVER's BASE_LR and WEIGHT_DECAY (added to the gradient, not decoupled), for DeRefNet and the
    # methods beside it. "adamw": with the weight decay decoupled. A lazy config names torch's class
    # instead.
    node.OPTIMIZER = "sgd"
    # Patterns of parameters that are not trained: globs such as backbone.bottom_up.res[23], or
    # re:regular expressions. Batch norms all of whose parameters are frozen keep their statistics.
    node.FREEZE = []
    # Lists of [pattern, factor on the learning rate] or [pattern, factor, weight decay].
    node.PARAM_GROUPS = []
    # Batches an update: the mean of their gradients is taken, as if IMS_PER_BATCH were as many
    # times as large. An iteration is an update; schedule and periods count these.
    node.ACCUMULATE = 1
    # True: in training on a CPU, ROIAlign and the proposal network's convolutions compute their
    # gradients sparsely: a step of a small Faster R-CNN takes a quarter less time. Losses of a step
    # are equal to the last bit; gradients are sums in another order, so that two runs with and
    # without drift apart as two seeds of a GPU do. False, the default: bit for bit as it was.
    node.FAST_CPU = False
    # How many updates in a row may be left out because a loss or a gradient is NaN or infinite. 0,
    # the default: the first one ends the training, with the weights intact. Under float16 the
    # gradient scaler leaves such updates out by itself.
    node.NONFINITE_STEPS = 0
    # True: every picture that is trained on or measured is read to the end before training begins.
    # False, the default: headers alone are looked at. With DATALOADER.BAD_IMAGES skip or warn
    # pictures that are trained on alone are not looked at.
    node.DECODE_IMAGES = False
    node.BEST = _best()
    node.EARLY_STOPPING = _early_stopping()
    node.EMA = _ema()
    # True: the losses on the test sets with every evaluation, as validation/total_loss and so on.
    node.VALIDATION_LOSS = False
    # "wandb", "mlflow": where metrics go beside metrics.json and tensorboard.
    node.WRITERS = []
    node.WANDB = _wandb()
    node.MLFLOW = _mlflow()
    node.FAST_DEV_RUN = _fast_dev_run()
    return node


def _best() -> CN:
    """The best weights, in <FILE_PREFIX>.pth."""
    node = CN()
    # A metric as metrics.json names it, such as "bbox/AP50", "ema/bbox/AP" for the averaged weights
    # or "validation/total_loss"; "" for none.
    node.VAL_METRIC = ""
    # "max" | "min": what is better.
    node.MODE = "max"
    # Name of the files below OUTPUT_DIR, without the ending: model_best.pth and model_best.json.
    node.FILE_PREFIX = "model_best"
    return node


def _early_stopping() -> CN:
    """An end where the metric stops improving."""
    node = CN()
    # Evaluations in a row without improvement after which training ends; 0 for never.
    node.PATIENCE = 0
    # By how much a value has to be better than the best before it.
    node.MIN_DELTA = 0.0
    # A metric as metrics.json names it; "" for BEST's metric, and then BEST's mode holds, too.
    node.VAL_METRIC = ""
    # "max" | "min": what is better.
    node.MODE = "max"
    return node


def _ema() -> CN:
    """An exponential moving average of the weights, evaluated and saved beside them."""
    node = CN()
    # True: the average is kept, measured with every evaluation (metrics begin with "ema/") and
    # saved as model_ema.pth at the end.
    node.ENABLED = False
    # Share of the average that an update leaves; 0.9998 looks back about 5,000 updates.
    node.DECAY = 0.9998
    # The decay of update n is at most (1 + n) / (WARMUP + n); 0 for the same decay throughout.
    node.WARMUP = 10
    return node


def _wandb() -> CN:
    """Where WRITERS "wandb" writes to."""
    node = CN()
    # Project of wandb that the run belongs to.
    node.PROJECT = "d2freq"
    # Name of the run; "" for the output folder's.
    node.NAME = ""
    # "online" | "offline" | "disabled"; "" for what WANDB_MODE says.
    node.MODE = ""
    return node


def _mlflow() -> CN:
    """Where WRITERS "mlflow" writes to."""
    node = CN()
    # Experiment of mlflow that the run belongs to.
    node.EXPERIMENT = "d2freq"
    # Name of the run; "" for the output folder's.
    node.NAME = ""
    # Address of the server; "" for what MLFLOW_TRACKING_URI says, else mlflow.db beside the output
    # folder.
    node.TRACKING_URI = ""
    return node


def _fast_dev_run() -> CN:
    """A few iterations and images through everything, in OUTPUT_DIR/fast_dev_run."""
    node = CN()
    # True: a dry run, which shows within a minute what would fail after hours. Its figures mean
    # nothing.
    node.ENABLED = False
    # Of training; saved and evaluated in the middle and at the end.
    node.ITERATIONS = 4
    # Batches of a test set that are evaluated.
    node.IMAGES = 4
    return node


def host_node_keys() -> dict[str, CN]:
    """Switches of d2freq's trainer that belong to a node of Detectron2, by that node's name."""
    solver = CN()
    # How many of the latest periodic checkpoints stay; 0, the default, keeps all of them. The
    # final, the best and the last readable one stay in any case. In a lazy config it is
    # train.checkpoint_keep.
    solver.CHECKPOINT_KEEP = 0
    loader = CN()
    # "raise" | "skip" | "warn": what to do about a picture that cannot be read while training.
    # "raise", the default, ends the training and names the file. "skip": the next record of the
    # data set takes its place, and metrics.json counts them as "bad_images". "warn": likewise, with
    # a warning for each file. In a lazy config it is train.bad_images.
    loader.BAD_IMAGES = "raise"
    return {"DATALOADER": loader, "SOLVER": solver}


def setting_default(name: str) -> Any:
    """The default of a switch: "EMA.DECAY" below D2FREQ, "SOLVER.CHECKPOINT_KEEP" elsewhere.

    Raises:
        KeyError: there is none of this name.
    """
    first, _, rest = name.partition(".")
    inside = host_node_keys().get(first)
    node: Any = trainer_keys() if inside is None else inside
    for part in (name if inside is None else rest).split("."):
        node = node[part]
    return node


def lazy_name(name: str) -> str:
    """The key of a switch below ``train`` of a lazy config: "ema.decay", "checkpoint_keep"."""
    first, _, rest = name.partition(".")
    return (rest if first in host_node_keys() else name).lower()


def lazy_names() -> list[str]:
    """All keys below ``train`` of a lazy config that are switches of d2freq, groups too."""
    names = _names(trainer_keys())
    for node in host_node_keys().values():
        names += _names(node)
    return [name for name in names if name not in YAML_ALONE]


def _names(node: CN, prefix: str = "") -> list[str]:
    names = []
    for key, value in node.items():
        names.append(f"{prefix}{key.lower()}")
        if isinstance(value, CN):
            names += _names(value, f"{prefix}{key.lower()}.")
    return names
