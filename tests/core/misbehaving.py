"""Processing functions that misbehave on purpose, as a user's module would be written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import warnings

import numpy as np

from openhcs.processing.types import Image, Labels, Table

__all__ = [
    "count_halves",
    "crash_process",
    "exit_politely",
    "exit_process",
    "halve",
    "hold_or_fail",
    "measure_without_plane",
    "not_finite",
    "number_planes",
    "segment_as_floats",
    "segment_each",
    "take_first",
    "uneven_columns",
    "wait_for_program",
    "warn",
]


def hold_or_fail(image: Image) -> Image:
    """Hold for ever on an image of 7 only, raise on one of 9 only, and otherwise change nothing."""
    if np.all(image == 7):
        threading.Event().wait()
    if np.all(image == 9):
        raise ZeroDivisionError("a plane of nines")
    return image


def wait_for_program(image: Image) -> Image:
    """Start a program that goes on for hours, and wait for it."""
    subprocess.run(["sleep", "36000"], check=True)
    return image


def exit_process(image: Image) -> Image:
    """End the process at once."""
    os._exit(3)


def exit_politely(image: Image) -> Image:
    """Ask the interpreter to end."""
    sys.exit(3)


def crash_process(image: Image) -> Image:
    """End the process as a library with a fault in it does."""
    os.kill(os.getpid(), signal.SIGSEGV)
    return image


def not_finite(image: Image) -> Image:
    """Make one pixel infinite."""
    spoilt = image.copy()
    spoilt[0, 0, 0] = np.inf
    return spoilt


def halve(image: Image) -> Image:
    """Return every second row, which is the wrong shape."""
    return image[:, ::2]


def take_first(image: Image) -> Image:
    """Return the first plane of the stack, combined."""
    first: Image = image[0]
    return first


def warn(image: Image) -> Image:
    """Warn, and change nothing."""
    warnings.warn("low contrast", UserWarning, stacklevel=1)
    return image


def segment_each(image: Image) -> Labels:
    """Call the upper half of every plane object 1 and the lower half object 2."""
    labels = np.ones(image.shape, np.int32)
    labels[:, image.shape[1] // 2 :] = 2
    return labels


def segment_as_floats(image: Image) -> Labels:
    """Return labels that are not integers."""
    return np.ones(image.shape, np.float32)


def number_planes(image: Image) -> Table:
    """Return a row for each plane, last plane first."""
    planes = np.arange(len(image))[::-1]
    return {"plane": planes, "mean": image[planes].mean(axis=(1, 2))}


def measure_without_plane(image: Image) -> Table:
    """Return one row without saying of which plane."""
    return {"mean": image.mean(keepdims=True).ravel()}


def count_halves(image: Image, *, labels: Labels) -> Table:
    """Return the number of pixels of object 1 in each plane."""
    return {"plane": np.arange(len(image)), "pixels": np.count_nonzero(labels == 1, axis=(1, 2))}


def uneven_columns(image: Image) -> Table:
    """Return columns of different lengths."""
    return {"a": np.arange(2), "b": np.arange(3)}
