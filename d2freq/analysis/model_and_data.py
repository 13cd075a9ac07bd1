"""What an analysis looks at: a detector with its weights, and images as it sees them in testing.

Images get the augmentations of the config's test loader, so that sizes are those of inference,
and keep their ground truth, which that loader drops. Boxes are (x0, y0, x1, y1) in pixels of the
network's input, areas in pixels of the image as it is on disk, as a protocol counts them.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from detectron2.data import get_detection_dataset_dicts
from torch import Tensor, nn

from d2freq.engine.build import build
from d2freq.engine.checks import check_names
from d2freq.engine.config import Config, load_config
from d2freq.errors import UserError
from d2freq.evaluation.protocols import Protocol, get_protocol
from d2freq.modeling.set import SET

__all__ = ["Image", "Subject", "areas_of", "choose", "load_subject", "pick_record", "scales_of"]


@dataclass(frozen=True)
class Subject:
    """A model and what its config says about its data.

    Attributes:
        config: that describes it.
        model: in evaluation mode, a SET model or a plain detector.
        mapper: from a record to the model's input with "instances"; of image folders without.
        dataset: name in the catalog.
        records: of that data set, images without objects included.
        protocol: whose size classes objects are sorted by.
        about: config, overrides, weights and model, for the record of an analysis.
    """

    config: Config
    model: nn.Module
    mapper: Callable[[dict], dict]
    dataset: str
    records: list[dict]
    protocol: Protocol
    about: dict[str, Any]

    @property
    def detector(self) -> Any:
        """The detector that inference runs: inside of a SET model, else the model itself."""
        return self.model.detector if isinstance(self.model, SET) else self.model

    def image(self, record: dict) -> "Image":
        """One image of the data set, read and prepared."""
        inputs = self.mapper(copy.deepcopy(record))
        boxes = inputs["instances"].gt_boxes.tensor
        return Image(inputs, boxes, getattr(self.detector, "input_format", "RGB"))


@dataclass(frozen=True)
class Image:
    """The model's input for one image, its boxes (N, 4), crowds left out, and "RGB" or "BGR"."""

    inputs: dict
    boxes: Tensor
    input_format: str

    @property
    def size(self) -> tuple[int, int]:
        """H, W of the network's input, without padding."""
        height, width = self.inputs["image"].shape[-2:]
        return height, width

    def pixels(self) -> np.ndarray:
        """(H, W, 3) uint8, RGB, as the network sees it; the first channels where it sees others."""
        image = self.inputs["image"].permute(1, 2, 0).numpy()
        if image.dtype != np.uint8:  # of INPUT.PIXELS
            image = np.clip(np.rint(image), 0, 255).astype(np.uint8)
        if image.shape[2] != 3:
            return image[:, :, :3] if image.shape[2] > 3 else image[:, :, :1].repeat(3, axis=2)
        return image[:, :, ::-1] if self.input_format == "BGR" else image


def load_subject(
    config_file: str,
    overrides: Sequence[str] = (),
    *,
    weights: str | None = None,
    dataset: str | None = None,
    protocol: str | Protocol | None = None,
    device: str = "cpu",
    truth: bool = True,
) -> Subject:
    """The model of a config, YAML or lazy, with the data set that it is tested on.

    Args:
        config_file, overrides, weights, device: see config_model.
        dataset: a registered name; None takes the config's first test set.
        protocol: a name or a .yaml file; None takes the config's.
        truth: whether boxes are needed; without them a classifier's image folders do, too.

    Raises:
        UserError: the config, the weights, the data set or the protocol is missing or faulty.
        DatasetError: the data set's files are missing or faulty.
    """
    config = load_config(config_file, overrides)
    name = dataset or next(iter(config.test_sets()), "")
    if not name:
        raise UserError(f"{config_file}: names no test set; name one: --dataset")
    check_names([name], where="--dataset")
    mapper = config.test_mapper(name, truth=True)
    records = get_detection_dataset_dicts(name, filter_empty=False)
    if truth and "annotations" not in records[0]:
        raise UserError(f"data set {name} has no annotations; take one with ground truth")
    model = build(config, weights=weights, device=device)
    about = {
        "config": config_file,
        "overrides": list(overrides),
        "weights": weights,
        "model": _name(model),
        "label": _name(model),
        "device": device,
    }
    measured_by = get_protocol(protocol or config.protocol or "aitod")
    return Subject(config, model, mapper, name, records, measured_by, about)


def choose(records: Sequence[dict], count: int, *, seed: int | None = None) -> list[dict]:
    """``count`` records, 0 for all: at even steps, or at random without repeats.

    Raises:
        UserError: a negative count.
    """
    if count < 0:
        raise UserError(f"--count {count}: a number of images, or 0 for all")
    if not count or count >= len(records):
        return list(records)
    if seed is None:
        places = np.linspace(0, len(records) - 1, count).round().astype(int)
    else:
        places = np.sort(np.random.default_rng(seed).choice(len(records), count, replace=False))
    return [records[place] for place in places]


def areas_of(image: Image) -> np.ndarray:
    """Areas of the boxes in pixels of the image on disk: (N,) float64."""
    height, width = image.size
    scale = image.inputs["height"] * image.inputs["width"] / (height * width)
    boxes = image.boxes.double()
    return ((boxes[:, 2:] - boxes[:, :2]).prod(1) * scale).round(decimals=3).numpy()


def scales_of(areas: np.ndarray, protocol: Protocol) -> dict[str, np.ndarray]:
    """Which boxes are of each size class: label -> (N,) bool; ends belong to both sides."""
    return {area.label: (area.low <= areas) & (areas <= area.high) for area in protocol.areas}


def _name(model: nn.Module) -> str:
    inner = f"({type(model.detector).__name__})" if isinstance(model, SET) else ""
    return f"{type(model).__name__}{inner}"


def pick_record(subject: Subject, image_id: int | None) -> dict:
    """The record of that id, or the first with objects.

    Raises:
        UserError: there is none.
    """
    for record in subject.records:
        if image_id is None:
            if any(not a.get("iscrowd", 0) for a in record["annotations"]):
                return record
        elif record["image_id"] == image_id:
            return record
    if image_id is None:
        raise UserError(f"data set {subject.dataset} has no object in any image")
    first = ", ".join(str(record["image_id"]) for record in subject.records[:5])
    raise UserError(f"--image-id {image_id}: {subject.dataset} has no such image, but {first}, ...")
