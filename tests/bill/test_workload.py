"""Does a workload file define requests and expected answers, and is a mistake in it named?"""

import json
from pathlib import Path

import numpy as np
import pytest

from borough_bill.load.workload import KEY, VARIANTS, BadWorkload, Workload, shipped, workload

CUSTOMERS = {"ada": "key-of-ada", "bob": "key-of-bob"}


def parse(text: str) -> Workload:
    """The workload of a text."""
    return Workload.parse(text, "mine.toml")


def rendered(load: Workload, seed: int = 1) -> list[list[tuple[str, bytes]]]:
    """Its requests, for CUSTOMERS."""
    return load.variants(CUSTOMERS, np.random.default_rng(seed))


def test_placeholders_are_filled_in_with_their_types() -> None:
    """A rendered order is a whole request with the correct content length."""
    load = parse("""
        data = { basket = [[{ sku = "tea", quantity = 2 }]] }
        [classes.order]
        method = "POST"
        path = "/v1/orders"
        headers = { Authorization = "Bearer {{api_key}}", Idempotency-Key = "{{key}}" }
        json = { lines = "{{basket}}", note = "for {{customer}}" }
    """)
    (variants,) = rendered(load)
    path, request = variants[0]
    head, _, body = request.partition(b"\r\n\r\n")
    name = json.loads(body)["note"].removeprefix("for ")

    assert path == "/v1/orders"
    assert json.loads(body) == {"lines": [{"sku": "tea", "quantity": 2}], "note": f"for {name}"}
    assert head.decode().split("\r\n") == [
        "POST \x00/v1/orders HTTP/1.1",
        "host: \x01",
        "content-type: application/json",
        f"authorization: Bearer {CUSTOMERS[name]}",
        f"idempotency-key: {KEY}",
        f"content-length: {len(body)}",
    ]


def test_expected_answers_promise_rows_of_the_kind_that_their_class_counts_as() -> None:
    """Each class has its own kind, or none; a kind without answers is listed too."""
    load = parse("""
        [classes.look]
        path = "/"
        [classes.loan]
        path = "/loans"
        counts_as = "loans.lent"
        [classes.renewal]
        path = "/renewals"
        counts_as = "loans.lent"
    """)
    assert load.promised({"look": 9, "loan": 3, "renewal": 2}) == {"loans.lent": 5}
    assert dict(load.promised({})) == {"loans.lent": 0}
    assert load.noun == "request"
    assert not load.for_customers
    assert shipped("orders").promised({"order": 4}) == {"orders.placed": 4}
    assert shipped("orders").noun == "order"
    assert shipped("orders").for_customers
    with pytest.raises(BadWorkload, match=r"mine\.toml, classes\.loan\.counts_as"):
        parse('[classes.loan]\npath = "/"\ncounts_as = "loans"')


def test_key_placeholder_is_as_long_as_a_key() -> None:
    """Otherwise the content length would be wrong with a key in the body."""
    assert len(KEY) == 32


def test_variants_are_seeded_and_cover_all_customers_and_data() -> None:
    """The same seed gives the same requests; no basket or customer is left out."""
    load = shipped("orders")
    (variants,) = rendered(load)

    assert rendered(load) == rendered(load)
    assert rendered(load) != rendered(load, seed=2)
    assert len(variants) == VARIANTS
    assert len({request for _, request in variants}) == len(CUSTOMERS) * len(load.data["basket"])


def test_placeholder_in_a_path_is_quoted() -> None:
    """A value cannot change the path or add a request."""
    load = parse("""
        data = { sku = ["a/b ?\\r\\n"] }
        [classes.look]
        path = "/menu/{{sku}}"
    """)
    assert rendered(load)[0][0][0] == "/menu/a%2Fb%20%3F%0D%0A"


def test_value_with_a_line_break_is_refused_in_a_header() -> None:
    """A value cannot add a header."""
    load = parse("""
        data = { token = ["x\\r\\nhost: elsewhere"] }
        [classes.look]
        path = "/"
        headers = { token = "{{token}}" }
    """)
    with pytest.raises(BadWorkload, match="is not allowed in the head of a request"):
        rendered(load)


def test_single_braces_are_no_placeholder() -> None:
    """A GraphQL query is sent as it is written."""
    load = parse("""
        [classes.ask]
        method = "POST"
        path = "/graphql"
        json = { query = "{menu{items{sku}}}" }
    """)
    assert rendered(load)[0][0][1].endswith(b'{"query":"{menu{items{sku}}}"}')


def test_shop_workload_has_the_mix_of_the_design() -> None:
    """60 % browse, 25 % order, 10 % reorder, 5 % profile."""
    load = shipped("shop")

    assert dict(zip(load.classes, load.shares, strict=True)) == {
        "browse": 0.6,
        "order": 0.25,
        "reorder": 0.1,
        "profile": 0.05,
    }


@pytest.mark.parametrize(
    ("asked", "shares"),
    [
        ({}, {"browse": 0.6, "order": 0.25, "reorder": 0.1, "profile": 0.05}),
        ({"order": 0.4}, {"browse": 0.48, "order": 0.4, "reorder": 0.08, "profile": 0.04}),
        ({"order": 0, "browse": 0.7}, {"browse": 0.7, "reorder": 0.2, "profile": 0.1}),
        ({"order": 0}, {"browse": 0.8, "reorder": 0.4 / 3, "profile": 0.2 / 3}),
        ({"order": 1}, {"order": 1.0}),
        (
            {"order": 0.1, "browse": 0.2, "reorder": 0.7},
            {"order": 0.1, "browse": 0.2, "reorder": 0.7},
        ),
    ],
)
def test_named_class_gets_its_share_and_others_divide_the_rest(
    asked: dict[str, float], shares: dict[str, float]
) -> None:
    """Other classes keep their proportions; a class with share 0 is left out."""
    load = shipped("shop").with_shares(asked)

    assert dict(zip(load.classes, load.shares, strict=True)) == pytest.approx(shares)
    assert len(rendered(load)) == len(shares)


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        ({"oder": 0.5}, "workload shop: no class oder among browse, order, reorder, profile"),
        ({"order": 0.7, "browse": 0.4}, "of order, browse add up to 1.1, which is more than all"),
        (
            {"browse": 0.1, "order": 0.2, "reorder": 0.3, "profile": 0.3},
            "add up to 0.9, and no class is left for the rest",
        ),
    ],
)
def test_shares_that_do_not_add_up_are_refused(asked: dict[str, float], complaint: str) -> None:
    """So are shares of an unknown class."""
    with pytest.raises(BadWorkload, match=complaint):
        shipped("shop").with_shares(asked)


def test_set_up_request_is_sent_once_for_each_customer() -> None:
    """One without a placeholder of a customer is sent once."""
    load = parse("""
        setup = [
            { method = "PUT", path = "/people/{{customer}}", json = { key = "{{api_key}}" } },
            { method = "POST", path = "/open" },
        ]
        classes.look.path = "/"
    """)
    paths = [path for _, path, _ in load.setup_requests(CUSTOMERS)]

    assert paths == ["/people/ada", "/people/bob", "/open"]


def test_workload_with_customers_is_refused_without_any() -> None:
    """The message names the request that needs a customer."""
    with pytest.raises(BadWorkload, match=r"orders, setup\.0: it is sent by customers"):
        shipped("orders").variants({}, np.random.default_rng(1))


@pytest.mark.parametrize(
    ("expect", "status", "body", "fault"),
    [
        ("", 200, b"anything", None),
        ("", 404, b"", "answered 404"),
        ("status = [200, 201]", 201, b"", None),
        ("status = [200, 201]", 200, b"", None),
        ("status = [200, 201]", 202, b"", "answered 202"),
        ('json = { status = "placed" }', 200, b'{"status": "placed"}', None),
        ('json = { status = "placed" }', 200, b'{"status": "pending"}', "status is not"),
        ('json = { status = "placed" }', 200, b"{}", "status is not"),
        ('json = { status = "placed" }', 200, b"<html>", "no JSON"),
        ('json = { status = "placed" }', 200, b"\xff", "no JSON"),
        ('json = { "items.1.sku" = "tea" }', 200, b'{"items": [{}, {"sku": "tea"}]}', None),
        ('json = { "items.1.sku" = "tea" }', 200, b'{"items": []}', "items.1.sku is not"),
        ('json = { "items.1.sku" = "tea" }', 200, b"[]", "items.1.sku is not"),
    ],
)
def test_answer_is_checked_by_status_and_json(
    expect: str, status: int, body: bytes, fault: str | None
) -> None:
    """A wrong answer has a reason, a correct one has none."""
    load = parse(f'classes.look = {{ path = "/", expect = {{ {expect} }} }}')
    found = load.classes["look"].expect.fault(status, body)

    assert found is None if fault is None else fault in str(found)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "classes: Field required"),
        ("classes = {}", "classes: "),
        ("classes.a = { path = '/', wieght = 2 }", "classes.a.wieght: Extra inputs"),
        ("classes.a = { path = '/', weight = 0 }", "classes.a.weight: "),
        ("classes.a = { path = '/', weight = inf }", "classes.a.weight: "),
        ("classes.a = { path = 'v1' }", "classes.a.path: "),
        ("classes.a = { path = '/', method = 'HEAD' }", "classes.a.method: "),
        ("classes.a = { path = '/{{sku}}' }", "classes.a: there is no data sku"),
        ("data.sku = []\nclasses.a.path = '/{{sku}}'", "data.sku: "),
        ("data.key = [1]\nclasses.a.path = '/'", "data.key: the name is built in"),
        ("classes.a = { path = '/', headers = { Host = 'x' } }", "classes.a.headers.host: "),
        (
            "classes.a = { path = '/', expect.json.who = '{{customer}}' }",
            "classes.a.expect: an expectation has no placeholders",
        ),
        ("setup = [{ path = '/{{sku}}' }]\nclasses.a.path = '/'", "setup.0: there is no data sku"),
        ("classes = [", "is no TOML"),
    ],
)
def test_mistake_in_a_file_is_named(text: str, complaint: str) -> None:
    """The message has the file and the key, since a typo could change what is measured."""
    with pytest.raises(BadWorkload) as refusal:
        parse(text)
    assert str(refusal.value).startswith("workload mine.toml")
    assert complaint in str(refusal.value)


def test_workload_is_found_by_path_or_name(tmp_path: Path) -> None:
    """An unknown name is refused with the list of shipped workloads."""
    file = tmp_path / "mine.toml"
    file.write_text("classes.look.path = '/'")

    assert tuple(workload(str(file)).classes) == ("look",)
    assert tuple(workload("probe").classes) == ("probe",)
    with pytest.raises(BadWorkload, match="there are orders, probe, shop"):
        workload("ordres")
    with pytest.raises(BadWorkload, match=r"absent\.toml cannot be read"):
        workload(str(tmp_path / "absent.toml"))
