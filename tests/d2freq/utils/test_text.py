"""Texts and XML files in the encodings that tools write."""

import gzip

import pytest

from d2freq.errors import DatasetError
from d2freq.utils.text import is_plain, open_text, read_text
from d2freq.utils.xml import read_xml

TEXT = '{"a": "é, 船"}\n'
ENCODED = {
    "utf-8": TEXT.encode(),
    "mark": TEXT.encode("utf-8-sig"),
    "utf-16": TEXT.encode("utf-16"),
    "utf-16-be without a mark": TEXT.encode("utf-16-be"),
    "utf-16-le without a mark": TEXT.encode("utf-16-le"),
    "utf-32": TEXT.encode("utf-32"),
    "utf-32-be without a mark": TEXT.encode("utf-32-be"),
    "gzip": gzip.compress(TEXT.encode(), mtime=0),
    "gzip of utf-16": gzip.compress(TEXT.encode("utf-16"), mtime=0),
}


@pytest.mark.parametrize("case", ENCODED)
def test_one_text_in_all_encodings(case, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(ENCODED[case])
    assert read_text(path) == TEXT
    with open_text(path) as file:
        assert file.read() == TEXT
    assert is_plain(path) is (case == "utf-8")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("船".encode("gbk"), "save it as UTF-8"),
        (gzip.compress(TEXT.encode(), mtime=0)[:-9], "gzip that breaks off"),
        (b"PK\x03\x04 and more", "a zip archive; unpack it"),
    ],
)
def test_what_is_no_text_is_refused_with_the_cure(content, said, tmp_path):
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=said):
        read_text(path)


def document(encoding: str, declared: str | None = None) -> bytes:
    declared = encoding if declared is None else declared
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    return f"{head}<annotation><name>渔船é</name></annotation>".encode(encoding)


@pytest.mark.parametrize(
    "content",
    [
        *(document(name) for name in ("utf-8", "gb18030", "utf-16", "utf-8-sig")),
        document("gbk", "gb2312"),
        document("utf-16", ""),
        document("utf-16-le", "utf-16"),
        document("utf-8", "utf-16"),  # Windows' tools change the declaration alone
        b"\n" + document("utf-8"),
    ],
)
def test_xml_is_decoded_as_it_declares(content, tmp_path):
    path = tmp_path / "a.xml"
    path.write_bytes(content)
    assert read_xml(path).findtext("name") == "渔船é"


@pytest.mark.parametrize("encoding", ["shift_jis", "iso-8859-1", "windows-1251", "big5", "euc-kr"])
def test_encodings_of_other_places(encoding, tmp_path):
    word = {"iso-8859-1": "é", "windows-1251": "лодка", "euc-kr": "배"}.get(encoding, "船")
    text = f"<?xml version='1.0' encoding='{encoding}'?>\n<annotation><name>{word}</name>"
    (tmp_path / "a.xml").write_bytes(f"{text}</annotation>".encode(encoding))
    assert read_xml(tmp_path / "a.xml").findtext("name") == word


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (document("gbk", ""), "save it as UTF-8"),
        (document("gbk", "utf-8"), "declares the encoding utf-8, .*save it as UTF-8"),
        (document("utf-8", "klingon"), "klingon, which is unknown; save it as UTF-8"),
        (b"", "empty file; fetch it again"),
        (b"<annotation><name>", "no whole XML .*fetch it again"),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "defines entities"),
    ],
)
def test_xml_that_cannot_be_read_names_the_cure(content, said, tmp_path):
    path = tmp_path / "a.xml"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=said):
        read_xml(path)


def test_an_xml_file_that_is_missing(tmp_path):
    with pytest.raises(DatasetError, match=r"gone\.xml: No such file or directory"):
        read_xml(tmp_path / "gone.xml")
