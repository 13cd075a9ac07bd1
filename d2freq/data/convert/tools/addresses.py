"""Where Label Studio has an image, and which file that is.

Images go by the address from which Label Studio serves them: an upload has eight letters and a dash
before its name.
"""

import re
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from d2freq.data.convert.tools.records import Record
from d2freq.errors import UserError
from d2freq.utils.names import PICTURES, NameIndex

__all__ = ["address_of", "looks_like_image", "name_of", "without_prefix"]

UPLOADED = re.compile(r"^[0-9a-f]{8}-(?=.)")


def looks_like_image(text: str) -> bool:
    """Whether a text ends as the name of a picture does."""
    return name_of(text).lower().endswith(PICTURES)


def address_of(task: dict, place: str) -> str:
    """Where Label Studio has the image, whatever the project calls the field.

    Raises:
        UserError: none, or several; ``place`` begins the message.
    """
    fields = task["data"] if isinstance(task.get("data"), dict) else task
    texts = {key: value for key, value in fields.items() if isinstance(value, str)}
    found = [texts[key] for key in ("image", "img") if key in texts]
    pictures = {key: text for key, text in texts.items() if looks_like_image(text)}
    if not found and len(set(pictures.values())) > 1:
        raise UserError(
            f"{place}: several images in one task ({', '.join(pictures)}), and regions do not say "
            "on which they are; export tasks of one image each"
        )
    found += pictures.values()
    if not found:
        raise UserError(f"{place}: no image among {', '.join(fields) or 'no fields'}")
    return found[0]


def name_of(address: str) -> str:
    """The path of a file from an address: of a local file what stands behind ?d=."""
    parts = urlsplit(address)
    local = parse_qs(parts.query).get("d")
    if local:
        return unquote(local[0])
    # the path of an own file may have # or ? in it
    path = parts.path if parts.scheme or address.startswith("/data/") else address
    return unquote(path).lstrip("/")


def without_prefix(record: Record, there: NameIndex) -> Record:
    """The name of an upload, whose eight letters in front are not in the folder of its source."""
    name = Path(record.name).name
    plain = UPLOADED.sub("", name)
    if plain == name or there.find(name, same_folders=False):
        return record
    return Record(
        plain, record.place, record.content, record.size, record.file, shares=record.shares
    )
