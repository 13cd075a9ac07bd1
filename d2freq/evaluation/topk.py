"""TopKEvaluator: the share of images whose class is among a classifier's best guesses.

Shape shorthand: K classes.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from detectron2.data import DatasetCatalog
from detectron2.evaluation import DatasetEvaluator
from detectron2.utils import comm
from torch import Tensor

from d2freq.errors import DatasetError, UserError
from d2freq.evaluation.coco.guard import DetectionError
from d2freq.utils.files import write_json

__all__ = ["TopKEvaluator", "rank_of"]

logger = logging.getLogger(__name__)

RESULTS_FILE = "classification_results.json"
RULE = "share of images with fewer than k other classes of the same or a higher score, percent"


def rank_of(scores: Tensor, label: int) -> int:
    """How many of the other classes score as high as class ``label`` or higher.

    0 is a top-1 hit, 4 a top-5 hit. An equal score counts against the model, so that one which
    scores all classes alike hits nothing, while torch.topk would choose by position.

    Args:
        scores: (K,).
        label: in [0, K).

    Examples:
        >>> import torch
        >>> from d2freq.evaluation.topk import rank_of
        >>> scores = torch.tensor([0.1, 2.0, 0.7])
        >>> rank_of(scores, 1), rank_of(scores, 0)
        (0, 2)
    """
    return int((scores >= scores[label]).sum()) - 1


class TopKEvaluator(DatasetEvaluator):
    """Top-1 and top-5 accuracy of an ImageClassifier over a data set of image folders.

    ``evaluate`` returns percent: ``{"classification": {"top1": ..., "top5": ...}}``. Every image
    counts once. With ``output_dir`` it writes these, the rule and the number of images to
    classification_results.json.
    """

    def __init__(
        self,
        dataset_name: str,
        *,
        output_dir: str | None = None,
        topk: Sequence[int] = (1, 5),
        distributed: bool = True,
    ) -> None:
        """Load the class of each image of a registered data set.

        Args:
            dataset_name: its records have ``image_id`` and ``label``.
            output_dir: folder for the results; None writes nothing.
            topk: numbers of guesses, each at least 1.
            distributed: gather the predictions of all processes on the main one.

        Raises:
            UserError: no number of guesses, or one below 1.
            DatasetError: two images have one id.
        """
        if not topk or min(topk) < 1:
            raise UserError(f"topk={list(topk)}: numbers of guesses are 1 or more")
        self._name, self._output_dir, self._distributed = dataset_name, output_dir, distributed
        self._topk = tuple(topk)
        self._labels = _read_labels(dataset_name)
        self.reset()

    def reset(self) -> None:
        """Forget all predictions."""
        self._ranks: dict[str, int] = {}
        self._repeated = 0

    def process(self, inputs: list[dict], outputs: list[dict]) -> None:
        """Keep the rank of the true class of each image of a batch.

        Args:
            inputs: ``image_id`` of each.
            outputs: ``logits`` (K,) of each, or any other score that is higher for a likelier
                class.

        Raises:
            UserError: an output without ``logits`` or with too few of them, or an image that the
                data set has not.
            DetectionError: NaN or infinite scores.
        """
        for record, output in zip(inputs, outputs, strict=True):
            image_id = record["image_id"]
            if "logits" not in output:
                raise UserError(
                    f"image {image_id}: the model's output has {sorted(output)}, no 'logits'; "
                    "TopKEvaluator measures an ImageClassifier"
                )
            if image_id not in self._labels:
                raise UserError(f"image {image_id} is not in data set {self._name}")
            scores, label = output["logits"].detach(), self._labels[image_id]
            if label >= len(scores):
                raise UserError(
                    f"image {image_id} is of class {label}, the model scores {len(scores)} classes "
                    "from 0 on; set MODEL.CLASSIFIER.NUM_CLASSES"
                )
            if not torch.isfinite(scores).all():
                raise DetectionError(
                    f"image {image_id}: NaN or infinite scores; the model diverged"
                )
            if image_id in self._ranks:
                self._repeated += 1
            else:
                self._ranks[image_id] = rank_of(scores, label)

    def evaluate(self) -> dict[str, dict[str, float]]:
        """Measure what was processed; ``{}`` on all processes but the main one.

        Raises:
            UserError: images of the data set were not predicted.
        """
        ranks, repeated = self._ranks, self._repeated
        if self._distributed:
            comm.synchronize()
            parts = comm.gather((ranks, repeated), dst=0)
            if not comm.is_main_process():
                return {}
            # samplers that pad the shares of the processes to one length give some images twice
            ranks = {image: rank for own, _ in reversed(parts) for image, rank in own.items()}
            repeated = sum(len(own) + count for own, count in parts) - len(ranks)
        if repeated:
            logger.warning("%d images were predicted twice: the first counts", repeated)
        missing = [image for image in self._labels if image not in ranks]
        if missing:
            raise UserError(
                f"{self._name}: {len(missing)} of {len(self._labels)} images have no prediction, "
                f"such as {missing[0]}; run the model over the whole data set"
            )
        count = len(ranks)
        results = {
            f"top{k}": 100 * sum(rank < k for rank in ranks.values()) / count for k in self._topk
        }
        shown = ", ".join(f"{name} {value:.3f}" for name, value in results.items())
        logger.info("%s: %d images, in percent: %s", self._name, count, shown)
        if self._output_dir:
            self._save({"images": count, "predicted_twice": repeated, "classification": results})
        return {"classification": results}

    def _save(self, found: dict[str, object]) -> None:
        path = Path(self._output_dir or "") / RESULTS_FILE
        write_json(path, {"dataset": self._name, "metric": RULE, **found}, indent=1)


def _read_labels(name: str) -> dict[str, int]:
    """The class of each image."""
    labels: dict[str, int] = {}
    for record in DatasetCatalog.get(name):
        if record["image_id"] in labels:
            raise DatasetError(
                f"{name}: image {record['image_id']} stands twice; give every image an id of its "
                "own"
            )
        labels[record["image_id"]] = int(record["label"])
    if not labels:
        raise DatasetError(f"{name} has no images; there is nothing to measure on")
    return labels
