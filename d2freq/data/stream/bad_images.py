"""What to do about a picture that cannot be read while training: DATALOADER.BAD_IMAGES."""

from typing import Any

from detectron2.data.detection_utils import SizeMismatchError
from PIL import Image

from d2freq.errors import DatasetError
from d2freq.utils.choices import choice
from d2freq.utils.pixels import look_at

__all__ = ["POLICIES", "describe_fault", "policy_of", "refusal"]

# raise: training ends with the name of the file. skip: the next record of the data set takes its
# place, and they are counted. warn: likewise, with a line for each file.
POLICIES = ("raise", "skip", "warn")
KEY = "DATALOADER.BAD_IMAGES (train.bad_images)"


def policy_of(name: str) -> str:
    """One of POLICIES.

    Raises:
        UserError: another name.
    """
    return choice(name, POLICIES, key=KEY)


def describe_fault(record: Any, error: Exception) -> str:
    """What is wrong with a record's picture, "" where the mapper failed for another reason.

    Args:
        record: as the data set has it.
        error: what its mapper raised.
    """
    path = record.get("file_name") if isinstance(record, dict) else None
    if not isinstance(path, str):
        return ""
    look = look_at(path, decode=True)
    of_picture = (OSError, SizeMismatchError, Image.DecompressionBombError, DatasetError)
    if look.fault:
        reason = f"{look.fault} ({look.reason})" if look.reason else look.fault
    elif isinstance(error, of_picture):
        reason = " ".join(str(error).split()).removeprefix(f"{path}: ")
    else:
        return ""
    return f"{path} (image_id {record.get('image_id')}): {reason}"


def refusal(fault: str) -> DatasetError:
    """The error that ends a training under "raise"."""
    return DatasetError(
        f"{fault}. Fetch the file again or take its record out (d2freq validate --depth decode "
        f"finds all of them); to train on without such pictures set {KEY} to skip or warn"
    )
