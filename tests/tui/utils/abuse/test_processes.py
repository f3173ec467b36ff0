"""Programs that end in every wrong way, and processes that are forked in the wrong moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

_PRELUDE = """
import asyncio, gc, os, signal, sys, threading, time, logging
from openhcs.tui.utils.unified_task_manager import *
from openhcs.tui.utils.safe_error_handler import *
from openhcs.tui.utils.focus_manager import *
from openhcs.tui.utils.dialog_helpers import *

class Host:
    async def show_dialog(self, dialog, future):
        return await future

async def never():
    await asyncio.get_running_loop().create_future()

async def fail():
    raise ValueError("a task failed")
"""

_COMPLAINTS = (
    "never awaited",
    "was destroyed",
    "never retrieved",
    "Exception ignored",
    "Fatal Python",
    "RuntimeWarning",
)


def run(program: str, *options: str, **keywords: object) -> subprocess.CompletedProcess[str]:
    """Run `program` after the prelude, with warnings as errors; it ends by itself, without a complaint of Python."""
    done = subprocess.run(
        [sys.executable, "-W", "error", *options, "-c", _PRELUDE + textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=Path(__file__).parents[4],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[4])},
        **keywords,  # type: ignore[call-overload]
    )
    for complaint in _COMPLAINTS:
        assert complaint not in done.stderr, done.stderr
    return done  # type: ignore[no-any-return]


class TestEnds:
    def test_at_the_end_of_the_interpreter(self) -> None:
        """Exit functions and finalisers of the last moment may report and hand over; nothing is complained of."""
        done = run("""
            import atexit
            def last_words():
                safe_show_error_sync(ValueError("the last word"), "the end", Host())
                get_task_manager().fire_and_forget(fail(), "too late")
            class Last:
                def __del__(self):
                    try: last_words()
                    except TypeError: "the names of modules are gone by now"
            atexit.register(last_words)
            last, sys.last_one = Last(), Last()
            asyncio.run(asyncio.sleep(0))
        """)
        assert done.returncode == 0
        assert "the last word" in done.stderr

    @pytest.mark.parametrize(
        "close", ["loop.close()", "pass", "del loop; gc.collect()"], ids=["closed", "open", "dropped"]
    )
    def test_a_loop_left_with_everything_in_flight(self, close: str) -> None:
        """A program that ends with a loop in the middle of everything leaves no complaint, and tells its errors."""
        done = run(f"""
            async def main():
                get_task_manager().fire_and_forget(never(), "in flight")
                get_task_manager().create_task(never())
                get_task_manager().fire_and_forget(get_focus_manager().set_focus_after_delay("nowhere", 60))
                safe_show_error_sync(ValueError("on the screen"), "a dialog", Host())
                for _ in range(5): await asyncio.sleep(0)
                get_task_manager().fire_and_forget(never(), "not begun")
                safe_show_error_sync(KeyError("waiting"), "to be shown", Host())

            import warnings; warnings.simplefilter("ignore", ResourceWarning)
            loop = asyncio.new_event_loop()
            loop.run_until_complete(main())
            {close}
        """)
        assert done.returncode == 0, done.stderr
        assert "waiting" in done.stderr

    def test_an_uncaught_exception(self) -> None:
        """An uncaught exception is told once with its traceback, and the exit code is 1."""
        done = run("""
            setup_global_exception_handler(None)
            asyncio.run(fail())
        """)
        assert done.returncode == 1
        assert done.stderr.count("ValueError: a task failed") == 1
        assert "in fail" in done.stderr

    @pytest.mark.parametrize(
        ("exit_", "code"),
        [("SystemExit(7)", 7), ("SystemExit('words')", 1), ("KeyboardInterrupt", -signal.SIGINT)],
    )
    def test_an_exit_in_a_task(self, exit_: str, code: int) -> None:
        """An exit raised in a managed task ends the program as Python ends it, and is recorded."""
        done = run(f"""
            async def leave(): raise {exit_}
            async def main():
                get_task_manager().set_error_handler(get_error_handler().handle_error_sync)
                get_task_manager().fire_and_forget(leave(), "leaves")
                await never()
            import atexit
            atexit.register(lambda: print(get_error_handler().journal.ledger.received))
            asyncio.run(main())
        """)
        assert done.returncode in (code, 128 + abs(code), 130)
        assert done.stdout.strip() == "1"

    @pytest.mark.parametrize(
        "stderr", ["None", "open(os.devnull)", "type('S', (), {})()"], ids=["None", "read-only", "odd"]
    )
    def test_without_stderr(self, stderr: str) -> None:
        """A program whose stderr is none, or cannot be written, runs as any other, errors and all."""
        done = run(f"""
            sys.stderr = {stderr}
            async def main():
                setup_global_exception_handler(None)
                get_task_manager().fire_and_forget(fail(), "fails")
                asyncio.get_running_loop().call_soon(lambda: 1 / 0)
                thread = threading.Thread(target=lambda: 1 / 0); thread.start(); thread.join()
                await asyncio.sleep(0.01)
                print(get_error_handler().journal.ledger.received)
            asyncio.run(main())
        """)
        # 120 is what Python makes of a stderr that it cannot flush.
        assert done.returncode in (0, 120)
        assert done.stdout.strip() == "3"

    def test_stderr_is_a_closed_pipe(self) -> None:
        """A program whose stderr is a pipe that nobody reads goes on, and ends with its own exit code."""
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(
            [
                sys.executable,
                "-W",
                "error",
                "-c",
                _PRELUDE
                + textwrap.dedent("""
                import warnings; signal.signal(signal.SIGPIPE, signal.SIG_IGN)
                async def main():
                    for number in range(100):
                        safe_show_error_sync(ValueError("x" * 10_000), f"context {number}")
                    await safe_show_error(KeyError("y"), "awaited")
                    print(get_error_handler().journal.ledger.received)
                asyncio.run(main())
                sys.stderr = None
                sys.exit(5)
            """),
            ],
            stdout=subprocess.PIPE,
            stderr=write,
            text=True,
            timeout=30,
            check=False,
        )
        os.close(write)
        assert done.stdout.strip() == "101"
        assert done.returncode == 5

    def test_optimised(self) -> None:
        """Without assertions and docstrings the core works as with them."""
        done = run(
            """
            async def main():
                thread = threading.Thread(target=lambda: get_task_manager().fire_and_forget(asyncio.sleep(0)))
                get_task_manager(); thread.start(); thread.join()
                await asyncio.sleep(0.01)
                print(get_task_manager().completed_task_count)
                await shutdown_task_manager()
            asyncio.run(main())
        """,
            "-OO",
        )
        assert done.stdout.strip() == "1"


class TestSignals:
    def test_a_handler_that_does_everything(self) -> None:
        """A storm of signals whose handler reports, hands over and looks, while the main thread does the same."""
        done = run("""
            def handler(number, frame):
                safe_show_error_sync(ValueError("a signal"), "signal handler")
                get_task_manager().fire_and_forget(asyncio.sleep(0), "of a signal")
                get_task_manager().snapshot()
            signal.signal(signal.SIGUSR1, handler)
            async def main():
                get_task_manager()
                def kill():
                    for _ in range(300):
                        os.kill(os.getpid(), signal.SIGUSR1); time.sleep(0.0002)
                thread = threading.Thread(target=kill); thread.start()
                while thread.is_alive():
                    safe_show_error_sync(KeyError("the main thread"), "in between")
                    get_task_manager().fire_and_forget(asyncio.sleep(0), "in between")
                    await asyncio.sleep(0)
                thread.join()
                await get_task_manager().shutdown()
            sys.stderr = None
            asyncio.run(main())
            ledger = get_error_handler().journal.ledger
            print(ledger.balances, ledger.received > 100, get_task_manager().active_task_count)
        """)
        assert done.stdout.split() == ["True", "True", "0"], done.stderr

    def test_interrupted(self) -> None:
        """SIGINT in asyncio.run cancels the main task; the manager's tasks end and nothing is complained of."""
        done = run("""
            async def main():
                get_task_manager().fire_and_forget(never(), "in flight")
                threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
                try:
                    await safe_show_error(ValueError("on the screen"), "a dialog", Host())
                finally:
                    print(len(await shutdown_task_manager(1)), get_error_handler()._showing_dialog)
            asyncio.run(main())
        """)
        assert done.stdout.split() == ["0", "False"]
        assert done.returncode == -signal.SIGINT
        assert done.stderr.endswith("KeyboardInterrupt\n")


_FORKED = pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")


@_FORKED
class TestForks:
    def test_in_a_running_loop(self) -> None:
        """A child forked in a running loop has none: coroutines are refused, errors told, the parent untouched."""
        done = run("""
            import warnings; warnings.simplefilter("ignore", DeprecationWarning)
            async def main():
                manager = get_task_manager()
                manager.fire_and_forget(never(), "of the parent")
                await asyncio.sleep(0)
                child = os.fork()
                if not child:
                    code = 1
                    try:
                        heard = []
                        get_task_manager().set_error_handler(lambda error, context: heard.append(context))
                        get_task_manager().fire_and_forget(never(), "of the child")
                        safe_show_error_sync(ValueError("in the child"), "the child", Host())
                        async def again():
                            await get_task_manager().create_task(asyncio.sleep(0))
                            return get_task_manager().active_task_count
                        asyncio._set_running_loop(None)
                        assert heard == ["of the child"], heard
                        assert asyncio.run(again()) == 0
                        code = 0
                    except BaseException as error:
                        import traceback; traceback.print_exc()
                    finally:
                        sys.stderr.flush()
                        os._exit(code)
                _, status = os.waitpid(child, 0)
                await asyncio.sleep(0.01)
                assert get_task_manager() is manager
                assert manager.active_task_count == 1
                await shutdown_task_manager(1)
                print(os.waitstatus_to_exitcode(status))
            asyncio.run(main())
        """)
        assert done.stdout.strip() == "0", done.stderr
        assert "in the child" in done.stderr

    def test_while_another_thread_holds_the_locks(self) -> None:
        """A child forked while threads report and hand over without pause does not wait for their locks."""
        done = run("""
            import warnings; warnings.simplefilter("ignore", DeprecationWarning)
            sys.setswitchinterval(1e-6)
            errors = get_error_handler()
            stop = False
            def report():
                number = 0
                while not stop:
                    number += 1
                    errors.journal.receive(ValueError(number), f"context {number}")
                    get_task_manager()
            threads = [threading.Thread(target=report) for _ in range(3)]
            for thread in threads: thread.start()
            codes = []
            for _ in range(40):
                child = os.fork()
                if not child:
                    signal.alarm(2)
                    get_error_handler().journal.receive(KeyError("in the child"), "the child")
                    get_task_manager().snapshot()
                    os._exit(0)
                codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
            stop = True
            for thread in threads: thread.join()
            print(codes.count(0))
        """)
        assert done.stdout.strip() == "40", done.stderr

    def test_multiprocessing(self) -> None:
        """A forked worker of multiprocessing reports and runs loops of its own."""
        done = run("""
            import warnings; warnings.simplefilter("ignore", DeprecationWarning)
            import multiprocessing
            def work(queue):
                async def main():
                    safe_show_error_sync(ValueError("in the worker"), "worker")
                    return await get_task_manager().create_task(asyncio.sleep(0, 7))
                queue.put(asyncio.run(main()))
            async def main():
                get_task_manager().fire_and_forget(never(), "of the parent")
                await asyncio.sleep(0)
                context = multiprocessing.get_context("fork")
                queue = context.SimpleQueue()
                process = context.Process(target=work, args=(queue,))
                await asyncio.to_thread(process.start)
                print(await asyncio.to_thread(queue.get))
                await asyncio.to_thread(process.join, 5)
                await shutdown_task_manager(1)
            asyncio.run(main())
        """)
        assert done.stdout.strip() == "7", done.stderr
        assert "in the worker" in done.stderr
