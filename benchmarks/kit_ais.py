"""HS-FPN and its plain-FPN twin on kit-ais-half: equal seed, data and steps, from scratch.

    DETECTRON2_DATASETS=... python benchmarks/kit_ais.py [--seeds 7] [KEY VALUE ...]

Each run is `train_net.py --config-file configs/hs_fpn/faster_rcnn_R18_{FPN,HSFPN}_kit_ais.yaml`.
"""

import argparse
import json
import subprocess
import sys
import time

from common import ROOT, where

COLUMNS = ("AP", "AP50", "AP75", "APvt", "APt", "APs", "APm", "AR@1500")


def main() -> None:
    """Train, then print a markdown row a run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[7])
    parser.add_argument("--necks", nargs="+", default=["FPN", "HSFPN"])
    parser.add_argument("--output", default=str(ROOT / "output" / "kit_ais"))
    parser.add_argument("overrides", nargs="*", help="KEY VALUE, for every run")
    args = parser.parse_args()
    rows = []
    for seed in args.seeds:
        for neck in args.necks:
            out = f"{args.output}/{neck}_{seed}"
            config = ROOT / f"configs/hs_fpn/faster_rcnn_R18_{neck}_kit_ais.yaml"
            command = [sys.executable, str(ROOT / "train_net.py"), "--config-file", str(config)]
            options = ["SEED", str(seed), "OUTPUT_DIR", out, *args.overrides]
            start = time.perf_counter()
            subprocess.run([*command, *options], check=True)
            minutes = (time.perf_counter() - start) / 60
            last = [json.loads(line) for line in open(f"{out}/metrics.json")][-1]
            figures = " | ".join(f"{last[f'bbox/{c}']:.1f}" for c in COLUMNS)
            rows.append(f"| {neck} | {seed} | {figures} | {minutes:.1f} |")
    print(where())
    print(f"\n| neck | seed | {' | '.join(COLUMNS)} | minutes |")
    print("|---" * (len(COLUMNS) + 3) + "|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
