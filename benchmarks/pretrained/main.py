"""Which method helps on tiny objects, from ImageNet's weights to the end of the schedule.

    python benchmarks/evidence.py pretrained cost --weights mobilenet_v2-*.pth
    python benchmarks/evidence.py pretrained run --weights mobilenet_v2-*.pth --work DIR
    python benchmarks/evidence.py pretrained table [--plots DIR] [--readme README.md]

``run`` says how long everything takes, then trains what is missing, a core a run: all arms with the
first seed, then with the next. A run that was cut goes on from its checkpoint with the same
command. Figures of finished runs go to benchmarks/evidence_results.json. Pairs of an arm and its
baseline have the same seed and so the same crops in the same order.
"""

import argparse
import fcntl
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType

from common import where
from pretrained import cost, front
from pretrained.arms import ARMS, DATA, FIRST
from pretrained.report import all_tables, plot
from pretrained.results import FILE, collect, read, write
from pretrained.runs import Run, perform, state

from d2freq.engine import load_yaml


def main(words: list[str]) -> int:
    """Returns the exit status."""
    args = _parse(words)
    if args.command == "cost":
        _measure_costs(args)
        return 0
    if args.command == "run":
        return _run(args)
    results = collect(args.work, args.results) if args.work else read(args.results)
    print(f"{where()}\n\n{all_tables(results)}")
    for data in DATA if args.plots else ():
        for file in plot(results, data, args.plots):
            print(file)
    if args.readme:
        front.write(results, args.readme)
    return 0


def _parse(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=("cost", "run", "table"))
    parser.add_argument("--weights", help="torchvision's mobilenet_v2-*.pth; for cost and run")
    parser.add_argument("--work", type=Path, help="folder of checkpoints and logs; for run")
    parser.add_argument("--data", nargs="+", default=["kit_ais"], choices=list(DATA))
    parser.add_argument("--arms", nargs="+", default=list(FIRST), choices=list(ARMS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3, 4, 5])
    parser.add_argument("--parallel", type=int, default=1, help="runs at a time, a core each")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="of trainings")
    parser.add_argument("--estimate", action="store_true", help="say how long, and stop")
    parser.add_argument("--plots", type=Path, help="folder for pictures; for table")
    parser.add_argument("--readme", type=Path, help="write the short table into it; for table")
    parser.add_argument("--results", type=Path, default=FILE)
    args = parser.parse_args(words)
    if args.command != "table" and not args.weights:
        parser.error("--weights: whose weights the arms start from")
    if args.command == "run" and not args.work:
        parser.error("--work: the folder that checkpoints and logs go to")
    if args.command != "table" and not Path(args.weights).is_file():
        parser.error(f"--weights {args.weights}: no such file")
    return args


def _measure_costs(args: argparse.Namespace) -> dict:
    """Measure a data set's arms where one is not known yet; returns data set -> arm -> cost."""
    results = read(args.results)
    needed = set(args.arms)
    needed |= {other for arm in args.arms for other in (ARMS[arm].baseline, ARMS[arm].time_of)}
    needed -= {""}
    for data in args.data:
        known = results["cost"].setdefault(data, {})
        if not needed <= set(known):
            # all of them again, so that ratios are of one measurement on one machine
            names = [name for name in ARMS if name in needed or name in known]
            known |= cost.measure(data, names, weights=args.weights)
    write(results, args.results)
    for data in args.data:
        for name, each in results["cost"][data].items():
            print(data, name, each)
    return results["cost"]


def _factor(run: Run, costs: dict) -> float:
    """Times as many steps as the schedule has."""
    arm = ARMS[run.arm]
    if not arm.time_of:
        return 1.0
    ratio = costs[run.data][arm.time_of]["step_s"] / costs[run.data][run.arm]["step_s"]
    return round(ratio, 2)


def _run(args: argparse.Namespace) -> int:
    args.work.mkdir(parents=True, exist_ok=True)
    lock = open(args.work / "lock", "w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"{args.work}: another process is at work here", file=sys.stderr)
        return 2
    costs = _measure_costs(args)
    runs = [Run(d, a, s) for d in args.data for s in args.seeds for a in args.arms]
    todo = [run for run in runs if state(run, args.work) != "done"]
    seconds = sum(_steps(run, costs) * costs[run.data][run.arm]["step_s"] for run in todo)
    print(
        f"{len(todo)} of {len(runs)} runs are to do: about {seconds / 3600 / args.parallel:.1f} h "
        f"on {args.parallel} free core(s), evaluation apart",
        flush=True,
    )
    if args.estimate:
        return 0
    children: list = []
    signal.signal(signal.SIGTERM, _end)
    failed = []
    pool = ThreadPoolExecutor(args.parallel)

    def one(run: Run) -> None:
        began = time.time()
        print(f"{time.strftime('%F %T')} {run.words}: begins ({state(run, args.work)})", flush=True)
        factor = _factor(run, costs)
        words = {"weights": args.weights, "device": args.device}
        done = perform(run, args.work, factor=factor, children=children, **words)
        if not done:
            failed.append(run)
        collect(args.work, args.results)
        end = "done" if done else f"FAILED, see {run.folder(args.work)}/output.txt"
        minutes = (time.time() - began) / 60
        print(f"{time.strftime('%F %T')} {run.words}: {end}, {minutes:.1f} min", flush=True)

    try:
        for future in [pool.submit(one, run) for run in todo]:
            future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in list(children):
            process.terminate()
    return 1 if failed else 0


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _steps(run: Run, costs: dict) -> float:
    file, words = run.config(_factor(run, costs))
    return load_yaml(file, words).SOLVER.MAX_ITER
