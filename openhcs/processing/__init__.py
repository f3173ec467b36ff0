"""Pure functions on image stacks, each with its source; `types` says what their signatures mean.

`MODULES` is the list the catalogue (`openhcs.core.functions`) reads: a module that is not named here offers nothing to
a pipeline. Deliberately absent: files, plates, progress and logging; the engine does that around the functions.

The modules say `import skimage as ski` and `import scipy as sp` and reach submodules as attributes, which both packages
load at first use. Importing all of the catalogue so costs about 20 ms and 3 MiB on top of numpy (100 ms and 25 MiB in
all), where the submodules would cost half a second and 45 MiB more: the workbench shows every function's parameters and
runs none.
"""

MODULES = (
    "openhcs.processing.background",
    "openhcs.processing.illumination",
    "openhcs.processing.intensity",
    "openhcs.processing.filters",
    "openhcs.processing.projection",
    "openhcs.processing.stitching",
    "openhcs.processing.segmentation",
    "openhcs.processing.labels",
    "openhcs.processing.measurement",
)
"""The modules whose `__all__` makes up the catalogue, in the order in which a user meets their subjects."""
