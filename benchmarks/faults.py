"""The fault matrix: 20 faults, each injected for real, and how many are survived as specified.

    python benchmarks/faults.py                          # on the host that Python finds
    python benchmarks/faults.py --host detectron2        # on the real Detectron2, on PYTHONPATH
    python benchmarks/faults.py --other-python PATH      # row 16: the Python of another environment
    python benchmarks/faults.py --rows 2 3 15

A row's injections are tests that cut files, fill disks, send signals and so on. Each counts one
injection, and is survived where the test passes; a row holds where all of them are. One that could
not be injected here, such as a full disk where nothing may be mounted, is counted as not survived.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
ENGINE = "tests/d2freq/engine"
MODELS = "tests/d2freq/modeling"


@dataclass(frozen=True)
class Row:
    """A fault, what is specified, and the tests that inject it (files, or file::function)."""

    number: int
    fault: str
    specified: str
    tests: tuple[str, ...]


FOLDER = f"{ENGINE}/test_folder_of_a_run.py"
SAVING = f"{ENGINE}/hooks/test_saving.py"
STOPPING = f"{ENGINE}/hooks/test_stopping.py"
ROWS = (
    Row(
        1,
        "killed at random iterations, resumed",
        "weights, losses and states equal to the bit",
        (f"{ENGINE}/hooks/test_exact_resume.py",),
    ),
    Row(
        2,
        "killed in a write; newest file or marker damaged",
        "the newest readable one is gone on from, and said",
        (
            f"{FOLDER}::test_a_damaged_file_is_found_and_passed_over",
            f"{FOLDER}::test_a_damaged_marker_is_no_start_anew",
            f"{FOLDER}::test_damaged_files_alone_are_no_start_anew",
            f"{FOLDER}::test_resume_without_marker_goes_on_from_the_newest",
            f"{FOLDER}::test_a_killed_write_leaves_the_file_before",
        ),
    ),
    Row(3, "disk full", "training goes on, the old file stays", (SAVING,)),
    Row(
        4,
        "broken, odd and missing pictures",
        "the policy holds, the picture is named and counted",
        ("tests/d2freq/data/stream/test_bad_images.py",),
    ),
    Row(
        5,
        "faulty annotation files",
        "every class of fault is named and counted",
        ("tests/d2freq/data/coco/test_check.py",),
    ),
    Row(
        6,
        "batches without boxes, half empty, crowded",
        "finite losses, no end",
        (
            f"{MODELS}/set/test_bad_input.py::test_images_without_boxes_are_background",
            f"{MODELS}/set/test_bad_input.py::test_boxes_smaller_than_every_stride_are_trained_on",
            "tests/minid2/modeling/test_detectors.py::"
            "test_images_without_boxes_and_crowded_ones_train",
        ),
    ),
    Row(
        7,
        "NaN in a pixel, a loss, a gradient",
        "no weights with NaN are written; culprit named",
        (f"{ENGINE}/hooks/test_finite_steps.py",),
    ),
    Row(
        8,
        "3,000 objects on one picture",
        "matching in chunks, equal labels, little memory",
        (f"{MODELS}/assignment/test_lean.py",),
    ),
    Row(
        9,
        "odd sizes",
        "every height and width trains and infers",
        (f"{MODELS}/hs_fpn/test_odd_sizes.py",),
    ),
    Row(
        10,
        "16 bits against 32",
        "frequency modules agree, losses stay finite",
        (
            f"{MODELS}/hs_fpn/test_high_frequency.py::"
            "test_bfloat16_autocast_stays_close_and_gates_stay_float32",
            f"{MODELS}/set/test_perturbation_precision.py",
        ),
    ),
    Row(
        11,
        "two processes in place of one",
        "gradients of the joined batch",
        (f"{MODELS}/hs_fpn/test_distributed.py", f"{MODELS}/set/test_distributed.py"),
    ),
    Row(12, "DCT of any length", "equal to scipy's", ("tests/d2freq/ops/test_dct.py",)),
    Row(
        13,
        "1,000 random evaluations",
        "none differs from pycocotools by 1e-12",
        ("tests/d2freq/evaluation/coco/test_counting.py",),
    ),
    Row(
        14,
        "exported files at other sizes",
        "what the model finds",
        (f"{ENGINE}/export/test_files.py",),
    ),
    Row(
        15,
        "SIGTERM, Ctrl-C, SIGUSR1; one and two processes",
        "saved, flushed, exit 143, 130, 138",
        (STOPPING, f"{ENGINE}/test_two_processes_stop.py"),
    ),
    Row(
        16,
        "other versions of torch and numpy",
        "the same core tests pass there",
        (
            "tests/d2freq/ops",
            f"{ENGINE}/test_step.py",
            f"{FOLDER}::test_a_damaged_file_is_found_and_passed_over",
            f"{ENGINE}/weights/test_hostile_file.py",
        ),
    ),
    Row(
        17,
        "the same seed twice, 200 iterations",
        "equal to the bit",
        (f"{ENGINE}/test_same_seed.py",),
    ),
    Row(
        18,
        "two jobs in one folder",
        "the second is refused and told who",
        (
            "tests/d2freq/utils/test_lock.py",
            f"{FOLDER}::test_a_second_training_in_the_folder_is_refused",
            f"{FOLDER}::test_a_former_training_is_not_overwritten_unasked",
        ),
    ),
    Row(
        19,
        "checkpoint or config that holds code",
        "refused with a hint, nothing ran",
        (f"{ENGINE}/weights/test_hostile_file.py", f"{ENGINE}/config/test_hostile_yaml.py"),
    ),
    Row(
        20,
        "another class count than the checkpoint's or the data's",
        "an error before iteration 0",
        (
            f"{ENGINE}/test_resume.py::"
            "test_weights_of_another_class_count_are_refused_unless_the_config_allows",
            f"{ENGINE}/test_bad_input.py::test_weights_are_read_before_training",
        ),
    ),
)


def inject(row: Row, python: str, host: str | None) -> tuple[int, int, float]:
    """Run a row's tests: how many were injected, how many survived, seconds."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    path = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment["PYTHONPATH"] = os.pathsep.join(path)
    if host:
        environment["D2FREQ_HOST"] = host
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}"]
        began = time.perf_counter()
        subprocess.run([*command, *row.tests], cwd=ROOT, env=environment, capture_output=True)
        seconds = time.perf_counter() - began
        if not report.is_file():
            return 0, 0, seconds
        cases = list(ElementTree.parse(report).iter("testcase"))
    failed = sum(any(part.tag in ("failure", "error", "skipped") for part in c) for c in cases)
    return len(cases), len(cases) - failed, seconds


def main() -> int:
    """Print the table; the exit code is 0 where every row holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", choices=("minid2", "detectron2"), help="which Detectron2")
    parser.add_argument("--other-python", help="for row 16: python of another environment")
    parser.add_argument("--rows", type=int, nargs="+", default=[row.number for row in ROWS])
    options = parser.parse_args()
    print("| # | fault | specified | injected | survived | seconds |")
    print("|---|---|---|---|---|---|", flush=True)
    held = 0
    chosen = [row for row in ROWS if row.number in options.rows]
    for row in chosen:
        python = sys.executable
        if row.number == 16:
            if not options.other_python:
                print(f"| 16 | {row.fault} | {row.specified} | 0 | not injected | 0 |", flush=True)
                continue
            python = options.other_python
        injected, survived, seconds = inject(row, python, options.host)
        held += 0 < injected == survived
        print(
            f"| {row.number} | {row.fault} | {row.specified} | {injected} | {survived} | "
            f"{seconds:.0f} |",
            flush=True,
        )
    print(f"\n{held} of {len(chosen)} rows hold")
    return 0 if held == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
