"""ImageNet weights of torchvision's networks, read by a detector under torchvision's own names."""

import logging
import re

from d2freq.engine.weights.addresses import fetch
from d2freq.engine.weights.bands import fit_bands
from d2freq.engine.weights.dino import fit_dino
from d2freq.engine.weights.finite_checkpointer import FiniteCheckpointer
from d2freq.engine.weights.frequency_input import fit_frequencies
from d2freq.engine.weights.new_layers import new_layers
from d2freq.engine.weights.published import fit_published
from d2freq.engine.weights.set import fit_set
from d2freq.utils.notices import BRIEF

logger = logging.getLogger(__name__)

# names that only such a file has together; ResNets of every depth, MobileNetV2
RESNET = {"conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "layer4.1.bn2.weight"}
MOBILENETV2 = {"features.0.0.weight", "features.18.0.weight", "classifier.1.weight"}


class TorchvisionCheckpointer(FiniteCheckpointer):
    """DetectionCheckpointer that knows torchvision's ResNets and MobileNetV2 by their names.

    Detectron2 wants them converted first, and otherwise starts from random weights with a warning.
    An ImageClassifier takes their last layer too, and a DINO the weights of other codes' DINO: see
    :func:`fit_dino`.
    A detector also reads what was trained with SET, and the other way round: see :func:`fit_set`;
    and one that takes frequencies, or other bands, reads an RGB network's: see
    :func:`fit_frequencies` and :func:`fit_bands`.
    """

    complete: bool = False  # weights to measure with: nothing is made to fit

    def load(self, path: str, checkpointables: list[str] | None = None) -> dict:
        """As DetectionCheckpointer.load, from a file, an address or a name of Detectron2's zoo.

        Raises:
            UserError: there is no such checkpoint, or it cannot be fetched.
        """
        return super().load(fetch(path, "checkpoint"), checkpointables=checkpointables)

    def _load_model(self, checkpoint):
        checkpoint = fit_published(checkpoint, self.model)
        checkpoint = fit_dino(checkpoint, self.model, resnet_name=resnet_name)
        weights = checkpoint["model"]
        is_resnet = RESNET.issubset(weights)
        if is_resnet or MOBILENETV2.issubset(weights):
            logger.info(
                "weights of torchvision: they expect INPUT.FORMAT RGB, MODEL.PIXEL_MEAN "
                "[123.675, 116.28, 103.53], MODEL.PIXEL_STD [58.395, 57.12, 57.375] and, of a "
                "ResNet, MODEL.RESNETS.STRIDE_IN_1X1 False"
            )
            rename = resnet_name if is_resnet else mobilenet_name
            checkpoint["model"] = {rename(k): value for k, value in weights.items()}
            checkpoint["matching_heuristics"] = True  # Detectron2: names match by their endings
        if not checkpoint.get("matching_heuristics"):  # by their endings names fit a SET model too
            checkpoint["model"] = fit_set(weights, self.model.state_dict())
        if not self.complete:
            checkpoint = fit_bands(checkpoint, self.model)
        return super()._load_model(fit_frequencies(checkpoint, self.model))

    def _log_incompatible_keys(self, incompatible):
        """A sentence about new layers, with the list in the log file; what does not fit, loudly."""
        fits = not incompatible.incorrect_shapes and not self.complete
        missing, unexpected = incompatible.missing_keys, incompatible.unexpected_keys
        said = new_layers(self.model, missing, unexpected) if fits and missing else None
        if said is None:
            super()._log_incompatible_keys(incompatible)
        elif said[0]:
            logger.info("%s", said[1], extra={BRIEF: said[0]})


def resnet_name(name: str) -> str:
    """``layer1.0.bn2.weight`` of torchvision is ``res2.0.conv2.norm.weight`` in Detectron2."""
    name = re.sub(r"^layer(\d)", lambda found: f"res{int(found[1]) + 1}", name)
    name = re.sub(r"^(conv1|bn1)\b", r"stem.\1", name)
    name = re.sub(r"\bbn(\d)\.", r"conv\1.norm.", name)
    name = re.sub(r"^fc\.", "linear.", name)
    return name.replace("downsample.0.", "shortcut.").replace("downsample.1.", "shortcut.norm.")


def mobilenet_name(name: str) -> str:
    """Layers keep their names, but ``classifier.1`` of torchvision is an ImageClassifier's head."""
    return re.sub(r"^classifier\.1\.", "linear.", name)
