"""Printing results for a spreadsheet, and checking them against expectations."""

import pprint
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..host import logger_of


def print_csv_format(results: Mapping[str, Any]) -> None:
    """Log the main metrics as lines to copy; those of single classes (``AP-car``) are left out.

    Args:
        results: metrics by task, ``{"bbox": {"AP": 25.9}}``, or plain numbers by name.
    """
    logger = logger_of(__name__)
    for task, value in results.items():
        if not isinstance(value, Mapping):
            logger.info("copypaste: %s=%s", task, value)
            continue
        main = {metric: score for metric, score in value.items() if "-" not in metric}
        logger.info("copypaste: Task: %s", task)
        logger.info("copypaste: %s", ",".join(main))
        logger.info("copypaste: %s", ",".join(f"{score:.4f}" for score in main.values()))


def verify_results(cfg: Any, results: Mapping[str, Mapping[str, float]]) -> bool:
    """Compare with ``cfg.TEST.EXPECTED_RESULTS``, a list of ``[task, metric, value, tolerance]``.

    Returns True. What is missing, not finite or off by more than the tolerance ends the program
    with exit code 1, after both sides have been logged.
    """
    expected = cfg.TEST.EXPECTED_RESULTS
    if not expected:
        return True
    logger = logger_of(__name__)
    for task, metric, value, tolerance in expected:
        actual = results[task].get(metric)
        # written so that NaN fails, too
        if actual is None or not np.isfinite(actual) or not abs(actual - value) <= tolerance:
            logger.error("Result verification failed!")
            logger.error("Expected Results: %s", expected)
            logger.error("Actual Results: %s", pprint.pformat(results))
            sys.exit(1)
    logger.info("Results verification passed.")
    return True


def flatten_results_dict(results: Mapping[str, Any]) -> dict[str, Any]:
    """``{"bbox": {"AP": 1.0}}`` becomes ``{"bbox/AP": 1.0}``, at any depth."""
    flat: dict[str, Any] = {}
    for name, value in results.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}/{k}": v for k, v in flatten_results_dict(value).items()}
        else:
            flat[name] = value
    return flat
