"""Options of several words let the KEY VALUE words behind them pass."""

import argparse

import pytest

from d2freq.cli import build_parser
from d2freq.commands import options

SIZE = ["cost", "--config-file", "c", "--size"]
KEYS = ["MODEL.DEVICE", "cpu"]


def parsed(*words: str) -> argparse.Namespace:
    arguments = build_parser().parse_args(words)
    options.gather_overrides(arguments)
    return arguments


@pytest.mark.parametrize(
    ("words", "own", "opts"),
    [
        (["64"], [64], []),
        (["64", "96"], [64, 96], []),
        (["64", *KEYS], [64], KEYS),
        (["64", "96", *KEYS], [64, 96], KEYS),
        (["64", "SEED", "3", *KEYS], [64], ["SEED", "3", *KEYS]),
        (["64", "--depth", "1", *KEYS], [64], KEYS),
        (["64", "model.x=1", "+model.y=2"], [64], ["model.x=1", "+model.y=2"]),
        (["64", "96", "32"], [64, 96], ["32"]),  # told as an override without a value
    ],
)
def test_numbers_end_where_a_key_begins(words, own, opts):
    arguments = parsed(*SIZE, *words)
    assert (arguments.size, arguments.opts) == (own, opts)
    assert not hasattr(arguments, options.BEHIND)


@pytest.mark.parametrize(
    ("words", "own"),
    [
        (["p3"], ["p3"]),
        (["p3", "p4", *KEYS], ["p3", "p4"]),
        (["p3", *KEYS], ["p3"]),
        (["p3", "model.device=cpu"], ["p3"]),
    ],
)
def test_words_end_where_a_key_begins(words, own):
    start = ["analyze", "bands", "--config-file", "c", "--output", "o.png", "--levels"]
    arguments = parsed(*start, *words)
    assert arguments.levels == own and arguments.opts == words[len(own) :]


def test_bands_have_names_that_are_no_keys():
    start = ["analyze", "bands", "--config-file", "c", "--output", "o.png", "--bands"]
    arguments = parsed(*start, "LOW=0-40", "50-60", "HIGH=90-100", *KEYS)
    assert arguments.bands == ["LOW=0-40", "50-60", "HIGH=90-100"] and arguments.opts == KEYS


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([*SIZE, "6.5"], "argument --size: invalid int value: '6.5'"),
        ([*SIZE, *KEYS], "argument --size: invalid int value: 'MODEL.DEVICE'"),
        (SIZE, "expected at least one argument"),
        (
            ["analyze", "occlusion", "--config-file", "c", "--output", "o.png", "--regions", "sky"],
            "argument --regions: invalid choice: 'sky'",
        ),
    ],
)
def test_the_first_word_is_the_options_own(words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(words)
    assert ended.value.code == 2 and said in capsys.readouterr().err


def test_no_command_with_overrides_has_an_option_that_swallows_them():
    """Of the parsers that there are and that will come."""
    greedy = []
    parsers = [("d2freq", build_parser())]
    for name, parser in parsers:
        actions = parser._actions
        takes_overrides = any(a.dest == "opts" and not a.option_strings for a in actions)
        for action in actions:
            if isinstance(action, argparse._SubParsersAction):
                parsers += [(f"{name} {word}", sub) for word, sub in action.choices.items()]
            swallows = action.nargs in ("+", "*") and action.option_strings
            if takes_overrides and swallows and not isinstance(action, options.Several):
                greedy.append((name, action.option_strings[0]))
    # a config and its weights: any word may be the latter, and a third is told
    assert greedy == [("d2freq visualize unmixing", "--model")]
