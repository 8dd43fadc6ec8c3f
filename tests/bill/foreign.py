"""A plain FastAPI application without the kit: a bookshop.

`python foreign.py DELAY_MS` prints its URL; each order waits that long. GET /waited returns the
actual mean wait in ms, since no timer is exact.
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
    """An order."""

    title: str


@app.post("/orders", status_code=201)
async def order(book: Book, api_key: Annotated[str, Header()]) -> dict[str, str]:
    """Place an order; the header Api-Key is required."""
    if api_key != "secret":
        raise HTTPException(401)
    begun = time.perf_counter()
    if DELAY_S:
        await asyncio.sleep(DELAY_S)
        waited.append(time.perf_counter() - begun)
    return {"title": book.title, "state": "ordered"}


@app.get("/waited")
async def mean_wait() -> float:
    """The mean wait of the orders, in ms."""
    return 1000 * sum(waited) / max(1, len(waited) - 1)


if __name__ == "__main__":
    DELAY_S = float(sys.argv[1]) / 1000
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201  # the parent process reads it
    uvicorn.Server(uvicorn.Config(app, log_level="error")).run(sockets=[listener])
