"""What is broken, one edit each: the module of `openhcs.tui.utils`, the old text, the new, and why somebody might."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MUTANTS", "Mutant"]


@dataclass(frozen=True)
class Mutant:
    """One breakage. `first` names the guarantees whose theorems are asked first."""

    name: str
    module: str
    old: str
    new: str
    why: str
    first: str = ""

    @property
    def tests(self) -> tuple[str, ...]:
        """The unit tests of the module."""
        files = _TESTS.get(self.module, (self.module,))
        return tuple(f"tests/tui/utils/test_{name}.py" for name in files)


_TESTS = {
    "unified_task_manager": ("task_manager",),
    "task_ending": ("task_manager",),
    "task_failures": ("task_manager",),
    "safe_error_handler": ("safe_error_handler", "error_path"),
    "error_showing": ("safe_error_handler", "error_path"),
    "error_runs": ("error_journal",),
    "guarded_keys": ("application",),
}
"""Where the tests of a module have another name than it."""

_TASKS = "unified_task_manager"
_FAILURES = "task_failures"
_FOCUS = "focus_manager"
_HANDLER = "safe_error_handler"
_JOURNAL = "error_journal"

MUTANTS = (
    # -- who owns a coroutine ----------------------------------------------------------------------------------------
    Mutant(
        "refused_is_not_closed", _TASKS,
        "        if not is_under_way(coro):\n            close_coroutine(coro)\n",
        "",
        "never close a refused coroutine", "g1",
    ),
    Mutant(
        "inner_is_never_closed", "owned_coroutine",
        "        if not is_under_way(self._inner):\n",
        "        if False:\n",
        "the owner forgets the coroutine it was given", "g1",
    ),
    Mutant(
        "running_inner_is_closed", "owned_coroutine",
        "        if not is_under_way(self._inner):\n",
        "        if True:\n",
        "the owner closes what somebody else is running", "g1",
    ),
    Mutant(
        "exclusive_wraps_a_coroutine", _TASKS,
        "self.create_task(OwnedCoroutine(after_previous, coro), name or group)",
        "self.create_task(after_previous(coro), name or group)",
        "wrap a coroutine in a coroutine", "g1",
    ),
    Mutant(
        "dialog_wraps_a_coroutine", _FOCUS,
        "return OwnedCoroutine(partial(self._run_dialog, target, delay), dialog)",
        "return self._run_dialog(target, delay, dialog)",
        "wrap a coroutine in a coroutine", "g4",
    ),
    Mutant(
        "exclusive_does_not_wait", _TASKS,
        "            if previous:\n                await asyncio.wait(previous)\n",
        "",
        "drop an await: the new one begins before the old one has cleaned up", "g1",
    ),
    Mutant(
        "exclusive_forgets_the_oldest", _TASKS,
        "self._exclusive[group] = (*previous, task)",
        "self._exclusive[group] = (task,)",
        "remember the last of a group only", "g1",
    ),
    Mutant(
        "exclusive_does_not_cancel", _TASKS,
        '            self.cancel(replaced, f"replaced in group {group!r}")\n',
        "            pass\n",
        "wait for the old one without cancelling it", "g4",
    ),
    Mutant(
        "scope_does_not_wait", _TASKS,
        "late = await wait_through_cancel(members, _SCOPE_EXIT_S) if members else ()",
        "late = ()",
        "drop an await: cancel without waiting", "g1",
    ),
    Mutant(
        "scope_stays_open", _TASKS,
        "            scope._closed = True\n",
        "",
        "let tasks into a scope that was left", "g1",
    ),
    Mutant(
        "scope_forgets_its_inner_scopes", _TASKS,
        "                inside = inside.parent\n",
        "                break\n",
        "end the tasks of a scope, not those of the scopes within it", "g1",
    ),
    Mutant(
        "discard_forgotten", _TASKS,
        "    def _forgotten_done(self, task: asyncio.Task[Any]) -> None:\n        del self._born_s[task]\n",
        "    def _forgotten_done(self, task: asyncio.Task[Any]) -> None:\n",
        "forget a discard", "g1",
    ),
    Mutant(
        "limit_is_one_too_many", _TASKS,
        "        if len(self._born_s) >= self.max_tasks:\n            self._refuse",
        "        if len(self._born_s) > self.max_tasks:\n            self._refuse",
        "an off-by-one in the limit", "g1",
    ),
    Mutant(
        "parcel_is_lost", _TASKS,
        "parcel = Parcel(coro, lambda lost: self._report_lost(lost, name))",
        "parcel = Parcel(coro, lambda lost: None)",
        "a coroutine handed to a loop that dies is dropped", "g9",
    ),
    # -- whose a failure is ------------------------------------------------------------------------------------------
    Mutant(
        "doomed_awaiter_is_trusted", _FAILURES,
        "        if awaiting and all(",
        "        if False and all(",
        "believe asyncio that a failure was retrieved", "g2",
    ),
    Mutant(
        "failure_told_though_claimed", _FAILURES,
        "        if task._log_traceback:\n            self._report_failure",
        "        if True:\n            self._report_failure",
        "report twice: to the awaiter and to the handler", "g2",
    ),
    Mutant(
        "failure_told_too_soon", _FAILURES,
        "        if sys.getrefcount(task) <= _REFERENCES_OF_ABANDONED or looks == len(_LOOKS_S):",
        "        if True:",
        "do not wait for an awaiter that comes late", "g2",
    ),
    Mutant(
        "unclaimed_failure_forgotten", _FAILURES,
        "        elif task._log_traceback:\n",
        "        elif False:\n",
        "a failure that nobody has awaited yet is let go", "g2",
    ),
    Mutant(
        "forgotten_failure_not_told", _TASKS,
        "            self._failed += 1\n            self.report(claim_failure(task), task.get_name())\n",
        "            self._failed += 1\n            claim_failure(task)\n",
        "a failure of forgotten work is swallowed", "g2",
    ),
    Mutant(
        "forgotten_failure_told_twice", _TASKS,
        "            self._failed += 1\n            self.report(claim_failure(task), task.get_name())\n",
        "            self._failed += 1\n            self._unclaimed.watch(task, self._born_s)\n"
        "            self.report(task._exception, task.get_name())\n",
        "report twice", "g2",
    ),
    Mutant(
        "shutdown_cancels_the_dead", _TASKS,
        "                if task.done():\n                    # Cancelling",
        "                if False:\n                    # Cancelling",
        "cancel a task that has just failed, whose failure asyncio then forgets", "g2",
    ),
    # -- cancelling and ending ---------------------------------------------------------------------------------------
    Mutant(
        "parents_end_first", _TASKS,
        "            generation = generations.pop()\n",
        "            generation = generations.pop(0)\n",
        "swap the order of generations", "g6",
    ),
    Mutant(
        "oldest_ends_first", _TASKS,
        "            for task in reversed(generation):\n",
        "            for task in generation:\n",
        "cancel in the order of birth", "g6",
    ),
    Mutant(
        "shutdown_without_bound", _TASKS,
        "        await wait_gone(others, self._born_s, deadline - loop.time())\n",
        "        await wait_gone(others, self._born_s, 1e6)\n",
        "a shutdown without a bound", "g6",
    ),
    Mutant(
        "wait_for", "task_ending",
        "                await asyncio.wait((task,), timeout=left)\n",
        "                await asyncio.wait_for(asyncio.shield(task), left)\n",
        "wait_for instead of wait: it raises what the task raises", "g6",
    ),
    Mutant(
        "children_take_all_the_time", _TASKS,
        "            share = max(0.0, deadline - loop.time()) / (len(generations) + 1 + bool(cleaning_up))\n",
        "            share = max(0.0, deadline - loop.time())\n",
        "a stubborn child keeps its parent from being cancelled in time", "g6",
    ),
    Mutant(
        "late_is_not_told", _TASKS,
        "        if late:\n            self._report_late(f\"tasks went on",
        "        if False:\n            self._report_late(f\"tasks went on",
        "do not say who is late", "g6",
    ),
    Mutant(
        "second_shutdown_begins_anew", _TASKS,
        "            return await self.shutdown(max(0.0, deadline - loop.time()))\n",
        "            return await self.shutdown(timeout)\n",
        "whoever takes over a shutdown takes the whole time again", "g6",
    ),
    Mutant(
        "cancelled_shutdown_leaves_all", _TASKS,
        "                if self._shutdown is ended:\n                    self._shutdown = None\n",
        "",
        "the work of a cancelled shutdown is nobody's", "g6",
    ),
    Mutant(
        "manager_stays_open", _TASKS,
        "        self._closing = True\n        self._use_running_loop()\n        loop =",
        "        self._use_running_loop()\n        loop =",
        "let tasks into a manager that shuts down", "g6",
    ),
    Mutant(
        "service_outlives_its_cancel", "supervision",
        "                if is_being_cancelled():\n                    raise\n",
        "                if False:\n                    raise\n",
        "swallow a CancelledError", "g4",
    ),
    Mutant(
        "wait_swallows_the_cancel", "task_ending",
        "        await asyncio.wait(tasks, timeout=max(0.0, deadline - loop.time()))\n        raise\n",
        "        return (await asyncio.wait(tasks, timeout=max(0.0, deadline - loop.time())))[1]\n",
        "swallow a CancelledError", "g4",
    ),
    # -- the focus ---------------------------------------------------------------------------------------------------
    Mutant(
        "focus_is_not_given_back", _FOCUS,
        "            if current not in shown or claim.holds(current):\n",
        "            if False:\n",
        "leave the focus where the dialog was", "g5",
    ),
    Mutant(
        "focus_goes_to_a_dead_owner", _FOCUS,
        "            if owner.window in shown:\n",
        "            if owner.window is not None:\n",
        "restore the focus to a window that is gone", "g5",
    ),
    Mutant(
        "focus_goes_to_the_oldest", _FOCUS,
        "        for owner in reversed([claim for claim in self._claims if claim.app is app]):\n",
        "        for owner in [claim for claim in self._claims if claim.app is app]:\n",
        "restore the focus to the oldest dialog", "g5",
    ),
    Mutant(
        "claim_is_never_released", _FOCUS,
        "            return await _calling_at_suspensions(dialog, partial(claim.focus, delay))\n"
        "        finally:\n            claim.release()\n",
        "            return await _calling_at_suspensions(dialog, partial(claim.focus, delay))\n"
        "        finally:\n            pass\n",
        "drop the finally", "g4",
    ),
    Mutant(
        "two_requests_at_once", _FOCUS,
        "        if self._focusing_active:\n            log_safely(",
        "        if False:\n            log_safely(",
        "do not look at the flag", "g5",
    ),
    Mutant(
        "anybody_may_focus", _FOCUS,
        "        if holder is None or holder is claim:\n",
        "        if True:\n",
        "a request robs the dialog of the focus", "g5",
    ),
    Mutant(
        "focus_in_a_later_tick", _FOCUS,
        "        if not self._take(claim):\n",
        "        if True:\n",
        "the newest dialog gets the focus with the next frame", "g5",
    ),
    Mutant(
        "one_look_a_frame", _FOCUS,
        "        for pending in list(self._waiting):\n            pending.look()\n",
        "        for pending in list(self._waiting)[:1]:\n            pending.look()\n",
        "look for one target in each frame", "g5",
    ),
    Mutant(
        "request_stays_in_flight", _FOCUS,
        "            return await arrived\n        finally:\n            self._drop(pending)\n",
        "            return await arrived\n        finally:\n            pass\n",
        "forget a discard", "g4",
    ),
    Mutant(
        "parents_are_unknown", _FOCUS,
        "    app.layout.update_parents_relations()\n    app.invalidate()\n",
        "    app.invalidate()\n",
        "a key before the next frame does not know the dialog's bindings", "g5",
    ),
    Mutant(
        "dialog_leaves_by_position", "dialog_host",
        "            self._open.remove(opened)\n",
        "            self._open.pop()\n",
        "remove the last dialog, not this one", "g5",
    ),
    Mutant(
        "keys_do_not_wait", "guarded_keys",
        "        if self._held_by:\n",
        "        if False:\n",
        "keys typed ahead go to what is beneath the dialog", "g5",
    ),
    # -- the way of an error -----------------------------------------------------------------------------------------
    Mutant(
        "entered_when_shown", _HANDLER,
        "        entry = self._enter_anyhow(exception, context)\n"
        "        return self._show_entered(entry, app_state if app_state is not None else self.app_state)\n",
        "        async def enter_and_show() -> None:\n"
        "            entry = self._enter_anyhow(exception, context)\n"
        "            await self._show_entered(entry, app_state if app_state is not None else self.app_state)\n"
        "\n"
        "        return enter_and_show()\n",
        "enter an error with the first step of showing it", "g2",
    ),
    Mutant(
        "breaker_stays_closed", _HANDLER,
        "            self.breaker.fail()\n            self._close(shown)\n",
        "            self._close(shown)\n",
        "do not open the breaker", "g8",
    ),
    Mutant(
        "probe_is_never_given_up", _HANDLER,
        "            self.breaker.give_up()\n",
        "            pass\n",
        "a cancelled probe keeps the breaker from the next", "g8",
    ),
    Mutant(
        "success_does_not_close", _HANDLER,
        "            self.breaker.succeed()\n",
        "            self.breaker.give_up()\n",
        "a breaker that does not close on success", "g8",
    ),
    Mutant(
        "fault_of_showing_is_shown", _HANDLER,
        '            self._enter_anyhow(failure, "showing an error")\n            for unshown',
        '            self.breaker.reset()\n'
        '            self.handle_error_sync(failure, "showing an error", host)\n            for unshown',
        "an error of showing is shown", "g3",
    ),
    Mutant(
        "failed_dialog_tells_nothing", _HANDLER,
        "            for unshown in shown.unshown():\n                self._degrade(unshown)\n",
        "            for unshown in shown.unshown():\n                pass\n",
        "what a failed dialog was to show is told nowhere", "g3",
    ),
    Mutant(
        "handler_swallows_the_cancel", _HANDLER,
        "            if not cancelled_by_host:\n                raise\n",
        "            if False:\n                raise\n",
        "swallow a CancelledError", "g2",
    ),
    Mutant(
        "others_errors_go_with_the_caller", _HANDLER,
        "                elif other is not entry:\n                    self._show_soon(other, host)\n",
        "",
        "errors that joined the dialog of a cancelled caller are not shown", "g2",
    ),
    Mutant(
        "shutdown_takes_the_error_along", _HANDLER,
        "                if not entry.shown:\n                    self._degrade(entry)\n                raise\n",
        "                raise\n",
        "an error on its way to the screen when all is shut down is told nowhere", "g3",
    ),
    Mutant(
        "joins_a_closed_dialog", _HANDLER,
        "        if self._open is not None and self._open.pages.are_closed():\n",
        "        if False:\n",
        "an error counts as shown in a dialog that is closed already", "g3",
    ),
    Mutant(
        "flag_is_reused", _HANDLER,
        "            self._open = None\n            self._showing_dialog = False\n",
        "            self._open = None\n",
        "the flag stays set after the first dialog", "g3",
    ),
    Mutant(
        "second_dialog_opens", _HANDLER,
        "        if self._open is not None and self._open.add(entry, self._page(entry)):\n            return\n"
        "        if self._showing_dialog or host",
        "        if host",
        "an error while one is shown opens another dialog", "g3",
    ),
    Mutant(
        "failing_dialog_escapes", _HANDLER,
        "        except BaseException as failure:\n            self.breaker.fail()\n",
        "        except ZeroDivisionError as failure:\n            self.breaker.fail()\n",
        "let what showing raises out, past the breaker", "g3",
    ),
    Mutant(
        "screen_may_raise", _HANDLER,
        '        except BaseException as fault:\n            # Who cannot',
        '        except ZeroDivisionError as fault:\n            # Who cannot',
        "let out what tells whether the screen is live", "g3",
    ),
    Mutant(
        "status_line_may_raise", _HANDLER,
        "            except BaseException as fault:\n                self.journal.receive(",
        "            except ZeroDivisionError as fault:\n                self.journal.receive(",
        "let what the status line raises out", "g3",
    ),
    # -- the breaker ---------------------------------------------------------------------------------------------------
    Mutant(
        "cool_down_does_not_grow", "circuit_breaker",
        "self._cool_down_s = min(2 * self._cool_down_s, self._longest_cool_down_s)",
        "self._cool_down_s = min(self._cool_down_s, self._longest_cool_down_s)",
        "a cool-down that does not grow", "g8",
    ),
    Mutant(
        "two_probes_at_once", "circuit_breaker",
        "        if self._probing or self.retry_in_s > 0:\n",
        "        if self.retry_in_s > 0:\n",
        "two probes at once", "g8",
    ),
    Mutant(
        "cool_down_stays_long", "circuit_breaker",
        "        self._cool_down_s = self._first_cool_down_s\n",
        "",
        "a healed breaker keeps the long cool-down", "g8",
    ),
    Mutant(
        "never_half_open", "circuit_breaker",
        "        if self._probing or self.retry_in_s > 0:\n",
        "        if True:\n",
        "a breaker that never heals: one failed dialog disables all others", "g8",
    ),
    # -- the journal ---------------------------------------------------------------------------------------------------
    Mutant(
        "same_error_is_counted_again", _JOURNAL,
        "            if known is not None and known.journal is self:\n",
        "            if False:\n",
        "the same exception by two ways is two errors", "g2",
    ),
    Mutant(
        "ledger_forgets_repeats", _JOURNAL,
        "                self._received += 1\n                self._coalesced += 1\n",
        "                self._received += 1\n",
        "a count of the ledger is dropped", "g7",
    ),
    Mutant(
        "ledger_forgets_drops", _JOURNAL,
        "                self._received += 1\n                self._dropped += 1\n",
        "                self._received += 1\n",
        "a count of the ledger is dropped", "g7",
    ),
    Mutant(
        "shown_is_counted_twice", _JOURNAL,
        "            if entry.shown:\n                return\n",
        "",
        "an error that is seen again counts as shown again", "g7",
    ),
    Mutant(
        "entries_are_kept_for_ever", _JOURNAL,
        "        if len(self._recent) > _KEPT_ENTRIES:\n",
        "        if False:\n",
        "memory that grows with a storm", "g7",
    ),
    Mutant(
        "exceptions_are_kept_for_ever", _JOURNAL,
        "            self._with_exception.popleft().exception = None\n",
        "            self._with_exception.popleft()\n",
        "memory that grows with a storm: every exception keeps its frames", "g7",
    ),
    Mutant(
        "runs_are_kept_for_ever", "error_runs",
        "        if len(self) > _KEPT_RUNS:\n",
        "        if False:\n",
        "memory that grows with a storm of many kinds", "g7",
    ),
    # -- the last resorts ----------------------------------------------------------------------------------------------
    Mutant(
        "threads_have_no_hook", "exception_hooks",
        "            threading.excepthook = self._uncaught_in_thread\n",
        "",
        "what a thread raises is printed on the screen", "g2",
    ),
    Mutant(
        "loop_messages_are_ignored", "exception_hooks",
        "            exception = LoopProblem(message)\n",
        "            return\n",
        "a complaint of the loop without an exception is ignored", "g2",
    ),
    Mutant(
        "key_handlers_are_not_contained", "guarded_keys",
        "        except BaseException as fault:\n            self._report(as_error(fault), _name",
        "        except ZeroDivisionError as fault:\n            self._report(as_error(fault), _name",
        "a failing key handler takes the keys behind it along", "g3",
    ),
    Mutant(
        "panes_are_not_contained", "error_boundary",
        "        except BaseException as fault:\n            self._fail(as_error(fault), doing)\n",
        "        except ZeroDivisionError as fault:\n            self._fail(as_error(fault), doing)\n",
        "a broken pane breaks the frame", "g3",
    ),
    Mutant(
        "dead_loops_work_is_forgotten", _TASKS,
        "                abandon(old._born_s, old._unclaimed.tasks, old.report)\n",
        "",
        "what a dead loop left is told to nobody", "g9",
    ),
    Mutant(
        "thread_works_by_itself", _TASKS,
        "            if loop is None:\n                self._hand_over(coro, name)\n            else:\n",
        "            if True:\n",
        "work from a thread is refused instead of handed over", "g9",
    ),
)  # fmt: skip
"""All of them."""
