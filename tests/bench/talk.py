"""How a measured process and the bench talk: a line in, one line of JSON out.

What else the process prints, an access log say, goes where its stderr goes: the bench would take it
for an answer.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from threading import Thread

_bench = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def say(**facts: float) -> None:
    """One line to the bench."""
    _bench.write(json.dumps(facts) + "\n")
    _bench.flush()


def answer_forever(flush: Callable[[], object]) -> None:
    """On a thread of its own: whatever is asked, export what is pending and tell the CPU seconds
    this process has used. If `flush` raises, the process ends, and its last words say why.
    """

    def answer() -> None:
        try:
            for _ in sys.stdin:
                flush()
                say(cpu_s=time.process_time())
        except Exception:  # noqa: BLE001  # an exception would end the thread unnoticed
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)

    Thread(target=answer, daemon=True).start()
