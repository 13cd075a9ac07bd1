"""Random images and objects, and what a COCO file has to hold of them."""

import json
import math
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from d2freq.data.convert.images_to_coco import OVER_BORDER

LABELS = ("ship & boat", "wind <mill>", "Öltank")
CASES = range(20)


@dataclass
class Thing:
    """An object: its class, kind, numbers, and attributes."""

    label: str
    kind: str  # box, turned, polygon, ellipse
    numbers: list
    attributes: dict
    occluded: int = 0

    def wish(self) -> dict:
        """The keys of its annotation, from a formula of its own."""
        if self.kind == "box":
            return {"bbox": self.numbers}
        if self.kind == "ellipse":
            cx, cy, rx, ry, degrees = self.numbers
            t = np.radians(degrees)
            turn = np.linspace(0, 2 * np.pi, 7201)
            x = cx + rx * np.cos(turn) * np.cos(t) - ry * np.sin(turn) * np.sin(t)
            y = cy + rx * np.cos(turn) * np.sin(t) + ry * np.sin(turn) * np.cos(t)
            return {"bbox": [x.min(), y.min(), np.ptp(x), np.ptp(y)], "ellipse": self.numbers}
        if self.kind == "turned":
            x, y, w, h, degrees = self.numbers
            centre = complex(x + w / 2, y + h / 2)
            turn = complex(math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))
            ends = [complex(x, y), complex(x + w, y), complex(x + w, y + h), complex(x, y + h)]
            points = [centre + (end - centre) * turn for end in ends]
            ring = [value for point in points for value in (point.real, point.imag)]
        else:
            ring = [value for point in self.numbers for value in point]
        xs, ys = ring[0::2], ring[1::2]
        return {
            "bbox": [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)],
            "segmentation": [ring],
        }


def draw(seed: int, kinds: tuple[str, ...]) -> dict[str, tuple[tuple[int, int], list[Thing]]]:
    """File name -> ((width, height), objects), some names with spaces, folders and accents."""
    random = np.random.default_rng(seed)
    found = {}
    for name in (f"a b_{seed}.png", f"sub/ö#{seed}.jpg", f"bare{seed}.png"):
        width, height = random.integers(40, 300, 2).tolist()
        things = []
        for number in range(0 if name.startswith("bare") else int(random.integers(1, 7))):
            kind = kinds[number % len(kinds)]
            w, h = random.uniform(1, 20, 2).tolist()
            x, y = random.uniform(0, width - 20), random.uniform(0, height - 20)
            if kind == "box":
                numbers: list = [x, y, w, h]
            elif kind == "turned":
                numbers = [x, y, w, h, float(random.uniform(1, 359))]
            elif kind == "polygon":
                points = random.uniform(0, 20, (int(random.integers(3, 8)), 2)) + [x, y]
                numbers = points.tolist()
            else:
                numbers = [x, y, w, h, float(random.uniform(1, 179))]
            label = LABELS[int(random.integers(len(LABELS)))]
            attributes = {"note": f'n{number}, "é"'} if random.random() < 0.5 else {}
            things.append(Thing(label, kind, numbers, attributes, int(random.integers(2))))
        found[name] = ((width, height), things)
    return found


def put_images(drawn: dict, folder) -> None:
    for name, (size, _) in drawn.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", size).save(path)


def assert_holds(file, drawn: dict, *, occluded=False, keys=None) -> dict:
    """The COCO file has every image and object, none twice, to 1e-6 of a pixel; its notes."""
    data = json.loads(file.read_text())
    names = {c["id"]: c["name"] for c in data["categories"]}
    images = {image["file_name"]: image for image in data["images"]}
    assert images.keys() == drawn.keys()
    for name, (size, things) in drawn.items():
        assert (images[name]["width"], images[name]["height"]) == size
        found = [a for a in data["annotations"] if a["image_id"] == images[name]["id"]]
        assert len(found) == len(things)
        for annotation, thing in zip(found, things, strict=True):
            assert names[annotation["category_id"]] == thing.label
            for key, value in thing.wish().items():
                tolerance = 1e-3 if thing.kind == "ellipse" else 1e-6
                flat = np.ravel(annotation[key])
                assert flat == pytest.approx(np.ravel(value), abs=tolerance), (key, thing)
            assert annotation.get("attributes", {}) == thing.attributes
            assert annotation["area"] == annotation["bbox"][2] * annotation["bbox"][3]
            assert not occluded or annotation["occluded"] == thing.occluded
    return {k: n for k, n in data["info"]["notes"].items() if k != OVER_BORDER}
