"""How a page is run, how links and lists of a forge become the site's, and the figures' files."""

import argparse

import pytest

from .pages import ROOT, blocks_of, commands_of, run_page


@pytest.fixture(scope="module")
def scripts():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "docs/scripts"))
        import draw_figures
        import notebook_page
        import outside_pages

        yield argparse.Namespace(figures=draw_figures, notebooks=notebook_page, pages=outside_pages)


def test_blocks_and_commands():
    text = "words\n```python\na = 1\n```\n\n```yaml\n# b.yaml\nc: 2\n```\n```console\nmake\n```\n"
    python, yaml, console = blocks_of(text)
    assert (python.language, python.text, python.line) == ("python", "a = 1\n", 2)
    assert python.file is None
    assert yaml.file == "b.yaml" and console.language == "console"
    said = "# exit code 2\nd2freq validate \\\n    a.json   # why\n\nd2freq configs\n"
    assert list(commands_of(said)) == [
        (["d2freq", "validate", "a.json"], 2),
        (["d2freq", "configs"], 0),
    ]


def test_a_page_that_is_wrong_fails(page_folder):
    page = page_folder / "page.md"
    page.write_text("```python\nassert 1 == 2\n```\n")
    with pytest.raises(AssertionError):
        run_page(page)
    page.write_text("```bash\nd2freq validate nowhere.json\n```\n")
    with pytest.raises(AssertionError, match="validate nowhere.json ended with 2"):
        run_page(page)
    page.write_text("```bash\nrm -rf everything\n```\n")
    with pytest.raises(AssertionError, match="cannot"):
        run_page(page)


def test_a_page_runs_files_settings_and_exit_codes(page_folder):
    page = page_folder / "page.md"
    page.write_text(
        "```python\n# own.py\nimport sys\n\nopen('ran', 'a').write(' '.join(sys.argv))\n```\n"
        "```bash\nexport PYTHONPATH=$PWD\npython own.py one\n"
        "# exit code 2\nd2freq validate nowhere.json\n```\n"
        "```python\nimport own\n\nassert open('ran').read().startswith('own.py one')\n```\n"
    )
    assert run_page(page) == 4


@pytest.mark.parametrize(
    "before, after",
    [
        ("[a](detect.md)", "[a](detect.md)"),
        ("[a](../benchmarks/RESULTS.md#x)", "[a](results.md#x)"),
        ("[a](../README.md)", "[a](index.md)"),
        ("[a](notebooks/detector.ipynb)", "[a](notebooks/detector.md)"),
        ("[a](../d2freq/config.py)", "`d2freq/config.py`"),
        ("[`c`](../d2freq/config.py)", "`c`"),
        ("[a](https://example.org/x)", "[a](https://example.org/x)"),
        ("`[a](../d2freq/config.py)`", "`[a](../d2freq/config.py)`"),
        ("![a](images/x.jpg)", "![a](images/x.jpg)"),
    ],
)
def test_links_of_a_page_of_docs(scripts, before, after):
    assert scripts.pages.with_site_links(before, "report.md") == after


def test_links_of_a_page_outside_docs(scripts):
    text = "[d](../../docs/detect.md), [s](../set/README.md), [f](../../d2freq/x.py), [h](#here)"
    assert scripts.pages.with_site_links(text, "configs/hs_fpn.md") == (
        "[d](../detect.md), [s](set.md), `d2freq/x.py`, [h](#here)"
    )


def test_a_list_gets_its_blank_line(scripts):
    text = "Words:\n- one\n  and more\n- two\n\n```\nx\n- no list\n```\n"
    assert scripts.pages.with_lists_apart(text) == text.replace("Words:\n", "Words:\n\n")


def test_the_pages_outside_docs_are_there(scripts):
    for file in scripts.pages.PAGES:
        assert (ROOT / file).is_file(), file


def test_the_figures_are_those_of_the_scripts(scripts):
    """``python docs/scripts/draw_figures.py`` writes them anew."""
    drawn = scripts.figures.all_figures()
    assert {file.stem for file in (ROOT / "docs/figures").glob("*.svg")} == set(drawn)
    for name, text in drawn.items():
        assert (ROOT / f"docs/figures/{name}.svg").read_text("utf-8") == text, name


def test_a_notebook_becomes_a_page(scripts):
    text = (ROOT / "docs/notebooks/frequencies.ipynb").read_text("utf-8")
    page = scripts.notebooks.as_markdown(text, file_name="frequencies.ipynb")
    assert page.startswith("# Frequencies of a picture")
    assert page.count("```python") == text.count('"cell_type": "code"')
    assert "[frequencies.ipynb](frequencies.ipynb)" in page
