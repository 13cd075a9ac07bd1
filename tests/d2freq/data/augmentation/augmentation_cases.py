"""Images on which one can see where an object went: black, objects in a colour of their own."""

import numpy as np
from detectron2.structures import BoxMode
from PIL import Image

from d2freq.data.augmentation.sample import Sample, SeenObject


def painted(size, boxes, *, masks: bool = False) -> Sample:
    """(H, W) of black; object k has whole pixels of colour 60 + 40 k and class k."""
    image = np.zeros((*size, 3), np.uint8)
    objects = []
    for k, (x0, y0, x1, y1) in enumerate(boxes):
        image[y0:y1, x0:x1] = 60 + 40 * k
        ring = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64)
        box = np.array([x0, y0, x1, y1], np.float64)
        objects.append(SeenObject(box, k, mask=[ring] if masks else None))
    return Sample(image, objects)


def seen_box(image: np.ndarray, colour: int) -> list[int]:
    """The box of the pixels of a colour."""
    rows, columns = np.nonzero((image == colour).all(-1))
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def record(folder, name: str, sample: Sample) -> dict:
    """A record of a data set, with its file."""
    path = folder / f"{name}.png"
    Image.fromarray(sample.image).save(path)
    height, width = sample.size
    annotations = []
    for each in sample.objects:
        entry = dict(bbox=each.box.tolist(), bbox_mode=BoxMode.XYXY_ABS, category_id=each.category)
        if each.mask is not None:
            entry["segmentation"] = [ring.reshape(-1).tolist() for ring in each.mask]
        annotations.append(entry)
    about = dict(file_name=str(path), image_id=name, height=height, width=width)
    return {**about, "annotations": annotations}
