"""What is found on tiles, mapped back and merged, is the ground truth of the originals again."""

import json

import numpy as np
import pytest
from PIL import Image

from d2freq.data.tiles.tile_coco import tile_coco
from d2freq.evaluation.coco.guard import Detections
from d2freq.evaluation.coco.merge_tiles import map_to_originals, merge


@pytest.mark.parametrize("scales", [(1.0,), (1.0, 0.5)])
def test_perfect_detections_on_tiles_are_the_objects_once_each(tmp_path, scales):
    """Each tile reports what it shows, cut objects with a lower score."""
    rng = np.random.default_rng(0)
    images, annotations = [], []
    for number in (1, 2):
        Image.fromarray(rng.integers(0, 256, (155, 211, 3), dtype=np.uint8)).save(
            tmp_path / f"{number}.png"
        )
        images.append(dict(id=number, file_name=f"{number}.png", width=211, height=155))
        for x in range(2, 190, 21):  # a grid, so that none overlaps another
            for y in range(2, 130, 21):
                w, h = (int(v) for v in rng.integers(4, 20, 2))
                annotations.append(
                    dict(id=len(annotations) + 1, image_id=number, category_id=1 + w % 2)
                    | dict(bbox=[x, y, w, h], area=w * h, iscrowd=0)
                )
    categories = [dict(id=1, name="a"), dict(id=2, name="b")]
    source = dict(images=images, annotations=annotations, categories=categories)
    options = {"size": (64, 64), "overlap": (24, 24), "scales": scales, "min_visible": 0.8}
    file = tile_coco(source, tmp_path, tmp_path / "out", workers=1, progress=False, **options)
    tiles = json.loads(file.read_text())
    seen = [a for a in tiles["annotations"] if not a["iscrowd"]]
    found = Detections(
        image_id=np.array([a["image_id"] for a in seen]),
        category_id=np.array([a["category_id"] for a in seen]),
        xywh=np.array([a["bbox"] for a in seen], np.float64),
        score=np.array([a.get("visible", 1.0) for a in seen]),
    )
    assert len(found) > len(annotations)
    merged = merge(map_to_originals(found, tiles), method="nms", iou_threshold=0.5)

    def rows(image_id, category_id, boxes):
        columns = np.concatenate([np.stack([image_id, category_id], 1), boxes], 1)
        return sorted(map(tuple, columns.tolist()))

    wanted = [np.array([a[key] for a in annotations]) for key in ("image_id", "category_id")]
    boxes = np.array([a["bbox"] for a in annotations], np.float64)
    assert rows(merged.image_id, merged.category_id, merged.xywh) == rows(*wanted, boxes)
