"""A checkpointer that refuses weights of another class count instead of dropping them."""

from detectron2.checkpoint import DetectionCheckpointer

from d2freq.errors import UserError


class StrictCheckpointer(DetectionCheckpointer):
    """DetectionCheckpointer that raises where a tensor of the file has another shape.

    Detectron2 skips such tensors with a warning, so that a detector of 80 classes quietly starts
    its predictor anew. Missing and unexpected keys stay a warning: a plain FPN checkpoint
    still loads into HS-FPN.
    """

    def _load_model(self, checkpoint):
        incompatible = super()._load_model(checkpoint)
        if incompatible is not None and incompatible.incorrect_shapes:
            lines = [
                f"{key}: {tuple(theirs)} in the checkpoint, {tuple(ours)} in the model"
                for key, theirs, ours in incompatible.incorrect_shapes
            ]
            raise UserError(
                f"checkpoint {self._weights_path or ''} does not fit the model:\n  "
                + "\n  ".join(lines)
                + "\nIf the class count differs, set MODEL.ROI_HEADS.NUM_CLASSES to the "
                "checkpoint's, or, to fine-tune with these layers started anew, "
                "D2FREQ.STRICT_SHAPES False (train.strict_shapes=False in a lazy config)."
            )
        return incompatible

    _weights_path: str = ""

    def load(self, path, checkpointables=None):
        """As DetectionCheckpointer.load; remembers the path for the error.

        Raises:
            UserError: the file does not exist, or a tensor's shape differs from the model's.
        """
        self._weights_path = path
        if path and "://" not in path and not self.path_manager.isfile(path):
            raise UserError(f"checkpoint {path}: no such file; check MODEL.WEIGHTS")
        return super().load(path, checkpointables=checkpointables)


def load_weights(model, weights: str, output_dir: str, *, resume: bool, strict: bool, **tracked):
    """Load ``weights`` (or with ``resume`` the last checkpoint of ``output_dir``) into a model.

    Args:
        strict: refuse tensors of another shape (StrictCheckpointer) instead of skipping them.
        tracked: further objects with a state_dict that the checkpointer restores on resume.

    Returns:
        What else the checkpoint held, such as ``iteration``.
    """
    kind = StrictCheckpointer if strict else DetectionCheckpointer
    return kind(model, output_dir, **tracked).resume_or_load(weights, resume=resume)
