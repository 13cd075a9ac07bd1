"""``d2freq convert``: from the format in which a data set is published to COCO, and back."""

import argparse
import sys
from dataclasses import replace

from d2freq.commands.convert.formats import FROM_COCO, TO_COCO
from d2freq.commands.convert.results import TOPICS as RESULTS
from d2freq.commands.convert.tiles import TOPICS as TILES
from d2freq.commands.convert.tools import TOPICS as TOOLS
from d2freq.commands.topics import Options, Topic, add_topics, run_topic

SUMMARY = "convert data sets to COCO files, whole or in tiles, and back"


def add_arguments(command: argparse.ArgumentParser) -> None:
    """What can be converted."""
    topics = (*TO_COCO, *TOOLS, *TILES, *FROM_COCO, *RESULTS)
    add_topics(command, [replace(topic, needs_host=False) for topic in topics], _convert)


def _convert(topic: Topic, options: Options) -> None:
    """Name every file that failed; the error itself, shown after them, names three."""
    from d2freq.utils.jobs import FailedItems

    try:
        run_topic(topic, options)
    except FailedItems as error:
        for failure in error.failures:
            print(failure, file=sys.stderr)
        raise
