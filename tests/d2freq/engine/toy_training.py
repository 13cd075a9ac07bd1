"""Trainings that take a fraction of a second: a toy model on the four pictures of vehicles_test.

``train(kind, folder, ...)`` runs what train_net.py runs in a process, from a YAML config or from a
lazy one.
"""

from pathlib import Path
from types import SimpleNamespace

import torch
from detectron2.engine import HookBase
from detectron2.modeling import META_ARCH_REGISTRY
from torch import nn

from d2freq.engine import run
from d2freq.train import build_parser

KINDS = ("yaml", "lazy")
KEYS = {
    "yaml": SimpleNamespace(
        out="OUTPUT_DIR",
        max_iter="SOLVER.MAX_ITER",
        period="SOLVER.CHECKPOINT_PERIOD",
        keep="SOLVER.CHECKPOINT_KEEP",
        lr="SOLVER.BASE_LR",
        amp="SOLVER.AMP.ENABLED",
        weights="MODEL.WEIGHTS",
        evaluate="TEST.EVAL_PERIOD",
        workers="DATALOADER.NUM_WORKERS",
    ),
    "lazy": SimpleNamespace(
        out="train.output_dir",
        max_iter="train.max_iter",
        period="train.checkpointer.period",
        keep="train.checkpoint_keep",
        lr="optimizer.lr",
        amp="train.amp.enabled",
        weights="train.init_checkpoint",
        evaluate="train.eval_period",
        workers="dataloader.train.num_workers",
    ),
}
YAML = """
MODEL: {META_ARCHITECTURE: ToyDetector, DEVICE: cpu, WEIGHTS: ""}
DATASETS: {TRAIN: "('vehicles_test',)", TEST: "('vehicles_test',)"}
INPUT: {MIN_SIZE_TRAIN: "(64,)", MIN_SIZE_TEST: 64}
DATALOADER: {NUM_WORKERS: 0}
SOLVER:
  {IMS_PER_BATCH: 2, BASE_LR: 0.01, STEPS: "()", WARMUP_ITERS: 0, MAX_ITER: 6, CHECKPOINT_PERIOD: 2}
SEED: 7
"""
LAZY = """
from detectron2.config import LazyCall as L
from detectron2.data import DatasetMapper, build_detection_test_loader, build_detection_train_loader
from detectron2.data import get_detection_dataset_dicts
from detectron2.data import transforms as T
from detectron2.solver.build import get_default_optimizer_params
from fvcore.common.param_scheduler import MultiStepParamScheduler
from d2freq.evaluation.coco.evaluator import TinyCOCOEvaluator
from torch.optim import SGD
from tests.d2freq.engine.toy_training import ToyDetector

model = L(ToyDetector)()
dataloader = dict(
    train=L(build_detection_train_loader)(
        dataset=L(get_detection_dataset_dicts)(names="vehicles_test"),
        mapper=L(DatasetMapper)(is_train=True, augmentations=[], image_format="BGR"),
        total_batch_size=2,
        num_workers=0,
    ),
    test=L(build_detection_test_loader)(
        dataset=L(get_detection_dataset_dicts)(names="vehicles_test", filter_empty=False),
        mapper=L(DatasetMapper)(is_train=False, augmentations=[], image_format="BGR"),
        num_workers=0,
    ),
    evaluator=L(TinyCOCOEvaluator)(dataset_name="vehicles_test", output_dir=None),
)
optimizer = L(SGD)(
    params=L(get_default_optimizer_params)(weight_decay_norm=0.0), lr=0.01, momentum=0.9,
    weight_decay=1e-4,
)
lr_multiplier = L(MultiStepParamScheduler)(values=[1.0], milestones=[], num_updates=100)
train = dict(
    output_dir="", init_checkpoint="", max_iter=6, amp=dict(enabled=False), eval_period=0,
    log_period=2, checkpointer=dict(period=2), device="cpu", seed=7,
)
"""


@META_ARCH_REGISTRY.register()
class ToyDetector(nn.Module):
    """A loss of the mean colour, and no detections; ``hook`` is called in each forward pass."""

    hook = None

    def __init__(self, cfg=None):
        super().__init__()
        self.layer = nn.Linear(3, 4)
        self.norm = nn.BatchNorm1d(4)

    @property
    def device(self):
        return self.layer.weight.device

    def forward(self, batch):
        from detectron2.structures import Boxes, Instances

        if ToyDetector.hook is not None:
            ToyDetector.hook(self)
        colours = torch.stack([record["image"].float().mean((1, 2)) / 255 for record in batch])
        if self.training:
            found = self.norm(self.layer(colours + torch.rand(()) / 10))
            return {
                "loss_a": (found - 1).square().mean(),
                "loss_b": self.layer(colours).abs().mean(),
            }
        found = []
        for record in batch:
            empty = Instances(record["image"].shape[1:])
            empty.pred_boxes, empty.scores = Boxes(torch.zeros(0, 4)), torch.zeros(0)
            empty.pred_classes = torch.zeros(0, dtype=torch.long)
            found.append({"instances": empty})
        return found


def config_file(kind: str, folder: Path) -> Path:
    """The toy's config, written to ``folder``."""
    file = folder / f"toy.{'yaml' if kind == 'yaml' else 'py'}"
    file.write_text(YAML if kind == "yaml" else LAZY)
    return file


def words(kind: str, folder: Path, *flags: str, **options: object) -> list[str]:
    """A command line of train_net.py: output to ``folder``/run, options by the names in KEYS."""
    options = {"out": folder / "run", **options}
    keys = vars(KEYS[kind])
    pairs = [str(word) for name, value in options.items() for word in (keys[name], value)]
    return ["--config-file", str(config_file(kind, folder)), *flags, *pairs]


def train(kind: str, folder: Path, *flags: str, hook=None, **options: object) -> dict:
    """Train the toy in this process; ``hook(model)`` is called in each forward pass."""
    ToyDetector.hook = hook
    try:
        return run(build_parser().parse_args(words(kind, folder, *flags, **options)))
    finally:
        ToyDetector.hook = None


class At(HookBase):
    """Call a function after an iteration."""

    def __init__(self, iteration, function):
        self.iteration, self.function = iteration, function

    def after_step(self):
        if self.trainer.iter == self.iteration:
            self.function()
