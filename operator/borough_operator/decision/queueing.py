"""Queueing theory: how many servers a load needs.

Loads are in erlangs: requests per second times the seconds each occupies a server. Sources: Erlang
(1917) for the probability of waiting; Halfin and Whitt, "Heavy-traffic limits for queues with many
exponential servers" (1981), for headroom that grows with the square root of the load.
"""

import math

_BOUND_FROM = 1e4
"""Erlangs above which an upper bound is returned: the exact result takes a step per server."""


def servers_for(load: float, wait: float, share: float) -> int:
    """The fewest servers with which at most this share of requests waits longer than `wait`.

    `wait` is in mean service times S: P(W > t) = C(c, a) * exp(-(c - a) * t / S).
    """
    if load <= 0.0:
        return 1
    if load > _BOUND_FROM:
        # With a + b*sqrt(a) servers Halfin and Whitt's probability of waiting is below exp(-b*b/2).
        return math.ceil(load + math.sqrt(-2.0 * math.log(share) * load))
    blocked, servers = 1.0, 0
    while True:
        servers += 1
        blocked = load * blocked / (servers + load * blocked)
        if servers > load:
            # Erlang's C from his B of the same servers and load.
            waiting = servers * blocked / (servers - load * (1.0 - blocked))
            if waiting * math.exp((load - servers) * wait) <= share:
                return servers


def staffed(load: float, beta: float) -> float:
    """Square-root staffing: load + beta * sqrt(load) replicas, not rounded, for a load in units of
    what one replica carries. The headroom is proportional to the standard deviation of the load, so
    its share is large for few replicas and small for many.
    """
    return load + beta * math.sqrt(load)
