"""Which rules have fixes. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping

from openhcs.verify.fix.cancelling import plan_not_awaited, plan_own_cancellation
from openhcs.verify.fix.context import Planner
from openhcs.verify.fix.focus import plan_focus
from openhcs.verify.fix.plain import plan_exc_info, plan_exception_handler, plan_get_event_loop, plan_set_result
from openhcs.verify.fix.tasks import plan_callback, plan_dropped

__all__ = ["PLANNERS"]

PLANNERS: Mapping[str, Planner] = {
    "HCS101": plan_not_awaited,
    "HCS102": plan_own_cancellation,
    "HCS201": plan_dropped,
    "HCS206": plan_dropped,
    "HCS301": plan_callback,
    "HCS302": plan_set_result,
    "HCS303": plan_get_event_loop,
    "HCS304": plan_exception_handler,
    "HCS402": plan_exc_info,
    "HCS501": plan_focus,
}
"""How the findings of each rule are mended, where a machine can."""
