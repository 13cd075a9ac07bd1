"""README's picture: a real aerial photograph at its own size and enlarged, with what was found.

    python benchmarks/aerial_picture.py OUTPUT_FOLDER docs/images/aerial.jpg

The folder is that of a training of configs/evidence on kit-ais-half, which has not seen this
street. Data: KIT AIS Data Set, CC BY 3.0; see kit_ais_half_val in datasets/README.md.
"""

import sys
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

import d2freq  # noqa: F401  chooses the host before anything of detectron2 is imported

# isort: split
from detectron2.data import DatasetCatalog

from d2freq.analysis.detections.hits import Found, Objects, match
from d2freq.inference import Detector

NAME, TIMES, SCORE = "MOS81.jpg", 3, 0.5
GREEN, RED, AMBER = (60, 230, 90), (255, 70, 70), (255, 190, 40)
INK, GAP, LINE = (40, 40, 40), 24, 22


def main(folder: str, output: str) -> None:
    """Search the picture and draw it."""
    records = DatasetCatalog.get("kit_ais_half_val")
    record = next(r for r in records if Path(r["file_name"]).name == NAME)
    truth = np.array([each["bbox"] for each in record["annotations"]], float)
    result = Detector.load(folder)(record["file_name"], score=SCORE)
    boxes = np.asarray(result.boxes, float)
    xywh = np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)
    one_class = np.zeros(len(boxes), int), np.zeros(len(truth), int)
    objects = Objects(truth, one_class[1], np.zeros(len(truth), bool))
    matches = match(Found(xywh, one_class[0], np.asarray(result.scores)), objects)

    groups = (
        (GREEN, xywh[matches.hit], f"found ({matches.hit.sum()} of {len(truth)})"),
        (AMBER, xywh[~matches.hit], f"no vehicle there ({(~matches.hit).sum()})"),
        (RED, truth[~matches.found], f"missed ({(~matches.found).sum()})"),
    )
    picture = Image.open(record["file_name"]).convert("RGB")
    large = picture.resize(
        (picture.width * TIMES, picture.height * TIMES), Image.Resampling.BICUBIC
    )
    pen = ImageDraw.Draw(large)
    for colour, group, _ in groups:
        for x, y, width, height in group * TIMES:
            pen.rectangle([x, y, x + width, y + height], outline=colour, width=2)

    canvas = Image.new("RGB", (picture.width + GAP + large.width, large.height), "white")
    canvas.paste(picture, (0, 0))
    canvas.paste(large, (picture.width + GAP, 0))
    _legend(ImageDraw.Draw(canvas), picture, [(colour, words) for colour, _, words in groups])
    canvas.save(output, quality=88)


def _legend(pen: ImageDraw.ImageDraw, picture: Image.Image, groups: list) -> None:
    file = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    font = ImageFont.truetype(str(file), 15)
    size = f"{picture.width} x {picture.height} pixels: vehicles are"
    lines = ["The picture at its own size,", size, "10 to 19 pixels long.", ""]
    lines += [f"On the right, {TIMES} times enlarged:"]
    y = picture.height + 14
    for line in lines:
        pen.text((0, y), line, fill=INK, font=font)
        y += LINE
    for colour, words in groups:
        y += 4
        pen.rectangle([2, y + 2, 16, y + 16], outline=colour, width=3)
        pen.text((26, y), words, fill=INK, font=font)
        y += LINE


if __name__ == "__main__":
    main(*sys.argv[1:])
