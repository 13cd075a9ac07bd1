"""Where each known data set lies under the root of the data sets: a table, no search.

A data set goes by several file names in the wild; all that are known stand here in a fixed order,
and the first that exists is taken (d2freq.data.catalog). datasets/README.md shows the trees.
"""

from dataclasses import dataclass

__all__ = ["SOURCES", "CocoSource"]


@dataclass(frozen=True)
class CocoSource:
    """A data set in COCO's format.

    Attributes:
        json_files: names of the COCO file, relative to the root or absolute, best first.
        image_roots: folders of its images, likewise.
        cure: how to get it, for the error of a missing file.
        classes: published label order; () where only the file says it.
        originals_json: of tiles: the COCO file of the uncut images, relative or absolute; "" of
            others.
    """

    json_files: tuple[str, ...]
    image_roots: tuple[str, ...]
    cure: str
    classes: tuple[str, ...] = ()
    originals_json: str = ""


AITOD = (
    *("airplane", "bridge", "storage-tank", "ship"),
    *("swimming-pool", "vehicle", "person", "wind-mill"),
)
VISDRONE = (
    *("pedestrian", "people", "bicycle", "car", "van"),
    *("truck", "tricycle", "awning-tricycle", "bus", "motor"),
)
DOTA_V1 = (
    *("plane", "baseball-diamond", "bridge", "ground-track-field", "small-vehicle"),
    *("large-vehicle", "ship", "tennis-court", "basketball-court", "storage-tank"),
    *("soccer-ball-field", "roundabout", "harbor", "swimming-pool", "helicopter"),
)
DOTA_V2 = (*DOTA_V1, "container-crane", "airport", "helipad")
DOTAMINI10 = (  # HS-FPN, appendix A.3
    *("plane", "small-vehicle", "large-vehicle", "ship", "tennis-court"),
    *("baseball-diamond", "swimming-pool", "basketball-court", "storage-tank", "helicopter"),
)
SODA_D = (
    *("people", "rider", "bicycle", "motor", "vehicle"),
    *("traffic-sign", "traffic-light", "traffic-camera", "warning-cone"),
)
SODA_A = (
    *("airplane", "helicopter", "small-vehicle", "large-vehicle", "ship"),
    *("container", "storage-tank", "swimming-pool", "windmill"),
)

_README = "datasets/README.md says where it comes from and how to prepare it"
_SCENES = "'d2freq generate scenes' writes it"
_KIT_AIS = (
    "it is KIT AIS (vehicles) at half resolution with COCO boxes, CC BY 3.0; 'd2freq convert "
    "kit-ais' writes it from a copy of github.com/jekhor/aerial-cars-dataset"
)
_SIRST = (
    "it is SIRST, the images that have targets, with COCO boxes; 'd2freq convert sirst' writes it "
    "from a copy of github.com/YimianDai/open-sirst-v2"
)
# Words for a split, in the order in which they are tried.
_WORDS = {
    "train": ("train", "training"),
    "val": ("val", "validation"),
    "trainval": ("trainval",),
    "test": ("test",),
}


def _aitod(split: str, patterns: tuple[str, ...]) -> CocoSource:
    names = [pattern.format(word) for pattern in patterns for word in _WORDS[split]]
    # who has joined the two parts of trainval may have kept their images in one folder
    folders = (split, "trainval") if split in ("train", "val") else (split,)
    roots = [root.format(f) for f in folders for root in ("{}/images", "images/{}", "{}")]
    return CocoSource(
        json_files=tuple(f"aitod/annotations/{name}" for name in names),
        image_roots=tuple(f"aitod/{root}" for root in roots),
        cure=_README,
        classes=AITOD,
    )


def _tiles(folder: str, classes: tuple[str, ...]) -> CocoSource:
    return CocoSource(
        json_files=(f"{folder}/annotations.json",),
        image_roots=(f"{folder}/images",),
        cure=_README,
        classes=classes,
        originals_json=f"{folder}/originals.json",
    )


def _sources() -> dict[str, CocoSource]:
    table = {}
    for split in ("train", "val"):
        table[f"tiny_scenes_{split}"] = CocoSource(
            (f"tiny_scenes/annotations/{split}.json",), (f"tiny_scenes/{split}",), _SCENES
        )
        for bands in (1, 3, 4):
            folder = f"tiny_scenes_16bit_{bands}band"
            table[f"{folder}_{split}"] = CocoSource(
                (f"{folder}/annotations/{split}.json",),
                (f"{folder}/{split}",),
                f"'d2freq generate scenes --bits 16 --bands {bands}' writes it",
            )
        table[f"kit_ais_half_{split}"] = CocoSource(
            (f"kit-ais-half/{split}.json",), ("kit-ais-half/images",), _KIT_AIS, ("vehicle",)
        )
    for split in ("train", "val", "test"):
        table[f"sirst_v2_{split}"] = CocoSource(
            (f"sirst-v2/{split}.json",), ("sirst-v2/images",), _SIRST, ("target",)
        )
        table[f"sirst_v1_{split}"] = CocoSource(
            (f"sirst-v2/v1_{split}.json",), ("sirst-v2/images",), _SIRST, ("target",)
        )
    for split in ("train", "val"):  # Detectron2 knows them itself, by the same names and places
        table[f"coco_2017_{split}"] = CocoSource(
            (f"coco/annotations/instances_{split}2017.json",), (f"coco/{split}2017",), _README
        )
    for split in _WORDS:
        table[f"aitod_{split}"] = _aitod(
            split,
            (
                "aitod_{}_v1.json",
                "aitod_{}_v1_1.0.json",
                "aitod_{}_v1.0.json",
                "small_{}_v1_1.0.json",
            ),
        )
        table[f"aitodv2_{split}"] = _aitod(
            split,
            ("aitodv2_{}.json", "aitod_{}_v2.json", "small_{}_v2_2.0.json", "small_{}_v2_1.0.json"),
        )
    for split, folder in (("train", "train"), ("val", "val"), ("test", "test-dev")):
        table[f"visdrone_{split}"] = CocoSource(
            (f"visdrone/annotations/{split}.json",),
            (f"visdrone/VisDrone2019-DET-{folder}/images",),
            _README,
            VISDRONE,
        )
    for split in ("train", "val"):
        table[f"dota_v1_{split}"] = _tiles(f"dota-v1.0/tiles/{split}", DOTA_V1)
        table[f"dota_v2_{split}"] = _tiles(f"dota-v2.0/tiles/{split}", DOTA_V2)
        table[f"dotamini10_{split}"] = _tiles(f"dotamini10/{split}", DOTAMINI10)
    for split in ("train", "test"):
        table[f"tinyperson_{split}"] = _tiles(f"tinyperson/tiles/{split}", ("person",))
    for split in ("train", "val", "test"):
        table[f"soda_d_{split}"] = _tiles(f"soda-d/tiles/{split}", SODA_D)
    return table


SOURCES = _sources()
