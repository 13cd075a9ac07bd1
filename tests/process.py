"""Python processes that tests start: the packages, the host and the threads of the test itself."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run_python(
    *words: str | Path, timeout: float = 600, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run ``python WORDS`` from the project's folder, with ``variables`` in its environment.

    The project comes first on PYTHONPATH and what stood there stays: it may hold the source tree
    of Detectron2. Exit status and output are for the caller to look at.

    Raises:
        subprocess.TimeoutExpired: the process took longer than ``timeout`` seconds.
    """
    inherited = os.environ.get("PYTHONPATH")
    path = os.pathsep.join([str(ROOT), inherited] if inherited else [str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **variables}
    command = [sys.executable, *map(str, words)]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=timeout
    )


def output_of_python(*words: str | Path, **variables: str) -> str:
    """What ``python WORDS`` prints, without the last line break; it has to end without an error."""
    done = run_python(*words, **variables)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.strip()
