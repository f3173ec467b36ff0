"""The light of a plan's first plane, worked out as a worker does; in a process of its own it takes no ngio."""

from __future__ import annotations

import hashlib

from openhcs.core.functions import find_function
from openhcs.core.model import WellPlan
from openhcs.core.plate_estimates import estimates_for
from openhcs.core.result_checks import Place


def light_digest(plan: WellPlan, size_px: int) -> str:
    """A digest of the pixels of that light."""
    (call,) = plan.steps[0].pattern
    estimate = find_function(call.function).estimate
    key, _ = plan.planes[0]
    (light,) = estimates_for(estimate, call, plan, (size_px, size_px), Place(plan.well, "s", "f", [key]))
    return hashlib.sha256(light.surface().tobytes()).hexdigest()
