"""How large a report grows where nothing else is asked for, and what it is called."""

__all__ = ["PICTURES", "PIXEL_BYTES", "REPORT_FILE"]

REPORT_FILE = "report.html"
PICTURES = 500  # shown at most
PIXEL_BYTES = 40_000_000  # of all of them
