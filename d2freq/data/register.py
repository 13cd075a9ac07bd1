"""The names of all data sets, in the host's catalog."""

from d2freq.data.catalog import register_all
from d2freq.data.image_folders.dataset import register_image_folders
from d2freq.data.seqcsist.catalog import register_sequences

__all__ = ["register_data"]


def register_data() -> None:
    """Register every data set that is known by name; ``import d2freq`` does so."""
    register_all()
    register_sequences()
    register_image_folders()
