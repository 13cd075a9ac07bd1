"""Exact resume: a training that SIGKILL ended goes on to equal losses and weights."""

import json
import multiprocessing
import os
import random
import signal
from pathlib import Path

import pytest
import torch
from detectron2.engine import default_argument_parser

from d2freq.engine import run
from d2freq.engine.step import Step

CONFIGS = Path(__file__).resolve().parents[4] / "configs"
ITERATIONS = 5
SMALL = "MODEL.DEVICE cpu MODEL.FPN.OUT_CHANNELS 32 MODEL.ROI_BOX_HEAD.FC_DIM 32 " + (
    "DATASETS.TRAIN ('vehicles_test',) INPUT.MIN_SIZE_TRAIN (0,) SOLVER.IMS_PER_BATCH 2 "
    "SOLVER.CHECKPOINT_PERIOD 3 INPUT.CROP.ENABLED True INPUT.CROP.TYPE absolute "
    f"INPUT.CROP.SIZE [48,48] SOLVER.MAX_ITER {ITERATIONS} SOLVER.STEPS (4,) "
)
EVALUATED = "DATASETS.TEST ('vehicles_test',) INPUT.MIN_SIZE_TEST 0 TEST.EVAL_PERIOD 3 "
UNSEEN = "DATASETS.TEST () TEST.EVAL_PERIOD 0 "
LAZY = (
    """
train.device=cpu model.backbone.out_channels=32 model.roi_heads.box_head.fc_dims=[32,32]
model.roi_heads.box_predictor.input_shape.channels=32
dataloader.train.dataset.names=vehicles_test dataloader.test.dataset.names=vehicles_test
dataloader.train.total_batch_size=2 dataloader.test.num_workers=0
train.checkpointer.period=3 train.eval_period=3
"""
    + f"train.max_iter={ITERATIONS} "
)
RCNN, FCOS = "hs_fpn/faster_rcnn_R18_HSFPN_kit_ais", "set/fcos_R18_FPN_SET_kit_ais"
RUNS = {
    "yaml, in process": (RCNN + ".yaml", SMALL + EVALUATED + "DATALOADER.NUM_WORKERS 0"),
    "yaml, SET, two workers": (FCOS + ".yaml", SMALL + UNSEEN + "DATALOADER.NUM_WORKERS 2 SEED 3"),
    "yaml, normaliser, rare classes": (
        FCOS + ".yaml",
        SMALL + UNSEEN + "MODEL.FCOS.NORMALIZER average DATALOADER.NUM_WORKERS 1 "
        "DATALOADER.SAMPLER_TRAIN RepeatFactorTrainingSampler DATALOADER.REPEAT_THRESHOLD 0.7",
    ),
    "lazy, two workers": (RCNN + ".py", LAZY + "dataloader.train.num_workers=2"),
    "lazy, mixed precision, EMA": (
        RCNN + ".py",
        LAZY + "dataloader.train.num_workers=1 train.amp.enabled=True train.ema.enabled=True",
    ),
}


def main(words: list[str], folder: str, kill_at: int) -> None:
    """One process of a training that writes its losses, and may kill itself."""
    torch.set_num_threads(1)
    write_metrics = Step.write_metrics

    def note(loss_dict, data_time, cur_iter, *rest, **more):
        with open(Path(folder) / f"losses{os.getpid()}.jsonl", "a") as file:
            values = {name: value.item() for name, value in loss_dict.items()}
            file.write(json.dumps([cur_iter, values]) + "\n")
        if cur_iter == kill_at:  # the gradients are there, the update is not
            os.kill(os.getpid(), signal.SIGKILL)
        write_metrics(loss_dict, data_time, cur_iter, *rest, **more)

    Step.write_metrics = staticmethod(note)
    run(default_argument_parser().parse_args(words))


def train(name: str, folder: Path, *flags: str, kill_at: int = -1) -> int:
    """Run in a process of its own; returns its exit code."""
    config, options = RUNS[name]
    out = ["OUTPUT_DIR", str(folder)] if config.endswith("yaml") else [f"train.output_dir={folder}"]
    folder.mkdir(exist_ok=True)
    words = ["--config-file", str(CONFIGS / config), *flags, *options.split(), *out]
    arguments = (words, str(folder), kill_at)
    process = multiprocessing.get_context("fork").Process(target=main, args=arguments)
    process.start()
    process.join()
    return process.exitcode


def last_losses(folder: Path) -> dict[str, float]:
    """Losses of the last iteration, of the process that got there."""
    file = max(folder.glob("losses*.jsonl"), key=os.path.getmtime)
    iteration, values = json.loads(file.read_text().splitlines()[-1])
    assert iteration == ITERATIONS - 1
    return values


def same(one, other, where="") -> None:
    """Assert that two checkpoints hold equal tensors and numbers."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            same(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(other), where
        for place, (first, second) in enumerate(zip(one, other, strict=True)):
            same(first, second, f"{where}[{place}]")
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other), where
    else:
        assert one == other, where


def assert_equal_ends(found: Path, wanted: Path) -> None:
    ends = [torch.load(f / "model_final.pth", weights_only=True) for f in (found, wanted)]
    same(*ends)
    assert last_losses(found) == last_losses(wanted)


@pytest.mark.parametrize("name", RUNS)
def test_killed_at_a_random_iteration_and_resumed(name, vehicles, tmp_path):
    assert train(name, tmp_path / "whole") == 0
    at = random.Random(name).randrange(3, ITERATIONS)
    killed = tmp_path / "killed"
    assert train(name, killed, kill_at=at) == -signal.SIGKILL
    assert not (killed / "model_final.pth").exists()
    assert train(name, killed, "--resume") == 0
    assert_equal_ends(killed, tmp_path / "whole")


def test_killed_twice(vehicles, tmp_path):
    name = "lazy, two workers"
    assert train(name, tmp_path / "whole") == 0
    killed = tmp_path / "killed"
    for flags in ([], ["--resume"]):
        assert train(name, killed, *flags, kill_at=4) == -signal.SIGKILL
    assert train(name, killed, "--resume") == 0
    assert_equal_ends(killed, tmp_path / "whole")
