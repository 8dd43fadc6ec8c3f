"""Does a workload file say what is sent and what must come back, and is a mistake in it named?"""

import json
from pathlib import Path

import numpy as np
import pytest

from borough_bill.load.workload import KEY, VARIANTS, BadWorkload, Workload, shipped, workload

CUSTOMERS = {"ada": "key-of-ada", "bob": "key-of-bob"}


def parse(text: str) -> Workload:
    """A workload from its text."""
    return Workload.parse(text, "mine.toml")


def rendered(load: Workload, seed: int = 1) -> list[list[tuple[str, bytes]]]:
    """Its requests, for our two customers."""
    return load.variants(CUSTOMERS, np.random.default_rng(seed))


def test_an_order_is_a_whole_request() -> None:
    """Placeholders are filled in, with the type of what they stand for; the length is right."""
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


def test_right_answers_promise_rows_of_the_kind_that_their_class_counts_as() -> None:
    """Each class its own, or none; what nobody answered is a kind all the same."""
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


def test_the_place_of_a_key_is_as_long_as_a_key() -> None:
    """Otherwise a key in a body would belie its content-length."""
    assert len(KEY) == 32


def test_choices_are_seeded_and_reach_everybody() -> None:
    """The same seed sends the same baskets of the same customers; none of them is left out."""
    load = shipped("orders")
    (variants,) = rendered(load)

    assert rendered(load) == rendered(load)
    assert rendered(load) != rendered(load, seed=2)
    assert len(variants) == VARIANTS
    assert len({request for _, request in variants}) == len(CUSTOMERS) * len(load.data["basket"])


def test_a_placeholder_in_a_path_is_quoted() -> None:
    """A value must not become another path, nor another request."""
    load = parse("""
        data = { sku = ["a/b ?\\r\\n"] }
        [classes.look]
        path = "/menu/{{sku}}"
    """)
    assert rendered(load)[0][0][0] == "/menu/a%2Fb%20%3F%0D%0A"


def test_a_value_cannot_smuggle_a_header() -> None:
    """It is refused before anything is sent."""
    load = parse("""
        data = { token = ["x\\r\\nhost: elsewhere"] }
        [classes.look]
        path = "/"
        headers = { token = "{{token}}" }
    """)
    with pytest.raises(BadWorkload, match="cannot stand in the head of a request"):
        rendered(load)


def test_graphql_is_no_placeholder() -> None:
    """Braces of other languages stay what they are."""
    load = parse("""
        [classes.ask]
        method = "POST"
        path = "/graphql"
        json = { query = "{menu{items{sku}}}" }
    """)
    assert rendered(load)[0][0][1].endswith(b'{"query":"{menu{items{sku}}}"}')


def test_the_shop_is_mostly_looked_at() -> None:
    """The mix of the design: browse, order, reorder, profile."""
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
def test_a_class_can_be_given_its_share(asked: dict[str, float], shares: dict[str, float]) -> None:
    """It gets this share of all requests, others keep their proportions; who has none is gone."""
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
def test_a_share_that_cannot_be_is_refused(asked: dict[str, float], complaint: str) -> None:
    """Nothing else than what was asked for is sent in its place."""
    with pytest.raises(BadWorkload, match=complaint):
        shipped("shop").with_shares(asked)


def test_every_customer_is_introduced_once() -> None:
    """A set-up request that is somebody's is sent for everybody, any other one once."""
    load = parse("""
        setup = [
            { method = "PUT", path = "/people/{{customer}}", json = { key = "{{api_key}}" } },
            { method = "POST", path = "/open" },
        ]
        classes.look.path = "/"
    """)
    paths = [path for _, path, _ in load.prepare(CUSTOMERS)]

    assert paths == ["/people/ada", "/people/bob", "/open"]


def test_a_workload_of_customers_needs_some() -> None:
    """Nobody is invented."""
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
        ('json = { status = "placed" }', 200, b'{"status": "pending"}', "another status than"),
        ('json = { status = "placed" }', 200, b"{}", "another status than"),
        ('json = { status = "placed" }', 200, b"<html>", "no JSON"),
        ('json = { status = "placed" }', 200, b"\xff", "no JSON"),
        ('json = { "items.1.sku" = "tea" }', 200, b'{"items": [{}, {"sku": "tea"}]}', None),
        ('json = { "items.1.sku" = "tea" }', 200, b'{"items": []}', "another items.1.sku than"),
        ('json = { "items.1.sku" = "tea" }', 200, b"[]", "another items.1.sku than"),
    ],
)
def test_a_wrong_answer_is_told_from_a_right_one(
    expect: str, status: int, body: bytes, fault: str | None
) -> None:
    """By its status and by what its JSON says; a fast wrong answer must not pass for a service."""
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
        ("data.key = [1]\nclasses.a.path = '/'", "data.key: the name is taken"),
        ("classes.a = { path = '/', headers = { Host = 'x' } }", "classes.a.headers.host: "),
        (
            "classes.a = { path = '/', expect.json.who = '{{customer}}' }",
            "classes.a.expect: an expectation has no placeholders",
        ),
        ("setup = [{ path = '/{{sku}}' }]\nclasses.a.path = '/'", "setup.0: there is no data sku"),
        ("classes = [", "is no TOML"),
    ],
)
def test_a_mistake_in_a_file_is_named(text: str, complaint: str) -> None:
    """With the file and the key, since a typo must not silently measure something else."""
    with pytest.raises(BadWorkload) as refusal:
        parse(text)
    assert str(refusal.value).startswith("workload mine.toml")
    assert complaint in str(refusal.value)


def test_a_workload_is_found_by_path_or_by_name(tmp_path: Path) -> None:
    """What looks like a path is one; a name nobody knows is answered with those there are."""
    file = tmp_path / "mine.toml"
    file.write_text("classes.look.path = '/'")

    assert tuple(workload(str(file)).classes) == ("look",)
    assert tuple(workload("probe").classes) == ("probe",)
    with pytest.raises(BadWorkload, match="there are orders, probe, shop"):
        workload("ordres")
    with pytest.raises(BadWorkload, match=r"absent\.toml cannot be read"):
        workload(str(tmp_path / "absent.toml"))
