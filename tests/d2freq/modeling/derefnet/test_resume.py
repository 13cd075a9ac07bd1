"""Training of DeRefNet goes on after an interruption as if there had been none."""

from pathlib import Path

import pytest
import torch
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.engine import default_argument_parser

from d2freq.data.seqcsist import Rules, generate_seqcsist, register_seqcsist
from d2freq.engine import run as run_config

CONFIG = str(Path(__file__).resolve().parents[4] / "configs/derefnet/derefnet_seqcsist")
NAME = "one_sequence"


@pytest.fixture(params=["yaml", "lazy"])
def run(request, tmp_path, loggers):
    """Runs a small DeRefNet on one trajectory, so that every step has the same data."""
    rules = Rules(size=5, frames=6)
    files = generate_seqcsist(tmp_path, rules=rules, train=1, val=1, test=1, progress=False)
    register_seqcsist(NAME, files["train"])
    yaml = f"""MODEL.DEVICE cpu MODEL.UNMIXING.SIZE 5 MODEL.DEREFNET.CHANNELS 4 SEED 5
    MODEL.DEREFNET.STAGES 2 MODEL.DEREFNET.TIME_ENCODING affine
    DATASETS.TRAIN ('{NAME}',) DATASETS.TEST ('{NAME}',)
    SOLVER.IMS_PER_BATCH 1 SOLVER.CHECKPOINT_PERIOD 2 SOLVER.BASE_LR 0.01
    TEST.EVAL_PERIOD 4 DATALOADER.NUM_WORKERS 0"""
    lazy = f"""train.device=cpu +model.size=5 +model.channels=4 train.seed=5 +model.stages=2
    +model.time_encoding=affine +model.q_init.size=5
    dataloader.train.dataset.names={NAME} dataloader.test.dataset.names={NAME}
    dataloader.train.total_batch_size=1 train.checkpointer.period=2 optimizer.lr=0.01
    +dataloader.train.mapper.size=5 +dataloader.test.mapper.size=5 train.eval_period=4
    dataloader.train.num_workers=0 dataloader.test.num_workers=0"""

    def run(out: Path, stop: int, *flags: str, weights: str = "") -> dict:
        if request.param == "yaml":
            words = [*yaml.split(), "SOLVER.MAX_ITER", str(stop), "OUTPUT_DIR", str(out)]
            words += ["MODEL.WEIGHTS", weights]
            given = ["--config-file", f"{CONFIG}.yaml", *flags, *words]
            return run_config(default_argument_parser().parse_args(given))
        words = [*lazy.split(), f"train.max_iter={stop}", f"train.output_dir={out}"]
        words += [f"train.init_checkpoint={weights}"] if weights else []
        given = ["--config-file", f"{CONFIG}.py", *flags, *words]
        return run_config(default_argument_parser().parse_args(given))

    yield run
    DatasetCatalog.remove(NAME)
    MetadataCatalog.remove(NAME)


def final(folder: Path) -> dict:
    return torch.load(folder / "model_final.pth", weights_only=False)


def test_resumed_training_ends_as_an_uninterrupted_one(run, tmp_path):
    whole = run(tmp_path / "whole", 4)
    run(tmp_path / "parts", 2)
    resumed = run(tmp_path / "parts", 4, "--resume")
    assert resumed == whole
    wanted, found = (final(tmp_path / name) for name in ("whole", "parts"))
    assert list(wanted["model"])[0] == "q_init"
    for key, value in wanted["model"].items():
        assert torch.equal(value, found["model"][key]), key
    weights = str(tmp_path / "whole/model_final.pth")
    assert run(tmp_path / "again", 4, "--eval-only", weights=weights) == whole
