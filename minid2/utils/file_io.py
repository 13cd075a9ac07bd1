"""One path manager for local files, downloads and the addresses of Detectron2's model storage."""

from iopath.common.file_io import HTTPURLHandler, PathHandler
from iopath.common.file_io import PathManager as _PathManager

__all__ = ["PathHandler", "PathManager"]

PREFIX = "detectron2://"
STORAGE = "https://dl.fbaipublicfiles.com/detectron2/"

PathManager = _PathManager()


class _StorageHandler(PathHandler):
    """``detectron2://x`` is a download, kept in iopath's cache after the first use."""

    def _get_supported_prefixes(self) -> list[str]:
        return [PREFIX]

    def _get_local_path(self, path: str, **kwargs) -> str:
        return PathManager.get_local_path(STORAGE + path[len(PREFIX) :], **kwargs)

    def _open(self, path: str, mode: str = "r", **kwargs):
        return PathManager.open(self._get_local_path(path), mode, **kwargs)


PathManager.register_handler(HTTPURLHandler())
PathManager.register_handler(_StorageHandler())
