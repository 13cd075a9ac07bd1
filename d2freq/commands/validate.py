"""``d2freq validate``: what is wrong in a COCO file and its images, and the repair of it."""

import argparse
import os
from typing import TYPE_CHECKING

from d2freq.errors import UserError
from d2freq.utils.present import present

if TYPE_CHECKING:
    from d2freq.data.coco.report import Report

BOXES = ("xywh", "corners", "shares", "corner-shares")  # those of repair_coco
SUMMARY = "check a COCO file and its images, and repair what can be repaired"

_EXIT_CODES = """\
exit code: 0 where there is no fault, or --fix has written a file without one; 2 otherwise. A line
says "error" where training and evaluation refuse the file, "repair" where they read a record
otherwise than it is written, or leave it out, and say so, and "note" for what changes nothing.
Notes alone are no fault, unless --strict is given. Content that --against finds in both files is
one, and so are classes that stand in another order there.
"""


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The file, how far its images are looked at, and what to write."""
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog = _EXIT_CODES
    command.add_argument("file", metavar="FILE.json", help="the COCO file")
    command.add_argument("--images", metavar="DIR", help="folder of its images")
    command.add_argument(
        "--depth",
        choices=("exist", "size", "decode"),
        default="size",
        help="whether images exist, have the file's size (default), or can be read to the end",
    )
    command.add_argument("--workers", type=int, help="processes that decode; without it one a core")
    command.add_argument("--fix", metavar="OUT.json", help="write a repaired copy")
    command.add_argument(
        "--drop-missing",
        action="store_true",
        help="--fix also drops the records of images that are missing or cannot be read",
    )
    command.add_argument(
        "--boxes",
        default="",
        choices=BOXES,
        help="how boxes are written that do not fit as x, y, width, height, for --fix",
    )
    command.add_argument(
        "--uncrowd", action="store_true", help="--fix makes objects of boxes that are all crowds"
    )
    command.add_argument(
        "--protocol", default="aitod", help="evaluation protocol of the size ranges (aitod)"
    )
    command.add_argument("--histogram", metavar="OUT.png", help="sizes of the boxes as a picture")
    command.add_argument("--strict", action="store_true", help="a note is a fault, too")
    leaks = command.add_argument_group(
        "another split",
        "whether its classes have the same ids and names, and with the images of both: images, "
        "crops and overlapping tiles of FILE.json that lie there, too",
    )
    leaks.add_argument("--against", metavar="OTHER.json", help="COCO file of the other split")
    leaks.add_argument("--other-images", metavar="DIR", help="folder of its images; needs --images")
    leaks.add_argument("--pairs", metavar="OUT.json", help="write all pairs found")
    command.set_defaults(run=_run, check=_check_options, needs_host=False)


def _run(arguments: argparse.Namespace) -> int:
    from d2freq.data.coco.check import check_loaded, read_noting
    from d2freq.data.coco.faults import SECTIONS
    from d2freq.data.coco.notes import find_notes
    from d2freq.data.coco.repair import refuse_same_file
    from d2freq.data.coco.report import Report
    from d2freq.evaluation.protocols import get_protocol

    protocol = get_protocol(arguments.protocol)
    if arguments.fix:
        refuse_same_file(arguments.file, arguments.fix)
    report = Report(arguments.file)
    data = read_noting(report)
    if report.ok:
        check_loaded(
            data,
            report,
            arguments.images,
            images=arguments.depth,
            workers=arguments.workers,
            progress=True,
        )
    if not isinstance(data, dict) or any(not isinstance(data.get(k), list) for k in SECTIONS):
        data = None
    if data is not None:
        find_notes(
            data,
            report,
            image_root=arguments.images,
            max_boxes=protocol.max_dets[-1],
            ignore_flags=protocol.flags_read_as,
        )
    print(report.text())
    faults = report.errors + report.repairs + (report.notes if arguments.strict else [])
    if arguments.fix and data is None:
        print(f"{arguments.fix}: not written, the file cannot be repaired")
    repaired = _fix(arguments, data, report) if arguments.fix and data is not None else None
    if data is not None:
        _show_sizes(arguments, repaired or data, sound=report.ok or repaired is not None)
    against = bool(arguments.against) and data is not None
    differing = against and _show_classes(arguments)
    leaky = against and bool(arguments.other_images) and _show_leaks(arguments)
    if against and not arguments.other_images:
        print("\ncontent is not compared: that needs --images DIR and --other-images DIR")
    return 2 if leaky or differing or (faults and repaired is None) else 0


def _check_options(arguments: argparse.Namespace) -> None:
    for name in ("boxes", "uncrowd"):
        if getattr(arguments, name) and not arguments.fix:
            raise UserError(f"--{name} is of --fix OUT.json, which is missing")
    for name in ("images", "other_images"):
        folder = getattr(arguments, name)
        if folder and not os.path.isdir(folder):
            raise UserError(f"--{name.replace('_', '-')} {folder}: no such folder")
    if arguments.against and not os.path.exists(arguments.against):
        raise UserError(f"--against {arguments.against}: no such file")
    # classes are compared without a picture; who names a folder, or --pairs, wants pixels compared
    pixels = arguments.against and (arguments.other_images or arguments.pairs)
    for name in ("images", "other_images") if pixels else ():
        if not getattr(arguments, name):
            raise UserError(f"--against compares pixels: --{name.replace('_', '-')} is missing")
    for name in ("other_images", "pairs"):
        if getattr(arguments, name) and not arguments.against:
            option = name.replace("_", "-")
            raise UserError(f"--{option} is of --against OTHER.json, which is missing")
    present(arguments.file)


def _show_classes(arguments: argparse.Namespace) -> bool:
    """Say where both files number classes differently; True where that is a fault."""
    from d2freq.data.coco.classes import classes_of_file, compare_classes

    files = (classes_of_file(arguments.file), classes_of_file(arguments.against))
    difference = compare_classes(*files)
    if difference is None:
        print(f"\nclasses: the same ids and names as in {arguments.against}")
        return False
    print(f"\n{'error' if difference.fatal else 'note'}: {difference.text}")
    return difference.fatal or arguments.strict


def _show_leaks(arguments: argparse.Namespace) -> bool:
    """Look for content of both files; True where there is some."""
    from d2freq.data.leaks.find import find_leaks

    found = find_leaks(
        arguments.file,
        arguments.images,
        arguments.against,
        arguments.other_images,
        workers=arguments.workers,
    )
    print(f"\n{found.text()}")
    if arguments.pairs:
        print(found.write(arguments.pairs))
    return not found.ok


def _fix(arguments: argparse.Namespace, data: dict, report: "Report") -> dict:
    """Write the repaired file and return its content."""
    from d2freq.data.coco.repair import repair_coco, write_repaired

    repaired = repair_coco(
        data,
        report,
        image_root=arguments.images,
        images=arguments.depth,
        drop_missing=arguments.drop_missing,
        boxes_as=arguments.boxes,
        uncrowd=arguments.uncrowd,
    )
    for change in repaired.changes:
        print(f"fix: {change}")
    for fault in repaired.remaining:
        print(f"cannot be repaired: {fault}")
    left = [f"{len(repaired.data[k])} of {len(data[k])} {k}" for k in ("images", "annotations")]
    print(f"{write_repaired(repaired, arguments.file, arguments.fix)}: {', '.join(left)} left")
    return repaired.data


def _show_sizes(arguments: argparse.Namespace, data: dict, *, sound: bool) -> None:
    from d2freq.analysis.box_sizes import plot_sizes, read_sizes, size_table
    from d2freq.evaluation.protocols import get_protocol

    protocol = get_protocol(arguments.protocol)
    sizes = read_sizes(data, sound=sound)
    print(f"\nsizes by protocol {protocol.name}\n{size_table(sizes, protocol)}")
    if arguments.histogram:
        name = os.path.basename(arguments.fix or arguments.file)
        title = f"{name}: sizes by protocol {protocol.name}"
        print(plot_sizes(sizes, protocol, arguments.histogram, title=title))
