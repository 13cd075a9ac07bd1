"""Configs by name, and the commands that the READMEs of the systems give them."""

import re
from pathlib import Path

from detectron2.config import CfgNode

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
SYSTEMS = ("hs_fpn", "set", "frequency_input", "detectors")
# sequences of point sources, and classifiers, have tests of their own
SEQUENCES = "derefnet/"
CLASSIFIER = "classifier_"
COMMAND = re.compile(r"python train_net\.py --config-file configs/(\S+) ([^`|\n]+)")


def leaves(suffix: str = ".yaml") -> list[str]:
    """All configs but bases, relative to configs/ and without suffix, in order."""
    return sorted(
        str(path.relative_to(CONFIGS).with_suffix(""))
        for path in CONFIGS.rglob(f"*{suffix}")
        if "_base_" not in path.parts
    )


def names(suffix: str = ".yaml") -> list[str]:
    """Those of detectors."""
    apart = (SEQUENCES, f"frequency_input/{CLASSIFIER}")
    return [name for name in leaves(suffix) if not name.startswith(apart)]


def readme(system: str) -> str:
    """The README of a folder of configs, or of all."""
    return (CONFIGS / system / "README.md").read_text()


def examples() -> dict[str, str]:
    """File -> text of the configs that configs/README.md shows whole."""
    shown = re.compile(r"^```\w+\n# configs/(\S+)\n(.*?)^```", re.S | re.M)
    return dict(shown.findall(readme("")))


def write_example(file: str, root: Path) -> Path:
    """An example of configs/README.md as a file, among the bases."""
    path = root / file
    path.parent.mkdir()
    path.write_text(examples()[file])
    (root / "_base_").symlink_to(CONFIGS / "_base_")
    return path


def commands() -> dict[str, list[str]]:
    """Config file -> the distinct overrides that the READMEs' commands give it, one text each."""
    found: dict[str, list[str]] = {}
    for file, words in COMMAND.findall("\n".join(map(readme, SYSTEMS))):
        kept = re.sub(r"\b(MODEL\.WEIGHTS|OUTPUT_DIR|train\.\w+)[ =]\S+", "", words).strip()
        kept = kept.removeprefix("--num-gpus 2").strip()
        of_classifier = CLASSIFIER in file
        if kept and not of_classifier and kept not in found.get(file, []):
            found.setdefault(file, []).append(kept)
    return found


def num_classes(cfg: CfgNode) -> int:
    """The class count of a YAML config, from the keys of its detector."""
    kind = cfg.MODEL.META_ARCHITECTURE
    kind = cfg.MODEL.FREQ_INPUT.GATE.DETECTOR if kind == "Gated" else kind
    kind = cfg.MODEL.SET.DETECTOR if kind == "SET" else kind
    one_stage = {"RetinaNet": cfg.MODEL.RETINANET, "FCOS": cfg.MODEL.FCOS}
    one_stage |= {"ATSS": cfg.MODEL.ATSS, "PAA": cfg.MODEL.PAA, "AutoAssign": cfg.MODEL.AUTOASSIGN}
    one_stage |= {"DINO": cfg.MODEL.DINO}
    return one_stage.get(kind, cfg.MODEL.ROI_HEADS).NUM_CLASSES
