"""The checkpointer of detectors: more formats, safe reading, atomic writing."""

import os
from typing import Any

from fvcore.common.checkpoint import Checkpointer
from torch import nn

from ..host import logger_of
from ..utils import comm
from ..utils.file_io import PathManager
from .c2_model_loading import align_and_update_state_dicts
from .reading import CheckpointError, other_checkpoints, read_checkpoint
from .writing import AtomicPathManager

_HEURISTICS = "?matching_heuristics=True"
_DERIVED = ("num_batches_tracked", "anchor_generator.cell_anchors")  # of no use to a model here


class DetectionCheckpointer(Checkpointer):
    """fvcore's :class:`Checkpointer` for the files that detectors come in.

    Reads Detectron2's ``.pth`` and ``.pkl`` and Caffe2's ResNets in ``.pkl``. A file runs no code
    while it is read. A file is written beside its place and renamed, so that a process killed on
    the way leaves the one before.
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
        self.logger = logger_of(__name__)
        self.path_manager = AtomicPathManager(PathManager)
        self._match_endings = False

    def load(self, path: str, checkpointables: list[str] | None = None) -> dict[str, Any]:
        """Load the model, and the checkpointables, from a file.

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
        self._match_endings = path.endswith(_HEURISTICS)
        path = path.removesuffix(_HEURISTICS)
        if path and not os.path.isfile(self.path_manager.get_local_path(path)):
            others = other_checkpoints(path)
            beside = f"; beside it there are {', '.join(others[:3])}" if others else ""
            raise FileNotFoundError(
                f"there is no checkpoint {path}{beside}. Correct MODEL.WEIGHTS (or "
                f"train.init_checkpoint), or the file 'last_checkpoint' when resuming"
            )
        return super().load(path, checkpointables)

    def _load_file(self, f: str) -> dict[str, Any]:
        """The content of a local file, with the weights under ``"model"``."""
        content = read_checkpoint(f)
        if not isinstance(content, dict):
            raise CheckpointError(
                f"{f} holds a {type(content).__name__}, not a checkpoint; save "
                "{'model': model.state_dict()} instead"
            )
        if "model" not in content:
            if f.endswith(".pkl") and not any("." in name for name in content):  # Caffe2's names
                blobs = content.get("blobs", content)
                weights = {k: v for k, v in blobs.items() if not k.endswith("_momentum")}
                content = {"model": weights, "__author__": "Caffe2", "matching_heuristics": True}
            else:
                content = {"model": content}
        if self._match_endings:
            content["matching_heuristics"] = True
        return content

    def _load_model(self, checkpoint: dict[str, Any]) -> Any:
        weights, own_state = checkpoint["model"], self.model.state_dict()
        self._convert_ndarray_to_tensor(weights)
        if checkpoint.get("matching_heuristics"):
            is_caffe2 = checkpoint.get("__author__") == "Caffe2"
            weights = align_and_update_state_dicts(own_state, weights, c2_conversion=is_caffe2)
        checkpoint["model"] = weights
        result = super()._load_model(checkpoint)
        unexpected = [k for k in result.unexpected_keys if not any(part in k for part in _DERIVED)]
        return result._replace(unexpected_keys=unexpected)
