"""API keys, rate limit, and parsing of headers and cursors. Pure: time is an argument.

This module depends on no door, and logs nothing, since a key is a secret.
"""

import base64
import binascii
import hashlib
import hmac
import math
import re
from collections.abc import Callable, Mapping
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from borough.config import WrongSettings
from borough.errors import Malformed, RateLimited
from borough_shop.errors import KeyMissing
from borough_shop.orders.contract import IdempotencyKey
from borough_shop.values import CustomerId

_customer_id: TypeAdapter[str] = TypeAdapter(CustomerId)
_idempotency_key: TypeAdapter[str] = TypeAdapter(IdempotencyKey)

QUOTED = re.compile(r'"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"')
"""A string of RFC 8941, 3.3.3: printable ASCII; a backslash escapes a quote or a backslash."""


class ApiKeys:
    """Looks up the customer of a key, in a time that does not depend on the key."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        """Raises WrongSettings for an invalid customer id, and for a key that is empty, not ASCII
        (which a header cannot carry), or shared.
        """
        owners: dict[bytes, str] = {}
        for customer, key in keys.items():
            try:
                _customer_id.validate_python(customer)
            except ValidationError:
                raise WrongSettings(f"BOROUGH_API_KEYS: {customer!r} is no customer id") from None
            if not key:
                raise WrongSettings(f"BOROUGH_API_KEYS: the key of {customer} is empty")
            if not key.isascii():
                raise WrongSettings(f"BOROUGH_API_KEYS: the key of {customer} is not plain ASCII")
            other = owners.setdefault(_digest(key), customer)
            if other != customer:
                raise WrongSettings(f"BOROUGH_API_KEYS: {other} and {customer} share one key")
        self._owners = tuple(owners.items())

    def customer_of(self, key: str) -> str | None:
        """The customer. The hash of every known key is compared, against timing attacks."""
        digest, found = _digest(key), None
        for known, customer in self._owners:
            if hmac.compare_digest(known, digest):
                found = customer
        return found


class RateLimit:
    """A token bucket per customer: `burst` requests at once, `rate` a second in the long run.

    Each replica has its own buckets. Only customers with a key have one, so that their number is
    bounded.
    """

    def __init__(self, *, rate: float, burst: int, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def admit(self, customer: str) -> None:
        """Take a token. Raises RateLimited, with the time until the next one."""
        now = self._clock()
        tokens, then = self._buckets.get(customer, (float(self._burst), now))
        tokens = min(tokens + (now - then) * self._rate, self._burst)
        if tokens < 1:
            wait = math.ceil((1 - tokens) / self._rate)
            raise RateLimited(
                f"customer {customer} may send {self._rate:g} requests a second, {self._burst} at"
                f" once: come again in {wait} s",
                retry_after=wait,
            )
        self._buckets[customer] = (tokens - 1, now)


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def parse_idempotency_key(header: str | None) -> str:
    """The key, sent bare or as a quoted string. Raises KeyMissing or Malformed."""
    if not header:
        raise KeyMissing("an order needs an Idempotency-Key header: any text that is yours alone")
    key = header
    if header.startswith('"'):
        if not QUOTED.fullmatch(header):
            raise Malformed("the Idempotency-Key opens a quoted string and does not close it well")
        key = re.sub(r"\\(.)", r"\1", header[1:-1])
    try:
        return _idempotency_key.validate_python(key)
    except ValidationError:
        raise Malformed(
            "the Idempotency-Key must be 1 to 255 printable ASCII characters without spaces"
        ) from None


def parse_timeout_ms(header: str) -> int:
    """The caller's deadline in milliseconds. Raises Malformed."""
    if not re.fullmatch(r"[0-9]{1,9}", header):
        raise Malformed("borough-timeout-ms must be a whole number of milliseconds")
    return int(header)


def encode_cursor(last: UUID | None) -> str | None:
    """Where the next page begins, as opaque text."""
    return None if last is None else base64.urlsafe_b64encode(last.bytes).rstrip(b"=").decode()


def decode_cursor(cursor: str | None) -> UUID | None:
    """The argument of `encode_cursor`. Raises Malformed."""
    if cursor is None:
        return None
    try:
        last = UUID(bytes=base64.b64decode(cursor + "==", altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        last = None
    if encode_cursor(last) != cursor:  # unused bits of the last character must be 0
        raise Malformed(f"cursor {cursor[:40]!r} is none of ours: send a next_cursor as it came")
    return last
