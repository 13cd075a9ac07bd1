"""Processes that torchrun or srun has started find each other and train as one would."""

import os
import socket
import subprocess
import sys

import pytest
import torch
from detectron2.engine import default_argument_parser

from d2freq.engine import run as run_config
from d2freq.engine.launch import Place, place_in
from d2freq.errors import UserError
from d2freq.host import describe_host

from ...process import ROOT
from .conftest import CONFIG, LAZY, YAML

SCRIPT = """
import sys
from pathlib import Path
from d2freq.data.seqcsist import register_seqcsist
from d2freq.train import main
folder, *words = sys.argv[1:]
for split in ("train", "test"):
    register_seqcsist(f"few_sequences_{split}", Path(folder, f"{split}.npz"))
sys.exit(main(words))
"""


def test_torchruns_variables():
    given = dict(RANK="3", WORLD_SIZE="4", LOCAL_RANK="1", LOCAL_WORLD_SIZE="2")
    given |= dict(MASTER_ADDR="gpu1", MASTER_PORT="29500")
    assert place_in(given) == Place(3, 4, 1, 2, "tcp://gpu1:29500")
    assert place_in({}) is None
    with pytest.raises(UserError, match="MASTER_ADDR is not"):
        place_in({**given, "MASTER_ADDR": ""})
    with pytest.raises(UserError, match="RANK is 'three'"):
        place_in({**given, "RANK": "three"})


def test_slurms_variables():
    given = dict(SLURM_PROCID="5", SLURM_STEP_ID="0", SLURM_NTASKS="8", SLURM_LOCALID="1")
    given |= dict(SLURM_TASKS_PER_NODE="4(x2)", SLURM_JOB_NODELIST="gpu[07-09,3],cpu1")
    given |= dict(SLURM_JOB_ID="4711")
    found = place_in(given)
    assert (found.rank, found.world, found.local_rank, found.local_world) == (5, 8, 1, 4)
    assert found.address == f"tcp://gpu07:{20000 + 47110 % 20000}"
    assert place_in({**given, "MASTER_PORT": "5"}).address == "tcp://gpu07:5"
    assert place_in({**given, "SLURM_JOB_NODELIST": "one,two"}).address.startswith("tcp://one:")
    del given["SLURM_STEP_ID"]  # the batch script itself, which runs once
    assert place_in(given) is None
    with pytest.raises(UserError, match="equally many"):
        place_in({**given, "SLURM_STEP_ID": "0", "SLURM_TASKS_PER_NODE": "4(x2),1"})


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def processes(environments, data, words):
    """Run the training in processes at the same time; their outputs."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(data), *words],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for environment in environments
    ]
    outputs = [process.communicate(timeout=300)[0] for process in started]
    for process, output in zip(started, outputs, strict=True):
        assert process.returncode == 0, output[-3000:]
    return outputs


def variables(kind):
    port = free_port()
    for rank in ("0", "1"):
        if kind == "torchrun":
            yield dict(
                RANK=rank, WORLD_SIZE="2", LOCAL_RANK=rank, LOCAL_WORLD_SIZE="2",
                MASTER_ADDR="127.0.0.1", MASTER_PORT=port,
            )  # fmt: skip
        else:
            yield dict(
                SLURM_PROCID=rank, SLURM_STEP_ID="0", SLURM_NTASKS="2", SLURM_LOCALID=rank,
                SLURM_TASKS_PER_NODE="2", SLURM_JOB_NODELIST="localhost", SLURM_JOB_ID="1",
                MASTER_PORT=port,
            )  # fmt: skip


@pytest.mark.parametrize(("started_by", "kind"), [("torchrun", "lazy"), ("slurm", "yaml")])
def test_two_processes_train_as_one(
    started_by, kind, few_sequences, training_files, loggers, tmp_path
):
    """Twice two batches of one trajectory are a batch of four, and their average is the same.

    Both evaluate the average, and both stop early: the rate is so small that nothing improves.
    """
    if kind == "yaml" and "minid2" not in describe_host():
        pytest.skip("DefaultTrainer of the real Detectron2 puts several processes on GPUs alone")
    if kind == "yaml":
        usual = ["--config-file", f"{CONFIG}.yaml", *YAML, "D2FREQ.OPTIMIZER=sgd"]
        usual += ["SOLVER.BASE_LR=1e-9", "SOLVER.MAX_ITER=9", "TEST.EVAL_PERIOD=1"]
        usual += ["D2FREQ.EMA.ENABLED=True", "D2FREQ.EARLY_STOPPING.PATIENCE=2"]
        usual += ["D2FREQ.EARLY_STOPPING.VAL_METRIC=cso/CSO-mAP", "D2FREQ.VALIDATION_LOSS=True"]
        usual += ["D2FREQ.EARLY_STOPPING.MIN_DELTA=99.0"]
        batch, accumulate, out = "SOLVER.IMS_PER_BATCH", "D2FREQ.ACCUMULATE", "OUTPUT_DIR"
    else:
        usual = ["--config-file", f"{CONFIG}.py", *LAZY, "optimizer._target_=torch.optim.SGD"]
        usual += ["optimizer.lr=1e-9", "train.max_iter=9", "train.eval_period=1"]
        usual += ["+train.ema.enabled=True", "+train.early_stopping.patience=2"]
        usual += ["+train.early_stopping.val_metric=cso/CSO-mAP", "+train.validation_loss=True"]
        usual += ["+train.early_stopping.min_delta=99.0"]
        batch, accumulate = "dataloader.train.total_batch_size", "+train.accumulate"
        out = "train.output_dir"
    one, two = tmp_path / "one", tmp_path / "two"
    alone = [*usual, f"{batch}=4", f"{out}={one}"]
    run_config(default_argument_parser().parse_args(alone))
    words = [*usual, f"{batch}=2", f"{accumulate}=2", f"{out}={two}"]
    outputs = processes(variables(started_by), training_files, words)
    assert "World size: 2" in (two / "log.txt").read_text()
    for name in ("model_final.pth", "model_ema.pth"):
        first, second = (
            torch.load(folder / name, weights_only=False)["model"] for folder in (one, two)
        )
        assert all(torch.allclose(first[key], second[key], atol=1e-6) for key in first), name
    assert sum("has not improved in 2 evaluations" in output for output in outputs) == 1
    assert not (two / "model_0000005.pth").exists()
