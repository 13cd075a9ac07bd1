"""DOTAmini10, built from DOTA by the recipe of HS-FPN, appendix A.3.

The set was never released, and the recipe leaves choices open; ours are arguments and constants
here, each marked "open". Hence the counts differ from the paper's, and ``compare`` shows by how
much.
"""

import os
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tabulate import tabulate

from d2freq.data.builtin import DOTAMINI10
from d2freq.data.coco.read import read_coco
from d2freq.data.convert.dota import MIN_VISIBLE, read_dota
from d2freq.data.convert.dotamini10_copies import rare_copies
from d2freq.data.tiles.tile_coco import tile_coco
from d2freq.errors import UserError
from d2freq.utils.choices import choice

RARE = ("baseball-diamond", "basketball-court", "helicopter")  # HS-FPN, A.3: BD, BC, HE
SIZE, OVERLAP = 1024, 256  # HS-FPN, A.3: stride 768
SCALES = (0.5, 1.0)  # "by a factor of 0.5 to 1.0"; open: these two, or random ones
COPIES = 1  # open: how many a tile with a rare object; only of train
LEAST_SIDE = 1.0  # open ("cleaned"): pixels of the original below which a box is left out
# Instances and images by split: HS-FPN, Table 7, the classes in the order of DOTAMINI10.
PAPER = {
    "train": (28373, 84248, 57569, 109511, 8512, 3320, 6857, 3130, 20599, 5967),
    "val": (7168, 16026, 13278, 35376, 1654, 649, 1027, 407, 6416, 218),
}
PAPER_IMAGES = {"train": 10653, "val": 2733}


def convert_dotamini10(
    source: str | os.PathLike,
    output: str | os.PathLike,
    *,
    split: str,
    version: str = "1.0",
    scales: Sequence[float] = SCALES,
    min_visible: float = MIN_VISIBLE,
    difficult: str = "keep",
    copies: int = COPIES,
    seed: int = 0,
    keep_empty: bool = False,
    image_format: str = "png",
    overwrite: bool = False,
    workers: int | None = None,
    progress: bool = True,
) -> Path:
    """Write DOTAmini10's ``split`` from DOTA's folder of that split.

    Args:
        source: DOTA's ``train`` or ``val`` folder, see read_dota.
        split: "train" or "val": only train has copies.
        version: of DOTA's labels. Open: the paper cites version 1.0.
        scales: of the images before they are cut.
        min_visible: share of an object's area from which on it counts in a tile. Open.
        difficult: "keep" or "ignore", see read_dota. Open; the paper speaks of no ignored objects.
        copies: flipped and recoloured copies of each tile with a baseball-diamond, a
            basketball-court or a helicopter.
        seed: of the copies; the same seed gives the same bytes.
        keep_empty: keep tiles without an object. Open; the paper's images have 31 objects each.

    Returns:
        ``output/annotations.json``; beside it ``images`` and ``originals.json``. Copies carry
        ``copy`` in place of ``tile``.

    Raises:
        UserError: as read_dota and tile_coco.
    """
    choice(split, PAPER, key="split")
    if copies < 0 or seed < 0:
        raise UserError(f"copies {copies}, seed {seed}: both are whole numbers from 0 on")
    data, notes = read_dota(source, version=version, difficult=difficult)
    chosen, left_out = select(data)
    augment = None
    if split == "train" and copies:
        rare = tuple(DOTAMINI10.index(name) + 1 for name in RARE)
        augment = partial(rare_copies, categories=rare, count=copies, seed=seed)
    return tile_coco(
        chosen,
        Path(source) / "images",
        output,
        size=(SIZE, SIZE),
        overlap=(OVERLAP, OVERLAP),
        scales=scales,
        min_visible=min_visible,
        keep_empty=keep_empty,
        image_format=image_format,
        copies=augment,
        info={
            "description": f"DOTAmini10 {split}, rebuilt from DOTA-v{version}",
            "difficult": difficult,
            "notes": notes | left_out,
        },
        overwrite=overwrite,
        workers=workers,
        progress=progress,
    )


def select(data: dict) -> tuple[dict, dict[str, int]]:
    """The ten classes, cleaned; and what was left out, {sentence: count}.

    Open is what the paper's "cleaned" means. Here: a box narrower than LEAST_SIDE is left out, and
    so is one that repeats another of its image and class. Boxes outside of their image tile_coco
    leaves out.
    """
    names = {category["id"]: category["name"] for category in data["categories"]}
    left_out: Counter[str] = Counter()
    seen: set[tuple] = set()
    annotations = []
    for annotation in data["annotations"]:
        name = names[annotation["category_id"]]
        place = (annotation["image_id"], name, *annotation["bbox"])
        if name not in DOTAMINI10:
            left_out["objects of other classes left out"] += 1
        elif min(annotation["bbox"][2:]) < LEAST_SIDE:
            left_out[f"objects narrower than {LEAST_SIDE:g} px left out"] += 1
        elif place in seen:
            left_out["objects given twice left out"] += 1
        else:
            seen.add(place)
            annotations.append({**annotation, "category_id": DOTAMINI10.index(name) + 1})
    categories = [{"id": k, "name": name} for k, name in enumerate(DOTAMINI10, start=1)]
    chosen = {"images": data["images"], "annotations": annotations, "categories": categories}
    return chosen, dict(left_out)


def compare(annotations_json: str | os.PathLike, split: str) -> str:
    """Our counts beside the paper's, a line a class."""
    data = read_coco(annotations_json)
    found = Counter(a["category_id"] for a in data["annotations"] if not a["iscrowd"])
    ours = [found[number] for number in range(1, len(DOTAMINI10) + 1)]
    rows = list(zip(DOTAMINI10, ours, PAPER[split], strict=True))
    rows += [("all boxes", sum(ours), sum(PAPER[split]))]
    rows += [("images", len(data["images"]), PAPER_IMAGES[split])]
    table = [(name, a, b, f"{a - b:+d}", f"{100 * (a - b) / b:+.1f} %") for name, a, b in rows]
    return tabulate(table, [split, "ours", "paper", "difference", ""], intfmt=",")
