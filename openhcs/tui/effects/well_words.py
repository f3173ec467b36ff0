"""The pictures of a well in words, for those who cannot see them: sizes, intensities, and the objects found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from openhcs.errors import OpenHCSError
from openhcs.tui.run_text import count_of
from openhcs.tui.utils.daemon_thread import in_daemon_thread
from openhcs.tui.utils.safe_text import visible
from openhcs.tui.well_scene import Scene

if TYPE_CHECKING:
    from openhcs.core.plane_facts import LabelFacts, PlaneFacts
    from openhcs.core.previews import WellImages

__all__ = ["describe_site"]

_MANY_AT_HIGHEST = 0.001
"""The share of pixels at the highest intensity from which it is worth a word."""


async def describe_site(images: WellImages, scene: Scene, site: int) -> Sequence[str]:
    """A line for each channel of a site that `scene` shows, and one for each of its label images; errors are lines."""
    return await in_daemon_thread(lambda: _lines(images, scene, site), f"describe {images.well} site {site}")


def _lines(images: WellImages, scene: Scene, site: int) -> list[str]:
    z, t = scene.z or 0, scene.t or 0
    channels = [channel for channel in images.channels if scene.channel in (None, channel.number)]
    told: list[tuple[str, Callable[[], str]]] = [
        (f"Channel {visible(channel.name)}", partial(_plane_words, images, (site, channel.number, z, t)))
        for channel in channels
    ]
    told += [(f"Objects {visible(name)}", partial(_label_words, images, name, (site, z, t))) for name in images.labels]
    return [_line(what, words) for what, words in told]


def _plane_words(images: WellImages, at: tuple[int, int, int, int]) -> str:
    return _plane_text(images.facts(*at))


def _label_words(images: WellImages, name: str, at: tuple[int, int, int]) -> str:
    return _label_text(images.label_facts(name, *at))


def _line(what: str, words: Callable[[], str]) -> str:
    try:
        return f"{what}: {words()}"
    except OpenHCSError as error:
        return f"{what}: Error: {visible(str(error))}"


def _plane_text(facts: PlaneFacts) -> str:
    """`512 x 512 pixels, 98 to 4,210 counts, median 140`."""
    size = f"{facts.width_px} x {facts.height_px} pixels"
    if facts.lowest is None or facts.median is None or facts.highest is None:
        return f"{size}, none of them a number"
    text = f"{size}, {_number(facts.lowest)} to {_number(facts.highest)} counts, median {_number(facts.median)}"
    if facts.lowest == facts.highest:
        return f"{text}, all alike"
    return f"{text}, {facts.at_highest:.1%} at the highest" if facts.at_highest >= _MANY_AT_HIGHEST else text


def _label_text(facts: LabelFacts | None) -> str:
    """`61 objects of 512 square pixels (median)`."""
    if facts is None:
        return "none of this plane"
    if facts.median_area_px is None:
        return "no objects"
    return f"{count_of(facts.objects, 'object')} of {_number(facts.median_area_px)} square pixels (median)"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) or abs(value) >= 1000 else f"{value:.4g}"
