"""d2freq train in two processes, stopped by a signal to the one that started them."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

import d2freq
from d2freq.data.scenes.dataset import generate_scenes
from d2freq.utils.lock import LOCK_FILE

from ...process import ROOT
from .test_train_net import DEMO, KINDS


@pytest.mark.skipif(
    d2freq.HOST == "detectron2" and torch.cuda.device_count() < 2,
    reason="launch of the real Detectron2 puts several processes on GPUs alone",
)
def test_both_stop_after_the_same_iteration(tmp_path):
    generate_scenes(tmp_path / "tiny_scenes", train=4, val=2, size=64, workers=1, progress=False)
    suffix, options, max_iter, output_dir, _ = KINDS["yaml"]
    out = tmp_path / "run"
    words = ["--config-file", DEMO + suffix, "--num-gpus", "2", "--dist-url", "auto", *options]
    words += [max_iter, "100000", output_dir, str(out)]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {
        **os.environ,
        "PYTHONPATH": path,
        "OMP_NUM_THREADS": "1",
        "DETECTRON2_DATASETS": str(tmp_path),
        "CUDA_VISIBLE_DEVICES": "",
    }
    with open(tmp_path / "said", "w") as said:
        process = subprocess.Popen(
            [sys.executable, "train_net.py", *words],
            **dict(cwd=ROOT, env=environment, stdout=said, stderr=said, start_new_session=True),
        )
    try:
        metrics = out / "metrics.json"
        deadline = time.time() + 300
        while not (metrics.is_file() and metrics.stat().st_size):
            assert process.poll() is None and time.time() < deadline, (
                tmp_path / "said"
            ).read_text()
            time.sleep(0.2)
        assert (out / LOCK_FILE).is_file()
        process.send_signal(signal.SIGTERM)
        # ten seconds on a machine that has nothing else to do
        assert process.wait(90) == 143, (tmp_path / "said").read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    saved = torch.load(out / (out / "last_checkpoint").read_text(), weights_only=False)
    last = json.loads(metrics.read_text().splitlines()[-1])
    assert last["iteration"] == saved["iteration"] > 0
    assert not (out / LOCK_FILE).exists()
