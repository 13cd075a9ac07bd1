"""Pictures of many depths and bands, each written by a library that others use."""

import struct
import warnings
import zlib

import cv2
import numpy as np
import tifffile

SIZE = (20, 12)  # width, height
DEEP = np.random.default_rng(0).integers(0, 60001, (SIZE[1], SIZE[0], 5), dtype=np.uint16)
RGB = DEEP[:, :, :3] % 2047  # as cv2.imwrite is given 11 bits
CONTIGUOUS = dict(photometric="minisblack", planarconfig="contig")


def by_opencv(path, values):
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[values.shape[2]]
    assert cv2.imwrite(str(path), np.ascontiguousarray(values[:, :, order]))


def by_tifffile(**options):
    def write(path, values):
        if values.shape[2] == 1:
            tifffile.imwrite(path, values[:, :, 0])
            return
        if options.get("planarconfig") != "contig":
            values = np.ascontiguousarray(np.moveaxis(values, 2, 0))
        tifffile.imwrite(path, values, **options)

    return write


def by_rasterio(**options):
    def write(path, values):
        import rasterio

        height, width, count = values.shape
        shape = dict(height=height, width=width, count=count, dtype=values.dtype)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with rasterio.open(path, "w", **shape, **options) as file:
                file.write(np.moveaxis(values, 2, 0))

    return write


def chunk(kind, content):
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def grey_alpha_png(path, values):
    """No library here writes PNG's colour type 4 of 16 bits."""
    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, 4, 0, 0, 0)
    parts = [chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


# name: file name, samples (H, W, B), writer, which band is alpha
CASES = {
    "RGB PNG": ("a.png", RGB, by_opencv, -1),
    "RGBA PNG": ("a.png", DEEP[:, :, :4], by_opencv, 3),
    "grey PNG": ("a.png", DEEP[:, :, :1], by_opencv, -1),
    "grey and alpha PNG": ("a.png", DEEP[:, :, :2], grey_alpha_png, 1),
    "RGB TIFF": ("a.tif", RGB, by_opencv, -1),
    "five bands": ("a.tif", DEEP, by_tifffile(**CONTIGUOUS), -1),
    "four bands": ("a.tif", DEEP[:, :, :4], by_tifffile(**CONTIGUOUS), -1),
    "five planes": (
        "a.tif",
        DEEP,
        by_tifffile(photometric="minisblack", planarconfig="separate"),
        -1,
    ),
    "five pages": ("a.tif", DEEP, by_tifffile(photometric="minisblack"), -1),
    "big-endian BigTIFF, deflated": (
        "a.tif",
        DEEP,
        by_tifffile(**CONTIGUOUS, bigtiff=True, byteorder=">", compression="zlib", predictor=True),
        -1,
    ),
    "float32": ("a.tif", DEEP[:, :, :1] / np.float32(7), by_tifffile(**CONTIGUOUS), -1),
    "int16": ("a.tif", DEEP.astype(np.int16), by_tifffile(**CONTIGUOUS), -1),
    "five bands of 8 bits": ("a.tif", DEEP.astype(np.uint8), by_tifffile(**CONTIGUOUS), -1),
    "PPM": ("a.ppm", RGB, by_opencv, -1),
    "GDAL, LZW": ("a.tif", DEEP, by_rasterio(driver="GTiff", compress="lzw"), -1),
    "JPEG 2000": (
        "a.jp2",
        RGB,
        by_rasterio(driver="JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES"),
        -1,
    ),
}
NEEDS_RASTERIO = ("GDAL, LZW", "JPEG 2000")
