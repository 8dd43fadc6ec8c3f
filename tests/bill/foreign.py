"""An app that is not ours: the bookshop next door, written the way FastAPI's first page says.

`python foreign.py DELAY_MS` prints its URL; each order waits that long. What it really waited, in
ms on average, it tells at /waited, since no timer is exact.
"""

import asyncio
import socket
import sys
import time
from typing import Annotated

import uvicorn
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel

app = FastAPI()
waited = [0.0]


class Book(BaseModel):
    """What somebody orders."""

    title: str


@app.post("/orders", status_code=201)
async def order(book: Book, api_key: Annotated[str, Header()]) -> dict[str, str]:
    """Needs a key, as real deployments do."""
    if api_key != "secret":
        raise HTTPException(401)
    begun = time.perf_counter()
    if DELAY_S:
        await asyncio.sleep(DELAY_S)
        waited.append(time.perf_counter() - begun)
    return {"title": book.title, "state": "ordered"}


@app.get("/waited")
async def told() -> float:
    """Mean wait of the orders, in ms."""
    return 1000 * sum(waited) / max(1, len(waited) - 1)


if __name__ == "__main__":
    DELAY_S = float(sys.argv[1]) / 1000
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201  # who started us waits for it
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listener])
