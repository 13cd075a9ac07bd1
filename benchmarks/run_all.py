"""Every benchmark of a few minutes; what a machine lacks is said, not skipped silently."""

import importlib.util
import subprocess
import sys

from common import ROOT

SCRIPTS = [
    "import_time.py",
    "high_pass.py",
    "sdp_memory.py",
    "neck.py",
    "evaluator.py",
    "converters.py",
    "table5.py",
    "rpn_assignment.py",
    "frequency_table.py",
    "dct_stem.py",
]


def main() -> int:
    """Run them one after another; the exit status is that of the worst."""
    scripts = list(SCRIPTS)
    if importlib.util.find_spec("detectron2") is not None:
        scripts.append("hosts.py")
    else:
        print("hosts.py: left out, it compares minid2 with Detectron2, which is not installed here")
    print("kit_ais.py, evidence.py: left out, they train for hours; start them by themselves")
    worst = 0
    for script in scripts:
        print(f"\n## {script}", flush=True)
        worst |= subprocess.run([sys.executable, str(ROOT / "benchmarks" / script)]).returncode
    return worst


if __name__ == "__main__":
    sys.exit(main())
