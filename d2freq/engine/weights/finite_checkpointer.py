"""A checkpointer that neither writes nor reads weights which are not finite."""

from typing import Any

from d2freq.engine.weights.finite import check_finite
from d2freq.engine.weights.safe import SafeCheckpointer

__all__ = ["FiniteCheckpointer"]


class FiniteCheckpointer(SafeCheckpointer):
    """SafeCheckpointer for finite weights alone: a model with a NaN in it finds nothing."""

    def save(self, name: str, **kwargs: Any) -> None:
        """Write model and checkpointables, averages of weights and momenta among them.

        Raises:
            NonFiniteError: one of them is not finite; nothing is written, and what was saved
                before stays.
        """
        if self.save_dir and self.save_to_disk:
            parts = {key: part.state_dict() for key, part in self.checkpointables.items()}
            check_finite(
                {"model": self.model.state_dict(), **parts},
                what=f"{name} is not saved, because it is not finite",
                cure="The training has diverged; the checkpoint before stays",
            )
        super().save(name, **kwargs)

    def _load_file(self, filename: str) -> dict[str, Any]:
        checkpoint = super()._load_file(filename)
        check_finite(
            checkpoint["model"],
            what=f"checkpoint {filename} holds weights that are not finite",
            cure="A model with these finds nothing: take the checkpoint of an earlier iteration",
        )
        return checkpoint
