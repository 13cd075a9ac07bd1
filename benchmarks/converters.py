"""Images a second of the converters, in one and in two processes, on synthetic sources.

python benchmarks/converters.py [--images 2000] [--large 24]
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from common import where

SIZE = (1360, 765)  # VisDrone's most frequent size
LARGE = (4000, 3000)  # a middling DOTA image
OBJECTS = 53  # a VisDrone image: 343,205 boxes in 6,471 images
PROCESSES = (1, 2)


def write_visdrone(folder: Path, count: int) -> Path:
    """A VisDrone folder of ``count`` plain images with random labels."""
    random = np.random.default_rng(0)
    for part in ("images", "annotations"):
        (folder / part).mkdir(parents=True)
    cv2.imwrite(str(folder / "plain.jpg"), np.full((SIZE[1], SIZE[0], 3), 90, np.uint8))
    picture = (folder / "plain.jpg").read_bytes()
    for number in range(count):
        (folder / "images" / f"{number:07d}.jpg").write_bytes(picture)
        boxes = np.stack(
            [
                *(random.integers(0, side - 80, OBJECTS) for side in SIZE),
                *random.integers(4, 80, (2, OBJECTS)),
                np.ones(OBJECTS, int),
                random.integers(0, 12, OBJECTS),
                *random.integers(0, 2, (2, OBJECTS)),
            ],
            axis=1,
        )
        lines = "".join(",".join(map(str, row)) + "\r\n" for row in boxes.tolist())
        (folder / "annotations" / f"{number:07d}.txt").write_text(lines)
    return folder


def write_large(folder: Path, count: int) -> Path:
    """A COCO file of ``count`` large images with soft noise, which compresses like a photograph."""
    random = np.random.default_rng(0)
    folder.mkdir(parents=True)
    images, annotations = [], []
    for number in range(1, count + 1):
        noise = random.integers(0, 256, (LARGE[1] // 4, LARGE[0] // 4, 3), dtype=np.uint8)
        soft = cv2.resize(noise, LARGE, interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{number}.jpg"), soft)
        record = {"id": number, "file_name": f"{number}.jpg"}
        images.append(record | {"width": LARGE[0], "height": LARGE[1]})
        for x, y in zip(
            *(random.integers(0, side - 40, 400).tolist() for side in LARGE), strict=True
        ):
            box = {"id": len(annotations) + 1, "image_id": number, "bbox": [x, y, 20, 20]}
            annotations.append(box | {"category_id": 1, "area": 400, "iscrowd": 0})
    categories = [{"id": 1, "name": "vehicle"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "gt.json").write_text(json.dumps(content))
    return folder / "gt.json"


def seconds(run: Callable[[], object]) -> float:
    """Of one call: what is measured starts from files that the system has in memory."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    """Print one markdown row for each converter."""
    from d2freq.data.convert.visdrone import convert_visdrone
    from d2freq.data.tiles.tile_coco import tile_coco

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000, help="of VisDrone")
    parser.add_argument("--large", type=int, default=24, help=f"images of {LARGE} pixels to cut")
    args = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        source = write_visdrone(root / "visdrone", args.images)
        truth = write_large(root / "large", args.large)
        quiet = {"progress": False}
        took = {
            n: seconds(lambda n=n: convert_visdrone(source, root / f"{n}.json", workers=n, **quiet))
            for n in PROCESSES
        }
        rows.append((f"visdrone, {args.images} images with {OBJECTS} lines", args.images, took))
        for kind in ("png", "jpg"):
            took = {
                n: seconds(
                    lambda n=n, kind=kind: tile_coco(
                        *(truth, truth.parent, root / f"{kind}{n}"),
                        image_format=kind,
                        workers=n,
                        **quiet,
                    )
                )
                for n in PROCESSES
            }
            tiles = len(list((root / f"{kind}1" / "images").iterdir()))
            what = f"tiles, {args.large} images of {LARGE[0]} x {LARGE[1]} to {tiles} {kind} tiles"
            rows.append((what, args.large, took))
    print(where())
    heads = " | ".join(f"images/s, {n} process{'es' * (n > 1)}" for n in PROCESSES)
    print(f"\n| converter | {heads} |\n|---|{'---|' * len(PROCESSES)}")
    for what, count, took in rows:
        print(f"| {what} | {' | '.join(f'{count / s:.3g}' for s in took.values())} |")


if __name__ == "__main__":
    main()
