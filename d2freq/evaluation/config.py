"""Configuration keys of the evaluation."""

from detectron2.config import CfgNode as CN

__all__ = ["tiny_keys"]


def tiny_keys() -> CN:
    """TEST.TINY: evaluation by the standards of tiny-object benchmarks."""
    node = CN()
    # "aitod": area ranges and detection limits of the AI-TOD benchmark. Names and definitions are
    # in d2freq/evaluation/protocols, a file each; TEST.DETECTIONS_PER_IMAGE is independent of a
    # protocol's limit (1500 for "aitod") and should not be below it in crowded scenes.
    node.PROTOCOL = "aitod"
    # True | False. True: detections with NaN or negative sides are an error, which is right for a
    # final measurement. False, the default: they are dropped, counted and warned of, so that a
    # bad iteration does not end a training run.
    node.STRICT = False
    # True | False. True, for data sets of tiles whose metadata names originals_json: detections
    # are taken back to the original images, merged, and measured there, as TinyPerson and SODA-D
    # want it. False, the default: measured on the images as they are, as AI-TOD and the papers do.
    node.ORIGINALS = False
    # With ORIGINALS. "nms": the best detection of those that overlap stays, the benchmarks' way.
    # "weighted": their mean (weighted boxes fusion), for smoother boxes.
    node.MERGE = "nms"
    # 0 to 1. Overlap (IoU) from which on detections of a class are one. 0.5 is SODA-D's.
    node.MERGE_IOU = 0.5
    return node
