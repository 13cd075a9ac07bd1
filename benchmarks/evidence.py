"""HS-FPN part by part against plain FPN: equal data, steps and schedule, several seeds.

    DETECTRON2_DATASETS=... python benchmarks/evidence.py kit_ais [--seeds 1 2 3] [KEY VALUE ...]
    python benchmarks/evidence.py scenes

Arms: FPN; `conv`, FPN with HFP's extra 3x3 convolution alone; HFP; HFP with alpha 1, whose filter
passes nothing at P2 and P3; SDP; HS-FPN. Runs that are there already are not repeated, so that the
same command goes on. Prints mean and spread (largest less smallest) over the seeds.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from common import ROOT, where

CONFIGS = {
    "kit_ais": "configs/hs_fpn/faster_rcnn_R18_{}_kit_ais.yaml",
    "scenes": "configs/demo/faster_rcnn_R18_{}_scenes.yaml",
}
NO_SDP = ["MODEL.HSFPN.SPATIAL_DEPENDENCY", "False"]
NO_HFP = ["MODEL.HSFPN.CHANNEL_PATH", "False", "MODEL.HSFPN.SPATIAL_PATH", "False"]
ARMS = {
    "FPN": ("FPN", []),
    "conv": ("HSFPN", [*NO_HFP, *NO_SDP, "MODEL.HSFPN.PLAIN_CONV", "True"]),
    "HFP": ("HSFPN", NO_SDP),
    "HFP, alpha 1": ("HSFPN", [*NO_SDP, "MODEL.HSFPN.ALPHA", "1.0"]),
    "SDP": ("HSFPN", NO_HFP),
    "HS-FPN": ("HSFPN", []),
}
COLUMNS = ("AP", "AP50", "APvt", "APt", "APs")


def main() -> None:
    """Train what is missing, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=sorted(CONFIGS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--parallel", type=int, default=1, help="runs at a time, one thread each")
    parser.add_argument("--output", type=Path, default=ROOT / "output" / "evidence")
    parser.add_argument("overrides", nargs="*", help="KEY VALUE, for every run")
    args = parser.parse_intermixed_args()
    jobs = [(arm, seed) for seed in args.seeds for arm in args.arms]
    with ThreadPoolExecutor(args.parallel) as pool:
        done = list(pool.map(lambda job: _run(*job, args), jobs))
    results = dict(zip(jobs, done, strict=True))
    print(where())
    print(f"\n| arm | {' | '.join(COLUMNS)} |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for arm in args.arms:
        cells = [_cell([results[arm, seed][c] for seed in args.seeds]) for c in COLUMNS]
        print(f"| {arm} | {' | '.join(cells)} |")


def _run(arm: str, seed: int, args: argparse.Namespace) -> dict[str, float | None]:
    neck, switches = ARMS[arm]
    folder = args.output / args.data / f"{arm.replace(', ', '_').replace(' ', '_')}_{seed}"
    result = folder / "inference" / "tiny_results.json"
    if not (folder / "model_final.pth").is_file() or not result.is_file():
        config = ROOT / CONFIGS[args.data].format(neck)
        command = [sys.executable, str(ROOT / "train_net.py"), "--config-file", str(config)]
        options = ["SEED", str(seed), "OUTPUT_DIR", str(folder), *switches, *args.overrides]
        threads = {"OMP_NUM_THREADS": "1"} if args.parallel > 1 else {}
        print(f"{arm}, seed {seed}", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "output.txt", "w", encoding="utf-8") as log:
            subprocess.run(
                [*command, *options],
                check=True,
                env={**os.environ, **threads},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
    return json.loads(result.read_text(encoding="utf-8"))["bbox"]


def _cell(values: list[float | None]) -> str:
    if any(value is None for value in values):
        return "-"
    return f"{statistics.mean(values):.1f} ({max(values) - min(values):.1f})"


if __name__ == "__main__":
    main()
