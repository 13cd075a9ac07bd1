"""``d2freq dct-statistics``: mean and deviation of the stem's channels over a data set."""

import argparse
from pathlib import Path

from d2freq.analysis.methods import STATISTICS as METHOD
from d2freq.commands import options

SUMMARY = "measure mean and deviation of a frequency input's channels, for MODEL.FREQ_INPUT"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The config, the data and the output."""
    parser.description = f"{parser.description}. {METHOD}"
    options.add(parser, "--config-file")
    options.add(parser, "opts", help=f"{options.OVERRIDES} if lazy")
    parser.add_argument(
        "--output", default="dct_statistics.yaml", type=_yaml_path, metavar="FILE.yaml", help="file"
    )
    options.add(parser, "--dataset", help="registered name; without it the config's training set")
    parser.add_argument(
        "--images", type=int, default=0, metavar="N", help="N at even steps; 0 is all"
    )
    options.add(parser, "--device")
    parser.set_defaults(run=_run)


def _yaml_path(word: str) -> str:
    if not word.lower().endswith((".yaml", ".yml")):
        raise argparse.ArgumentTypeError(f"{word!r} does not end in .yaml")
    return word


def _run(arguments: argparse.Namespace) -> None:
    from d2freq.analysis.frequency_input.images import config_images
    from d2freq.analysis.frequency_input.statistics import channel_names, measure_statistics
    from d2freq.analysis.frequency_input.stem_config import load_stem, stem_keys, write_input_config
    from d2freq.engine.config import load_config
    from d2freq.engine.config.device import present_device
    from d2freq.utils.files import write_json

    source = arguments.config_file
    config = load_config(source, arguments.opts)
    stem = load_stem(config).to(present_device(arguments.device, "--device"))
    images = config_images(config, dataset=arguments.dataset, count=arguments.images)
    found = measure_statistics(stem, images)
    keys = stem_keys(stem, found.mean, found.std)
    over = f"{found.images} images, {found.blocks} blocks of {', '.join(images.datasets)}"
    notes = [f"Mean and deviation of {stem.out_channels} channels over {over}, by"]
    notes.append(f"d2freq dct-statistics --config-file {Path(source).name}. A base of a config.")
    path = write_input_config(arguments.output, keys, notes=notes)
    record = {
        "config": source,
        "overrides": arguments.opts,
        "datasets": images.datasets,
        "images": found.images,
        "blocks": found.blocks,
        "measured_for": keys["MEASURED_FOR"],
        "channels": channel_names(stem),
        "mean": found.mean.tolist(),
        "std": found.std.tolist(),
    }
    write_json(path.with_suffix(".json"), record, indent=1)
    print(f"{over}; deviations from {found.std.min():.3g} to {found.std.max():.3g}")
    print(path)
