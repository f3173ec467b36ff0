"""Projections: a stack becomes one plane. Stack z (variable component `z`) for the usual projection."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import scipy as sp

from openhcs.processing.declarations import Projection, WorkingMemory
from openhcs.processing.types import Image

__all__ = ["project_best_focus", "project_maximum", "project_mean", "project_sum"]


def project_maximum(image: Image) -> Annotated[Projection, WorkingMemory(results=1)]:
    """The brightest value of each pixel along the stack.

    Source: Wallis, Miller, Lerner and Kleerup, IEEE Trans. Med. Imaging 8:297 (1989).

    Args:
        image: (N, Y, X), any unit.

    Returns:
        (Y, X), the unit of the image.
    """
    return np.asarray(image.max(axis=0), dtype=np.float32)


def project_mean(image: Image) -> Annotated[Projection, WorkingMemory(results=3)]:
    """The mean of each pixel along the stack; less noise than any one plane.

    Source: `numpy.mean`, summed in 64 bits.

    Args:
        image: (N, Y, X), any unit.

    Returns:
        (Y, X), the unit of the image.
    """
    return np.asarray(image.mean(axis=0, dtype=np.float64), dtype=np.float32)


def project_sum(image: Image) -> Annotated[Projection, WorkingMemory(results=3)]:
    """The sum of each pixel along the stack; keeps the total intensity of thick objects.

    Source: `numpy.sum`, summed in 64 bits.

    Args:
        image: (N, Y, X), any unit.

    Returns:
        (Y, X), the unit of the image; grows with the number of planes.
    """
    return np.asarray(image.sum(axis=0, dtype=np.float64), dtype=np.float32)


def project_best_focus(image: Image) -> Annotated[Projection, WorkingMemory(planes=3, results=1)]:
    """The one plane of the stack that is in focus: the one whose Laplacian has the largest variance.

    Source: Pech-Pacheco, Cristobal, Chamorro-Martinez and Fernandez-Valdivia, ICPR 3:314 (2000); compared with other
    measures of focus in Pertuz, Puig and Garcia, Pattern Recognit. 46:1415 (2013).

    Args:
        image: (N, Y, X), any unit.

    Returns:
        (Y, X), the unit of the image; the first of equally sharp planes.
    """
    focus = [float(sp.ndimage.laplace(plane).var(dtype=np.float64)) for plane in image]
    return np.array(image[int(np.argmax(focus))], dtype=np.float32)  # a copy: a view would keep the whole stack
