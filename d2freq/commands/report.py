"""``d2freq report``: one HTML page with pictures, boxes and figures, of any detector's results."""

import argparse
from pathlib import Path

from d2freq.commands.evaluate import GT_HELP, PROTOCOL_HELP, RESULTS_HELP, check, read_guarded
from d2freq.errors import UserError
from d2freq.inference.report.limits import PICTURES, PIXEL_BYTES, REPORT_FILE

SUMMARY = "write a page that shows detections beside ground truth"
MEGABYTE = 1_000_000


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The two files, the pictures, and where the page goes."""
    command.add_argument("ground_truth", metavar="GT.json", help=GT_HELP)
    command.add_argument("detections", metavar="DETECTIONS", help=RESULTS_HELP)
    command.add_argument(
        "--images", metavar="DIR", help="folder of the pictures; without it boxes alone are drawn"
    )
    command.add_argument(
        "--output",
        default=REPORT_FILE,
        metavar="FILE",
        help=f"the page to write, or a folder for it ({REPORT_FILE})",
    )
    command.add_argument("--protocol", default="aitod", help=PROTOCOL_HELP)
    command.add_argument("--title", help="what stands on top; without it the detections' file name")
    command.add_argument(
        "--pictures",
        type=int,
        default=PICTURES,
        metavar="N",
        help=f"shown at most, the hardest of all ({PICTURES}); figures are of all",
    )
    command.add_argument(
        "--megabytes",
        type=float,
        default=PIXEL_BYTES / MEGABYTE,
        metavar="M",
        help=f"of all pixels in the page ({PIXEL_BYTES // MEGABYTE}); more pictures get fewer each",
    )
    command.set_defaults(run=_run, check=_check, needs_host=False)


def _check(arguments: argparse.Namespace) -> None:
    check(arguments)
    if arguments.pictures < 1 or not arguments.megabytes > 0:
        raise UserError("--pictures and --megabytes must be above 0")


def _run(arguments: argparse.Namespace) -> None:
    from d2freq.data.coco.read import read_coco
    from d2freq.evaluation.coco.measure import check_truth
    from d2freq.evaluation.protocols import get_protocol
    from d2freq.inference.outputs.pixels import PictureReader
    from d2freq.inference.outputs.run_info import RunInfo
    from d2freq.inference.report import write_report
    from d2freq.inference.report.from_files import picture_finder, results_of_files

    protocol = get_protocol(arguments.protocol)
    data = read_coco(arguments.ground_truth)
    truth = check_truth(data, protocol, arguments.ground_truth)
    found = read_guarded(arguments.detections, truth)
    path_of = picture_finder(data, arguments.images) if arguments.images else str
    run = RunInfo(
        names=tuple(truth.categories.values()),
        category_ids=tuple(truth.categories),
        title=arguments.title or Path(arguments.detections).name,
        read=PictureReader() if arguments.images else None,
        truth=truth,
        protocol=arguments.protocol,
    )
    output = Path(arguments.output)
    print(
        write_report(
            results_of_files(data, truth, found, path_of),
            output / REPORT_FILE if output.is_dir() else output,
            run,
            pictures=arguments.pictures,
            pixel_bytes=int(arguments.megabytes * MEGABYTE),
        )
    )
