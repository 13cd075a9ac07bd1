"""What the topics of ``d2freq analyze`` share: the model or models, the data, the output."""

import argparse
from typing import TYPE_CHECKING

from d2freq.commands import options
from d2freq.commands.topics import Options, Topic
from d2freq.errors import UserError

if TYPE_CHECKING:
    from d2freq.analysis.model_and_data import Subject

__all__ = ["add_compared", "add_model", "analyze", "picture_path"]

OVERRIDES = "overrides for every config: KEY VALUE, or key=value; not right behind a list"


def add_model(parser: argparse.ArgumentParser, *, truth: bool = True) -> None:
    """The model, its data set and protocol, and the output.

    Without the need of boxes (``truth``) data sets of image folders are taken, too.
    """
    options.add(parser, "--config-file", "--weights")
    options.add(parser, "opts", help=OVERRIDES)
    text = "the picture; numbers go to FILE.json"
    options.add(parser, "--output", type=picture_path, metavar="FILE.png", help=text)
    options.add(parser, "--dataset")
    parser.add_argument(
        "--protocol", help="size classes: aitod, coco, ... or a .yaml; without it the config's"
    )
    options.add(parser, "--device")
    parser.set_defaults(truth=truth)


def add_compared(parser: argparse.ArgumentParser) -> None:
    """The same of one model or two, of which one level of one image is drawn."""
    add_model(parser)
    parser.add_argument("--other-config", help="config of a second model, shown beside the first")
    parser.add_argument("--other-weights", help="its checkpoint")
    parser.add_argument("--label", help="name of the first model in the picture")
    parser.add_argument("--other-label", help="name of the second")
    parser.add_argument("--level", help="such as p3; without it the one of highest resolution")
    parser.add_argument(
        "--image-id", type=int, help="id in the data set; without it the first with objects"
    )


def analyze(topic: Topic, given: Options) -> None:
    """Load what the options name, measure it, and print what came out and where the picture is.

    The topic's function gets a Subject, or a list of them where it compares models, and the options
    that do not name them; it returns a Result. A topic without a model gets its options alone.
    """
    if "config_file" not in given:
        result = topic.function(**given)
    else:
        compares = "other_config" in given
        subjects = _load(given)
        result = topic.function(subjects if compares else subjects[0], **given)
    print("\n".join([*result.lines(), given["output"]]))


def _load(given: Options) -> list["Subject"]:
    """Take the models out of the options, the second on the data set and protocol of the first."""
    from d2freq.analysis.model_and_data import load_subject
    from d2freq.engine.config.device import present_device

    take = given.pop
    device = present_device(take("device"), "--device")
    pairs = [(take("config_file"), take("weights"))]
    other, other_weights = take("other_config", None), take("other_weights", None)
    if other:
        pairs.append((other, other_weights))
    elif other_weights:
        raise UserError("--other-weights needs --other-config, which may be the first config again")
    data = {"dataset": take("dataset"), "protocol": take("protocol"), "truth": take("truth")}
    overrides, labels = take("opts"), (take("label", None), take("other_label", None))
    subjects: list[Subject] = []
    for config, weights in pairs:
        subject = load_subject(config, overrides, weights=weights, device=device, **data)
        data |= {"dataset": subject.dataset, "protocol": subject.protocol}
        subjects.append(subject)
    for subject, label in zip(subjects, labels, strict=False):
        if label:
            subject.about["label"] = label
    return subjects


def picture_path(word: str) -> str:
    """A path that ends in .png, so that the JSON file beside it is another."""
    if not word.lower().endswith(".png"):
        raise argparse.ArgumentTypeError(f"{word!r} does not end in .png")
    return word
