"""SeqCSIST: sequences of closely spaced infrared targets, generated or read as published."""

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
