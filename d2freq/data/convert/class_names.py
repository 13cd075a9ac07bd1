"""Names of classes from where a user or a source keeps them."""

import os
from collections.abc import Sequence
from pathlib import Path

from d2freq.errors import UserError
from d2freq.utils.text import read_text

YAML = (".yaml", ".yml")


def read_names(wish: str | os.PathLike) -> list[str]:
    """Class names in order from a file, or from a list with commas: ``"car,van"``.

    A file is a YOLO ``data.yaml`` (``names`` as a list, or from numbers to names) or a text with a
    name a line.

    Raises:
        UserError: no names there, the same twice, or numbers with gaps.
    """
    path = Path(wish)
    if path.is_file():
        names = _from_yaml(path) if path.suffix.lower() in YAML else _from_lines(path)
    elif path.suffix.lower() in (*YAML, ".txt", ".names") or os.sep in str(wish):
        raise UserError(f"{wish}: no such file")
    else:
        names = [name.strip() for name in str(wish).split(",")]
    if not names or not all(names):
        raise UserError(f"{wish}: a class without a name, or none at all")
    again = sorted({name for name in names if names.count(name) > 1})
    if again:
        raise UserError(f"{wish}: class {again[0]!r} is named twice")
    return names


def find_names(places: Sequence[str | os.PathLike]) -> list[str]:
    """The names of the first file that exists.

    Raises:
        UserError: there is none; says where was looked.
    """
    for place in places:
        if Path(place).is_file():
            return read_names(place)
    looked = ", ".join(map(str, places))
    raise UserError(f"no class names: looked for {looked}; pass --names FILE or --names car,van")


def _from_lines(path: Path) -> list[str]:
    """A name a line; a blank one between names would give the later ones another number."""
    names = [line.strip() for line in read_text(path).splitlines()]
    while names and not names[-1]:
        names.pop()
    if "" in names:
        raise UserError(
            f"{path}, line {names.index('') + 1}: blank, so that the lines below it may be classes "
            "of two numbers; name the class, or remove the line"
        )
    return names


def _from_yaml(path: Path) -> list[str]:
    import yaml

    text = read_text(path)
    try:
        for event in yaml.parse(text, Loader=yaml.BaseLoader):
            if getattr(event, "tag", None):  # BaseLoader passes over what a tag asks for
                line = event.start_mark.line + 1
                raise UserError(f"{path}, line {line}: {event.tag}: names are text, without a tag")
        # as text: YAML's own rules make False of the class no, and 1.0 of the class 1.0
        content = yaml.load(text, Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        raise UserError(f"{path}: no YAML: {' '.join(str(error).split())}") from error
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, dict):
        numbers = {int(key) if key.isdecimal() else key: name for key, name in names.items()}
        if set(numbers) != set(range(len(names))):
            found = ", ".join(map(str, numbers))
            raise UserError(
                f"{path}: names are numbered [{found}], expected 0, 1, 2, ... without a gap; name "
                "the missing classes, too, or number the names, and the rows of the labels, anew"
            )
        names = [numbers[number] for number in range(len(names))]
    if not isinstance(names, list):
        raise UserError(f"{path}: no 'names' in it")
    count = str(content.get("nc", len(names)))
    if count.isdecimal() and int(count) != len(names):
        raise UserError(
            f"{path}: nc is {count}, but {len(names)} classes have names; name all, or correct nc"
        )
    for name in names:
        if not isinstance(name, str):
            raise UserError(f"{path}: a name is {name!r}, no text; write it in quotation marks")
    return names
