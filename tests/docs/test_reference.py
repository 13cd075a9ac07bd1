"""The generated reference: every key and every command is there, and says what it is."""

import argparse
import re

import pytest

from d2freq.cli import COMMANDS

from .pages import ROOT


@pytest.fixture(scope="module")
def scripts():
    """The modules of docs/scripts, which import each other by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs/scripts"))
        import command_reference
        import config_reference

        yield argparse.Namespace(keys=config_reference, commands=command_reference)


@pytest.fixture(scope="module")
def entries(scripts):
    return [entry for section in scripts.keys.sections() for entry in section.entries]


def test_every_key_that_is_added_has_an_entry_and_no_other(scripts, entries):
    names = [name for entry in entries for name in entry.names]
    assert len(names) == len(set(names)) > 190
    assert set(names) == set(scripts.keys.added_keys())


def test_every_entry_says_what_the_key_does(entries):
    assert [entry.names for entry in entries if len(entry.meaning) < 12] == []


def test_keys_that_share_their_meaning_are_few_and_of_one_node(entries):
    shared = [entry.names for entry in entries if len(entry.names) > 1]
    for names in shared:
        assert len({name.rpartition(".")[0] for name in names}) == 1
    assert len(shared) < 15


def test_every_section_says_what_it_is_for(scripts):
    assert [each.path for each in scripts.keys.sections() if len(each.about) < 12] == []


def test_a_page_has_type_and_default_of_each_key(scripts):
    sections = scripts.keys.sections()
    text = scripts.keys.page("Keys", "All.", sections)
    defaults = scripts.keys.added_keys()
    for name, default in defaults.items():
        assert re.search(
            rf"^### {re.escape(name)}$\n\ntype: .+ · default: `{re.escape(repr(default))}`",
            text,
            re.MULTILINE,
        ), name


def test_a_switch_has_the_type_of_its_values(scripts):
    sections = [each for each in scripts.keys.sections() if each.path == "MODEL.HSFPN"]
    text = scripts.keys.page("Keys", "All.", sections)
    assert "### MODEL.HSFPN.GROUPS\n\ntype: `int` · default: `None`" in text
    assert "### MODEL.HSFPN.ALPHA\n\ntype: `float`, or a list of one a level ·" in text
    assert "a strict &lt;, that is `ceil`" in text


def test_a_comment_is_read_where_it_stands(scripts):
    said = {name: e.meaning for s in scripts.keys.sections() for e in s.entries for name in e.names}
    assert said["MODEL.SET.RHO"].startswith("Size of the perturbation, the L2 norm")
    assert said["MODEL.FREQ_INPUT.GATE.TARGET"].startswith("Channels to be on")
    assert said["SOLVER.CHECKPOINT_KEEP"].startswith("How many of the latest")
    assert 'preset `"released"`: floor' in said["MODEL.HSFPN.ROUNDING"]


def test_every_command_and_option_is_on_the_page(scripts):
    text = scripts.commands.page()
    for command in COMMANDS:
        assert f"## d2freq {command}\n" in text
    parsers = list(scripts.commands.leaves())
    assert len(parsers) > 30
    for parser in parsers:
        assert f" {parser.prog}\n" in text
        section = text.split(f" {parser.prog}\n", 1)[1].split("\n#", 1)[0]
        for action in parser._actions:
            if action.dest != "help" and action.help not in (None, argparse.SUPPRESS):
                name = (action.option_strings or [action.metavar or action.dest])[0]
                assert name in section, (parser.prog, name)
