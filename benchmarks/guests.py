"""How far minid2 carries what is written for Detectron2: its own tests, and what extensions import.

    python benchmarks/guests.py tests TREE [--all] [-- PYTEST-OPTION ...]
    python benchmarks/guests.py names FOLDER ...

TREE is a source tree of Detectron2. The first command runs its tests in this process, with minid2
in the place of detectron2, and counts those that concern minid2; `LEFT_OUT` names the others, with
the reason. Helpers of the tests (`utils/testing.py`) and configs are the tree's own.

Each FOLDER holds the source of an extension. The second command collects every `detectron2` name
that it imports and counts those that minid2 has, those that can be imported and say at their use
where the real one is, and those that fail with a line that says so.
"""

import argparse
import ast
import contextlib
import fnmatch
import importlib
import importlib.util
import os
import sys
import warnings
from collections import Counter
from pathlib import Path

# Patterns of tests (file::class::test), and why they are no concern of minid2.
LEFT_OUT = {
    "rotated boxes": [
        *("*rotated*", "*Rotated*", "*test_rroi*", "*test_rrpn*", "*_xywha*"),
        "data/test_coco.py::TestConvertCOCO::test_convert_to_coco",  # has one
    ],
    "keypoints": ["*keypoint*", "*Keypoint*", "*TestTransformAnnotations::test_crop"],
    "torch.jit.script": ["*script*", "*test_from_to_instances", "*anchor_generator_centered"],
    "export: Caffe2, ONNX, TorchScript, and its patches for tracing": [
        *(
            "test_export_*",
            "export/*",
            "*test_predict_boxes_tracing",
            "*test_predict_probs_tracing",
        ),
    ],
    "semantic and panoptic segmentation": ["*SemSeg*", "*panoptic*", "*sem_seg"],
    "tracking": ["tracking/*"],
    "deformable convolution, ASPP": ["layers/test_deformable.py*", "layers/test_blocks.py*"],
    "models of mmdetection": ["modeling/test_mmdet.py*"],
    "counts of operations (utils.analysis)": ["test_model_analysis.py*"],
    "PointRend and other projects": ["*PointRend*", "*TestProjects*", "*grid_sample_equivalence"],
    "configs older than VERSION 2, which minid2 refuses": ["*TestConfigVersioning*"],
    "detectors on C4": ["*test_mask_rcnn_c4"],
    "COCOeval_opt, compiled": ["*TestCOCOeval*", "data/test_coco_evaluation.py"],
    # COCO and Cityscapes by name, and pictures on the network
    "files to be downloaded": [
        *("*exif_orientation", "*TestMaskCropPaste*", "*test_default_trainer"),
        *("*test_build_dataloader_train", "*test_build_iterable_dataloader_train"),
    ],
}


def reason_to_leave_out(test: str) -> str | None:
    """The reason of the first pattern that fits ``file::class::test``."""
    for reason, patterns in LEFT_OUT.items():
        if any(fnmatch.fnmatchcase(test, pattern) for pattern in patterns):
            return reason
    return None


class Tally:
    """A plugin of pytest that keeps the outcome of each test, by its name within the tree."""

    def __init__(self, run_all: bool) -> None:
        self.run_all = run_all
        self.outcomes: dict[str, str] = {}

    def pytest_collection_modifyitems(self, items) -> None:
        names = {item: item.nodeid.removeprefix("tests/") for item in items}
        if not self.run_all:
            self.outcomes |= {n: "not run" for n in names.values() if reason_to_leave_out(n)}
            items[:] = [item for item in items if names[item] not in self.outcomes]

    def pytest_runtest_logreport(self, report) -> None:
        if report.when == "call" or report.outcome != "passed":
            self.outcomes[report.nodeid.removeprefix("tests/")] = report.outcome

    def pytest_collectreport(self, report) -> None:
        if report.failed:
            self.outcomes[report.nodeid.removeprefix("tests/")] = "not imported"


def run_tests(tree: Path, run_all: bool, options: list[str]) -> None:
    """Run the tests of ``tree`` on minid2 and print what came of those that concern it."""
    import pytest

    os.environ["MINID2_CONFIGS"] = str(tree / "configs")
    name = "minid2.utils.testing"
    spec = importlib.util.spec_from_file_location(name, tree / "detectron2/utils/testing.py")
    assert spec is not None and spec.loader is not None
    helpers = importlib.util.module_from_spec(spec)
    sys.modules[name] = sys.modules["detectron2.utils.testing"] = helpers
    spec.loader.exec_module(helpers)

    tally = Tally(run_all)
    arguments = ["-p", "no:cacheprovider", "--tb=line", "--continue-on-collection-errors"]
    pytest.main([*arguments, *options, str(tree / "tests")], plugins=[tally])
    table: dict[str, Counter] = {}
    for test, outcome in sorted(tally.outcomes.items()):
        reason = reason_to_leave_out(test)
        table.setdefault(reason or "minid2", Counter())[outcome] += 1
        if outcome in ("failed", "not imported") and reason is None:
            print(f"{outcome}: {test}")
    kinds = ("passed", "failed", "not imported", "skipped", "not run")
    print(f"\n| tests of | {' | '.join(kinds)} |\n|---|{'---|' * len(kinds)}")
    for group, count in table.items():
        print(f"| {group} | {' | '.join(str(count[kind]) for kind in kinds)} |")
    ours = table["minid2"]
    ran = sum(ours.values()) - ours["skipped"]
    print(f"\n{ours['passed']} of {ran} tests that concern minid2 pass: {ours['passed'] / ran:.1%}")


def imported_names(folder: Path) -> set[tuple[str, str]]:
    """(module, name) of every import from ``detectron2`` in the Python files below ``folder``."""
    names = set()
    for source in folder.rglob("*.py"):
        with contextlib.suppress(SyntaxError):  # of Python 2, or a template
            for node in ast.walk(ast.parse(source.read_text(encoding="utf-8", errors="replace"))):
                if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                    names.update((node.module, alias.name) for alias in node.names)
                elif isinstance(node, ast.Import):
                    names.update((alias.name, "") for alias in node.names)
    return {(module, name) for module, name in names if module.split(".")[0] == "detectron2"}


def outcome_of_import(module: str, name: str) -> str:
    """What ``from module import name`` (``import module`` for no name) leads to on minid2."""
    from minid2.absent import is_stand_in

    space: dict = {}
    statement = f"from {module} import {name or '__name__'} as found"
    try:
        exec(statement, space)
    except ImportError as error:
        return "one line" if "minid2" in str(error) and "Detectron2" in str(error) else "missing"
    found = space["found"] if name else sys.modules[module]
    return "one line at its use" if is_stand_in(found) else "present"


def count_names(folders: list[Path]) -> None:
    """Print a row for each extension, and one for all names together."""
    print("| extension | names | present | one line at its use | one line | missing |")
    print("|---|---|---|---|---|---|")
    outcomes: dict[tuple[str, str], str] = {}
    for folder in folders:
        names = sorted(imported_names(folder))
        outcomes |= {name: outcome_of_import(*name) for name in names}
        print_row(folder.name, [outcomes[name] for name in names])
    print_row("together", list(outcomes.values()))
    for (module, name), outcome in sorted(outcomes.items()):
        if outcome == "missing":
            print(f"missing: {module} {name}", file=sys.stderr)


def print_row(title: str, outcomes: list[str]) -> None:
    """One row of the table."""
    count = Counter(outcomes)
    kinds = ("present", "one line at its use", "one line", "missing")
    print(f"| {title} | {len(outcomes)} | {' | '.join(str(count[kind]) for kind in kinds)} |")


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    tests = commands.add_parser("tests", help="Detectron2's own tests on minid2")
    tests.add_argument("tree", type=Path)
    tests.add_argument("--all", action="store_true", help="run those left out, too")
    tests.add_argument("options", nargs="*", help="for pytest, behind --")
    names = commands.add_parser("names", help="what extensions import")
    names.add_argument("folders", type=Path, nargs="+")
    args = parser.parse_args()

    warnings.filterwarnings("ignore", message=".*torch.jit.script", category=FutureWarning)
    importlib.import_module("minid2").install_as_detectron2()
    if args.command == "tests":
        run_tests(args.tree.resolve(), args.all, args.options)
    else:
        count_names(args.folders)


if __name__ == "__main__":
    main()
