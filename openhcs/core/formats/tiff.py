"""One plane out of one TIFF file, or a plain reason why not.

tifffile fills what is missing in a truncated file with zeros; here such a file is an error, because zeros would be
measured as if they were an image. numpy and tifffile are imported on first use: together 0.12 s, which the workbench
need not spend before its first screen.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.errors import PlaneError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from tifffile import TiffPage

__all__ = ["DAMAGED", "LARGEST_PLANE_BYTES", "read_tiff_plane"]

LARGEST_PLANE_BYTES = 2**29
"""16,384 x 16,384 pixels of 16 bits, more than any camera's; a damaged header must not ask for all the memory."""

DAMAGED = (OSError, ValueError, RuntimeError, LookupError, ArithmeticError, TypeError, MemoryError, struct.error)
"""What tifffile and the codecs raise for a damaged file: whatever their parsing trips over, see `test_tiff`."""


def read_tiff_plane(path: Path) -> npt.NDArray[np.generic]:
    """The pixels `(Y, X)` of the only plane in the file at `path`, in the type they are stored in, counts.

    Raises:
        PlaneError: the file is missing, unreadable, truncated, damaged, or holds anything but one grey plane.
    """
    from tifffile import TiffFile, TiffPage

    try:
        size = path.stat().st_size
        if size == 0:
            raise _plane_error(path, "an empty file")
        with TiffFile(path) as tiff:
            if not tiff.pages:
                raise _plane_error(path, "a file without an image, perhaps cut short")
            if len(tiff.pages) != 1:
                raise _plane_error(path, f"{len(tiff.pages)} planes in one file")
            page = tiff.pages[0]
            if not isinstance(page, TiffPage) or page.ndim != 2 or 0 in page.shape:
                raise _plane_error(path, f"an image of shape {page.shape}")
            if page.nbytes > LARGEST_PLANE_BYTES:
                raise _plane_error(path, f"a header that says {page.shape[0]} x {page.shape[1]} pixels")
            _check_complete(path, page, size)
            pixels: npt.NDArray[np.generic] = page.asarray()
    except PlaneError:
        raise
    except FileNotFoundError as error:
        raise _plane_error(path, "no such file") from error
    except DAMAGED as error:
        raise _plane_error(path, f"{type(error).__name__}: {error}") from error
    return pixels


def _check_complete(path: Path, page: TiffPage, size: int) -> None:
    """Raise unless the file reaches as far as its own table of image data says."""
    if not page.databytecounts or len(page.dataoffsets) != len(page.databytecounts) or 0 in page.databytecounts:
        raise _plane_error(path, "a file whose table of image data is damaged")
    ends = [offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)]
    if max(ends) > size:
        raise _plane_error(path, f"a file cut short: {size} bytes of {max(ends)}")
    if page.compression == 1 and sum(page.databytecounts) < page.nbytes:
        raise _plane_error(path, f"image data of {sum(page.databytecounts)} bytes where {page.nbytes} are needed")


def _plane_error(path: Path, found: str) -> PlaneError:
    return PlaneError(
        f"image cannot be read: {path}; expected a complete TIFF file of one grey plane, got {found}. "
        "Copy the file from the microscope again."
    )
