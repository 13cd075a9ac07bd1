"""``d2freq evaluate``: detections of any detector against ground truth, without a model."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from d2freq.errors import UserError
from d2freq.utils.output import check_output
from d2freq.utils.present import present

if TYPE_CHECKING:
    from d2freq.evaluation.coco.guard import Detections, GroundTruth

SUMMARY = "measure detections by the protocol of a tiny-object benchmark"
GT_HELP = "ground truth in COCO's format"
RESULTS_HELP = (
    "in COCO's result format: image_id, category_id, bbox [x, y, width, height], score; by file "
    "names (YOLO's predictions.json); or a folder: of text files (YOLO's with confidence, "
    "VisDrone's), of DOTA's Task1 or Task2 files, of a training or of 'd2freq detect'"
)
NAMES_HELP = (
    "of YOLO's class numbers: data.yaml, a text, or car,van; without it the data.yaml beside the "
    "text files, or the order of the ids in GT.json"
)
PROTOCOL_HELP = (
    "areas, limits and overlaps: aitod (the default), coco, irstd, soda-d, tinyperson, visdrone, "
    "visdrone-coco, or a .yaml file of your own"
)


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The two files, the protocol, and how detections on tiles are merged."""
    command.add_argument("ground_truth", metavar="GT.json", help=GT_HELP)
    command.add_argument(
        "detections",
        metavar="DETECTIONS",
        help=f"{RESULTS_HELP}; irstd measures the masks, segmentation, where both files have them",
    )
    command.add_argument("--names", help=NAMES_HELP)
    command.add_argument("--protocol", default="aitod", help=PROTOCOL_HELP)
    command.add_argument(
        "--score",
        type=float,
        metavar="S",
        help="tell precision, recall and F1 of what scores S or more, beside the best S by class",
    )
    command.add_argument("--output", metavar="DIR", help="folder for tiny_results.json")
    command.add_argument(
        "--strict", action="store_true", help="broken detections are an error, not dropped"
    )
    command.add_argument(
        "--tiles",
        metavar="TILES.json",
        help="the detections are on these tiles: merge them on the images of GT.json",
    )
    command.add_argument(
        "--merge",
        default="nms",
        help="nms keeps the best box, weighted takes a mean, soft lowers the others' scores (nms)",
    )
    command.add_argument(
        "--merge-iou", type=float, default=0.5, metavar="IOU", help="overlap that merges (0.5)"
    )
    command.add_argument(
        "--drop-seams",
        action="store_true",
        help="before merging drop what a tile's border cuts off and a neighbouring tile has whole; "
        "published benchmarks merge without",
    )
    command.set_defaults(run=_run, check=_check, needs_host=False)


def check(arguments: argparse.Namespace) -> None:
    """Refuse files that are not there."""
    present(arguments.ground_truth)
    present(arguments.detections)
    if getattr(arguments, "tiles", None):
        present(arguments.tiles, "--tiles")


def _check(arguments: argparse.Namespace) -> None:
    check(arguments)
    if arguments.output:
        check_output(arguments.output, "--output", folder=True)


def _run(arguments: argparse.Namespace) -> None:
    from d2freq.data.coco.read import read_coco
    from d2freq.evaluation.coco.detections_file import write_detections
    from d2freq.evaluation.coco.measure import check_truth, measure, read_truth
    from d2freq.evaluation.coco.merge_tiles import MERGED_FILE, check_merge, merge_on_originals
    from d2freq.evaluation.protocols import get_protocol

    check_merge(arguments.merge, arguments.merge_iou)
    merging = arguments.merge, arguments.merge_iou, arguments.drop_seams
    if not arguments.tiles and merging != ("nms", 0.5, False):
        raise UserError(
            "--merge, --merge-iou and --drop-seams are of --tiles TILES.json, which is missing"
        )
    protocol = get_protocol(arguments.protocol)
    if arguments.score is not None and not 0 <= arguments.score <= 1:
        raise UserError(f"--score {arguments.score:g}: scores go from 0 to 1; give one of these")
    if arguments.score is not None and protocol.targets is not None:
        raise UserError(
            f"--score: protocol {protocol.name} cuts at its own score, {protocol.targets.score:g}; "
            "leave it out, or write a protocol of your own with another targets.score"
        )
    truth, merged = read_truth(arguments.ground_truth, protocol), None
    tiles = read_coco(arguments.tiles) if arguments.tiles else {}
    seen = check_truth(tiles, protocol, arguments.tiles) if arguments.tiles else truth
    masks = protocol.targets is not None
    detections = read_guarded(
        arguments.detections, seen, strict=arguments.strict, masks=masks, names=arguments.names
    )
    if detections.masks is not None:
        data = read_coco(arguments.ground_truth)
        if not arguments.tiles and any(a.get("segmentation") for a in data["annotations"]):
            truth = check_truth(data, protocol, arguments.ground_truth, masks=True)
            detections = detections.as_masks()
        else:
            detections = detections.as_boxes()
    if arguments.tiles:
        detections, merged = merge_on_originals(
            detections,
            tiles,
            truth,
            method=arguments.merge,
            iou_threshold=arguments.merge_iou,
            name=arguments.tiles,
            seams=arguments.drop_seams,
        )
    measured = measure(
        truth,
        detections,
        protocol,
        name=arguments.ground_truth,
        merged=merged,
        score=arguments.score,
    )
    print(measured.text)
    if arguments.output:
        print(measured.save(arguments.output))
        if merged:
            write_detections(Path(arguments.output) / MERGED_FILE, detections)


def read_guarded(
    path: str,
    truth: "GroundTruth",
    *,
    strict: bool = False,
    masks: bool = False,
    names: str | None = None,
) -> "Detections":
    """The detections of a file or folder that fit ``truth``, see read_results, guard_detections.

    Raises:
        DetectionError: as the reader and the guard; the message names both files.
    """
    from d2freq.evaluation.coco.guard import DetectionError, guard_detections
    from d2freq.evaluation.results import read_results

    ids = truth.image_ids.tolist()
    detections = read_results(path, truth.report.file, masks=masks, names=names, known=ids)
    try:
        return guard_detections(detections, truth, strict=strict)
    except DetectionError as error:
        where = f"{path}, measured on {truth.report.file}"
        raise DetectionError(f"{where}: {error}") from error
