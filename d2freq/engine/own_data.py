"""``--data``: what a config has to say so that it trains on data of one's own."""

import argparse
import os

from d2freq.data.own import OwnData, find_own_data
from d2freq.data.own.flags import check_data_flags
from d2freq.engine.config import YamlConfig, load_config
from d2freq.engine.config.yaml_config import CLASS_KEYS
from d2freq.engine.resume import check_folder
from d2freq.errors import UserError

__all__ = ["apply_own_data"]

# each detector keeps its class count in a key of its own; a classifier has no boxes to learn
CLASS_COUNTS = [key for model, key in CLASS_KEYS.items() if model != "ImageClassifier"]
TRAIN, VAL = "own_train", "own_val"  # names in the catalog


def apply_own_data(args: argparse.Namespace, *, default_config: str) -> list[str]:
    """Find the data of ``--data`` and put it in front of ``args.opts``, whose words hold.

    COCO files are used where they are. Those made of YOLO labels, or of data that comes in one
    part, are written to ``data`` in the output folder.

    Args:
        args: of d2freq.train_arguments; ``config_file`` and ``opts`` are set.
        default_config: the config that ``--data`` alone trains.

    Returns:
        What was found, in sentences; [] without ``--data``.

    Raises:
        UserError: as find_own_data, neither data nor config, a lazy config with data, or an output
            folder in use.
        DatasetError, FailedItems: as find_own_data.
    """
    check_data_flags(args)
    if not args.data:
        return []
    args.config_file = args.config_file or default_config
    config = load_config(args.config_file, args.opts)
    if not isinstance(config, YamlConfig):
        raise UserError(
            f"--data sets keys of a YAML config, and {args.config_file} is a lazy one: register "
            "the data there with d2freq.data.register_coco"
        )
    check_folder(
        config.output_dir, resume=args.resume, overwrite=args.overwrite, trains=not args.eval_only
    )
    found = find_own_data(
        args.data,
        args.val_data,
        images=args.images,
        val_images=args.val_images,
        work=os.path.join(config.output_dir, "data"),
    )
    args.opts = [*_overrides(found), *args.opts]
    return _sentences(found)


def _overrides(found: OwnData) -> list[str]:
    registered = [
        [name, os.path.abspath(split.json_file), os.path.abspath(split.images)]
        for name, split in ((TRAIN, found.train), (VAL, found.val))
    ]
    words = ["D2FREQ.DATASETS", repr(registered)]
    words += ["DATASETS.TRAIN", repr((TRAIN,)), "DATASETS.TEST", repr((VAL,))]
    for key in CLASS_COUNTS:
        words += [key, str(len(found.classes))]
    return words


def _sentences(found: OwnData) -> list[str]:
    names = ", ".join(found.classes[:8]) + (", ..." if len(found.classes) > 8 else "")
    count = "1 class" if len(found.classes) == 1 else f"{len(found.classes)} classes"
    return [
        *found.notes,
        f"Training on {found.train.json_file} with the images in {found.train.images}, measuring "
        f"on {found.val.json_file}; {count}: {names}.",
    ]
