"""Are CPU, memory and hops attributed to the process that used them?"""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from borough import signals
from borough_bill.targets import attribution
from borough_bill.targets.attribution import Counters, NotExposed, ProcessGone, cpu_seconds, memory
from borough_telemetry.signals import CLIENT_DURATION, HOP_HANDLER, HOP_SERVER

BURNER = """
import sys, threading, time

def burn():
    while time.thread_time() < 0.1:
        pass

thread = threading.Thread(target=burn)
thread.start()
thread.join()
print("ended", flush=True)
sys.stdin.read()
"""

GATEWAY = """\
# TYPE http_client_request_duration_seconds histogram
http_client_request_duration_seconds_bucket{peer="orders",method="place",status="201",le="0.1"} 4
http_client_request_duration_seconds_count{peer="orders",method="place",status="201"} 3
http_client_request_duration_seconds_sum{peer="orders",method="place",status="201"} 0.03
http_client_request_duration_seconds_count{peer="orders",method="place",status="503"} 1
http_client_request_duration_seconds_sum{peer="orders",method="place",status="503"} 0.01
borough_hop_server_seconds_total{peer="orders",method="place"} 0.02 # {trace_id="a b"} 0.01
borough_hop_handler_seconds_total{peer="orders",method="place"} 0.016
# EOF
"""
ORDERS = """\
borough_store_transactions_total{capability="orders",kind="write"} 12.0
borough_store_transactions_total{capability="orders",kind="read"} 99.0
borough_store_transactions_total{capability="stock",kind="write"} 5.0 1700000000.123
"""


@pytest.fixture
def burner() -> Iterator[int]:
    """A process that used 0.1 s of CPU in a thread that has ended."""
    with subprocess.Popen(  # noqa: S603  # our own interpreter and arguments
        [sys.executable, "-c", BURNER], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


def test_cpu_of_ended_threads_is_counted(burner: int) -> None:
    """The clock of the process includes threads that have ended."""
    assert cpu_seconds(burner) >= 0.1


def test_missing_process_is_refused_by_pid() -> None:
    """A process that has ended is not one that uses nothing."""
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass
    for read in (cpu_seconds, memory):
        with pytest.raises(ProcessGone, match=f"process {gone.pid} "):
            read(gone.pid)


def test_memory_counts_touched_pages() -> None:
    """RSS grows by the pages that are written; PSS divides shared pages."""
    before = memory(os.getpid())
    held = bytearray(os.urandom(1)) * (64 << 20)
    after = memory(os.getpid())
    assert 60 < after.rss_mib - before.rss_mib < 70
    assert 0 < (after.pss_mib or 0) <= after.rss_mib
    del held


def test_hops_are_summed_over_statuses_and_parts() -> None:
    """An edge is a peer and a method; series of other statuses and parts add to it."""
    hops = Counters.read([GATEWAY, GATEWAY, ORDERS]).hops()
    assert hops.keys() == {"orders.place"}
    hop = hops["orders.place"]
    assert hop.calls == 8
    assert (hop.total_s, hop.server_s, hop.handler_s) == pytest.approx((0.08, 0.04, 0.032))


def test_counters_since_the_begin_are_scaled_by_share() -> None:
    """The share of the warm-up is subtracted, and the mean times of a call stay the same."""
    added = Counters.read([GATEWAY, GATEWAY, ORDERS]).since(Counters.read([GATEWAY]))
    hop = added.hops(share=0.5)["orders.place"]
    assert (hop.calls, hop.total_s) == pytest.approx((2, 0.02))
    assert added.hops(share=0) == {}


def test_only_write_transactions_are_counted() -> None:
    """Reads commit nothing to the disk."""
    counters = Counters.read([ORDERS, ORDERS])
    assert counters.transactions() == {"orders": 24.0, "stock": 10.0}
    assert counters.since(counters).transactions() == {}


def test_hops_without_server_timing_are_refused() -> None:
    """Without the callee's time, the whole call would count as tax."""
    without = "".join(line for line in GATEWAY.splitlines(keepends=True) if "_hop_" not in line)
    with pytest.raises(NotExposed, match="borough_hop_server_seconds_total"):
        Counters.read([without]).hops()


def test_counters_have_the_names_that_parts_declare() -> None:
    """The bill shares no code with the kit, so a test compares the names."""
    edge = {"peer", "method"}
    duration, handler = CLIENT_DURATION, HOP_HANDLER
    server, store = HOP_SERVER, signals.STORE_TRANSACTIONS
    assert (f"{duration.name}_count", f"{duration.name}_sum") == (
        attribution.CALLS,
        attribution.TOTAL,
    )
    assert (f"{handler.name}_total", f"{server.name}_total") == (
        attribution.HANDLER,
        attribution.SERVER,
    )
    assert f"{store.name}_total" == attribution.TRANSACTIONS
    assert all(edge <= set(signal.labels) for signal in (duration, handler, server))
    assert {"capability", "kind"} <= set(store.labels)
