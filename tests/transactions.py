"""A transaction that is held open for as long as a test needs it.

A file of its own because tests of stores and of the chaos suite use it.
"""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from borough.stores.sql import Database, Transaction
from borough.stores.statements import Statement


@asynccontextmanager
async def held_open(database: Database, *statements: Statement) -> AsyncIterator[None]:
    """Meanwhile a transaction has executed the statements and is not committed. It is committed at
    the end.
    """
    loop, begun, end = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    async def work(tx: Transaction) -> None:
        for statement in statements:
            await tx.execute(statement)
        loop.call_soon_threadsafe(begun.set)
        if threading.current_thread() is threading.main_thread():  # where nothing may block
            await asyncio.to_thread(end.wait)
        end.wait()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(database.transaction(work))
        await begun.wait()
        try:
            yield
        finally:
            end.set()
