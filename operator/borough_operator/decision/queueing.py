"""How many servers a load needs: the queueing theory behind the proposals, and nothing else.

Loads are in erlangs: requests a second times the seconds each occupies a server. Sources: Erlang
(1917) for the probability to wait; Halfin and Whitt, "Heavy-traffic limits for queues with many
exponential servers" (1981), for why headroom grows with the square root of the load.
"""

import math

_MANY = 1e4
"""Erlangs beyond which a bound is good enough: the exact answer takes a step for each."""


def servers_for(load: float, patience: float, share: float) -> int:
    """The fewest servers at which at most this share of requests waits longer than `patience`.

    `patience` is in mean service times: P(W > t) = C(c, a) * exp(-(c - a) * t / S).
    """
    if load <= 0.0:
        return 1
    if load > _MANY:
        # Halfin and Whitt's C for a + b*sqrt(a) servers is below exp(-b*b/2): all who wait at all.
        return math.ceil(load + math.sqrt(-2.0 * math.log(share) * load))
    blocked, servers = 1.0, 0
    while True:
        servers += 1
        blocked = load * blocked / (servers + load * blocked)
        if servers > load:
            waits = _delayed(blocked, servers, load) * math.exp((load - servers) * patience)
            if waits <= share:
                return servers


def staffed(load: float, spare: float) -> float:
    """Replicas for a load in units of what one replica carries, before they are rounded up:
    a + spare * sqrt(a). Headroom as large as chance is: large for few replicas, small for many.
    """
    return load + spare * math.sqrt(load)


def _delayed(blocked: float, servers: int, load: float) -> float:
    """Erlang's C from Erlang's B of the same servers and load."""
    return servers * blocked / (servers - load * (1.0 - blocked))
