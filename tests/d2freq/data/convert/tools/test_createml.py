"""CreateML to COCO: twenty random cases in pixels and in shares, and other anchors."""

import json

import pytest

from d2freq.data.convert.tools.createml import SHARES, convert_createml
from d2freq.errors import UserError
from d2freq.utils.jobs import FailedItems

from .cases import CASES, assert_holds, draw, put_images

OPTIONS = {"workers": 1, "progress": False}
SIDES = ("x", "y", "width", "height")


def entry_of(name, size, things, units, anchor="center", origin="topLeft"):
    scale = size if units == "shares" else (1, 1)
    annotations = []
    for thing in things:
        x, y, w, h = thing.numbers
        point = {"center": (x + w / 2, y + h / 2), "topLeft": (x, y), "bottomLeft": (x, y + h)}
        px, py = point[anchor]
        py = size[1] - py if origin == "bottomLeft" else py
        numbers = (px / scale[0], py / scale[1], w / scale[0], h / scale[1])
        coordinates = dict(zip(SIDES, numbers, strict=True))
        annotations.append({"label": thing.label, "coordinates": coordinates, **thing.attributes})
    return {"image": name, "annotations": annotations}


@pytest.mark.parametrize("seed", CASES)
def test_random_cases(seed, tmp_path):
    units, anchor = ("pixels", "shares")[seed % 2], ("center", "topLeft", "bottomLeft")[seed % 3]
    origin = ("topLeft", "bottomLeft")[seed % 4 // 2]
    drawn = draw(seed, ("box",))
    put_images(drawn, tmp_path)
    entries = [entry_of(n, s, t, units, anchor, origin) for n, (s, t) in drawn.items()]
    (tmp_path / "_annotations.createml.json").write_text(json.dumps(entries))
    options = {**OPTIONS, "anchor": anchor, "origin": origin}
    file = convert_createml(tmp_path, tmp_path / "out/gt.json", **options)
    count = sum(len(things) for _, things in drawn.values())
    assert assert_holds(file, drawn) == ({SHARES: count} if units == "shares" else {})


def test_refusals(tmp_path):
    put_images({"a.jpg": ((60, 40), [])}, tmp_path)
    path = tmp_path / "x.json"

    def convert(content, **options):
        path.write_text(json.dumps(content))
        return convert_createml(path, tmp_path / "out/gt.json", **OPTIONS, **options)

    box = {"label": "a", "coordinates": {"x": 5, "y": 5, "width": 2}}
    entry = {"imagefilename": "a.jpg", "annotations": [box]}
    with pytest.raises(FailedItems, match=r"image 0 \(a.jpg\), annotation 1: .* are not 4 numbers"):
        convert([entry])
    with pytest.raises(UserError, match="the image A.jpg again"):
        convert([entry, dict(entry, imagefilename="A.jpg")])
    with pytest.raises(UserError, match="no JSON of CreateML's.*detections in COCO's result form"):
        convert([{"image_id": 1, "category_id": 1, "bbox": [1, 1, 1, 1], "score": 0.5}])
    with pytest.raises(UserError, match="--units: 'percent' is unknown"):
        convert([entry], units="percent")
    with pytest.raises(FailedItems, match="no coordinates of x, y"):
        convert([dict(entry, annotations=[{"label": "a"}])])
