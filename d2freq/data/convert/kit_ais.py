"""KIT AIS (vehicles) at half resolution, from its labels in jekhor/aerial-cars-dataset.

The labels there are YOLO's, beside PNG files, among pictures of other sources. The frames of one
street follow each other in time, so a street belongs to one split alone.
"""

import os
from functools import partial
from pathlib import Path

from PIL import Image

from d2freq.data.convert.images_to_coco import convert_images, image_result
from d2freq.data.convert.label_files import Pair, find_files, read_lines, read_number
from d2freq.errors import UserError
from d2freq.utils.files import replacing

STREETS = ("MOS", "MunichStreet02-MOS")  # how the names of its frames begin
VAL = range(74, 94)  # numbers of the frames MOS74 to MOS93, of a street that train does not show
DIGITS = 2  # of a pixel
QUALITY = 95  # of the JPEG files, without halved colours, which blur what is a few pixels large


def convert_kit_ais(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    workers: int | None = None,
    progress: bool = True,
) -> list[Path]:
    """Write ``train.json``, ``val.json`` and ``images`` at half resolution into ``output``.

    Images are resized by Pillow's Lanczos filter to half of each side, rounded down. Boxes are cut
    at the border and rounded to a hundredth of a pixel; all classes of vehicles are one.

    Args:
        source: a copy of github.com/jekhor/aerial-cars-dataset; its other pictures are left alone.

    Raises:
        UserError: another folder.
        FailedItems: unreadable images or rows.
    """
    root, target = Path(source), Path(output)
    images, labels = find_files(root, (".png",)), find_files(root, (".txt",))
    frames = {stem: path for stem, path in images.items() if _number(stem) is not None}
    bare = sorted(stem for stem in frames if stem not in labels)
    if not frames or bare:
        what = f"no label file of {bare[0]}" if bare else "no frame MOS74.png and so on"
        raise UserError(
            f"{root}: {what}; SOURCE is a copy of github.com/jekhor/aerial-cars-dataset"
        )
    val = {stem for stem in frames if stem.startswith("MOS") and _number(stem) in VAL}
    pairs = {s: Pair(str(root), frames[s], str(root / labels[s])) for s in sorted(frames)}
    written = []
    for split, stems in (("train", frames.keys() - val), ("val", val)):
        written.append(
            convert_images(
                target / f"{split}.json",
                partial(_convert, folder=str(target / "images")),
                [pairs[stem].item() for stem in sorted(stems)],
                key={"format": "kit-ais", "source": os.path.abspath(root), "split": split},
                names=["vehicle"],
                description="KIT AIS (vehicles) at half resolution, CC BY 3.0, "
                "labels of jekhor/aerial-cars-dataset",
                workers=workers,
                progress=progress,
            )
        )
    return written


def _number(stem: str) -> int | None:
    """Of a frame; None of other pictures."""
    for street in STREETS:
        if stem.startswith(street) and stem.removeprefix(street).isdigit():
            return int(stem.removeprefix(street))
    return None


def _convert(pair: Pair, *, folder: str) -> dict:
    record = pair.image_record()
    width, height = round(record["width"] / 2), round(record["height"] / 2)
    name = f"{Path(pair.image).stem}.jpg"
    with Image.open(os.path.join(pair.root, pair.image)) as image:
        half = image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    with replacing(os.path.join(folder, name), sync=False) as draft:
        half.save(draft, "JPEG", quality=QUALITY, subsampling=0)
    boxes = []
    for place, text in read_lines(pair.label):
        numbers = [read_number(word, place) for word in text.split()]
        if len(numbers) != 5:
            raise UserError(f"{place}: {len(numbers)} numbers, expected class cx cy w h")
        _, cx, cy, w, h = numbers
        left, top = max(0, (cx - w / 2) * width), max(0, (cy - h / 2) * height)
        right, bottom = min(width, (cx + w / 2) * width), min(height, (cy + h / 2) * height)
        bbox = [round(v, DIGITS) for v in (left, top, right - left, bottom - top)]
        area = round(bbox[2] * bbox[3], DIGITS)
        boxes.append({"category": "vehicle", "bbox": bbox, "area": area, "iscrowd": 0})
    return image_result({"file_name": name, "width": width, "height": height}, boxes)
