"""SeqCSIST: sequences of closely spaced infrared targets, generated or read as published."""

from typing import TYPE_CHECKING

from d2freq.utils.late import exported_from

if TYPE_CHECKING:
    from d2freq.data.seqcsist.catalog import load_q_init, register_seqcsist, register_sequences
    from d2freq.data.seqcsist.dataset import generate_seqcsist
    from d2freq.data.seqcsist.mapper import SequenceMapper
    from d2freq.data.seqcsist.rules import Rules

__all__ = [
    "Rules",
    "SequenceMapper",
    "generate_seqcsist",
    "load_q_init",
    "register_seqcsist",
    "register_sequences",
]

# the rules alone, as the command line reads them, need no torch
__getattr__ = exported_from(
    __name__,
    {
        "Rules": "d2freq.data.seqcsist.rules",
        "SequenceMapper": "d2freq.data.seqcsist.mapper",
        "generate_seqcsist": "d2freq.data.seqcsist.dataset",
        "load_q_init": "d2freq.data.seqcsist.catalog",
        "register_seqcsist": "d2freq.data.seqcsist.catalog",
        "register_sequences": "d2freq.data.seqcsist.catalog",
    },
)
