"""The table of rules, by code."""

from __future__ import annotations

from openhcs.verify.rules.base import Rule
from openhcs.verify.rules.callbacks import check_coroutine_callback, check_set_result
from openhcs.verify.rules.dropped import check_dropped
from openhcs.verify.rules.errors import check_cycle, check_exc_info
from openhcs.verify.rules.late_bound import check_late_bound
from openhcs.verify.rules.loops import (
    check_blocking,
    check_exception_handler,
    check_executor_per_item,
    check_get_event_loop,
)
from openhcs.verify.rules.patches import check_patched
from openhcs.verify.rules.plain_calls import check_never_awaited
from openhcs.verify.rules.refused import check_refused
from openhcs.verify.rules.swallowing import check_own_cancellation
from openhcs.verify.rules.tasks import check_background, check_owner
from openhcs.verify.rules.terminal import check_focus_after_sleep, check_nested, check_print
from openhcs.verify.rules.time_limits import check_wait_for
from openhcs.verify.rules.unawaited import check_not_awaited
from openhcs.verify.rules.used_twice import check_twice

__all__ = ["RULES"]

RULES = {
    rule.code: rule
    for rule in (
        Rule("HCS101", "cancel-not-awaited", "A task is cancelled and never awaited.", check_not_awaited),
        Rule(
            "HCS102",
            "own-cancellation-swallowed",
            "Awaiting a cancelled child swallows one's own cancellation.",
            check_own_cancellation,
        ),
        Rule("HCS103", "late-bound-task", "Clean-up looks a task up again and may find another.", check_late_bound),
        Rule(
            "HCS104", "time-limit-ignored", "A time limit is put on what does not stop when cancelled.", check_wait_for
        ),
        Rule("HCS201", "dropped-task", "A started task is kept by nobody.", check_dropped),
        Rule(
            "HCS202",
            "background-task-fails",
            "A full-screen application's background task may fail unseen.",
            check_background,
        ),
        Rule("HCS203", "coroutine-used-twice", "A coroutine object is awaited or scheduled twice.", check_twice),
        Rule("HCS204", "eager-coroutine", "A coroutine is made before anybody has accepted it.", check_refused),
        Rule("HCS205", "never-awaited", "A coroutine function is called without await.", check_never_awaited),
        Rule("HCS206", "task-outside-owner", "A task is started outside of the configured owner.", check_owner),
        Rule(
            "HCS301",
            "coroutine-as-callback",
            "A coroutine function is used as a synchronous callback.",
            check_coroutine_callback,
        ),
        Rule("HCS302", "unguarded-set-result", "A callback completes a future that may be done.", check_set_result),
        Rule("HCS303", "get-event-loop", "get_event_loop in a coroutine or at import.", check_get_event_loop),
        Rule(
            "HCS304",
            "lost-exception-handler",
            "The loop's exception handler is set where it is lost.",
            check_exception_handler,
        ),
        Rule(
            "HCS305",
            "executor-call-per-item",
            "A loop awaits one executor call for each item.",
            check_executor_per_item,
        ),
        Rule("HCS306", "blocking-call", "A coroutine calls what is configured as blocking.", check_blocking),
        Rule("HCS401", "error-cycle", "Showing an error can show an error.", check_cycle),
        Rule("HCS402", "exc-info-outside-except", "exc_info=True where no exception is handled.", check_exc_info),
        Rule("HCS403", "patched-library", "A library is changed at run time.", check_patched),
        Rule("HCS501", "focus-after-sleep", "The focus is set after a pause.", check_focus_after_sleep),
        Rule("HCS502", "print-on-screen", "Text is printed onto a full-screen application.", check_print),
        Rule("HCS503", "nested-application", "An application is run inside a running one.", check_nested),
    )
}
"""Every rule by its code."""
