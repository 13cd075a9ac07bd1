"""What an exported file says of itself: one JSON object under the name "d2freq".

ONNX keeps it among its metadata properties, TorchScript as an extra file, OpenVINO in the graph's
runtime information under "framework"; each package reads it without d2freq.
"""

import json
from collections.abc import Mapping
from typing import Any

from d2freq.errors import UserError

__all__ = ["KEY", "SCRIPT_FILE", "as_text", "parse"]

KEY = "d2freq"
SCRIPT_FILE = "d2freq.json"  # the extra file of TorchScript
FORMAT = 2  # 1 took one picture (3, H, W) and said nothing of itself


def as_text(about: Mapping[str, Any], *, batch: bool, precision: str = "float32") -> str:
    """The text that goes into a file.

    Args:
        about: of the model: "names", "channel_order" and so on.
        batch: whether it takes any number of pictures, or one.
        precision: "float32" or "int8".
    """
    own = {"format": FORMAT, "batch": "any" if batch else 1, "precision": precision}
    return json.dumps({**about, **own})


def parse(text: str, path: str) -> dict[str, Any]:
    """The object that a file says of itself.

    Args:
        text: what the file has under the name "d2freq", "" where it has nothing.
        path: of the file, for the message.

    Raises:
        UserError: d2freq did not write the file, or an earlier version did.
    """
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        found = None
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise UserError(
            f"{path}: says nothing of its classes and channels; write it with 'd2freq export' of "
            "this version"
        )
    return found
