"""The checkpointer of detectors: more formats, safe reading, atomic writing."""

import logging
import os
from typing import Any

from fvcore.common.checkpoint import Checkpointer
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ..utils import comm
from ..utils.file_io import PathManager
from .c2_model_loading import align_and_update_state_dicts
from .reading import CheckpointError, other_checkpoints, read_checkpoint
from .torchvision_names import convert_torchvision_resnet_name, is_torchvision_resnet
from .writing import AtomicPathManager

__all__ = ["DetectionCheckpointer"]

_HEURISTICS = "?matching_heuristics=True"
_FROM_CONFIG = ("pixel_mean", "pixel_std")  # buffers that the config fills
_DERIVED = ("num_batches_tracked", "anchor_generator.cell_anchors")  # of no use to a model here


class DetectionCheckpointer(Checkpointer):
    """fvcore's :class:`Checkpointer` for the files that detectors come in.

    Reads Detectron2's ``.pth`` and ``.pkl``, Caffe2 Detectron's ``.pkl``, and state dicts of
    torchvision's ResNets, which are recognised by their names. A file runs no code while it is
    read. A file is written beside its place and renamed, so that a process killed on the way
    leaves the one before.
    """

    def __init__(
        self,
        model: nn.Module,
        save_dir: str = "",
        *,
        save_to_disk: bool | None = None,
        **checkpointables: Any,
    ) -> None:
        """Set up saving to and loading from ``save_dir``.

        Args:
            model: the model, which may be wrapped for distributed training.
            save_dir: folder to save in and to resume from; empty for none.
            save_to_disk: whether :meth:`save` writes; by default in the main process only.
            checkpointables: more objects with ``state_dict`` and ``load_state_dict``.
        """
        if save_to_disk is None:
            save_to_disk = comm.is_main_process()
        super().__init__(model, save_dir, save_to_disk=save_to_disk, **checkpointables)
        self.logger = logging.getLogger(__name__)
        self.path_manager = AtomicPathManager(PathManager)
        self._all_ranks_load = isinstance(model, DistributedDataParallel)

    def load(self, path: str, checkpointables: list[str] | None = None) -> dict[str, Any]:
        """Load the model, and the checkpointables, from a file.

        With a model wrapped for distributed training all processes have to call this, and those
        that lack the file get its content from the main process.

        Args:
            path: local path or address; with ``?matching_heuristics=True`` behind it the names
                are matched by their endings. Empty loads nothing.
            checkpointables: names of those to load; by default all that the file has.

        Returns:
            What else the file holds, such as the iteration.

        Raises:
            FileNotFoundError: there is no such file.
            CheckpointError: it cannot be read, or is refused as unsafe.
        """
        if not path:
            return super().load(path, checkpointables)
        self.logger.info("Loading from %s ...", path)
        checkpoint = self._read(path.removesuffix(_HEURISTICS))
        if path.endswith(_HEURISTICS):
            checkpoint["matching_heuristics"] = True

        incompatible = self._load_model(checkpoint)
        if incompatible is not None:  # a subclass may return nothing
            self._log_incompatible_keys(incompatible)
        for key in self.checkpointables if checkpointables is None else checkpointables:
            if key in checkpoint:
                self.logger.info("Loading %s from %s ...", key, path)
                self.checkpointables[key].load_state_dict(checkpoint.pop(key))
        return checkpoint

    def _read(self, path: str) -> dict[str, Any]:
        local = path if os.path.isfile(path) else self.path_manager.get_local_path(path)
        here = os.path.isfile(local)
        everywhere = comm.all_gather(here) if self._all_ranks_load else [here]
        if not everywhere[0]:
            others = other_checkpoints(path)
            beside = f"; beside it there are {', '.join(others[:3])}" if others else ""
            raise FileNotFoundError(
                f"there is no checkpoint {path}{beside}. Correct MODEL.WEIGHTS (or "
                f"train.init_checkpoint), or the file 'last_checkpoint' when resuming"
            )
        if all(everywhere):
            return self._load_file(local)
        self.logger.warning("%s is not on all machines: the main process sends its content", path)
        return comm.all_gather(self._load_file(local) if comm.is_main_process() else None)[0]

    def _load_file(self, f: str) -> dict[str, Any]:
        """The content of a local file, with the weights under ``"model"``."""
        content = read_checkpoint(f)
        if not isinstance(content, dict):
            raise CheckpointError(
                f"{f} holds a {type(content).__name__}, not a checkpoint; save "
                "{'model': model.state_dict()} instead"
            )
        if "model" in content:
            return content
        if not f.endswith(".pkl") or any("." in name for name in content):
            return {"model": content}  # Caffe2 has no dots in its names
        blobs = content.get("blobs", content)
        weights = {name: blob for name, blob in blobs.items() if not name.endswith("_momentum")}
        return {"model": weights, "__author__": "Caffe2", "matching_heuristics": True}

    def _load_model(self, checkpoint: dict[str, Any]) -> Any:
        self._convert_ndarray_to_tensor(checkpoint["model"])
        own_state = self.model.state_dict()
        if is_torchvision_resnet(checkpoint["model"]) and not is_torchvision_resnet(own_state):
            self._rename_torchvision(checkpoint)
        if checkpoint.get("matching_heuristics"):
            checkpoint["model"] = align_and_update_state_dicts(
                own_state,
                checkpoint["model"],
                c2_conversion=checkpoint.get("__author__") == "Caffe2",
            )
        result = super()._load_model(checkpoint)
        missing = [key for key in result.missing_keys if key not in _FROM_CONFIG]
        unexpected = [k for k in result.unexpected_keys if not any(part in k for part in _DERIVED)]
        return result._replace(missing_keys=missing, unexpected_keys=unexpected)

    def _rename_torchvision(self, checkpoint: dict[str, Any]) -> None:
        self.logger.info(
            "The checkpoint is a torchvision ResNet: its names are converted. It expects "
            "INPUT.FORMAT 'RGB', MODEL.PIXEL_MEAN [123.675, 116.280, 103.530], MODEL.PIXEL_STD "
            "[58.395, 57.120, 57.375] and MODEL.RESNETS.STRIDE_IN_1X1 False"
        )
        checkpoint["model"] = {
            convert_torchvision_resnet_name(name): value
            for name, value in checkpoint["model"].items()
        }
        checkpoint["matching_heuristics"] = True

    def _log_incompatible_keys(self, incompatible: Any) -> None:
        super()._log_incompatible_keys(incompatible)
        for key, there, here in incompatible.incorrect_shapes:
            if key.endswith("cls_score.weight"):
                self.logger.warning(
                    "The checkpoint was trained on %d classes, the model has %d: the box head's "
                    "last layers start anew. Set MODEL.ROI_HEADS.NUM_CLASSES to %d to keep them",
                    *(there[0] - 1, here[0] - 1, there[0] - 1),
                )
