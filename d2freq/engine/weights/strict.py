"""A checkpointer that refuses weights which do not fit, instead of dropping them."""

import logging
import os
import warnings

from torch import nn

from d2freq.engine.weights.addresses import fetch
from d2freq.engine.weights.set import serves_training_alone
from d2freq.engine.weights.torchvision import TorchvisionCheckpointer
from d2freq.errors import UserError


class StrictCheckpointer(TorchvisionCheckpointer):
    """DetectionCheckpointer that raises where a tensor of the file has another shape.

    Detectron2 skips such tensors with a warning, so that a detector of 80 classes quietly starts
    its predictor anew. Missing and unexpected keys stay a warning, so that a plain FPN
    checkpoint still loads into HS-FPN, unless ``complete`` is set, as for evaluation.
    """

    _weights_path: str = ""

    def load(self, path: str, checkpointables: list[str] | None = None) -> dict:
        """As DetectionCheckpointer.load; remembers the path for the error.

        Raises:
            UserError: the file does not exist, a tensor's shape differs from the model's, or
                ``complete`` is set and file and model do not hold the same tensors.
        """
        self._weights_path = path
        return super().load(path, checkpointables=checkpointables)

    def _load_model(self, checkpoint):
        incompatible = super()._load_model(checkpoint)
        if incompatible is None:
            return None
        if incompatible.incorrect_shapes:
            lines = [
                f"{key}: {tuple(theirs)} in the checkpoint, {tuple(ours)} in the model"
                for key, theirs, ours in incompatible.incorrect_shapes
            ]
            raise UserError(
                f"checkpoint {self._weights_path} does not fit the model:\n  "
                + "\n  ".join(lines)
                + "\nIf the class count differs, set it (MODEL.ROI_HEADS.NUM_CLASSES, "
                "MODEL.RETINANET.NUM_CLASSES, MODEL.DINO.NUM_CLASSES or the like) to the "
                "checkpoint's, or, to fine-tune with these "
                "layers started anew, D2FREQ.STRICT_WEIGHTS False (train.strict_weights=False in "
                "a lazy config)."
            )
        if self.complete:
            missing = [n for n in incompatible.missing_keys if not serves_training_alone(n)]
            self._refuse_strangers(missing, "lacks", "the model has")
            self._refuse_strangers(incompatible.unexpected_keys, "holds", "the model lacks")
        return incompatible

    def _refuse_strangers(self, keys: list[str], verb: str, side: str) -> None:
        if keys:
            raise UserError(
                f"checkpoint {self._weights_path} {verb} {len(keys)} tensors that {side}, such as "
                f"{', '.join(sorted(keys)[:3])}: another model than the trained one would be "
                "measured. Use the config that the checkpoint was trained with, or set "
                "D2FREQ.STRICT_WEIGHTS False (train.strict_weights=False in a lazy config)"
            )


def load_weights(model: nn.Module, weights: str, output_dir: str, *, resume: bool, strict: bool):
    """Load ``weights``, or with ``resume`` the last checkpoint of ``output_dir``, to evaluate.

    Args:
        strict: refuse tensors that are missing or of another shape, instead of skipping them.

    Returns:
        What else the checkpoint held, such as ``iteration``.

    Raises:
        UserError: no such file, or with ``strict`` weights that do not fit.
    """
    if strict:
        checkpointer: TorchvisionCheckpointer = StrictCheckpointer(model, output_dir)
    else:
        checkpointer = TorchvisionCheckpointer(model, output_dir)
    checkpointer.complete = True
    return checkpointer.resume_or_load(weights, resume=resume)


def unreadable(path: str, error: Exception) -> UserError:
    """What a user is told of a checkpoint whose reading failed with ``error``."""
    reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
    return UserError(
        f"checkpoint {path} ({os.path.getsize(fetch(path))} bytes) cannot be read: {reason[0]}. "
        "Take another one, or fetch it again"
    )


def check_fits(model: nn.Module, path: str, *, complete: bool) -> None:
    """Read a checkpoint into a model without memory (device "meta"): does it fit?

    Raises:
        UserError: the file cannot be read, or does not fit; see StrictCheckpointer.
    """
    checkpointer = StrictCheckpointer(model)
    checkpointer.complete = complete
    logging.disable(logging.ERROR)  # the real loading says the same again
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # copying to "meta" copies nothing, as wanted here
            checkpointer.load(path, checkpointables=[])
    except UserError:
        raise
    except Exception as error:  # a damaged file fails in as many ways as there are formats
        raise unreadable(path, error) from error
    finally:
        logging.disable(logging.NOTSET)
