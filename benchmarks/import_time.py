"""Seconds that `import d2freq` adds to importing torch and torchvision, and the lines of minid2.

python benchmarks/import_time.py [--repeats 7]
"""

import argparse
import statistics

from common import ROOT, in_new_process, where

PROGRAM = """
import sys, time
import torch, torchvision
start = time.perf_counter()
import d2freq
print(time.perf_counter() - start)
"""


def main() -> None:
    """Print one markdown row each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    args = parser.parse_args()
    seconds = [float(in_new_process("-c", PROGRAM)) for _ in range(args.repeats + 1)][1:]
    files = sorted((ROOT / "minid2").rglob("*.py"))
    lines = sum(len(file.read_text().splitlines()) for file in files)
    print(where())
    print("\n| what | figure |\n|---|---|")
    print(f"| `import d2freq` after torch and torchvision, s | {statistics.median(seconds):.3f} |")
    print(f"| minid2, lines in {len(files)} files | {lines} |")


if __name__ == "__main__":
    main()
