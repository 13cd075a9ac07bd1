"""What a model on frequencies needs of its images, known before the first iteration.

Detectron2 reads images of 16 bits by cutting all values above 255 off, so a stem never sees more
than 8 bits: it would be trained on white.
"""

from collections.abc import Iterable

import torch

from d2freq.data.coco.check import check_dataset
from d2freq.data.coco.faults_of_images import DEEP
from d2freq.errors import DatasetError
from d2freq.modeling.frequency_input import InputStem

__all__ = ["check_depth"]


def check_depth(names: Iterable[str], model: torch.nn.Module) -> None:
    """Raise where a model with a frequency input is to see images of more than 8 bits.

    Args:
        names: registered data sets, whose files have been checked already.
        model: also on device "meta".

    Raises:
        DatasetError: such images, named and counted, with the cure.
    """
    if not any(isinstance(module, InputStem) for module in model.modules()):
        return
    for name in dict.fromkeys(names):
        report = check_dataset(name)
        for note in report.notes if report else ():
            if note.kind == DEEP:
                raise DatasetError(f"data set {name}: {note}")
