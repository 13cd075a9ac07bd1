"""A YAML file is data: reading one runs no code, on either host, in a base or in any other file."""

import pytest

from d2freq.data.convert.class_names import read_names
from d2freq.engine import load_yaml
from d2freq.errors import UserError
from d2freq.evaluation.protocols.from_yaml import load_protocol

TAGS = {
    "apply": '!!python/object/apply:os.system ["touch {ran}"]',
    "new": "!!python/object/new:pathlib.Path [{ran}]",
    "name": "!!python/name:os.system",
    "module": "!!python/module:os",
}


@pytest.fixture
def hostile(tmp_path):
    """A function that writes a file with a tag on its third line; and what it must not make."""

    def write(tag: str, text: str):
        file = tmp_path / "hostile.yaml"
        file.write_text(text.format(tag=TAGS[tag].format(ran=tmp_path / "ran")))
        return file

    yield write
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("tag", TAGS)
def test_a_config_names_line_and_tag(tag, hostile):
    file = hostile(tag, "SOLVER:\n  BASE_LR: 0.1\n  MAX_ITER: {tag}\n")
    with pytest.raises(UserError, match=r"hostile\.yaml, line 3: !!python/.* is refused") as caught:
        load_yaml(str(file))
    assert "\n" not in str(caught.value)


def test_a_base_is_named_not_the_file_that_took_it(hostile, tmp_path):
    hostile("apply", "SOLVER:\n  BASE_LR: 0.1\n  MAX_ITER: {tag}\n")
    leaf = tmp_path / "leaf.yaml"
    leaf.write_text("_BASE_: hostile.yaml\n")
    with pytest.raises(UserError, match=r"hostile\.yaml, line 3: !!python/object/apply:os\.system"):
        load_yaml(str(leaf))


def test_an_unknown_tag_is_refused_too(tmp_path):
    file = tmp_path / "own.yaml"
    file.write_text("SOLVER:\n  MAX_ITER: !own 3\n")
    with pytest.raises(UserError, match=r"own\.yaml, line 2: .*!own"):
        load_yaml(str(file))


def test_on_the_command_line_a_tag_is_a_text_of_the_wrong_type(tmp_path):
    file = tmp_path / "plain.yaml"
    file.write_text("SOLVER: {MAX_ITER: 3}\n")
    with pytest.raises(UserError, match="MAX_ITER"):
        load_yaml(str(file), ["SOLVER.MAX_ITER", TAGS["apply"].format(ran=tmp_path / "ran")])
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("read", [load_protocol, read_names])
def test_protocols_and_class_names_are_data_too(read, hostile):
    file = hostile("apply", "name: x\nother: y\nnames: {tag}\n")
    with pytest.raises(UserError, match=r"hostile\.yaml"):
        read(file)
