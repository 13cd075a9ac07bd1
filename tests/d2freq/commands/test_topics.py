"""Topics: options reach their functions by name, and words are looked at before anything else."""

import argparse
import inspect

import pytest

from d2freq.cli import build_parser
from d2freq.commands.analyze.frequency_input import TOPICS as FREQUENCY_INPUT
from d2freq.commands.analyze.set import TOPICS as SET
from d2freq.commands.analyze.unmixing import TOPICS as UNMIXING
from d2freq.commands.convert.formats import FROM_COCO, TO_COCO
from d2freq.commands.convert.tiles import TOPICS as TILES
from d2freq.commands.topics import NOT_OPTIONS, Topic, add_topics
from d2freq.errors import UserError

# what the runner of analyze takes for itself, to load the models
MODEL = {"config_file", "weights", "dataset", "protocol", "device", "truth", "opts"}
MODEL |= {"other_config", "other_weights", "label", "other_label"}


def parse(topics, *words, run=None):
    parser = argparse.ArgumentParser()
    add_topics(parser, topics, *([run] if run else []))
    return parser.parse_args(words)


def test_options_are_parameters_and_what_is_shown_is_printed(capsys):
    def add(parser):
        parser.add_argument("--count", type=int, default=2)

    topic = Topic("twice", "doubles", add, lambda count: 2 * count)
    arguments = parse([topic], "twice", "--count", "4")
    arguments.run(arguments)
    assert capsys.readouterr().out == "8\n"
    wrong = parse([Topic("twice", "doubles", add, lambda number: number)], "twice")
    with pytest.raises(TypeError, match="count"):
        wrong.run(wrong)


def test_words_are_checked_before_the_runner_begins():
    def check(words):
        raise UserError(f"--box {words}: no box")

    def add(parser):
        parser.add_argument("--box", nargs="+")

    topic = Topic("box", "a box", add, print, words={"box": check})
    arguments = parse([topic], "box", "--box", "1", run=lambda *_: pytest.fail("it ran"))
    with pytest.raises(UserError, match="no box"):
        arguments.run(arguments)


@pytest.mark.parametrize("topic", [*SET, *FREQUENCY_INPUT], ids=lambda topic: topic.name)
def test_options_of_analyze_are_what_its_functions_take(topic):
    words = ["analyze", topic.name, "--config-file", "c.yaml", "--output", "x.png"]
    options = vars(build_parser().parse_args(words))
    given = {name: value for name, value in options.items() if name not in MODEL | {*NOT_OPTIONS}}
    inspect.signature(topic.function).bind("subject", **given)
    assert set(inspect.signature(topic.function).parameters) == {*given} | {
        "subjects" if "other_config" in options else "subject"
    }


@pytest.mark.parametrize("topic", UNMIXING, ids=lambda topic: topic.name)
def test_options_of_topics_without_a_model_are_what_their_functions_take(topic):
    options = vars(build_parser().parse_args(["analyze", topic.name, "--output", "x.png"]))
    del options["run"], options["needs_host"]
    assert set(inspect.signature(topic.function).parameters) == set(options)


@pytest.mark.parametrize("topic", [*TO_COCO, *TILES, *FROM_COCO], ids=lambda topic: topic.name)
def test_options_of_convert_are_what_its_functions_take(topic):
    more = {"tiles": ["--images", "i"], "tinyperson": ["--images", "i"]}
    more |= {"soda-a": ["--images", "i"], "masks": ["--masks", "m"]}
    more["dotamini10"] = ["--split", "val"]
    words = ["convert", topic.name, "in", "--output", "out", *more.get(topic.name, [])]
    options = vars(build_parser().parse_args(words))
    del options["run"], options["needs_host"]
    inspect.signature(topic.function).bind(**options)
