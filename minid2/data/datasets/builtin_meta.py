"""Names and ids of the 80 classes of COCO's boxes and masks.

The tables that also hold colours and the classes of other tasks and data sets are Detectron2's.
"""

from typing import Any

_CLASSES = """person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light,
fire hydrant, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear,
zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball,
kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup,
fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut,
cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard,
cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear,
hair drier, toothbrush"""
_UNUSED_IDS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}  # of the 90 that were planned


def _get_coco_instances_meta() -> dict[str, Any]:
    """``thing_classes``, and ``thing_dataset_id_to_contiguous_id`` from the files' ids to 0..79."""
    ids = [number for number in range(1, 91) if number not in _UNUSED_IDS]
    return {
        "thing_dataset_id_to_contiguous_id": {number: i for i, number in enumerate(ids)},
        "thing_classes": _CLASSES.replace("\n", " ").split(", "),
    }


def _get_builtin_metadata(dataset_name: str) -> dict[str, Any]:
    """The metadata of a built-in data set: "coco" alone; KeyError for another."""
    if dataset_name != "coco":
        raise KeyError(f"minid2 knows the classes of coco, those of {dataset_name!r} has Detectron2")
    return _get_coco_instances_meta()
