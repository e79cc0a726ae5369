"""Runs one command and prints its wall time, processor time and peak memory as JSON.

    python -I -S measure.py COMMAND [ARG...]

wait4 gives the times and the peak of exactly this child, without polling. Linux counts what a child shared before its exec, which is
this process: a command that needs less shows that instead. Measure `true` to learn this floor; json is imported only
afterwards to keep it low.
"""

import os
import sys
import time

command = sys.argv[1:]
if not command:
    sys.exit("usage: measure.py COMMAND [ARG...]")

# The command's stdout joins stderr: stdout carries the result only.
to_stderr = [(os.POSIX_SPAWN_DUP2, 2, 1)]
started = time.perf_counter()
try:
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=to_stderr)
except OSError as error:
    sys.exit(f"error: cannot run {command[0]}: {error.strerror}")
_, status, usage = os.wait4(pid, 0)
wall = time.perf_counter() - started

import json  # noqa: E402

code = os.waitstatus_to_exitcode(status)
# macOS counts bytes, Linux KiB.
peak = usage.ru_maxrss // 1024 if sys.platform == "darwin" else usage.ru_maxrss
cpu = usage.ru_utime + usage.ru_stime
print(json.dumps({"wall_seconds": wall, "cpu_seconds": cpu, "max_rss_kib": peak, "exit_code": code}))
sys.exit(0 if code == 0 else 1)
