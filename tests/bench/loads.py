"""The Prometheus of the operator's bench: it answers every family for all targets at once.

    python -m bench.loads NAMESPACE TARGETS

An answer is made once and sent as often as it is asked for, so that it takes next to nothing of the
machine. Its first line says where it listens.
"""

import asyncio
import json
import sys
import time

from aiohttp import web

from bench.talk import say
from borough_bill.targets.processes import HOST

RATE = 30.0
"""Requests a second of each target, of which one replica carries 50."""
AGE_S = 1.0


async def serve(namespace: str, targets: int) -> None:
    """Until the bench ends."""
    names = [f"w{number}" for number in range(targets)]
    rates, ages = (_vector(namespace, names, value) for value in (RATE, AGE_S))
    silent = _vector(namespace, [], 0)

    async def answer(request: web.Request) -> web.Response:
        query = str((await request.post())["query"])
        body = ages if query.startswith("time()") else silent if "up" in query else rates
        return web.Response(body=body, content_type="application/json")

    app = web.Application()
    app.router.add_post("/api/v1/query", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, HOST, 0).start()
    say(port=runner.addresses[0][1])
    await asyncio.Event().wait()


def _vector(namespace: str, names: list[str], value: float) -> bytes:
    sample = [time.time(), str(value)]
    rows = [
        {"metric": {"namespace": namespace, "workload": name}, "value": sample} for name in names
    ]
    data = {"resultType": "vector", "result": rows}
    return json.dumps({"status": "success", "data": data}).encode()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
