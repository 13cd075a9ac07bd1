"""Packaging of d2freq. `pip install -e .` needs no compiler and no torch at build time."""

import re
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


def read_version() -> str:
    text = (ROOT / "d2freq" / "__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "([^"]+)"', text, re.MULTILINE).group(1)


class BuildWithConfigs(build_py):
    """Puts configs/ into the package, as d2freq/configs, where a wheel is built.

    An editable install reads the folder of the source tree. The configs are data: lazy ones import
    each other by their place, so they are no package of their own.
    """

    def _configs(self) -> list[str]:
        suffixes = (".yaml", ".py", ".md")
        files = (file for file in (ROOT / "configs").rglob("*") if file.suffix in suffixes)
        return sorted(file.relative_to(ROOT).as_posix() for file in files)

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            for name in self._configs():
                target = Path(self.build_lib, "d2freq", name)
                self.mkpath(str(target.parent))
                self.copy_file(str(ROOT / name), str(target))

    def get_source_files(self) -> list[str]:
        """What a source distribution has to hold."""
        return [*super().get_source_files(), *self._configs()]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        outputs = super().get_outputs(include_bytecode)
        if self.editable_mode:
            return outputs
        return [*outputs, *(str(Path(self.build_lib, "d2freq", n)) for n in self._configs())]


# omegaconf, iopath, fvcore and hydra-core carry the ranges of Detectron2's own setup.py: an
# environment with Detectron2 must be able to take d2freq without moving any of them.
REQUIREMENTS = [
    "torch>=2.6",
    "torchvision>=0.21",
    "fvcore>=0.1.5,<0.1.6",
    "iopath>=0.1.7,<0.1.10",
    "yacs>=0.1.8",
    "omegaconf>=2.1,<2.4",
    "hydra-core>=1.1",
    "pycocotools>=2.0.7",
    "faster-coco-eval>=1.7",
    "numpy>=1.24",
    "scipy>=1.10",
    "opencv-python>=4.8",
    "Pillow>=9.1",
    # TIFF of 16 bits or many bands: 0.25 MB in pure Python; GDAL, with the extra geo, has 60 MB
    "tifffile>=2022.5",
    "matplotlib",
    "tqdm>4.29.0",
    "tabulate",
    "termcolor>=1.1",
    "cloudpickle",
    "tensorboard",
    "packaging",
    # tensorboard imports pkg_resources in the releases that Detectron2's users still hold
    "setuptools",
]

EXPORT = ["onnx>=1.14", "onnxruntime>=1.16"]  # ONNX files, and their tests
SAHI = ["sahi>=0.12"]  # d2freq's detectors as a model of SAHI; it asks for opencv-python, as we do
SUPERVISION = ["supervision>=0.31"]  # and as the callback of supervision's InferenceSlicer
OPENVINO = ["openvino>=2024.4", "onnx>=1.14"]  # its files, by way of ONNX, and the engine
SHAPELY = ["shapely"]  # cuts polygons off at the border of a crop; Detectron2 asks for no version
GEO = ["rasterio>=1.3", "pyproj>=3.4", "geopandas>=1.0"]  # GeoTIFF in; GeoJSON, GeoPackage out
BROWSER = ["playwright>=1.40"]  # drives the report in the Chromium of the system, for its test
# the site, built by make docs
DOCS = [
    *("mkdocs>=1.6,<2", "mkdocs-material>=9.5,<10"),
    *("mkdocstrings[python]>=0.27", "latex2mathml>=3.77"),
]
NOTEBOOKS = ["nbclient>=0.8", "nbformat>=5.7", "ipykernel>=6"]  # runs the site's notebooks
TOOLS = ["pytest>=7", "pytest-xdist", "pytest-cov>=5", "ruff>=0.6", "mypy>=1.10", "types-tabulate"]

setup(
    name="d2freq",
    version=read_version(),
    description="Tiny-object detection in the frequency domain, an extension of Detectron2",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    # Said in so many words, an editable install puts this folder on sys.path. Else setuptools maps
    # the packages by a finder, and where Python runs in the folder above a clone named d2freq, that
    # folder is found first, as an empty namespace package.
    package_dir={"": "."},
    packages=find_packages(include=["d2freq", "d2freq.*", "minid2", "minid2.*"]),
    py_modules=["d2freq_command"],
    package_data={
        "d2freq": [
            *("py.typed", "engine/weights/*.txt"),
            *("inference/report/page/*", "inference/report/page/script/*"),
        ],
        "minid2": ["py.typed", "README.md", "absent.txt"],
    },
    install_requires=REQUIREMENTS,
    extras_require={
        "dev": [
            *TOOLS,
            "pre-commit>=3.2",
            *EXPORT,
            *OPENVINO,
            *SHAPELY,
            *GEO,
            *BROWSER,
            *DOCS,
            *NOTEBOOKS,
            *SAHI,
            *SUPERVISION,
        ],
        "docs": [*DOCS, *NOTEBOOKS],
        "export": EXPORT,
        "openvino": OPENVINO,
        "mlflow": ["mlflow>=2.10"],
        "geo": GEO,
        "sahi": SAHI,
        "shapely": SHAPELY,
        "supervision": SUPERVISION,
        "wandb": ["wandb>=0.16"],
    },
    cmdclass={"build_py": BuildWithConfigs},
    entry_points={"console_scripts": ["d2freq = d2freq_command:main"]},
)
