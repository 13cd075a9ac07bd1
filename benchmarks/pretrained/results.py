"""benchmarks/evidence_results.json: the figures of all runs that are done, and what arms cost."""

import json
from pathlib import Path

from common import ROOT
from pretrained.arms import ARMS, DATA
from pretrained.runs import Run

FILE = ROOT / "benchmarks" / "evidence_results.json"
WEIGHTS = "MobileNetV2, ImageNet weights dequantised from int8"


def read(file: Path = FILE) -> dict:
    """What the file holds: ``about``, ``cost`` and ``runs``."""
    if not file.is_file():
        return {"about": {"weights": WEIGHTS}, "cost": {}, "runs": []}
    return json.loads(file.read_text(encoding="utf-8"))


def write(results: dict, file: Path = FILE) -> None:
    """One run a line, so that two versions of the file can be compared."""
    runs = ",\n  ".join(json.dumps(run) for run in results["runs"])
    head = json.dumps({"about": results["about"], "cost": results["cost"]}, indent=1)[:-2]
    part = file.with_name(f"{file.name}.part")
    part.write_text(f'{head},\n "runs": [\n  {runs}\n ]\n}}\n', encoding="utf-8")
    part.replace(file)


def collect(work: Path, file: Path = FILE) -> dict:
    """Add the runs of a work folder to the file; a run that is there already is replaced."""
    results = read(file)
    by_name = {_name(run): run for run in results["runs"]}
    for done in sorted(work.glob("*/*/figures.json")):
        run = json.loads(done.read_text(encoding="utf-8"))
        by_name[_name(run)] = run
    results["runs"] = [by_name[name] for name in sorted(by_name, key=_order)]
    write(results, file)
    return results


def _name(run: dict) -> Run:
    return Run(run["data"], run["arm"], run["seed"])


def _order(run: Run) -> tuple:
    places = {name: place for place, name in enumerate(ARMS)}
    return list(DATA).index(run.data), places.get(run.arm, len(places)), run.arm, run.seed


def values(results: dict, data: str, arm: str, figure: str) -> dict[int, float]:
    """Seed -> a figure of the data set that the tables show."""
    last = DATA[data].measured[-1]
    found = {}
    for run in results["runs"]:
        if (run["data"], run["arm"]) == (data, arm) and figure in run["measured"][last]:
            found[run["seed"]] = run["measured"][last][figure]
    return found
