"""The files that a run of a detector leaves: one writer for each format, by name in WRITERS."""

from d2freq.inference.outputs.registry import WRITERS, Writer, summary_of, write_outputs
from d2freq.inference.outputs.run_info import ReadWindow, RunInfo, Window

__all__ = ["WRITERS", "ReadWindow", "RunInfo", "Window", "Writer", "summary_of", "write_outputs"]
