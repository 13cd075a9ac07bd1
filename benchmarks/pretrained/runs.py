"""Single runs: one arm, one seed, one data set; each goes on where it was cut."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from common import ROOT, commit
from pretrained.arms import ARMS, CONFIG, DATA

from d2freq.engine import load_yaml

CHECKPOINT_PERIOD = 200  # steps; a run that is cut loses so many at most
POINTS = 8  # measurements along a baseline's schedule, for its curve


class Run(NamedTuple):
    """What a run is of."""

    data: str
    arm: str
    seed: int

    @property
    def words(self) -> str:
        return f"{self.data}, {self.arm}, seed {self.seed}"

    def folder(self, work: Path) -> Path:
        """Where checkpoints, logs and results of the run lie."""
        word = "".join(c if c.isalnum() else "_" for c in self.arm)
        return work / self.data / f"{word}_{self.seed}"

    def config(self, steps_factor: float, device: str = "cpu") -> tuple[str, list[str]]:
        """Config file and overrides, weights and place apart.

        Args:
            steps_factor: times as many steps as the arm's schedule has.
            device: for MODEL.DEVICE, "cpu" or "cuda".
        """
        arm = ARMS[self.arm]
        usual = CONFIG.format(detector=arm.detector, data=DATA[self.data].config)
        file = str(ROOT / (arm.config or usual))
        words = ["SEED", str(self.seed), "DATALOADER.NUM_WORKERS", "0", *arm.switches]
        words += ["MODEL.DEVICE", device, "D2FREQ.FAST_CPU", str(device == "cpu")]
        steps_factor *= arm.schedule
        solver = load_yaml(file).SOLVER
        steps = tuple(round(step * steps_factor) for step in solver.STEPS)
        last = round(solver.MAX_ITER * steps_factor)
        words += ["SOLVER.MAX_ITER", str(last), "SOLVER.STEPS", str(steps)]
        words += ["SOLVER.WARMUP_ITERS", str(round(solver.WARMUP_ITERS * steps_factor))]
        words += ["SOLVER.CHECKPOINT_PERIOD", str(CHECKPOINT_PERIOD), "SOLVER.CHECKPOINT_KEEP", "1"]
        period = 0 if arm.baseline else -(-last // POINTS)
        words += ["TEST.EVAL_PERIOD", str(period)]
        return file, words


def state(run: Run, work: Path) -> str:
    """How far a run is: "done", "begun" or "to do"."""
    folder = run.folder(work)
    if (folder / "figures.json").is_file():
        return "done"
    return "begun" if (folder / "last_checkpoint").is_file() else "to do"


def perform(
    run: Run, work: Path, *, weights: str, factor: float, children: list, device: str = "cpu"
) -> bool:
    """Train and measure; True when the run is done, False when it failed, which its log explains.

    Args:
        weights: of ImageNet, for MODEL.WEIGHTS.
        factor: times as many steps as the schedule has.
        children: the processes that run, for who has to end them.
        device: for MODEL.DEVICE, "cpu" or "cuda".
    """
    if state(run, work) == "done":
        return True
    folder = run.folder(work)
    folder.mkdir(parents=True, exist_ok=True)
    file, words = run.config(factor, device)
    if ARMS[run.arm].weights:
        words += ["MODEL.WEIGHTS", weights]
    words += ["OUTPUT_DIR", str(folder)]
    train = [sys.executable, str(ROOT / "train_net.py"), "--config-file", file]
    began = time.time()
    final = folder / "model_final.pth"
    with open(folder / "output.txt", "a", encoding="utf-8") as log:
        if not final.is_file() and _call([*train, "--resume", *words], log, children):
            return False
        measured = {}
        for name in DATA[run.data].measured:
            out = folder / "measured" / name
            again = ["MODEL.WEIGHTS", str(final), "DATASETS.TEST", f"('{name}',)"]
            again += ["OUTPUT_DIR", str(out)]
            if _call([*train, "--eval-only", *words, *again], log, children):
                return False
            measured[name] = _figures(out / "inference", name, run, log, children)
    _write(run, folder, measured, began)
    for old in folder.glob("model_0*.pth"):
        old.unlink()
    return True


def _call(command: list[str], log, children: list) -> int:
    process = subprocess.Popen(
        command,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stdout=log,
        stderr=subprocess.STDOUT,
    )
    children.append(process)
    try:
        return process.wait()
    finally:
        children.remove(process)


def _figures(folder: Path, name: str, run: Run, log, children: list) -> dict[str, float]:
    """The measurement of a folder; of infrared data Pd and Fa, too."""
    found = _numbers(folder / "tiny_results.json", "bbox")
    if DATA[run.data].infrared:
        from detectron2.data import MetadataCatalog

        truth = MetadataCatalog.get(name).json_file
        detections, out = str(folder / "coco_instances_results.json"), str(folder / "irstd")
        command = [sys.executable, "-m", "d2freq.cli", "evaluate", "--protocol", "irstd", truth]
        if _call([*command, detections, "--output", out], log, children) == 0:
            more = _numbers(Path(out) / "tiny_results.json", "bbox")
            found |= {key: more[key] for key in ("Pd", "Fa") if key in more}
    return found


def _numbers(file: Path, task: str) -> dict[str, float]:
    results = json.loads(file.read_text(encoding="utf-8"))[task]
    return {k: round(v, 4) for k, v in results.items() if isinstance(v, float) and v == v}


def _write(run: Run, folder: Path, measured: dict, began: float) -> None:
    lines = (folder / "metrics.json").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    # the measurement at the end is noted one iteration behind the last step
    steps = max(record["iteration"] for record in records if "total_loss" in record) + 1
    measurements = [record for record in records if "bbox/AP" in record]
    curve = {min(r["iteration"] + 1, steps): round(r["bbox/AP"], 3) for r in measurements}
    figures = {
        **run._asdict(),
        "steps": steps,
        "commit": commit(),
        "seconds": round(time.time() - began),
        "measured": measured,
        "curve": sorted(curve.items()),
    }
    part = folder / "figures.json.part"
    part.write_text(json.dumps(figures), encoding="utf-8")
    part.replace(folder / "figures.json")
