"""The report as one of a run's outputs."""

from collections.abc import Sequence
from pathlib import Path

from d2freq.inference.detections import PictureResult
from d2freq.inference.outputs.run_info import RunInfo

__all__ = ["write_report_page"]


def write_report_page(results: Sequence[PictureResult], folder: Path, run: RunInfo) -> list[Path]:
    """A page for a person, report.html: pictures that zoom, filters, counts and figures."""
    # the report stands on this package
    from d2freq.inference.report import REPORT_FILE, write_report

    return [write_report(results, folder / REPORT_FILE, run)]
