"""What keys do with the pictures of a well: stage, channel, outlines, plane, time, contrast, and how near they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from openhcs.tui.panes.well_pictures import WellPictures
from openhcs.tui.utils.screen_output import is_plain
from openhcs.tui.widgets.bindings import Binding

__all__ = ["picture_rows"]

_FOR_EYES: Final = frozenset({"Near", "Far", "Contrast", "Labels"})
"""What a plain screen, which has pictures in words, has no use for."""


def picture_rows(pictures: WellPictures, on_key: Callable[[], None]) -> tuple[Binding, ...]:
    """The rows for `pictures`; `on_key` is called before each. A plain screen has fewer."""

    def step(
        keys: tuple[str, ...],
        to: Callable[[], object],
        label: str,
        description: str,
        why_not: Callable[[], str | None] = lambda: None,
        *,
        on_footer: bool = True,
    ) -> Binding:
        def run() -> None:
            on_key()
            to()

        return Binding(keys, run, label, description, why_not, on_footer)

    def why_no_z() -> str | None:
        return pictures.why_one(len(pictures.stock.z_planes), "z plane")

    def why_no_t() -> str | None:
        return pictures.why_one(len(pictures.stock.time_points), "time point")

    def channel(number: int) -> Binding:
        return step(
            (str(number),),
            lambda: pictures.change(pictures.scene.with_channel(pictures.stock, number)),
            f"Channel {number}",
            f"Show channel {number} alone, or all again.",
            lambda: None if number <= len(pictures.stock.channels) else f"There is no channel {number}",
            on_footer=False,
        )

    rows = (
        step(("b",), pictures.turn_stage, "Before/after", "Turn between the images acquired and the results."),
        step(
            ("c",),
            lambda: pictures.change(pictures.scene.next_channel(pictures.stock)),
            "Channel",
            "Show the next channel alone; after the last all in their colours.",
        ),
        *(channel(number) for number in range(1, 10)),
        step(
            ("l",),
            pictures.next_label,
            "Labels",
            "Outline the objects of the next label image; after the last none.",
            pictures.why_no_labels,
        ),
        step(
            ("z",),
            lambda: pictures.change(pictures.scene.stepped_z(pictures.stock, 1)),
            "Plane",
            "Go to the next z plane.",
            why_no_z,
        ),
        step(
            ("Z",),
            lambda: pictures.change(pictures.scene.stepped_z(pictures.stock, -1)),
            "Plane back",
            "Go to the z plane before.",
            why_no_z,
            on_footer=False,
        ),
        step(
            ("t",),
            lambda: pictures.change(pictures.scene.stepped_t(pictures.stock, 1)),
            "Time",
            "Go to the next time point.",
            why_no_t,
        ),
        step(
            ("T",),
            lambda: pictures.change(pictures.scene.stepped_t(pictures.stock, -1)),
            "Time back",
            "Go to the time point before.",
            why_no_t,
            on_footer=False,
        ),
        step(("+", "="), lambda: pictures.change(pictures.scene.closer()), "Near", "Look at one site, then nearer."),
        step(("s",), pictures.stretch, "Contrast", "Stretch the contrast to what is on the screen now."),
        step(("-",), lambda: pictures.change(pictures.scene.farther()), "Far", "Look from farther away."),
    )
    return tuple(row for row in rows if row.label not in _FOR_EYES) if is_plain() else rows
