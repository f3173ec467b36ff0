"""What workers need, imported once, by the fork server that they are forked from.

`worker` alone would do to have them work. But the functions of the catalogue, and what their libraries import when it
is first asked for, would then be loaded by each worker in its first well: 0.1 to 0.2 s each time. What few pipelines
take and is slow to import, such as `scipy.signal` (0.4 s, for stitching), is left to their wells.

Imported by the fork server alone, and only this module does its work when it is imported: a fork server can be told
nothing else.
"""

# ruff: noqa: F401 - what is imported here is there for the workers

from __future__ import annotations

import gc

import distributed.nanny
import distributed.worker
import imagecodecs
import tifffile
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.filters import threshold_otsu
from skimage.measure import label, regionprops_table
from skimage.morphology import remove_small_objects
from skimage.segmentation import clear_border, expand_labels, watershed

import openhcs.core.tasks
import openhcs.core.worker
from openhcs.core.functions import catalogue

catalogue()
gc.freeze()  # what is here stays: a worker that looked through it for garbage would copy all of it
