"""Does the shop behave behind a real nginx, which keeps connections to every replica?"""

import os
import random
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from borough import commands
from borough.config import Settings
from borough_bill.load.customers import (
    PLACED,
    ClosedLoop,
    Customer,
    OrderClient,
    disagreements,
    make_customers,
    order_plans,
)
from borough_bill.targets.processes import HOST, Ports, Process
from borough_bill.targets.shapes import LocalShape, shape_named
from borough_shop.app import APP
from field.server import listening
from programs import program
from unhurried import UNHURRIED

ABSENT = "nginx is not installed: apt-get install nginx-light"
STOP_WITHIN = 45
TIME_WAIT, ESTABLISHED = "06", "01"
"""States of a connection in /proc/net/tcp."""
CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream shop {{
    {servers}
    keepalive 16;
  }}
  server {{
    listen {host}:{port};
    location / {{
      proxy_pass http://shop;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_read_timeout 600s;
    }}
  }}
}}
"""
"""As nginx's own documents keep connections to an upstream. A POST that was sent is not sent again,
which is nginx's default: what a replica loses, the customer loses. It is one process, since a
worker would outlive a master that is killed.
"""


@dataclass(frozen=True)
class Front:
    """A shop of several replicas, and nginx before it."""

    shop: LocalShape
    url: str
    customers: tuple[Customer, ...]


@pytest.fixture
def nginx() -> str:
    """The program."""
    return program("nginx", ABSENT, path=f"{os.environ['PATH']}:/usr/sbin")


@asynccontextmanager
async def fronted(
    nginx: str, folder: Path, store: str, replicas: int, **settings: str
) -> AsyncIterator[Front]:
    """A monolith of so many replicas behind nginx; its customers have profiles."""
    customers = make_customers(4)
    shop = LocalShape(
        shape_named("monolith"),
        folder,
        replicas=replicas,
        store=store,
        keys={customer.name: customer.key for customer in customers},
        settings=UNHURRIED | settings,
    )
    await commands.seed(APP, Settings(store=SecretStr(store)), {"stock": "1000000"})
    with ExitStack() as stack:
        ports = Ports()
        stack.callback(ports.release)
        servers = [
            f"server {HOST}:{process.ports.public} max_fails=0;" for process in shop.processes
        ]
        configuration = folder / "nginx.conf"
        configuration.write_text(
            CONFIGURATION.format(
                folder=folder, host=HOST, port=ports.public, servers="\n    ".join(servers)
            )
        )
        async with shop:
            stack.enter_context(
                listening(
                    [nginx, "-p", str(folder), "-c", str(configuration)],
                    ports.public,
                    folder / "nginx.log",
                )
            )
            url = f"http://{HOST}:{ports.public}"
            async with OrderClient(lambda _: (url,), timeout_s=600) as clients:
                await clients.put_profiles(customers)
            yield Front(shop, url, customers)


async def test_sequential_orders_share_one_connection_from_nginx(
    nginx: str, sqlite_url: str, tmp_path: Path
) -> None:
    """Twenty orders, and nothing between them ends the connection that nginx keeps."""
    async with fronted(nginx, tmp_path, sqlite_url, 1, CONNECTION_MAX_AGE_S="0") as front:
        (replica,) = front.shop.processes
        async with OrderClient(lambda _: (front.url,), timeout_s=600) as clients:
            menu = await clients.menu(front.customers[0])
            wanted = order_plans(random.Random(3), front.customers, menu)
            outcomes = [await clients.run(next(wanted)) for _ in range(20)]
        assert {outcome.statuses for outcome in outcomes} == {(201,)}
        assert states_at(replica.ports.public) == [ESTABLISHED]
        audit = await front.shop.audit()
        assert (audit.violations, disagreements(outcomes, audit)) == ((), ())


async def test_rolling_restart_behind_nginx_fails_no_order(
    nginx: str, sqlite_url: str, tmp_path: Path
) -> None:
    """Each of two replicas gets SIGTERM under load: it answers what it took, tells nginx to close,
    and refuses the rest, which nginx then takes to the other one.
    """
    async with fronted(nginx, tmp_path, sqlite_url, 2, DRAIN_S="0.5") as front:
        async with OrderClient(lambda _: (front.url,), timeout_s=600) as clients:
            menu = await clients.menu(front.customers[0])
            wanted = order_plans(random.Random(7), front.customers, menu)
            async with ClosedLoop(clients, wanted, at_once=4) as shopping:
                for process in front.shop.processes:
                    await shopping.wait_for(len(shopping.outcomes) + 20)
                    await restart(front.shop, process)
                await shopping.wait_for(len(shopping.outcomes) + 20)
        assert {outcome.ending for outcome in shopping.outcomes} == {PLACED}
        assert {status for o in shopping.outcomes for status in o.statuses} == {201}
        audit = await front.shop.audit()
        assert (audit.violations, disagreements(shopping.outcomes, audit)) == ((), ())


async def restart(shop: LocalShape, process: Process) -> None:
    """SIGTERM, its whole drain, and a new start on the same ports."""
    assert await process.terminate(STOP_WITHIN) == 0, process.log_tail()
    await shop.restart(process)


def states_at(port: int) -> list[str]:
    """The states of all connections to a local port, as its server's side sees them."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = (line.split() for line in lines)
    return [
        row[3]
        for row in rows
        if int(row[1].partition(":")[2], 16) == port and row[3] in (ESTABLISHED, TIME_WAIT)
    ]
