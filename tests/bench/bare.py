"""A part as small as FastAPI and uvicorn make it: one JSON route, and one that says it is ready.

    python -m bench.bare 8000

It imports nothing of ours, because its memory and its start are what ours are beside.
"""

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel


class Question(BaseModel):
    """What is sent, and answered."""

    sku: str
    quantity: int


app = FastAPI()


@app.get("/readyz")
async def readyz() -> dict[str, str]:
    """As our parts say it."""
    return {"status": "ready"}


@app.post("/echo")
async def echo(question: Question) -> Question:
    """Answers what it was asked."""
    return question


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
