"""minid2: a small, pure-Python subset of Detectron2's public API.

``minid2.install_as_detectron2()`` lets ``import detectron2.x`` mean ``minid2.x``, for code that is
written against Detectron2 on a machine where it is not installed.
"""

from .host import install_as_detectron2, is_installed_as_detectron2

# The version of Detectron2 whose API this is: extensions parse ``detectron2.__version__``.
__version__ = "0.6"
