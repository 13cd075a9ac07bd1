"""XML files, decoded as they declare: also in the encodings that Python's parser does not know."""

import codecs
import os
import re
from pathlib import Path
from xml.etree import ElementTree

from d2freq.errors import DatasetError
from d2freq.utils.text import HEAD, encoding_of, not_unicode

__all__ = ["read_xml"]

_DECLARED = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
# Tools declare the smaller set and write the larger one, which has the same letters and more.
_LARGER = {"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949"}


def read_xml(path: str | os.PathLike) -> ElementTree.Element:
    """The root element of an XML file; tags are without their namespaces.

    A byte order mark counts first, then the declaration, then UTF-8. External entities are never
    fetched; files that define any are refused.

    Raises:
        DatasetError: the file is missing, breaks off, is in another encoding than it says, or
            defines entities.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: {error.strerror}") from error
    if not content.strip():
        raise DatasetError(f"{path}: an empty file; fetch it again")
    text = _text(content, path)
    if "<!ENTITY" in text:
        raise DatasetError(
            f"{path}: defines entities, which may be made to fill the memory; remove them"
        )
    try:
        root = ElementTree.fromstring(text.lstrip())
    except ElementTree.ParseError as error:
        raise DatasetError(f"{path}: no whole XML ({error}); fetch it again") from error
    for element in root.iter():
        # a declared namespace stands before each tag, so that none would be found by its name
        element.tag = element.tag.rpartition("}")[2]
    return root


def _text(content: bytes, path: str | os.PathLike) -> str:
    encoding = encoding_of(content[:HEAD])
    found = _DECLARED.match(content) if encoding == "utf-8" else None
    declared = found[1].decode("ascii") if found else ""
    # a text whose declaration can be read as ASCII is not in UTF-16, whatever it says
    if declared and not declared.lower().startswith(("utf-16", "utf-32", "ucs-")):
        encoding = declared
    try:
        known = codecs.lookup(encoding).name
        return content.decode(_LARGER.get(known, known))
    except LookupError as error:
        raise DatasetError(
            f"{path}: declares the encoding {declared}, which is unknown; save it as UTF-8"
        ) from error
    except UnicodeDecodeError as error:
        if declared:
            raise DatasetError(
                f"{path}: declares the encoding {declared}, which its bytes are not ({error.reason}"
                f" at byte {error.start}); save it as UTF-8, and correct the declaration"
            ) from error
        raise not_unicode(path, error) from error
