"""A COCO file is written with its sections in order, and read again."""

import json

from d2freq.data.coco.write import write_coco

IMAGE = {"id": 1, "file_name": "ä.png", "width": 9, "height": 8}
BOX = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3.5, 4], "area": 14.0, "iscrowd": 0}


def test_what_is_written_is_read(tmp_path):
    wish = dict(images=[IMAGE], annotations=[BOX], categories=[{"id": 1, "name": "ship"}])
    file = write_coco(tmp_path / "new" / "folder" / "gt.json", **wish)
    assert json.loads(file.read_bytes()) == wish
    again = write_coco(file, **wish, info={"seed": 1})
    assert list(json.loads(again.read_bytes())) == ["info", *wish]
    assert [path.name for path in file.parent.iterdir()] == ["gt.json"]
