"""Does the shop work through a real PgBouncer in session mode?"""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from borough_bill.load.customers import (
    PLACED,
    OrderClient,
    disagreements,
    make_customers,
    order_plans,
)
from borough_bill.targets.processes import HOST, Ports
from borough_bill.targets.shapes import LocalShape, shape_named
from borough_shop.app import APP
from field.server import listening
from postgresql import Cluster
from programs import program
from unhurried import UNHURRIED

ABSENT = "pgbouncer is not installed: apt-get install pgbouncer"
CONFIGURATION = """
[databases]
* = host={server}
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = session
default_pool_size = 20
ignore_startup_parameters = search_path, default_transaction_isolation
"""
"""PgBouncer knows no `search_path` among the parameters of a new connection and refuses it, unless
it is configured to ignore it. The schema is then that of the role, so each capability has its own.
"""
ROLES = tuple(APP.contracts)


@pytest.fixture
def pooled_url(cluster: Cluster, empty_postgresql_url: str, tmp_path: Path) -> Iterator[str]:
    """A database without tables behind PgBouncer, with a role for each capability."""
    pgbouncer = program("pgbouncer", ABSENT, path=f"{os.environ['PATH']}:/usr/sbin")
    name = empty_postgresql_url.partition("?")[0].rpartition("/")[2]
    for role in ROLES:
        cluster.execute(
            name,
            f"CREATE ROLE {role} LOGIN",
            f"ALTER ROLE {role} SET search_path = {role}",
            f'GRANT CREATE ON DATABASE "{name}" TO {role}',
        )
    ports, folder = Ports(), cluster.folder / name
    folder.mkdir()
    (folder / "users").write_text("".join(f'"{role}" ""\n' for role in ROLES))
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        CONFIGURATION.format(server=cluster.folder, host=HOST, port=ports.public, folder=folder)
    )
    user = "postgres" if os.getuid() == 0 else None  # it refuses to run as root
    try:
        with listening([pgbouncer, str(configuration)], ports.public, tmp_path / "log", user=user):
            yield f"postgresql://{{capability}}@{HOST}:{ports.public}/{name}"
    finally:
        ports.release()
        for role in ROLES:
            cluster.execute(name, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


async def test_orders_are_placed_through_pgbouncer_in_session_mode(
    pooled_url: str, tmp_path: Path
) -> None:
    """Migrated, seeded, ordered and audited through it, with a role for each capability."""
    customers = make_customers(4)
    shop = LocalShape(
        shape_named("extract-payments"),
        tmp_path,
        store=pooled_url,
        keys={customer.name: customer.key for customer in customers},
        settings=UNHURRIED,
    )
    await shop.prepare()
    async with shop, OrderClient(shop.addresses, timeout_s=600) as clients:
        await clients.put_profiles(customers)
        wanted = order_plans(random.Random(5), customers, await clients.menu(customers[0]))
        outcomes = [await clients.run(next(wanted)) for _ in range(20)]
        assert {outcome.ending for outcome in outcomes} == {PLACED}
        assert {outcome.statuses for outcome in outcomes} == {(201,)}
        audit = await shop.audit()
        assert (audit.violations, disagreements(outcomes, audit)) == ((), ())
