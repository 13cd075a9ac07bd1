"""A page of a run that kept high scores alone says why its AP is lower than a training's."""

from dataclasses import replace

import pytest

from d2freq.inference.report import write_report

from .test_browser import Page, browser, run  # noqa: F401


@pytest.mark.parametrize(("least", "told"), [(0.3, True), (0.05, False), (0.0, False)])
def test_the_page_says_which_detections_its_ap_counts(browser, run, tmp_path, least, told):  # noqa: F811
    results, info, _ = run
    path = write_report(results, tmp_path / "report.html", replace(info, least=least))
    words = " ".join(Page(browser, path).texts(".panel p"))
    assert (f"detections that score {least:g} or more, and only these count" in words) == told
