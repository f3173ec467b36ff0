"""Threads do not each keep memory of their own."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

THREADS = 12

MANY_THREADS = f"""
import re, sys, threading
from openhcs.tui.utils.allocator import use_few_arenas
if "few" in sys.argv:
    use_few_arenas()
stay, ready = threading.Event(), threading.Barrier({THREADS} + 1)
def work():
    kept = [bytearray(60_000) for _ in range(20)]
    ready.wait()
    stay.wait()
threads = [threading.Thread(target=work) for _ in range({THREADS})]
for thread in threads:
    thread.start()
ready.wait()
# An arena begins at a multiple of 64 MiB.
print(sum(int(line.split("-")[0], 16) % (64 << 20) == 0 for line in open("/proc/self/maps") if "rw-p" in line))
stay.set()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have other ways")
def test_threads_share_arenas() -> None:
    """However many threads take memory, the allocator opens one arena for them beside the main one."""

    def arenas(*arguments: str) -> int:
        script = [sys.executable, "-c", MANY_THREADS, *arguments]
        return int(subprocess.run(script, capture_output=True, text=True, check=True, timeout=60).stdout)

    assert arenas() > 2
    assert arenas("few") == 1
