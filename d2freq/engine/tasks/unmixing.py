"""Trajectories, such as SeqCSIST's: mapper, evaluator and checks for an unmixing model.

Detectron2's sampler shuffles each epoch anew, which the published training never did.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from detectron2.config import CfgNode
from detectron2.data import DatasetCatalog, MetadataCatalog
from torch import nn

from d2freq.data.seqcsist import SequenceMapper
from d2freq.engine.tasks.task import Task
from d2freq.errors import DatasetError, UserError
from d2freq.evaluation.cso.evaluator import CSOEvaluator
from d2freq.modeling.unmixing import UnmixingModel
from d2freq.modeling.unmixing.checks import check_threshold
from d2freq.modeling.unmixing.config import unmixing_input_keys, unmixing_keys
from d2freq.utils.own_keys import own_keys

if TYPE_CHECKING:
    from d2freq.engine.config import Config

__all__ = ["Unmixing"]


class Unmixing(Task):
    """Targets in each frame of a trajectory, measured by CSO-mAP; loaders are those of Task."""

    evaluator_type = "seqcsist"
    data = "trajectories"
    truth_arguments = {"is_train": True}
    takers = "unmixing models take trajectories (seqcsist_train)"

    def accepts(self, model: nn.Module) -> bool:
        return isinstance(model, UnmixingModel)

    def mapper(self, cfg: CfgNode, *, is_train: bool) -> SequenceMapper:
        keys = own_keys(cfg, "MODEL.UNMIXING", unmixing_keys())
        noise = own_keys(cfg, "INPUT.UNMIXING", unmixing_input_keys())
        return SequenceMapper(
            is_train,
            size=keys.SIZE,
            factor=keys.FACTOR,
            noise=noise.NOISE,
            noise_range=noise.NOISE_RANGE,
            window=keys.WINDOW,
        )

    def truth_mapper(self, cfg: CfgNode) -> SequenceMapper:
        return self.mapper(cfg, is_train=True)

    def evaluator(self, cfg: CfgNode, dataset_name: str, output_dir: str) -> CSOEvaluator:
        """CSO-mAP by MODEL.UNMIXING's threshold, window and factor."""
        keys = own_keys(cfg, "MODEL.UNMIXING", unmixing_keys())
        check_threshold(keys.THRESHOLD)
        return CSOEvaluator(
            dataset_name,
            output_dir=output_dir,
            threshold=keys.THRESHOLD,
            window=keys.WINDOW,
            factor=keys.FACTOR,
        )

    def check(
        self, names: Sequence[str], model: nn.Module, config: "Config", *, train: Sequence[str]
    ) -> None:
        """Raise for a faulty file, too short a trajectory, or optics that are not the data's."""
        assert isinstance(model, UnmixingModel)
        for name in names:
            _check_optics(name, model)
            _check_lengths(name, model.window)


def _check_optics(name: str, model: UnmixingModel) -> None:
    metadata = MetadataCatalog.get(name)
    for key in ("size", "sigma"):
        wanted, found = getattr(model, key), metadata.get(key)
        if found is not None and found != wanted:
            raise UserError(
                f"MODEL.UNMIXING.{key.upper()} is {wanted:g}, but data set {name} has {found:g}; "
                f"set it to {found:g}, or generate other data"
            )
    if not (model.decode and model.brightness):
        return
    known, found = model.brightness, metadata.get("intensity")
    if found and not known[0] <= found[0] <= found[1] <= known[1]:
        raise UserError(
            f"MODEL.UNMIXING.BRIGHTNESS is {known}, but the targets of data set {name} have "
            f"{found[0]:g} to {found[1]:g} grey levels, which the decoder would take for others; "
            f"set it to {found}"
        )


def _check_lengths(name: str, window: int) -> None:
    lengths = set()
    for record in DatasetCatalog.get(name):
        count = len(record["frames"])
        lengths.add(count)
        if count < window:
            raise DatasetError(
                f"data set {name}: trajectory {record['trajectory_id']} of {record['file_name']} "
                f"has {count} frames, a window {window} (MODEL.UNMIXING.WINDOW); leave it out, or "
                "take a smaller window"
            )
    if not lengths:
        raise DatasetError(f"data set {name} has no trajectory; generate it anew")
