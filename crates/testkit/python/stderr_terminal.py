"""Runs a program whose standard error is a terminal.

    stderr_terminal.py PROGRAM [ARGUMENT...]

What the terminal gets is this script's standard error; the other streams and the exit code are the program's own.
"""

import os
import subprocess
import sys


def main(*command):
    terminal, program_side = os.openpty()
    program = subprocess.Popen(command, stderr=program_side)
    os.close(program_side)
    while True:
        try:
            part = os.read(terminal, 1024)
        except OSError:  # Linux reports the end so.
            part = b""
        if not part:
            return program.wait()
        os.write(2, part)


sys.exit(main(*sys.argv[1:]))
