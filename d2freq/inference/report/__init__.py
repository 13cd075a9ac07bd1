"""report.html: pictures with boxes, counts and, beside ground truth, what was right and wrong."""

from typing import TYPE_CHECKING

from d2freq.inference.report.limits import PICTURES, PIXEL_BYTES, REPORT_FILE
from d2freq.utils.late import exported_from

if TYPE_CHECKING:
    from d2freq.inference.report.write import write_report

__all__ = ["PICTURES", "PIXEL_BYTES", "REPORT_FILE", "write_report"]

__getattr__ = exported_from(__name__, {"write_report": "d2freq.inference.report.write"})
