"""InfraredEvaluator: networks that give maps of infrared small targets, as a DatasetEvaluator."""

import torch
from detectron2.structures import Boxes, Instances

from d2freq.errors import UserError
from d2freq.evaluation.coco.evaluator import TinyCOCOEvaluator
from d2freq.evaluation.protocols import Protocol, get_protocol


class InfraredEvaluator(TinyCOCOEvaluator):
    """IoU, nIoU, Pd and Fa of maps, under a protocol with ``targets`` such as irstd.

    Takes outputs with ``sem_seg`` (C, H, W), as Detectron2's segmentation models give them, of the
    size of their image: of one channel the probability of a target, of more a score each, the
    first that of the background. Outputs with ``instances`` are measured by their masks. Ground
    truth are the masks of the data set's annotations. Detectors of boxes need no evaluator of
    their own: TinyCOCOEvaluator measures them by the same protocol.

    ``evaluate`` returns ``{"segm": {"IoU", "nIoU", "Pd", "Fa"}}``.
    """

    def __init__(
        self,
        dataset_name: str,
        distributed: bool = True,
        output_dir: str | None = None,
        *,
        protocol: str | Protocol = "irstd",
        strict: bool = False,
    ):
        """Load the ground truth of a registered data set; arguments as TinyCOCOEvaluator's.

        Raises:
            UserError: a protocol without ``targets``.
        """
        known = get_protocol(protocol)
        if known.targets is None:
            raise UserError(
                f"protocol {known.name} counts boxes, not maps: give InfraredEvaluator irstd, or a "
                "protocol with 'targets'; boxes are for TinyCOCOEvaluator"
            )
        super().__init__(
            dataset_name, ("segm",), distributed, output_dir, protocol=known, strict=strict
        )
        self._score = known.targets.score

    def process(self, inputs: list[dict], outputs: list[dict]) -> None:
        """Keep the maps of a batch, each as one detection of score 1."""
        outputs = [
            {"instances": self._as_instances(output["sem_seg"])} if "sem_seg" in output else output
            for output in outputs
        ]
        super().process(inputs, outputs)

    def _as_instances(self, scores: torch.Tensor) -> Instances:
        scores = scores.detach().cpu()
        found = scores[0] > self._score if len(scores) == 1 else scores.argmax(0) > 0
        rows, columns = found.any(1).nonzero().flatten(), found.any(0).nonzero().flatten()
        number = min(len(rows), 1)
        result = Instances(tuple(found.shape))
        result.pred_masks = found[None][:number]
        ends = [end for places in (columns, rows) for end in (places[:1], places[-1:] + 1)]
        corners = torch.stack(ends, dim=1)[:, [0, 2, 1, 3]]
        result.pred_boxes = Boxes(corners.float())
        result.scores = torch.ones(number)
        result.pred_classes = torch.zeros(number, dtype=torch.int64)
        return result
