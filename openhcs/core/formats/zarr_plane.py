"""One plane out of one Zarr array, or a plain reason why not.

A plane's path is that of its array with its place along the leading axes behind it: `B/03/0/0[0,2,1]`. zarr is imported
on first use (0.3 s); what only indexes plates never pays for it.

The metadata of an array names the codecs that zarr then runs, and one of them unpickles, which runs whatever code the
file holds. So arrays with any codec but those of `_CODECS` are refused before zarr sees them, and sizes that a plane
cannot have before memory is asked for.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING

from openhcs.core.formats.ome_zarr_metadata import read_array
from openhcs.core.formats.tiff import DAMAGED, LARGEST_PLANE_BYTES
from openhcs.errors import PlaneError, PlateError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["place_in_array", "read_array_plane"]

_CODECS = frozenset(
    {"bytes", "transpose", "sharding_indexed", "crc32c", "crc32", "adler32", "fletcher32"}
    | {"blosc", "zstd", "gzip", "zlib", "lz4", "bz2", "lzma", "delta", "shuffle", "packbits", "bitround", "quantize"}
    | {"fixedscaleoffset", "astype"}
)

_LARGEST_CHUNK_BYTES = 2**30
_MOST_CHUNKS = 1_000_000

_PLACE = re.compile(r"(?P<array>.+)\[(?P<indices>(?:\d+(?:,\d+)*)?)\]", re.DOTALL)


def place_in_array(array: str, indices: tuple[int, ...]) -> str:
    """The path of the plane at `indices`, from 0, along the leading axes of the array at `array`."""
    return f"{array}[{','.join(map(str, indices))}]"


def read_array_plane(path: Path) -> npt.NDArray[np.generic]:
    """The pixels `(Y, X)` of the plane at `path`, in the type they are stored in.

    Raises:
        PlaneError: the array is missing or damaged, or has no such plane.
    """
    # 0.3 s on first use.
    import zarr

    match = _PLACE.fullmatch(str(path))
    if match is None:
        raise _plane_error(path, "a path without the place of a plane, such as 0[0,1]")
    indices = tuple(int(number) for number in match["indices"].split(",") if number)
    try:
        metadata = read_array(Path(match["array"]))
        strange = [name for name in metadata.codec_names() if name.removeprefix("numcodecs.") not in _CODECS]
        if strange:
            raise _plane_error(path, f"the codec {strange[0]}, which is not one of {', '.join(sorted(_CODECS))}")
        array = zarr.open_array(match["array"], mode="r", zarr_format=metadata.zarr_format)
        if array.ndim != len(indices) + 2 or array.dtype.kind not in "buif":
            raise _plane_error(path, f"an array of shape {array.shape} and type {array.dtype}")
        if any(index >= size for index, size in zip(indices, array.shape, strict=False)):
            raise _plane_error(path, f"an array of shape {array.shape}, too small for this plane")
        if array.shape[-2] * array.shape[-1] * array.dtype.itemsize > LARGEST_PLANE_BYTES:
            raise _plane_error(path, f"a header that says {array.shape[-2]} x {array.shape[-1]} pixels")
        _check_chunks(path, array.shape, array.chunks, array.shards, array.dtype.itemsize)
        pixels: npt.NDArray[np.generic] = array[indices]
    except PlaneError:
        raise
    except PlateError as error:
        raise PlaneError(f"image cannot be read: {path}; {error}") from error
    except DAMAGED as error:
        raise _plane_error(path, f"{type(error).__name__}: {error}") from error
    return pixels


def _check_chunks(
    path: Path, shape: tuple[int, ...], chunks: tuple[int, ...], shards: tuple[int, ...] | None, itemsize: int
) -> None:
    """Raise if reading one plane would ask for more memory than the plane: a chunk is decoded as a whole."""
    if math.prod(chunks) * itemsize > _LARGEST_CHUNK_BYTES:
        raise _plane_error(path, f"chunks of {' x '.join(map(str, chunks))} pixels")
    in_plane = math.prod(-(-side // chunk) for side, chunk in zip(shape[-2:], chunks[-2:], strict=True))
    in_shard = math.prod(shard // chunk for shard, chunk in zip(shards or chunks, chunks, strict=True))
    if max(in_plane, in_shard) > _MOST_CHUNKS:
        raise _plane_error(path, f"{max(in_plane, in_shard)} chunks in one plane or shard")


def _plane_error(path: Path, found: str) -> PlaneError:
    return PlaneError(
        f"image cannot be read: {path}; expected a plane of a Zarr array, got {found}. Copy the plate again."
    )
