"""Runs a program on a terminal of its own and answers one question there.

    terminal.py PROMPT PROGRAM [ARGUMENT...]

The answer is a line of standard input. The program's standard input and its controlling terminal are the terminal; its
other outputs, and its exit code, are this script's. When it has ended, the terminal must be as it was.
"""

import fcntl
import os
import subprocess
import sys
import termios
import time

ECHOED = 70
NOT_ASKED = 71
LEFT_CHANGED = 72


def main(prompt, *command):
    answer = sys.stdin.readline()
    terminal, program_side = os.openpty()
    before = termios.tcgetattr(terminal)
    program = subprocess.Popen(
        command,
        stdin=program_side,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(program_side)
    asked = shown_until(terminal, prompt.encode())
    if asked:
        # The question comes before the echo ends; a person does not answer within those microseconds.
        while echoes(terminal) and program.poll() is None:
            time.sleep(0.001)
        os.write(terminal, answer.encode())
        rest = shown_until(terminal, None)
        if answer.strip() and answer.strip().encode() in rest:
            return ECHOED
    code = program.wait()
    if termios.tcgetattr(terminal) != before:
        return LEFT_CHANGED
    return code if asked else NOT_ASKED


def echoes(terminal):
    local_modes = termios.tcgetattr(terminal)[3]
    return bool(local_modes & termios.ECHO)


def shown_until(terminal, text):
    """What the program wrote to its terminal, until it wrote `text`; nothing if it ended before that."""
    shown = b""
    while text is None or text not in shown:
        try:
            part = os.read(terminal, 1024)
        except OSError:  # Linux reports the end so.
            part = b""
        if not part:
            return shown if text is None else b""
        shown += part
    return shown


sys.exit(main(*sys.argv[1:]))
