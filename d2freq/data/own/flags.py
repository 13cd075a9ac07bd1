"""The flags of ``d2freq train`` that name data of one's own, checked before torch is imported."""

import argparse

from d2freq.errors import UserError
from d2freq.utils.present import present

__all__ = ["check_data_flags"]


def check_data_flags(args: argparse.Namespace) -> None:
    """Refuse what the words alone show to be impossible.

    Args:
        args: of d2freq.train_arguments.

    Raises:
        UserError: neither data nor config, data that is not there, or a flag of ``--data`` without
            it.
    """
    if args.data:
        present(args.data, "--data")
        if args.val_data:
            present(args.val_data, "--val-data")
        return
    for flag in ("val_data", "images", "val_images"):
        if getattr(args, flag):
            raise UserError(f"--{flag.replace('_', '-')} belongs to --data; name that, too")
    if not args.config_file:
        raise UserError(
            "nothing to train: name data of your own (--data FOLDER) or a config "
            "(--config-file NAME; d2freq configs lists them)"
        )
