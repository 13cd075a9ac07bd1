"""Metrics to MLflow."""

import os
import re
from pathlib import Path
from typing import Any

from d2freq.engine.writers.scalars import ScalarWriter

__all__ = ["MLflowWriter"]

ID_FILE = "mlflow_id.txt"


class MLflowWriter(ScalarWriter):
    """One run of MLflow for an output folder; ``--resume`` goes on with the same one.

    Args:
        output_dir: folder of the run.
        experiment: of MLflow.
        name: of the run; "" for the folder's.
        tracking_uri: of the server; "" for what MLFLOW_TRACKING_URI says, else the file
            ``mlflow.db`` in the folder above ``output_dir``, which needs no server:
            ``mlflow ui --backend-store-uri sqlite:///...`` shows it.
    """

    def __init__(
        self,
        output_dir: str,
        *,
        experiment: str = "d2freq",
        name: str = "",
        tracking_uri: str = "",
    ) -> None:
        super().__init__()
        self._folder = os.path.abspath(output_dir)
        self._experiment, self._name = experiment, name or os.path.basename(self._folder)
        uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI", "")
        self._uri = uri or f"sqlite:///{Path(self._folder).parent / 'mlflow.db'}"
        self._mlflow: Any = None

    def log(self, iteration: int, scalars: dict[str, float]) -> None:
        if self._mlflow is None:
            self._start()
        # "[metric]grad_scaler" has characters that MLflow does not take
        named = {re.sub(r"[^\w\-./ ]", "_", name): value for name, value in scalars.items()}
        self._mlflow.log_metrics(named, step=iteration)

    def close(self) -> None:
        """End the run, with the config as an artifact."""
        if self._mlflow is None:
            return
        config = os.path.join(self._folder, "config.yaml")
        if os.path.isfile(config):
            self._mlflow.log_artifact(config)
        self._mlflow.end_run()
        self._mlflow = None

    def _start(self) -> None:
        import mlflow  # takes seconds, and is no requirement

        os.makedirs(self._folder, exist_ok=True)
        mlflow.set_tracking_uri(self._uri)
        mlflow.set_experiment(self._experiment)
        path = Path(self._folder, ID_FILE)
        known = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
        if known:
            mlflow.start_run(run_id=known)
        else:
            run = mlflow.start_run(run_name=self._name)
            path.write_text(run.info.run_id, encoding="utf-8")
        self._mlflow = mlflow
