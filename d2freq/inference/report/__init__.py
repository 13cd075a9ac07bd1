"""report.html: pictures with boxes, counts and, beside ground truth, what was right and wrong."""

from d2freq.inference.report.write import PICTURES, PIXEL_BYTES, REPORT_FILE, write_report

__all__ = ["PICTURES", "PIXEL_BYTES", "REPORT_FILE", "write_report"]
