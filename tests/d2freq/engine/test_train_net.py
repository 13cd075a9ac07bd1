"""train_net.py as a user runs it: train, resume, evaluate; one error line for bad input."""

import json
import subprocess
from pathlib import Path

import pytest

from d2freq.data.scenes.dataset import generate_scenes

from ...process import ROOT, run_python

DEMO = str(ROOT / "configs/demo/faster_rcnn_R18_HSFPN_scenes")
YAML = """
MODEL.FPN.OUT_CHANNELS 32 MODEL.ROI_BOX_HEAD.FC_DIM 32 DATALOADER.NUM_WORKERS 0
SOLVER.IMS_PER_BATCH 2 SOLVER.STEPS () SOLVER.WARMUP_ITERS 0 MODEL.DEVICE cpu
"""
LAZY = """
model.backbone.out_channels=32 model.roi_heads.box_predictor.input_shape.channels=32
model.roi_heads.box_head.fc_dims=[32,32] dataloader.train.num_workers=0
dataloader.test.num_workers=0 dataloader.train.total_batch_size=2 train.device=cpu
"""
KINDS = {
    "yaml": (".yaml", YAML.split(), "SOLVER.MAX_ITER", "OUTPUT_DIR", "MODEL.WEIGHTS"),
    "lazy": (".py", LAZY.split(), "train.max_iter", "train.output_dir", "train.init_checkpoint"),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder of data sets with four and two tiny scenes."""
    root = tmp_path_factory.mktemp("datasets")
    generate_scenes(root / "tiny_scenes", train=4, val=2, size=64, workers=1, progress=False)
    return root


def train_net(data: Path, *words: str) -> subprocess.CompletedProcess:
    return run_python(ROOT / "train_net.py", *words, DETECTRON2_DATASETS=str(data))


def check_output(done: subprocess.CompletedProcess, *, trains: bool) -> None:
    """A terminal's share: little before the first step, each notice once, a table with its line."""
    lines = (done.stdout + done.stderr).splitlines()
    assert sum(line.startswith("d2freq ") and " on " in line for line in lines) == 1
    steps = [place for place, line in enumerate(lines) if "total_loss" in line]
    assert bool(steps) == trains and min(steps, default=len(lines)) <= 60
    hidden = ("_BASE_", "full config", "Conv2d(", "copypaste", "Distribution of", "FutureWarning")
    assert not [line for line in lines if any(words in line for words in hidden)]
    heads = [line for line in lines if line.startswith("|") and "AP50" in line]
    assert len(heads) == 1 and "nan" not in done.stdout
    place = lines.index(heads[0])
    assert lines[place - 1].startswith("in percent, higher is better")


@pytest.mark.parametrize("kind", list(KINDS))
def test_train_then_resume_then_evaluate(kind, data, tmp_path):
    suffix, options, max_iter, output_dir, weights = KINDS[kind]

    def run(flags: list[str], steps: int, out: Path, *more: str) -> list[int]:
        """Run, and return the iterations that ``metrics.json`` of ``out`` has losses of."""
        words = ["--config-file", DEMO + suffix, *flags, *options]
        done = train_net(data, *words, max_iter, str(steps), output_dir, str(out), *more)
        assert done.returncode == 0, done.stderr[-3000:]
        check_output(done, trains="--eval-only" not in flags)
        metrics = out / "metrics.json"
        lines = metrics.read_text().splitlines() if metrics.is_file() else []
        records = map(json.loads, lines)
        return [record["iteration"] for record in records if "total_loss" in record]

    def measured(folder: Path) -> list[bytes]:
        names = ("tiny_results.json", "coco_instances_results.json")
        return [(folder / "inference" / name).read_bytes() for name in names]

    out, again = tmp_path / "run", tmp_path / "again"
    assert run([], 2, out) == [1]
    first = measured(out)
    assert run(["--resume"], 3, out) == [1, 2]
    log = (out / "log.txt").read_text()
    assert "Conv2d(" in log and "oLRP_Loc" in log and log.count(" on ") >= 2
    assert "Starting training from iteration 0" in log
    assert "Starting training from iteration 2" in log
    trained = measured(out)
    assert json.loads(trained[0])["detections"] > 0 and trained[1] != first[1]
    assert run(["--eval-only"], 3, again, weights, str(out / "model_final.pth")) == []
    assert measured(again) == trained


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--config-file", DEMO + ".yaml", "DATASETS.TRAIN", "('tiny_scenes_trian',)"],
            "tiny_scenes_train",
        ),
        (["--config-file", DEMO + ".py", "--eval-only"], "train.init_checkpoint is empty"),
    ],
)
def test_bad_input_is_one_error_and_no_traceback(words, said, tmp_path):
    done = train_net(tmp_path, *words)
    assert done.returncode == 2
    assert said in done.stderr and "Traceback" not in done.stderr
