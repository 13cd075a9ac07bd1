"""HS-FPN, SET and DCT input part by part against their baseline: equal data, steps and seeds.

    python benchmarks/evidence.py pretrained ...

trains from ImageNet's weights and has a page of its own, benchmarks/pretrained/main.py. All else
is from scratch:

    DETECTRON2_DATASETS=... python benchmarks/evidence.py kit_ais [KEY VALUE ...] [--seeds 1 2 3]
    python benchmarks/evidence.py set_scenes --equal-time measured

Arms of HS-FPN (kit_ais, scenes): FPN; `conv`, FPN with HFP's extra 3x3 convolution alone; HFP; HFP
with alpha 1, whose filter passes nothing at P2 and P3; SDP; HS-FPN. Arms of SET (set_kit_ais,
set_scenes): FCOS; +HBS, the smoothing alone; +API, the perturbation alone; +SET, both. Arms of the
DCT input (dct_kit_ais, and dct_scenes with masks): RGB; 6 to 192 channels; a gate that is to leave
24 of 192; the controls: pixels of 4 x 4 cells, a random basis, a trained convolution of the DCT's
kernel, one of 8 x 8 with stride 8 whose 192 channels are shuffled back to stride 4. With
--equal-time one more: the baseline for as many more steps as a step of the last arm takes longer,
or of the arm that --against names.

Runs that are there already are not repeated, so that the same command goes on. Prints mean and
spread (largest less smallest) over the seeds.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from common import ROOT, where

from d2freq.engine import load_yaml


class Arm(NamedTuple):
    """One side of a comparison: what fills the {} of the config's name, and its switches."""

    neck: str
    switches: list[str]


NO_SDP = ["MODEL.HSFPN.SPATIAL_DEPENDENCY", "False"]
NO_HFP = ["MODEL.HSFPN.CHANNEL_PATH", "False", "MODEL.HSFPN.SPATIAL_PATH", "False"]
# The baseline first and the whole method last.
HS_FPN = {
    "FPN": Arm("FPN", []),
    "conv": Arm("HSFPN", [*NO_HFP, *NO_SDP, "MODEL.HSFPN.PLAIN_CONV", "True"]),
    "HFP": Arm("HSFPN", NO_SDP),
    "HFP, alpha 1": Arm("HSFPN", [*NO_SDP, "MODEL.HSFPN.ALPHA", "1.0"]),
    "SDP": Arm("HSFPN", NO_HFP),
    "HS-FPN": Arm("HSFPN", []),
}
SET = {
    "FCOS": Arm("FPN", []),
    "+HBS": Arm("FPN_SET", ["MODEL.SET.PERTURBATION", "False"]),
    "+API": Arm("FPN_SET", ["MODEL.SET.SMOOTHING", "False"]),
    "+SET": Arm("FPN_SET", []),
}
GATE = ["MODEL.META_ARCHITECTURE", "Gated", "MODEL.FREQ_INPUT.GATE.ENABLED", "True"]
GATE += ["MODEL.FREQ_INPUT.GATE.PENALTY", "count", "MODEL.FREQ_INPUT.GATE.TARGET", "24"]
LEARNED = ["MODEL.FREQ_INPUT.STEM", "learned", "MODEL.FREQ_INPUT.CHANNELS", "24"]
LEARNED += ["MODEL.FREQ_INPUT.MEAN", "[]", "MODEL.FREQ_INPUT.STD", "[]"]
EIGHT = ["MODEL.FREQ_INPUT.MODE", "8x8", "MODEL.FREQ_INPUT.ENTRY", "shuffle"]
EIGHT += ["MODEL.FREQ_INPUT.CHANNELS", "192"]
DCT = {
    "RGB": Arm("FPN", []),
    **{
        f"DCT-{count}": Arm("DCT_FPN", ["MODEL.FREQ_INPUT.CHANNELS", count])
        for count in ("6", "24", "48", "64", "192")
    },
    "gate": Arm("DCT_FPN", [*GATE, "MODEL.FREQ_INPUT.CHANNELS", "all"]),
    "unshuffle": Arm("unshuffle_FPN", []),
    "random": Arm("random_FPN", []),
    "learned": Arm("DCT_FPN", LEARNED),
    "learned 8x8": Arm("DCT_FPN", [*LEARNED, *EIGHT]),
}
EXPERIMENTS = {
    "kit_ais": ("configs/hs_fpn/faster_rcnn_R18_{}_kit_ais.yaml", HS_FPN),
    "scenes": ("configs/demo/faster_rcnn_R18_{}_scenes.yaml", HS_FPN),
    "set_kit_ais": ("configs/set/fcos_R18_{}_kit_ais.yaml", SET),
    "set_scenes": ("configs/set/fcos_R18_{}_scenes.yaml", SET),
    "dct_kit_ais": ("configs/frequency_input/faster_rcnn_R18_{}_kit_ais.yaml", DCT),
    "dct_scenes": ("configs/frequency_input/mask_rcnn_R18_{}_scenes.yaml", DCT),
}
MASKS = "mask AP"
COLUMNS = ("AP", "AP50", "APvt", "APt", "APs", "APm", MASKS)
NOT_ALWAYS = ("APm", MASKS)  # left out where no arm has them


def main() -> None:
    """Train what is missing, then print the table."""
    if sys.argv[1:2] == ["pretrained"]:
        from pretrained.main import main as pretrained

        sys.exit(pretrained(sys.argv[2:]))
    args = _parse()
    config, table = EXPERIMENTS[args.data]
    arms = {name: table[name] for name in args.arms or table}
    results = _run_all(arms, config, args)
    if args.equal_time:
        first, last = _ends(args)
        factor = args.equal_time
        if factor == "measured":
            factor = round(_seconds(last, args) / _seconds(first, args), 1)
        name, base = f"{first}, {factor} x the steps", table[first]
        options = _stretched(str(ROOT / config.format(base.neck)), args.overrides, factor)
        arms[name] = Arm(base.neck, [*base.switches, *options])
        results |= _run_all({name: arms[name]}, config, args)
    print(where())
    columns = [c for c in COLUMNS if c not in NOT_ALWAYS or _known(r[c] for r in results.values())]
    print(f"\n| arm | {' | '.join(columns)} |")
    print("|---" * (len(columns) + 1) + "|")
    for arm in arms:
        cells = [_cell([results[arm, seed][c] for seed in args.seeds]) for c in columns]
        print(f"| {arm} | {' | '.join(cells)} |")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=sorted(EXPERIMENTS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--arms", nargs="+", help="some of them; all by default")
    parser.add_argument(
        "--equal-time",
        type=_factor,
        metavar="FACTOR",
        help="an arm more: the baseline for FACTOR times the steps; 'measured': the ratio of a "
        "step's time, last arm to first, in the runs of this table",
    )
    parser.add_argument("--against", metavar="ARM", help="whose step's time; the last arm's")
    parser.add_argument("--parallel", type=int, default=1, help="runs at a time, one thread each")
    parser.add_argument("--output", type=Path, default=ROOT / "output" / "evidence")
    parser.add_argument("overrides", nargs="*", help="KEY VALUE, for every run")
    args = parser.parse_intermixed_args()
    known = list(EXPERIMENTS[args.data][1])
    named = [*(args.arms or []), *([args.against] if args.against else [])]
    unknown = [name for name in named if name not in known]
    if unknown:
        parser.error(f"no arm {', '.join(unknown)} in {args.data}; choose of {', '.join(known)}")
    if args.equal_time == "measured" and args.arms and set(_ends(args)) - set(args.arms):
        parser.error(f"--equal-time measured needs the arms {' and '.join(_ends(args))}")
    return args


def _ends(args: argparse.Namespace) -> tuple[str, str]:
    """The baseline, and the arm that --equal-time compares it with."""
    known = list(EXPERIMENTS[args.data][1])
    return known[0], args.against or known[-1]


def _factor(word: str) -> float | str:
    if word == "measured":
        return word
    number = float(word)
    if not 0 < number < 100:
        raise argparse.ArgumentTypeError("a number above 0, or 'measured'")
    return number


def _run_all(arms: dict[str, Arm], config: str, args: argparse.Namespace) -> dict:
    """(arm, seed) -> its figures."""
    jobs = [(name, seed) for seed in args.seeds for name in arms]
    with ThreadPoolExecutor(args.parallel) as pool:
        done = list(pool.map(lambda job: _run(job[0], arms[job[0]], job[1], config, args), jobs))
    return dict(zip(jobs, done, strict=True))


def _folder(name: str, seed: int, args: argparse.Namespace) -> Path:
    word = name.replace("+", "").replace(", ", "_").replace(" ", "_")
    return args.output / args.data / f"{word}_{seed}"


def _run(
    name: str, arm: Arm, seed: int, config: str, args: argparse.Namespace
) -> dict[str, float | None]:
    folder = _folder(name, seed, args)
    result = folder / "inference" / "tiny_results.json"
    if not (folder / "model_final.pth").is_file() or not result.is_file():
        file = ROOT / config.format(arm.neck)
        command = [sys.executable, str(ROOT / "train_net.py"), "--config-file", str(file)]
        options = ["SEED", str(seed), "OUTPUT_DIR", str(folder), *args.overrides, *arm.switches]
        threads = {"OMP_NUM_THREADS": "1"} if args.parallel > 1 else {}
        print(f"{name}, seed {seed}", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "output.txt", "w", encoding="utf-8") as log:
            subprocess.run(
                [*command, *options],
                check=True,
                env={**os.environ, **threads},
                stdout=log,
                stderr=subprocess.STDOUT,
            )
    masks = result.with_name("tiny_results_segm.json")
    of_masks = (
        json.loads(masks.read_text(encoding="utf-8"))["segm"]["AP"] if masks.exists() else None
    )
    return {**json.loads(result.read_text(encoding="utf-8"))["bbox"], MASKS: of_masks}


def _seconds(name: str, args: argparse.Namespace) -> float:
    """Median seconds of a step over all seeds of an arm."""
    found = []
    for seed in args.seeds:
        lines = (_folder(name, seed, args) / "metrics.json").read_text(encoding="utf-8")
        found += [
            record["time"] for record in map(json.loads, lines.splitlines()) if "time" in record
        ]
    return statistics.median(found)


def _stretched(config: str, overrides: list[str], factor: float) -> list[str]:
    """The schedule of a config over ``factor`` times the steps."""
    solver = load_yaml(config, overrides).SOLVER
    steps = tuple(round(step * factor) for step in solver.STEPS)
    return [
        *("SOLVER.MAX_ITER", str(round(solver.MAX_ITER * factor)), "SOLVER.STEPS", str(steps)),
        *("SOLVER.WARMUP_ITERS", str(round(solver.WARMUP_ITERS * factor))),
    ]


def _known(values) -> bool:
    return any(value is not None and not math.isnan(value) and value >= 0 for value in values)


def _cell(values: list[float | None]) -> str:
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values):
        return "-"
    return f"{statistics.mean(numbers):.1f} ({max(numbers) - min(numbers):.1f})"


if __name__ == "__main__":
    main()
