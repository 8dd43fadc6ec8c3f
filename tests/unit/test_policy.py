"""Authentication, rate limit, and parsing of keys, timeouts and cursors at the door."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from borough.config import WrongSettings
from borough.errors import Malformed, RateLimited
from borough.testing.clock import ManualClock
from borough_shop.errors import KeyMissing
from borough_shop.gateway.policy import (
    ApiKeys,
    RateLimit,
    decode_cursor,
    encode_cursor,
    parse_idempotency_key,
    parse_timeout_ms,
)

PRINTABLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255)


class TestApiKeys:
    """A key names a customer or none."""

    def test_only_the_whole_key_names_its_customer(self) -> None:
        """A part of a key, a longer key and an empty one are refused."""
        keys = ApiKeys({"ada": "correct horse", "grace": "battery staple"})
        assert keys.customer_of("correct horse") == "ada"
        assert keys.customer_of("battery staple") == "grace"
        for wrong in ("", "correct", "correct horse ", "Correct horse", "ada", "\xe9"):
            assert keys.customer_of(wrong) is None

    def test_every_key_is_compared_on_each_lookup(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A look-up that stopped at the first match would leak by its duration which key is
        near.
        """
        compared: list[tuple[bytes, bytes]] = []

        def compare(left: bytes, right: bytes) -> bool:
            compared.append((left, right))
            return left == right

        monkeypatch.setattr("borough_shop.gateway.policy.hmac.compare_digest", compare)
        keys = ApiKeys({"ada": "a", "grace": "a much longer key", "joan": "c"})
        for asked in ("a", "c", "unknown"):
            compared.clear()
            keys.customer_of(asked)
            assert len(compared) == 3
            assert {len(digest) for pair in compared for digest in pair} == {32}

    @pytest.mark.parametrize(
        ("keys", "named"),
        [
            ({"Ada Lovelace": "k"}, "'Ada Lovelace' is no customer id"),
            ({"ada": ""}, "the key of ada is empty"),
            ({"ada": "clé"}, "the key of ada is not plain ASCII"),
            ({"ada": "k", "grace": "k"}, "ada and grace share one key"),
        ],
    )
    def test_invalid_keys_are_refused_at_start(self, keys: dict[str, str], named: str) -> None:
        """The error names the setting and the customer, never the key."""
        with pytest.raises(WrongSettings, match=f"BOROUGH_API_KEYS: {named}"):
            ApiKeys(keys)

    def test_repr_of_keys_hides_them(self) -> None:
        """A printed object contains no key."""
        keys = ApiKeys({"ada": "correct horse"})
        assert "correct" not in f"{keys!r} {vars(keys)}"


class TestRateLimit:
    """A token bucket per customer."""

    def test_burst_is_allowed_and_then_the_rate_holds(self) -> None:
        """After the burst a token comes every 1/rate seconds, and the refusal has the time until
        then.
        """
        clock = ManualClock()
        limit = RateLimit(rate=0.5, burst=3, clock=clock.monotonic)
        for _ in range(3):
            limit.admit("ada")
        with pytest.raises(RateLimited, match="ada") as refused:
            limit.admit("ada")
        assert refused.value.retry_after == 2
        clock.advance(2)
        limit.admit("ada")
        with pytest.raises(RateLimited):
            limit.admit("ada")

    def test_refused_request_takes_no_token(self) -> None:
        """A refused request does not delay the next allowed one."""
        clock = ManualClock()
        limit = RateLimit(rate=1, burst=1, clock=clock.monotonic)
        limit.admit("ada")
        for _ in range(10):
            with pytest.raises(RateLimited):
                limit.admit("ada")
        clock.advance(1)
        limit.admit("ada")

    def test_each_customer_has_a_bucket_of_their_own(self) -> None:
        """Requests of one customer do not delay those of another."""
        limit = RateLimit(rate=1, burst=1, clock=ManualClock().monotonic)
        limit.admit("ada")
        limit.admit("grace")
        with pytest.raises(RateLimited, match="grace"):
            limit.admit("grace")

    def test_idle_bucket_holds_no_more_than_the_burst(self) -> None:
        """A long time without requests saves no more tokens than the burst."""
        clock = ManualClock()
        limit = RateLimit(rate=100, burst=2, clock=clock.monotonic)
        limit.admit("ada")
        clock.advance(8 * 3_600)
        limit.admit("ada")
        limit.admit("ada")
        with pytest.raises(RateLimited):
            limit.admit("ada")

    def test_request_after_retry_after_is_allowed(self) -> None:
        """A request that comes after Retry-After passes, at any rate."""
        for rate in (0.03, 0.7, 3, 1_000):
            clock = ManualClock()
            limit = RateLimit(rate=rate, burst=1, clock=clock.monotonic)
            limit.admit("ada")
            with pytest.raises(RateLimited) as refused:
                limit.admit("ada")
            assert refused.value.retry_after is not None
            clock.advance(refused.value.retry_after)
            limit.admit("ada")


class TestIdempotencyKey:
    """Bare, or a quoted string of RFC 8941."""

    @given(key=PRINTABLE.filter(lambda key: not key.startswith('"')))
    def test_bare_key_is_read_unchanged(self, key: str) -> None:
        """Clients without structured fields send a bare key."""
        assert parse_idempotency_key(key) == key

    @given(key=PRINTABLE)
    def test_quoted_key_is_unquoted(self, key: str) -> None:
        """Quotes and backslashes inside are escaped by a backslash."""
        escaped = key.replace("\\", r"\\").replace('"', r"\"")
        assert parse_idempotency_key(f'"{escaped}"') == key

    @pytest.mark.parametrize("header", [None, ""])
    def test_absent_key_is_refused(self, header: str | None) -> None:
        """An order without a key could not be repeated safely."""
        with pytest.raises(KeyMissing, match="Idempotency-Key"):
            parse_idempotency_key(header)

    @pytest.mark.parametrize(
        "header",
        ['"open', '"', '""', '"a"b"', r'"bad \escape"', '"two words"', "two words", "a" * 256,
         '"' + "a" * 256 + '"', "tab\tbed", "na\xefve", '"na\xefve"', '"x";p=1', "newline\n"],
    )  # fmt: skip  # as a table
    def test_ambiguous_key_is_malformed(self, header: str) -> None:
        """A key that two parsers could read differently is refused."""
        with pytest.raises(Malformed, match="Idempotency-Key") as refused:
            parse_idempotency_key(header)
        assert type(refused.value) is Malformed


class TestTimeout:
    """Milliseconds, whole."""

    def test_whole_number_is_read(self) -> None:
        """Zero is valid as well: the door answers it with 504."""
        assert [parse_timeout_ms(text) for text in ("0", "250", "0007")] == [0, 250, 7]

    @pytest.mark.parametrize(
        "header", ["", "soon", "-1", "1.5", "1e3", "0x10", "٣", "9" * 10, "5\n"]
    )
    def test_other_timeout_is_malformed(self, header: str) -> None:
        """The error names the header."""
        with pytest.raises(Malformed, match="borough-timeout-ms"):
            parse_timeout_ms(header)


class TestCursor:
    """Opaque, with one spelling for each position."""

    @given(last=st.uuids())
    def test_cursor_is_decoded_to_its_position(self, last: UUID) -> None:
        """Every id makes a cursor that needs no escaping in a URL."""
        cursor = encode_cursor(last)
        assert cursor is not None
        assert cursor.replace("-", "").replace("_", "").isalnum()
        assert decode_cursor(cursor) == last

    def test_absent_cursor_is_the_first_or_last_page(self) -> None:
        """The first page is requested without a cursor, and the last page returns none."""
        assert encode_cursor(None) is None
        assert decode_cursor(None) is None

    @pytest.mark.parametrize(
        "cursor",
        ["", "x", "=" * 22, "A" * 21, "A" * 23, "A" * 21 + "B", "A" * 22 + "==", "A" * 21 + "\xe9",
         "A" * 21 + "+", " " + "A" * 22, "00000000-0000-0000-0000-000000000000"],
    )  # fmt: skip  # as a table
    def test_foreign_cursor_is_malformed(self, cursor: str) -> None:
        """A made-up cursor is an error, not the first page; a long one is truncated in the
        message.
        """
        with pytest.raises(Malformed, match="cursor"):
            decode_cursor(cursor)

    @given(cursor=st.text(max_size=30))
    def test_any_text_is_a_cursor_or_malformed(self, cursor: str) -> None:
        """Every text is either a valid cursor or raises Malformed."""
        try:
            last = decode_cursor(cursor)
        except Malformed:
            last = None
        assert encode_cursor(last) in {cursor, None}
