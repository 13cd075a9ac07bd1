"""Names of files: their own, harmless, and inside the folder."""

import pytest

from d2freq.inference.outputs.file_names import files_of

from ..cases import picture


def names_of(*names: str) -> list[str]:
    return files_of([picture(name, number) for number, name in enumerate(names, 1)], ".txt")


def test_folders_and_dots_stay():
    assert names_of("a/x.png", "b/x.png", "scene.v2.tif") == ["a/x.txt", "b/x.txt", "scene.v2.txt"]


def test_names_that_would_meet_have_their_id():
    assert names_of("a.png", "a.jpg", "b.png") == ["a_1.txt", "a_2.txt", "b.txt"]
    assert names_of("A.png", "a.png") == ["A_1.txt", "a_2.txt"]


def test_an_id_makes_no_new_meeting():
    names = names_of("a_2.png", "a.png", "a.jpg", "a_3.tif")
    names = [name.casefold() for name in names]
    assert len(set(names)) == 4 and names[0] == "a_2.txt"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("../../etc/passwd", "etc/passwd.txt"),
        ("/abs/x.png", "abs/x.txt"),
        ("C:\\x\\y.png", "C__x_y.txt"),
        ("nul.png", "_nul.txt"),
        ("a\n?.png", "a__.txt"),
        ("..", "picture.txt"),
        ("video.mp4/000012", "video.mp4/000012.txt"),
    ],
)
def test_no_name_leads_elsewhere(name, file):
    assert names_of(name) == [file]


def test_long_names_fit_a_disk():
    (name,) = names_of("ü" * 300 + ".png")
    assert len(name.encode()) < 220 and name.endswith("ü.txt")
