"""The report in a real browser: filters, slider, order, zoom and keys; no error and no request.

Needs playwright and a Chromium of the system: on PATH, or named by D2FREQ_CHROMIUM.
"""

import base64
import io
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from d2freq.evaluation.coco.judge import HIT, MISS, judge
from d2freq.evaluation.protocols import get_protocol
from d2freq.inference.outputs.coco import join_detections
from d2freq.inference.report import write_report

from .cases import EVIL, made_run

CHROMIUM = os.environ.get("D2FREQ_CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
playwright = pytest.importorskip(
    "playwright.sync_api", reason="drives the report: pip install playwright (the extra dev)"
)
if CHROMIUM is None:
    pytest.skip(
        "no Chromium to open the report in: install one, or name it by D2FREQ_CHROMIUM",
        allow_module_level=True,
    )
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The results, what writers need, and the page."""
    folder = tmp_path_factory.mktemp("run")
    results, run, _ = made_run(folder)
    return results, run, write_report(results, folder / "report.html", run)


class Page:
    """An open report, which remembers what the browser complained of and asked for."""

    def __init__(self, browser, path, **options):
        self.page = browser.new_page(viewport={"width": 1200, "height": 900}, **options)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.page.wait_for_selector(".card")

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()

    def counts(self) -> dict[str, str]:
        return dict(zip(self.texts("#counts dt"), self.texts("#counts dd"), strict=True))

    def slide(self, step: int) -> None:
        """Move the slider as a person does, and wait for the page to follow."""
        self.page.locator("#score").fill(str(step))
        self.settle()

    def settle(self) -> None:
        self.page.evaluate(
            "new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))"
        )

    def show_first_card(self) -> None:
        """Scroll to it, and wait until it is drawn; a canvas is 300 wide before."""
        self.page.locator(".card").first.scroll_into_view_if_needed()
        self.until("document.querySelector('.card canvas').width !== 300")

    def until(self, expression: str) -> None:
        """Wait until JavaScript says so; the page's policy lets no waiting inside it."""
        for _ in range(200):
            if self.page.evaluate(expression):
                return
            self.page.wait_for_timeout(25)
        pytest.fail(f"in vain: {expression}")

    def zoom(self) -> float:
        return float(self.page.locator("#canvas").get_attribute("data-zoom"))

    def pixels(self, selector: str) -> np.ndarray:
        """(H, W, 3) of a canvas."""
        url = self.page.locator(selector).first.evaluate("c => c.toDataURL()")
        image = Image.open(io.BytesIO(base64.b64decode(url.split(",")[1])))
        return np.asarray(image.convert("RGB")).astype(int)


@pytest.fixture
def opened(browser, run):
    page = Page(browser, run[2])
    yield page
    file = run[2].as_uri()
    page.page.close()
    assert page.complaints == []
    assert [url for url in page.requests if url != file and not url.startswith("data:")] == []


def expected(run, step: int, kinds=(1, 2)) -> dict[str, int]:
    """Hits, false alarms and misses, counted plainly."""
    results, about, _ = run
    found = join_detections(results, about)
    judged = judge(about.truth, found, get_protocol("aitod"))
    kept = (found.score >= step / 100) & np.isin(found.category_id, kinds)
    missed = judged.counted & (judged.found_at < step / 100)
    missed &= np.isin(about.truth.category_id, kinds)
    return {
        "hits": int((kept & (judged.state == HIT)).sum()),
        "false alarms": int((kept & (judged.state == MISS)).sum()),
        "missed": int(missed.sum()),
    }


def test_slider_and_classes_change_the_counts(opened, run):
    for step in (0, 36, 60, 100):
        opened.slide(step)
        shown = opened.counts()
        assert {key: int(shown[key]) for key in expected(run, step)} == expected(run, step)
    opened.slide(40)
    opened.page.get_by_role("button", name="ship", exact=True).click()
    opened.settle()
    shown = opened.counts()
    wanted = expected(run, 40, kinds=(2,))
    assert {key: int(shown[key]) for key in wanted} == wanted
    cards = " ".join(opened.texts(".card .text"))
    assert (
        sum(int(t.split(" hit")[0].split()[-1]) for t in opened.texts(".card .text"))
        == (wanted["hits"])
    ), cards
    opened.page.get_by_role("button", name="none", exact=True).click()
    opened.settle()
    assert opened.counts()["detections"] == "0"
    opened.page.get_by_role("button", name="all", exact=True).click()
    opened.settle()
    assert opened.counts()["hits"] == str(expected(run, 40)["hits"])


def test_the_best_threshold_is_a_click_away(opened):
    opened.slide(95)
    low = float(opened.counts()["F1"])
    opened.page.get_by_role("button", name="best F1").click()
    opened.settle()
    best = float(opened.page.get_by_role("button", name="best F1").inner_text().split()[2])
    assert low < float(opened.counts()["F1"]) <= best


def test_orders_and_search(opened):
    opened.slide(30)
    assert opened.texts(".card .name")[0] == "p4.png"  # with most misses
    opened.page.select_option("#sort", "densest")
    opened.settle()
    assert "1.png" in opened.texts(".card .name")[0]
    opened.page.select_option("#sort", "name")
    opened.settle()
    assert opened.texts(".card .name")[1:] == ["p2.png", "p3.png", "p4.png"]
    opened.page.locator("#search").fill("P3")
    opened.settle()
    assert opened.texts(".card .name") == ["p3.png"]
    assert opened.texts("#matching") == ["1 of 4"]


def test_a_picture_is_drawn_with_its_boxes(opened):
    opened.show_first_card()
    pixels = opened.pixels(".card canvas.picture")
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 200  # the noise of the picture

    def coloured(colour) -> int:
        return int((np.abs(pixels - colour).max(2) < 30).sum())

    green, red = coloured((46, 230, 114)), coloured((255, 77, 109))
    assert green > 50 and red > 50
    opened.page.get_by_role("button", name="missed", exact=True).click()
    opened.page.wait_for_timeout(300)
    pixels = opened.pixels(".card canvas.picture")
    assert coloured((46, 230, 114)) > 50 and coloured((255, 77, 109)) < red / 5


def test_zoom_by_wheel_keys_and_buttons(opened):
    opened.page.locator(".card").first.click()
    fit = opened.zoom()
    opened.page.locator("#canvas").hover()
    opened.page.mouse.wheel(0, -400)
    opened.until(f"+document.getElementById('canvas').dataset.zoom > {1.3 * fit}")
    wheel = opened.zoom()
    opened.page.keyboard.press("+")
    assert opened.zoom() == pytest.approx(1.4 * wheel, rel=1e-3)
    before = opened.pixels("#canvas")
    opened.page.mouse.down()
    opened.page.mouse.move(500, 500)
    opened.page.mouse.up()
    assert (opened.pixels("#canvas") != before).any()
    opened.page.keyboard.press("0")
    assert opened.zoom() == pytest.approx(fit)
    opened.page.get_by_role("button", name="Next object").click()
    assert opened.zoom() > 2 * fit  # an object of some pixels fills part of the window
    assert opened.page.locator("#objects [aria-current=true]").count() == 1


def test_keys_alone_are_enough(opened):
    page = opened.page
    page.locator(".card").first.focus()
    page.keyboard.press("Enter")
    first = page.locator("#viewer-name").inner_text()
    page.keyboard.press("ArrowRight")
    second = page.locator("#viewer-name").inner_text()
    assert second != first
    page.keyboard.press("n")
    page.keyboard.press("n")
    chosen = page.locator("#objects [aria-current=true]").inner_text()
    page.keyboard.press("p")
    page.keyboard.press("n")
    assert page.locator("#objects [aria-current=true]").inner_text() == chosen
    page.keyboard.press("ArrowLeft")
    assert page.locator("#viewer-name").inner_text() == first
    page.keyboard.press("Escape")
    assert not page.locator("#viewer").is_visible()
    assert page.evaluate("document.activeElement.className") == "card"
    page.locator("#score").focus()
    before = page.locator("#score-value").inner_text()
    page.keyboard.press("ArrowRight")
    opened.settle()
    assert float(page.locator("#score-value").inner_text()) == pytest.approx(float(before) + 0.01)


def test_names_are_text_whatever_they_say(opened):
    assert opened.page.title() == f"Run {EVIL}"
    assert opened.page.locator("script").count() == 2 + 4  # its own, the data, and the pixels
    assert EVIL in opened.texts("#classes .chip")
    assert any("<script>" in name for name in opened.texts(".card .name"))
    assert opened.page.locator("table.matrix th").nth(2).inner_text() == EVIL
    blocked = opened.page.evaluate(
        "fetch('https://example.org/').then(() => 'went out', () => 'blocked')"
    )
    assert blocked == "blocked"
    opened.complaints.clear()  # the browser says what it blocked, which was asked for here
    opened.requests.clear()


def test_without_ground_truth_on_a_narrow_dark_screen(browser, tmp_path):
    results, run, _ = made_run(tmp_path, truth=False)
    path = write_report(results, tmp_path / "report.html", run)
    opened = Page(browser, path, color_scheme="dark")
    opened.page.set_viewport_size({"width": 390, "height": 800})
    opened.settle()
    assert not opened.page.locator("#truth").is_visible()
    assert opened.page.locator("#kinds").is_hidden()
    assert set(opened.counts()) == {"pictures", "detections", "per picture"}
    width = opened.page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390  # nothing hangs over the side
    light = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, light[4:-1].split(","))) < 60
    opened.page.locator(".card").first.click()
    assert opened.page.locator("#objects li").count() > 3
    opened.page.close()
    assert opened.complaints == []


def test_hundreds_of_pictures_are_drawn_when_they_are_seen(browser, tmp_path):
    results, run, _ = made_run(tmp_path, count=2)
    many = [_again(result, number) for number, result in enumerate(results * 150, start=1)]
    path = write_report(many, tmp_path / "report.html", replace(run, truth=None))
    opened = Page(browser, path)
    assert opened.page.locator(".card").count() == 60
    opened.show_first_card()
    drawn = "[...document.querySelectorAll('canvas.picture')].filter(c => c.width !== 300).length"
    assert 0 < opened.page.evaluate(drawn) < 30
    opened.page.get_by_role("button", name="Show more").click()
    opened.settle()
    assert opened.page.locator(".card").count() == 120
    assert opened.counts()["pictures"] == "300"
    opened.page.close()
    assert opened.complaints == []


def _again(result, number: int):
    picture = replace(result.picture, name=f"{number:04d}.png", image_id=number)
    return replace(result, picture=picture)
