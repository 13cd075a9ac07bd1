"""What `d2freq detect` costs and what its tiles change: memory, seams, where the time goes.

python benchmarks/detect.py memory [--side 20000] [--folder FOLDER]
python benchmarks/detect.py seams --weights OUTPUT_DIR [--dataset NAME] [--tile 256]
python benchmarks/detect.py time --weights OUTPUT_DIR [--dataset NAME] [--tile 256]

``memory`` searches a generated GeoTIFF with an engine that needs no memory and finds 60 boxes on
each tile, and writes COCO, CSV and GeoJSON: the peak is what the run takes beside a model.

``seams`` puts the pictures of a data set together to a large one, and measures a detector's AP on
it as a whole, on tiles merged by NMS alone, and on tiles with cores, by each method of merging.
Detections that score 0.3 or more and lie on an object that a better one has found already
are its duplicates, parts of it that a tile has cut off included.

``time`` says which part of a run on the same picture takes how long.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
from common import in_new_process, peak_rss_mb, where

from d2freq.data.coco.read import read_coco
from d2freq.evaluation import get_protocol
from d2freq.evaluation.coco.guard import Detections as Rows
from d2freq.evaluation.coco.measure import check_truth, measure
from d2freq.inference import Detections, Detector, Picture, PictureResult
from d2freq.inference import searcher as searcher_module
from d2freq.inference.engines.engine import ModelAbout
from d2freq.inference.outputs import RunInfo, write_outputs
from d2freq.inference.parts import Parts
from d2freq.inference.run import search
from d2freq.inference.searcher import Searcher, Settings
from d2freq.inference.sources import find_sources
from d2freq.inference.sources.decoded import Decoded
from d2freq.inference.sources.source import OpenPicture
from d2freq.inference.tiling import Merging, TilePlan
from d2freq.utils.pixels import read_rgb

SEEN = 0.3  # a score from which on a detection is shown to a person
COLUMNS = 5  # pictures beside each other


# --- memory ---------------------------------------------------------------------------------------


class SixtyBoxes:
    """Finds 60 boxes of 6 to 20 pixels on whatever it is given."""

    about = ModelAbout(names=("thing",), channel_order="RGB")

    def __init__(self) -> None:
        self._random = np.random.default_rng(0)

    def __call__(self, pictures) -> list[Detections]:
        return [self._boxes(*pixels.shape[:2]) for pixels in pictures]

    def _boxes(self, height: int, width: int) -> Detections:
        sides = self._random.uniform(6, 20, (60, 2))
        low = self._random.uniform(0, 1, (60, 2)) * (np.array([width, height]) - sides)
        scores = -np.sort(-self._random.uniform(SEEN, 1, 60))
        return Detections(np.hstack([low, low + sides]), scores, np.zeros(60, int), ("thing",))


def write_raster(path: Path, side: int, *, tiled: bool) -> None:
    """Noise of 8 bits, three bands, in blocks of 512 pixels or in strips; a tenth is nodata."""
    import rasterio

    random = np.random.default_rng(0)
    rows = random.integers(1, 256, (3, 512, side), dtype=np.uint8)
    layout = dict(tiled=True, blockxsize=512, blockysize=512) if tiled else {}
    place = rasterio.transform.Affine(0.3, 0, 500_000, 0, -0.3, 5_400_000)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=side,
        height=side,
        count=3,
        dtype="uint8",
        crs="EPSG:32632",
        transform=place,
        nodata=0,
        compress="lzw",
        **layout,
    ) as data:
        for top in range(0, side, 512):
            height = min(512, side - top)
            part = rows[:, :height].copy()
            part[:, :, : side // 10] = 0
            data.write(part, window=rasterio.windows.Window(0, top, side, height))


def measure_memory(folder: Path, side: int) -> None:
    for tiled in (True, False):
        path = folder / f"{side}_{'tiled' if tiled else 'strips'}.tif"
        if not path.is_file():
            write_raster(path, side, tiled=tiled)
        line = in_new_process(__file__, "one-raster", "--folder", str(folder), "--file", str(path))
        print(line)


def search_raster(path: Path, folder: Path) -> None:
    """One run, in a process of its own; the last line says what it took."""
    before, start = peak_rss_mb(), time.perf_counter()
    with tempfile.TemporaryDirectory(dir=folder) as output:
        parts = Parts(Path(output), {}, ("thing",))
        parts.begin()
        settings = Settings(TilePlan((640, 640), (128, 128)), batch=8)
        sources = find_sources([str(path)])
        found = search(SixtyBoxes(), sources, settings, parts, progress=False)
        searched = time.perf_counter() - start
        run = RunInfo(names=("thing",))
        write_outputs(found.results, Path(output), run, ["coco", "csv", "geojson"])
    (result,) = found.results
    assert not result.failure, result.failure
    size = path.stat().st_size / 2**30
    written = time.perf_counter() - start - searched
    print(
        f"| {path.name} ({size:.2f} GB) | {found.searched} + {found.empty} empty | "
        f"{len(result.detections)} | {searched:.0f} s + {written:.0f} s | "
        f"{peak_rss_mb() - before:.0f} MB |"
    )


# --- a large picture of a data set's --------------------------------------------------------------


def put_together(dataset: str) -> tuple[np.ndarray, dict]:
    """The pictures of a registered COCO data set in rows of COLUMNS; pixels and a COCO file."""
    from detectron2.data import MetadataCatalog

    metadata = MetadataCatalog.get(dataset)
    content = read_coco(metadata.json_file)
    pictures = [read_rgb(Path(metadata.image_root) / i["file_name"]) for i in content["images"]]
    height = max(pixels.shape[0] for pixels in pictures)
    width = max(pixels.shape[1] for pixels in pictures)
    rows = -(-len(pictures) // COLUMNS)
    large = np.zeros((rows * height, COLUMNS * width, 3), np.uint8)
    places = {}
    for n, (image, pixels) in enumerate(zip(content["images"], pictures, strict=True)):
        x, y = n % COLUMNS * width, n // COLUMNS * height
        large[y : y + pixels.shape[0], x : x + pixels.shape[1]] = pixels
        places[image["id"]] = (x, y)
    annotations = []
    for record in content["annotations"]:
        x, y = places[record["image_id"]]
        left, top, *sides = record["bbox"]
        annotations.append(record | {"image_id": 1, "bbox": [left + x, top + y, *sides]})
    one = {"id": 1, "file_name": "large.png", "width": large.shape[1], "height": large.shape[0]}
    return large, content | {"images": [one], "annotations": annotations}


def search_large(detector: Detector, pixels: np.ndarray, settings: Settings) -> Detections:
    height, width = pixels.shape[:2]
    searcher = Searcher(detector.engine, settings)
    searcher.take(Decoded(Picture("large", "", width, height, 1), pixels))
    searcher.finish()
    return searcher.found.results[0].detections


def duplicates(found: Detections, truth: dict) -> int:
    """Detections of SEEN or more on an object that a better one has found already."""
    objects = np.array([a["bbox"] for a in truth["annotations"] if not a.get("iscrowd")])
    corners = np.hstack([objects[:, :2], objects[:, :2] + objects[:, 2:]])
    shown = found[found.scores >= SEEN]
    taken = np.zeros(len(corners), bool)
    count = 0
    for box in shown.boxes:
        sides = np.minimum(box[2:], corners[:, 2:]) - np.maximum(box[:2], corners[:, :2])
        common = np.clip(sides, 0, None).prod(1)
        share = common / max((box[2:] - box[:2]).prod(), 1e-9)  # of the detection
        best = int(share.argmax())
        if share[best] < 0.7:
            continue  # a false alarm beside every object
        count += bool(taken[best])
        taken[best] = True
    return count


def measure_seams(weights: str, dataset: str, side: int) -> None:
    detector = Detector.load(weights)
    pixels, truth = put_together(dataset)
    plan = detector.tiles((side, side))
    aitod = get_protocol("aitod")
    prepared = check_truth(truth, aitod, dataset)
    ids = np.array([c["id"] for c in sorted(truth["categories"], key=lambda c: c["id"])])
    print(
        f"{pixels.shape[1]} x {pixels.shape[0]} px, {len(truth['annotations'])} objects; ", end=""
    )
    print(plan.reason)
    print("| | AP | AP50 | detections | duplicates |\n|---|---|---|---|---|")
    nothing_dropped = mock.patch(
        "d2freq.inference.tiling.assemble.seen_better",
        lambda boxes, *_, **__: np.zeros(len(boxes), bool),
    )
    cases = [("whole", TilePlan(None), "nms", False), ("tiles, NMS alone", plan, "nms", True)]
    cases += [(f"tiles with cores, {m}", plan, m, False) for m in ("nms", "weighted", "soft")]
    for name, tiles, method, plain in cases:
        with nothing_dropped if plain else tempfile.SpooledTemporaryFile():
            found = search_large(detector, pixels, Settings(tiles, Merging(method, 0.5)))
        rows = Rows(
            np.ones(len(found), np.int64),
            ids[found.classes],
            np.hstack([found.boxes[:, :2], found.boxes[:, 2:] - found.boxes[:, :2]]),
            found.scores,
        )
        results = measure(prepared, rows, aitod, name=dataset).results
        shown = int((found.scores >= SEEN).sum())
        print(
            f"| {name} | {results['AP']:.2f} | {results['AP50']:.2f} | {shown} | "
            f"{duplicates(found, truth)} |",
            flush=True,
        )


# --- time ----------------------------------------------------------------------------------------


def measure_time(weights: str, dataset: str, side: int) -> None:
    detector = Detector.load(weights)
    pixels, _ = put_together(dataset)
    seconds: dict[str, float] = defaultdict(float)

    def timed(name, function):
        def call(*arguments, **options):
            start = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                seconds[name] += time.perf_counter() - start

        return call

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.png"
        cv2.imwrite(str(path), pixels[:, :, ::-1])
        sources = find_sources([str(path)])
        settings = Settings(detector.tiles((side, side)), batch=4)

        def run() -> list[PictureResult]:
            parts = Parts(Path(folder) / "out", {}, detector.names)
            parts.begin()
            found = search(detector.engine, sources, settings, parts, progress=False)
            info = RunInfo(names=detector.names)
            timed("files", write_outputs)(found.results, Path(folder), info, ["coco", "csv"])
            return found.results

        run()  # warm
        patches = [
            mock.patch.object(OpenPicture, "read", timed("windows", OpenPicture.read)),
            mock.patch.object(searcher_module, "prepare", timed("resize", searcher_module.prepare)),
            mock.patch.object(
                searcher_module, "run_engine", timed("model", searcher_module.run_engine)
            ),
            mock.patch.object(Parts, "add", timed("parts", Parts.add)),
            mock.patch.object(
                searcher_module, "assemble", timed("merging", searcher_module.assemble)
            ),
            mock.patch("d2freq.inference.sources.open.read_decoded", _decoder(timed)),
        ]
        seconds.clear()
        for patch in patches:
            patch.start()
        start = time.perf_counter()
        results = run()
        whole = time.perf_counter() - start
        for patch in patches:
            patch.stop()
    tiles = len(settings.plan.windows((pixels.shape[1], pixels.shape[0])))
    print(f"{pixels.shape[1]} x {pixels.shape[0]} px, {tiles} tiles of {side}, ", end="")
    print(f"{len(results[0].detections)} detections: {whole:.2f} s")
    for name, value in sorted(seconds.items(), key=lambda pair: -pair[1]):
        print(f"| {name} | {value:.3f} s | {value / whole:.1%} |")


def _decoder(timed):
    from d2freq.inference.sources.decoded import read_decoded

    return timed("decoding", read_decoded)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("memory", "seams", "time", "one-raster"))
    parser.add_argument("--side", type=int, default=20_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--weights", help="a training's output folder")
    parser.add_argument("--dataset", default="kit_ais_half_val")
    parser.add_argument("--tile", type=int, default=256)
    arguments = parser.parse_args()
    if arguments.what == "one-raster":
        search_raster(arguments.file, arguments.folder)
        return
    print(json.dumps(where()))
    if arguments.what == "memory":
        with tempfile.TemporaryDirectory() as temporary:
            folder = arguments.folder or Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            print(
                "| GeoTIFF | tiles of 640 | detections | search + files | peak beside the model |"
            )
            measure_memory(folder, arguments.side)
    elif arguments.what == "seams":
        measure_seams(arguments.weights, arguments.dataset, arguments.tile)
    else:
        measure_time(arguments.weights, arguments.dataset, arguments.tile)


if __name__ == "__main__":
    main()
