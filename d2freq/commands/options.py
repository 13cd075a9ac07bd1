"""What the topics of ``d2freq analyze`` share: the model or models, the data, the output."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from d2freq.analysis.model_and_data import Subject

__all__ = [
    "add_overrides",
    "describe",
    "level",
    "load",
    "model",
    "one_image",
    "other_model",
    "picture_path",
    "say",
]


def describe(parser: argparse.ArgumentParser, how: str) -> None:
    """Let --help say how the topic measures; the JSON file repeats it."""
    parser.description = f"{parser.description}. {how}"
    parser.set_defaults(how=how)


def picture_path(word: str) -> str:
    """A path that ends in .png, so that the JSON file beside it is another."""
    if not word.lower().endswith(".png"):
        raise argparse.ArgumentTypeError(f"{word!r} does not end in .png")
    return word


def model(parser: argparse.ArgumentParser) -> None:
    """The model, its data set and protocol, and the output."""
    parser.add_argument("--config-file", required=True, help="YAML or lazy config")
    parser.add_argument("--weights", help="checkpoint; without it the initial weights")
    parser.add_argument(
        "--output",
        required=True,
        type=picture_path,
        metavar="FILE.png",
        help="the picture; numbers go to FILE.json",
    )
    parser.add_argument("--dataset", help="registered name; without it the config's test set")
    parser.add_argument(
        "--protocol", help="size classes: aitod, coco, ... or a .yaml; without it the config's"
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda")


def other_model(parser: argparse.ArgumentParser) -> None:
    """A second model for comparison, and names for both."""
    parser.add_argument("--other-config", help="config of a second model, shown beside the first")
    parser.add_argument("--other-weights", help="its checkpoint")
    parser.add_argument("--label", help="name of the first model in the picture")
    parser.add_argument("--other-label", help="name of the second")


def level(parser: argparse.ArgumentParser) -> None:
    """One level of the pyramid."""
    parser.add_argument("--level", help="such as p3; without it the one of highest resolution")


def one_image(parser: argparse.ArgumentParser) -> None:
    """Which image of the data set."""
    parser.add_argument(
        "--image-id", type=int, help="id in the data set; without it the first with objects"
    )


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """The words behind all options."""
    parser.add_argument(
        "opts",
        nargs=argparse.REMAINDER,
        help="overrides for every config: KEY VALUE, or key=value; not right behind a list",
    )


def load(arguments: argparse.Namespace, *, truth: bool = True) -> "list[Subject]":
    """The models that the arguments name, the second on the data set and protocol of the first.

    Without the need of boxes (``truth``) data sets of image folders are taken, too.
    """
    from d2freq.analysis.model_and_data import load_subject
    from d2freq.engine.config.device import present_device
    from d2freq.errors import UserError

    device = present_device(arguments.device, "--device")
    pairs = [(arguments.config_file, arguments.weights)]
    other = getattr(arguments, "other_config", None)
    if other:
        pairs.append((other, arguments.other_weights))
    elif getattr(arguments, "other_weights", None):
        raise UserError("--other-weights needs --other-config, which may be the first config again")
    subjects: list[Subject] = []
    for config, weights in pairs:
        first = subjects[0] if subjects else None
        subjects.append(
            load_subject(
                config,
                arguments.opts,
                weights=weights,
                dataset=first.dataset if first else arguments.dataset,
                protocol=first.protocol if first else arguments.protocol,
                device=device,
                truth=truth,
            )
        )
    labels = [getattr(arguments, name, None) for name in ("label", "other_label")]
    for subject, label in zip(subjects, labels, strict=False):
        if label:
            subject.about["label"] = label
    return subjects


def say(record: dict, output: str) -> None:
    """Print what a reader of the picture has to know, and where it is."""
    for note in record.get("notes", []):
        print(f"note: {note}")
    print(output)
