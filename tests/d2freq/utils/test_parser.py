"""What was mistyped is told by the command that it was given to, with the word that is nearest."""

import re

import pytest

from d2freq.utils.parser import Parser


@pytest.fixture
def parser():
    parser = Parser(prog="tool")
    parser.add_argument("--verbose", action="store_true")
    commands = parser.add_subparsers(dest="command")
    inner = commands.add_parser("convert").add_subparsers(dest="format")
    inner.add_parser("voc").add_argument("--images")
    commands.add_parser("validate").add_argument("--repair", action="store_true")
    return parser


def test_right_words_are_parsed(parser):
    found = parser.parse_args(["--verbose", "convert", "voc", "--images", "x"])
    assert vars(found) == dict(verbose=True, command="convert", format="voc", images="x")
    assert {"--help", "--verbose"} <= set(parser.flags())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["convert", "voc", "--image-s=x"], r"tool convert voc: error: .*--image-s=x.*--images"),
        (["validate", "--repare"], r"tool validate: error: unrecognized.*--repare.*--repair"),
        (["--verbos3"], r"tool: error: unrecognized arguments: --verbos3.*--verbose"),
        (["validat"], r"tool: error: .*'validat'.*validate"),
    ],
)
def test_mistyped_words(parser, words, message, capsys):
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(words)
    assert caught.value.code == 2
    told = " ".join(capsys.readouterr().err.split())
    assert re.search(message, told), told
