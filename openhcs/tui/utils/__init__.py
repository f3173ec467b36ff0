"""The async core: tasks, focus, errors and dialogs of any prompt_toolkit application.

In the order in which it reads; no part needs one that comes after it.

- Ground: `safe_text`, `safe_log`, `forking`, `stack_room`, `text_lines`, `daemon_thread`, `bounded_run`;
  `colour_depth`, `terminal_sender` and `screen_output` know what the terminal can show, and how fast.
- Tasks have an owner: `unified_task_manager`, and its parts `owned_coroutine`, `task_failures`, `task_ending`,
  `task_snapshot`, `task_creators`; `supervision` and `watchdog` stand on it.
- Faults are contained: `faults`, `guarded_keys` with `paste_watch` and `mouse_reports`, `layout_walk`,
  `error_boundary`, `lost_terminal`, `application`.
- Dialogs have the keyboard: `focus_manager`, `mouse_shield`, `dialog_frame`, `dialog_host`.
- Errors are entered: `error_journal`, and its parts `error_entry`, `error_runs`, `journal_file`.
- Errors are shown: `error_pages`, `exception_tree`, `traceback_colours`, `scrolled_window`, `line_view`,
  `terminal_clipboard`, `error_dialog`; `circuit_breaker`, `error_stderr`, `error_showing`, `safe_error_handler`;
  `exception_hooks`.
- Questions are asked: `dialog_helpers`. Who looks elsewhere is called: `terminal_notice`.
- The terminal is given back: `guardian`, `terminal_guard`, `blocked_notice`.
- Keys are not held up, and memory does not grow: `allocator`, `idle_garbage`, `spent_frames`, `toolkit_caches`.
- Developers look closer: `swallowed_cancel`, `strict`.
- All of it joined: `program`. An application that has nothing yet begins there (docs/guides/your-own-app.md).

It imports prompt_toolkit, Pygments, `openhcs.tui.ports` and nothing else. Deliberately absent: plates, and everything
that is only this workbench's. Checked by tests/tui/utils/test_guarantees.py.
"""
