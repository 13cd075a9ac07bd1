"""The topic of ``d2freq analyze`` about a frequency input: gate."""

import argparse

from d2freq.commands import Topics, options

__all__ = ["TOPICS"]

GATE = (
    "Each image goes as in inference, with its padding, through the DCT stem and its gate, which "
    "there draws nothing: a channel is on where its logit for on is the larger. The share of the "
    "images in which a channel is on is drawn on its frequency, a map each for Y, Cb and Cr, rows "
    "of vertical and columns of horizontal frequency; the number in a cell is its zigzag rank, "
    "grey cells are channels that the stem has not. The --top channels by that share (among equals "
    "by the mean chance to be drawn as on, then by number) are framed, and written with their "
    "statistics as a config without a gate, FILE.yaml"
)


def _gate(parser: argparse.ArgumentParser) -> None:
    options.describe(parser, GATE)
    options.model(parser)
    parser.add_argument("--count", type=int, default=0, help="images at even steps; 0 is all")
    parser.add_argument("--top", type=int, default=24, help="channels of the static set")
    options.add_overrides(parser)
    parser.set_defaults(run=_run_gate)


def _run_gate(arguments: argparse.Namespace) -> None:
    from d2freq.analysis.frequency_input.gate import measure_gate

    (subject,) = options.load(arguments, truth=False)
    record = measure_gate(
        subject, arguments.output, how=arguments.how, top=arguments.top, count=arguments.count
    )
    print(f"on in the mean: {record['channels_on']:.1f} of {len(record['channels'])} channels")
    names = {channel["number"]: channel["name"] for channel in record["channels"]}
    print(f"top {arguments.top}: {' '.join(names[number] for number in record['top'])}")
    print(record["config"])
    options.say(record, arguments.output)


TOPICS: Topics = {
    "gate": ("which frequencies a trained gate switches on, as maps and as a config", _gate),
}
