"""The site builds without a warning, its links lead somewhere, and a browser searches it offline.

Needs mkdocs (the extra docs), and for the browser playwright and a Chromium of the system. The site
is the same on either host, so it is built and opened on one.
"""

import os
import shutil

import pytest

from d2freq import HOST

from .site import broken_links, build, read_pages

pytest.importorskip("material", reason="builds the site: pip install -e '.[docs]'")
pytest.importorskip("mkdocstrings", reason="builds the site: pip install -e '.[docs]'")
if HOST != "minid2":
    pytest.skip(f"the site is built once, on minid2, not on {HOST}", allow_module_level=True)

CHROMIUM = os.environ.get("D2FREQ_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Folder, warnings and pages of the built site."""
    folder = tmp_path_factory.mktemp("site")
    warnings = build(folder)
    return folder, warnings, read_pages(folder)


def test_it_builds_strictly(site):
    _, warnings, pages = site
    assert warnings == []
    assert len(pages) > 40


def test_every_internal_link_resolves(site):
    folder, _, pages = site
    assert sum(len(page.links) for page in pages.values()) > 3000
    assert list(broken_links(folder, pages)) == []


def test_a_broken_link_would_be_found(site):
    folder, _, pages = site
    page = next(iter(pages.values()))
    page.links += ["nowhere.html", "index.html#nowhere", "#nowhere"]
    try:
        assert len(list(broken_links(folder, pages))) == 3
    finally:
        del page.links[-3:]


def test_nothing_is_loaded_from_a_network(site):
    _, _, pages = site
    for name, page in pages.items():
        outside = [each for each in page.loads if each.startswith(("http:", "https:", "//"))]
        assert outside == [], name


def test_formulas_are_drawn_by_the_browser_itself(site):
    folder, _, pages = site
    text = (folder / "methods/hs-fpn.html").read_text()
    assert text.count("<math") > 10 and "arithmatex" not in text
    assert not any("mathjax" in each.lower() for page in pages.values() for each in page.loads)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="opens the site: pip install playwright (the extra dev)"
    )
    if CHROMIUM is None:
        pytest.skip("no Chromium to open the site in: install one, or name it by D2FREQ_CHROMIUM")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


PAGES = (
    *("index.html", "tutorials/protocols.html"),
    *("methods/set.html", "reference/config/model.html"),
)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_from_the_disk_without_complaints(site, browser, name):
    page, complaints, requests = _opened(browser, site[0] / name)
    assert page.locator("h1").count() == 1
    pictures = "[...document.images].every(i => i.complete && i.naturalWidth > 0)"
    assert page.evaluate(pictures)
    page.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.mark.parametrize("words", ["MODEL.HSFPN.GATE_RELU", "GATE_RELU"])
def test_the_search_finds_a_key_from_the_disk(site, browser, words):
    page, complaints, requests = _opened(browser, site[0] / "index.html")
    page.locator("input.md-search__input").click()
    page.locator("input.md-search__input").press_sequentially(words)
    found = page.locator(".md-search-result__link[href*='reference/config/model.html#']").first
    found.wait_for(timeout=20_000)
    assert found.get_attribute("href").endswith("#modelhsfpngate_relu") or words == "GATE_RELU"
    page.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []


def _opened(browser, file):
    """The page of a file, what the browser complained of, and what it asked for."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    complaints: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(file.as_uri())
    page.wait_for_selector("h1")
    return page, complaints, requests
