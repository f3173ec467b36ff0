"""What the checker knows about asyncio, prompt_toolkit and the standard library: names, types, who calls callbacks.

Tables only. A name is spelt with its package and its last part: `prompt_toolkit.application.current.get_app` is
`prompt_toolkit.get_app`. Standard library only.
"""

from __future__ import annotations

__all__ = [
    "ATTRIBUTES",
    "AWAITERS",
    "CONTAINERS",
    "EXECUTORS",
    "FUTURE",
    "LOOP",
    "OWNED_TASK",
    "RETURNS",
    "SCHEDULERS",
    "SYNC_BASES",
    "SYNC_CALLBACKS",
    "SYNC_KEYWORDS",
    "TASK",
    "TYPES",
    "canonical",
]  # fmt: skip

TASK = "asyncio.Task"
OWNED_TASK = "asyncio.Task of a group"
"""A task that its group, or the application, awaits."""
CURRENT_TASK = "asyncio.Task that runs"
"""A task that cancels itself, or is cancelled by those it asked to."""
FUTURE = "asyncio.Future"
LOOP = "asyncio.Loop"
APPLICATION = "prompt_toolkit.Application"

_ASYNCIO_PARTS = frozenset(
    [
        "base_events",
        "base_futures",
        "base_tasks",
        "coroutines",
        "events",
        "exceptions",
        "futures",
        "locks",
        "proactor_events",
        "protocols",
        "queues",
        "runners",
        "selector_events",
        "streams",
        "tasks",
        "taskgroups",
        "threads",
        "timeouts",
        "transports",
        "unix_events",
        "windows_events",
    ]
)

_ALIASES = {
    "asyncio.AbstractEventLoop": LOOP,
    "asyncio.BaseEventLoop": LOOP,
    "asyncio.BaseDefaultEventLoop": LOOP,
    "asyncio.SelectorEventLoop": LOOP,
    "asyncio.ProactorEventLoop": LOOP,
    "asyncio.EventLoop": LOOP,
    "uvloop.Loop": LOOP,
    "uvloop.new_event_loop": "asyncio.new_event_loop",
    "uvloop.run": "asyncio.run",
    "asyncio.async": "asyncio.ensure_future",
    "async_timeout.timeout": "asyncio.timeout",
    "async_timeout.timeout_at": "asyncio.timeout_at",
    "prompt_toolkit.E": "prompt_toolkit.KeyPressEvent",
    "typing_extensions.override": "typing.override",
}


def canonical(name: str) -> str:
    """A dotted name without the modules inside a package that merely organise it."""
    parts = name.split(".")
    top = parts[0]
    if top == "asyncio" and len(parts) > 2 and parts[1] in _ASYNCIO_PARTS:
        name = ".".join(["asyncio", *parts[2:]])
    elif top == "prompt_toolkit" and len(parts) > 2:
        first = next((index for index, part in enumerate(parts) if part[:1].isupper()), len(parts) - 1)
        name = ".".join(["prompt_toolkit", *parts[first:]])
    elif top == "concurrent" and len(parts) > 3:
        name = ".".join(["concurrent.futures", *parts[3:]])
    return _ALIASES.get(name, name)


TYPES = {
    TASK: TASK,
    FUTURE: FUTURE,
    LOOP: LOOP,
    "typing.Coroutine": "coroutine",
    "collections.abc.Coroutine": "coroutine",
    "types.CoroutineType": "coroutine",
    "typing.Awaitable": "awaitable",
    "collections.abc.Awaitable": "awaitable",
}

CONTAINERS = frozenset(
    [
        "builtins.list",
        "builtins.set",
        "builtins.tuple",
        "builtins.frozenset",
        "typing.List",
        "typing.Set",
        "typing.Tuple",
        "typing.FrozenSet",
        "typing.Sequence",
        "typing.Iterable",
        "typing.Iterator",
        "typing.Collection",
        "typing.MutableSequence",
        "typing.MutableSet",
        "typing.AbstractSet",
        "typing.Deque",
        "typing.Generator",
        "typing.Type",
        "collections.deque",
        "collections.abc.Sequence",
        "collections.abc.Iterable",
        "collections.abc.Iterator",
        "collections.abc.Collection",
        "collections.abc.MutableSequence",
        "collections.abc.MutableSet",
        "collections.abc.Set",
        "collections.abc.Generator",
        "weakref.WeakSet",
        "asyncio.Queue",
        "queue.Queue",
    ]
)
MAPPINGS = frozenset(
    [
        "builtins.dict",
        "typing.Dict",
        "typing.Mapping",
        "typing.MutableMapping",
        "typing.DefaultDict",
        "collections.defaultdict",
        "collections.OrderedDict",
        "collections.abc.Mapping",
        "collections.abc.MutableMapping",
        "weakref.WeakValueDictionary",
        "weakref.WeakKeyDictionary",
    ]
)

RETURNS: dict[str, str] = {
    "asyncio.create_task": TASK,
    "asyncio.ensure_future": TASK,
    f"{LOOP}.create_task": TASK,
    f"{APPLICATION}.create_background_task": OWNED_TASK,
    "asyncio.TaskGroup.create_task": OWNED_TASK,
    "asyncio.get_event_loop": LOOP,
    "asyncio.get_running_loop": LOOP,
    "asyncio.new_event_loop": LOOP,
    "asyncio.Runner.get_loop": LOOP,
    f"{TASK}.get_loop": LOOP,
    f"{FUTURE}.get_loop": LOOP,
    f"{LOOP}.create_future": FUTURE,
    "asyncio.wrap_future": FUTURE,
    "asyncio.current_task": CURRENT_TASK,
    "asyncio.gather": FUTURE,
    "asyncio.shield": FUTURE,
    f"{LOOP}.run_in_executor": FUTURE,
    f"{LOOP}.call_later": "asyncio.TimerHandle",
    f"{LOOP}.call_at": "asyncio.TimerHandle",
    f"{LOOP}.call_soon": "asyncio.Handle",
    f"{LOOP}.call_soon_threadsafe": "asyncio.Handle",
    "asyncio.run_coroutine_threadsafe": "concurrent.futures.Future",
    "concurrent.futures.ThreadPoolExecutor.submit": "concurrent.futures.Future",
    "concurrent.futures.ProcessPoolExecutor.submit": "concurrent.futures.Future",
    "concurrent.futures.Executor.submit": "concurrent.futures.Future",
    "asyncio.get_event_loop_policy": "asyncio.Policy",
    "asyncio.Policy.get_event_loop": LOOP,
    "asyncio.Policy.new_event_loop": LOOP,
    "prompt_toolkit.get_app": APPLICATION,
    "prompt_toolkit.get_app_or_none": APPLICATION,
    "prompt_toolkit.message_dialog": APPLICATION,
    "prompt_toolkit.yes_no_dialog": APPLICATION,
    "prompt_toolkit.button_dialog": APPLICATION,
    "prompt_toolkit.input_dialog": APPLICATION,
    "prompt_toolkit.radiolist_dialog": APPLICATION,
    "prompt_toolkit.checkboxlist_dialog": APPLICATION,
    "prompt_toolkit.progress_dialog": APPLICATION,
    "prompt_toolkit.create_confirm_session": "prompt_toolkit.PromptSession",
    "threading.current_thread": "threading.Thread",
    "logging.getLogger": "logging.Logger",
    "structlog.get_logger": "logging.Logger",
}
"""The type of what a function returns; what begins with a capital is a class and returns its instance."""

CONTAINER_RETURNS: dict[str, str] = {"asyncio.all_tasks": TASK}

ATTRIBUTES: dict[tuple[str, str], str] = {
    (APPLICATION, "layout"): "prompt_toolkit.Layout",
    (APPLICATION, "loop"): LOOP,
    (APPLICATION, "current_buffer"): "prompt_toolkit.Buffer",
    ("prompt_toolkit.KeyPressEvent", "app"): APPLICATION,
    ("prompt_toolkit.KeyPressEvent", "current_buffer"): "prompt_toolkit.Buffer",
    ("prompt_toolkit.PromptSession", "app"): APPLICATION,
    ("prompt_toolkit.TextArea", "buffer"): "prompt_toolkit.Buffer",
}

PTK_TYPES = frozenset({APPLICATION, "prompt_toolkit.PromptSession"})

SCHEDULERS = frozenset(
    {
        "asyncio.create_task",
        "asyncio.ensure_future",
        "asyncio.run_coroutine_threadsafe",
        f"{LOOP}.create_task",
        f"{APPLICATION}.create_background_task",
        "asyncio.TaskGroup.create_task",
        "anyio.TaskGroup.start_soon",
    }
)
"""Who runs a coroutine on its own."""

AWAITERS = frozenset(
    {
        "asyncio.wait_for", "asyncio.gather", "asyncio.wait", "asyncio.shield", "asyncio.as_completed", "asyncio.run",
        f"{LOOP}.run_until_complete", "asyncio.Runner.run",
    }
)  # fmt: skip
"""Who runs a coroutine for its caller."""

EXECUTORS: dict[str, int] = {
    f"{LOOP}.run_in_executor": 1,
    "asyncio.to_thread": 0,
    "anyio.to_thread.run_sync": 0,
    "prompt_toolkit.run_in_executor_with_context": 0,
}
"""Awaitable calls of a function in a thread or process: which argument the function is."""

SYNC_CALLBACKS: dict[str, tuple[int, str]] = {
    f"{LOOP}.call_soon": (0, "callback"),
    f"{LOOP}.call_soon_threadsafe": (0, "callback"),
    f"{LOOP}.call_later": (1, "callback"),
    f"{LOOP}.call_at": (1, "callback"),
    f"{LOOP}.add_signal_handler": (1, "callback"),
    f"{LOOP}.add_reader": (1, "callback"),
    f"{LOOP}.add_writer": (1, "callback"),
    f"{LOOP}.set_exception_handler": (0, "handler"),
    f"{LOOP}.run_in_executor": (1, "func"),
    "asyncio.to_thread": (0, "func"),
    f"{TASK}.add_done_callback": (0, "fn"),
    f"{OWNED_TASK}.add_done_callback": (0, "fn"),
    f"{FUTURE}.add_done_callback": (0, "fn"),
    "concurrent.futures.Future.add_done_callback": (0, "fn"),
    "concurrent.futures.Executor.submit": (0, "fn"),
    "concurrent.futures.ThreadPoolExecutor.submit": (0, "fn"),
    "concurrent.futures.ProcessPoolExecutor.submit": (0, "fn"),
    "concurrent.futures.ThreadPoolExecutor.map": (0, "fn"),
    "concurrent.futures.ProcessPoolExecutor.map": (0, "fn"),
    "signal.signal": (1, "handler"),
    "atexit.register": (0, "func"),
    "threading.Thread": (1, "target"),
    "threading.Timer": (1, "function"),
    "multiprocessing.Process": (1, "target"),
    "weakref.finalize": (1, "func"),
    "sched.scheduler.enter": (2, "action"),
    "contextlib.ExitStack.callback": (0, "callback"),
    "contextlib.AsyncExitStack.callback": (0, "callback"),
    "prompt_toolkit.Button": (1, "handler"),
    "prompt_toolkit.MenuItem": (1, "handler"),
    "prompt_toolkit.Condition": (0, "func"),
    "prompt_toolkit.FormattedTextControl": (0, "text"),
    "prompt_toolkit.DynamicContainer": (0, "get_container"),
    "prompt_toolkit.DynamicStyle": (0, "get_style"),
    "prompt_toolkit.DynamicCompleter": (0, "get_completer"),
    "prompt_toolkit.DynamicKeyBindings": (0, "get_key_bindings"),
    "prompt_toolkit.run_in_terminal": (0, "func"),
    "prompt_toolkit.call_soon_threadsafe": (0, "func"),
    "prompt_toolkit.run_in_executor_with_context": (0, "func"),
    "prompt_toolkit.Event.add_handler": (0, "handler"),
}
"""Who calls a function and drops what it returns, or uses it as a plain value: position and keyword."""

SYNC_KEYWORDS: dict[str, frozenset[str]] = {
    "prompt_toolkit.Buffer": frozenset(
        {"accept_handler", "on_text_changed", "on_text_insert", "on_cursor_position_changed"}
        | {"on_completions_changed", "on_suggestion_set"}
    ),
    "prompt_toolkit.TextArea": frozenset({"accept_handler"}),
    APPLICATION: frozenset({"on_reset", "on_invalidate", "before_render", "after_render"}),
    "prompt_toolkit.PromptSession": frozenset({"bottom_toolbar", "rprompt", "prompt_continuation"}),
    f"{APPLICATION}.run_async": frozenset({"pre_run"}),
    f"{APPLICATION}.run": frozenset({"pre_run"}),
    "prompt_toolkit.PromptSession.prompt": frozenset({"pre_run"}),
    "prompt_toolkit.PromptSession.prompt_async": frozenset({"pre_run"}),
    "concurrent.futures.ThreadPoolExecutor": frozenset({"initializer"}),
    "concurrent.futures.ProcessPoolExecutor": frozenset({"initializer"}),
}

EVENT_ATTRIBUTES = frozenset(
    {"on_text_changed", "on_text_insert", "on_cursor_position_changed", "on_completions_changed", "on_suggestion_set"}
    | {"before_render", "after_render", "on_reset", "on_invalidate", "before_key_press", "after_key_press"}
)
"""prompt_toolkit's events, to which handlers are added with `+=`."""

HOOKS = frozenset({"sys.excepthook", "sys.unraisablehook", "threading.excepthook", "sys.displayhook"})
"""Attributes that are meant to be assigned a function."""

SYNC_BASES: dict[str, frozenset[str]] = {
    "asyncio.BaseProtocol": frozenset({"connection_made", "connection_lost", "pause_writing", "resume_writing"}),
    "asyncio.Protocol": frozenset(
        {"connection_made", "connection_lost", "pause_writing", "resume_writing", "data_received", "eof_received"}
    ),
    "asyncio.DatagramProtocol": frozenset(
        {"connection_made", "connection_lost", "pause_writing", "resume_writing"}
        | {"datagram_received", "error_received"}
    ),
    "asyncio.SubprocessProtocol": frozenset(
        {"connection_made", "connection_lost", "pipe_data_received", "pipe_connection_lost", "process_exited"}
    ),
    "threading.Thread": frozenset({"run"}),
    "multiprocessing.Process": frozenset({"run"}),
    "logging.Handler": frozenset({"emit", "handle", "flush", "close"}),
    "prompt_toolkit.UIControl": frozenset(
        {"create_content", "mouse_handler", "preferred_width", "preferred_height", "get_key_bindings", "is_focusable"}
    ),
    "prompt_toolkit.Completer": frozenset({"get_completions"}),
    "prompt_toolkit.Validator": frozenset({"validate"}),
    "unittest.TestCase": frozenset({"setUp", "tearDown", "setUpClass", "tearDownClass"}),
}
"""Methods that a base class calls synchronously."""

SYNC_METHODS = frozenset(
    {"__init__", "__del__", "__enter__", "__exit__", "__repr__", "__str__", "__len__", "__bool__", "__post_init__"}
    | {"__set_name__", "__init_subclass__", "__iter__", "__next__", "__hash__", "__eq__", "__contains__"}
)
"""Methods that the interpreter calls synchronously."""

CANCELLED_ERROR = frozenset({"asyncio.CancelledError"})
