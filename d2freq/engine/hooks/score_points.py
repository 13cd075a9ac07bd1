"""Precision, recall and F1 at the best score, as points of the training's curves."""

import os

from detectron2.utils import comm

from d2freq.engine.hooks.evaluation import AfterEvaluation
from d2freq.utils.files import read_json

__all__ = ["ScorePoints"]

RECORD = "tiny_results.json"
POINTS = {"precision": "precision", "recall": "recall", "f1": "F1", "score": "best_score"}


class ScorePoints(AfterEvaluation):
    """Store "bbox/F1", "bbox/precision", "bbox/recall" in percent, and "bbox/best_score".

    They are of all categories together, where lower scores than the best one by F1 are cut off; the
    evaluator has them in its record, and those of each category.

    Args:
        eval_period: iterations from one evaluation to the next.
        folders: of evaluators' files, by what comes in front of the metric: {"": "inference"}.
    """

    def __init__(self, eval_period: int, folders: dict[str, str]) -> None:
        super().__init__(eval_period)
        self._folders = folders

    def evaluated(self) -> None:
        if not comm.is_main_process():
            return
        for front, folder in self._folders.items():
            record = read_json(os.path.join(folder, RECORD)) or {}
            cuts = record.get("score_cuts")
            if not cuts:
                continue
            task = "segm" if "segm" in record and "bbox" not in record else "bbox"
            for key, name in POINTS.items():
                value = cuts["all"]["best"][key]
                if value is not None:
                    share = value if key == "score" else 100 * value
                    self.trainer.storage.put_scalar(
                        f"{front}{task}/{name}", share, smoothing_hint=False
                    )
