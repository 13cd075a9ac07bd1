"""Trainings of a second or two, from YAML and from the lazy twin, as train_net.py runs them."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.engine import default_argument_parser

from d2freq.data.seqcsist import Rules, generate_seqcsist, register_seqcsist
from d2freq.engine import run as run_config
from d2freq.trainer_config import host_node_keys, lazy_name

CONFIG = str(Path(__file__).resolve().parents[3] / "configs/derefnet/derefnet_seqcsist")
SMALL = "few_sequences"  # data sets for small trainings
YAML = f"""MODEL.DEVICE cpu MODEL.UNMIXING.SIZE 5 MODEL.DEREFNET.CHANNELS 4 SEED 5
MODEL.DEREFNET.STAGES 1 MODEL.DEREFNET.TIME_ENCODING affine
DATASETS.TRAIN ('{SMALL}_train',) DATASETS.TEST ('{SMALL}_test',)
SOLVER.IMS_PER_BATCH 2 SOLVER.CHECKPOINT_PERIOD 2 SOLVER.BASE_LR 0.01
DATALOADER.NUM_WORKERS 0""".split()
LAZY = f"""train.device=cpu +model.size=5 +model.channels=4 train.seed=5 +model.stages=1
+model.time_encoding=affine +model.q_init.size=5
dataloader.train.dataset.names={SMALL}_train dataloader.test.dataset.names={SMALL}_test
dataloader.train.total_batch_size=2 train.checkpointer.period=2 optimizer.lr=0.01
+dataloader.train.mapper.size=5 +dataloader.test.mapper.size=5
dataloader.train.num_workers=0 dataloader.test.num_workers=0""".split()
# what tests change of the usual keys, under their names in a lazy config
USUAL = {
    "max_iter": ("SOLVER.MAX_ITER", "train.max_iter"),
    "eval_period": ("TEST.EVAL_PERIOD", "train.eval_period"),
    "checkpoint_period": ("SOLVER.CHECKPOINT_PERIOD", "train.checkpointer.period"),
    "batch": ("SOLVER.IMS_PER_BATCH", "dataloader.train.total_batch_size"),
    "weights": ("MODEL.WEIGHTS", "train.init_checkpoint"),
    "lr": ("SOLVER.BASE_LR", "optimizer.lr"),
}


@pytest.fixture(scope="session")
def training_files(tmp_path_factory):
    """The folder of eight trajectories to train on, train.npz, and of two to measure, test.npz."""
    rules = Rules(size=5, frames=5)
    folder = tmp_path_factory.mktemp(SMALL)
    files = generate_seqcsist(folder, rules=rules, train=8, val=1, test=2, progress=False)
    return files["train"].parent


@pytest.fixture(scope="session")
def few_sequences(training_files):
    """Those trajectories as registered data sets."""
    for split in ("train", "test"):
        register_seqcsist(f"{SMALL}_{split}", training_files / f"{split}.npz")
    yield SMALL
    for split in ("train", "test"):
        DatasetCatalog.remove(f"{SMALL}_{split}")
        MetadataCatalog.remove(f"{SMALL}_{split}")


@pytest.fixture(params=["yaml", "lazy"])
def training(request, few_sequences, loggers):
    """A small DeRefNet: ``run(out, flags, *words, max_iter=3, **{"EMA.ENABLED": True})``.

    Keywords are the usual keys above, or switches of d2freq's trainer under their names in code;
    ``words`` go to the config as they are. ``kind`` is yaml or lazy.
    """
    is_yaml = request.param == "yaml"

    def run(out: Path, *flags: str, words: tuple = (), **settings: Any) -> dict:
        given = {"eval_period": 0, "max_iter": 3} | settings
        found = [*(YAML if is_yaml else LAZY), *words]
        found += [f"OUTPUT_DIR={out}" if is_yaml else f"train.output_dir={out}"]
        for name, value in given.items():
            if name in USUAL:
                key = USUAL[name][0 if is_yaml else 1]
            elif is_yaml:
                key = name if name.partition(".")[0] in host_node_keys() else f"D2FREQ.{name}"
            else:
                key = f"+train.{lazy_name(name)}"
            text = str(value) if is_yaml else str(value).replace("None", "null")
            found.append(f"{key}={text}")
        file = f"{CONFIG}.{'yaml' if is_yaml else 'py'}"
        arguments = default_argument_parser().parse_args(["--config-file", file, *flags, *found])
        return run_config(arguments)

    return SimpleNamespace(run=run, kind=request.param)
