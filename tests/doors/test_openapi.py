"""Does the REST door do what its OpenAPI document says? Schemathesis asks, with every check."""

import asyncio
import itertools
from typing import Any, cast

import schemathesis
from fastapi import FastAPI
from hypothesis import settings
from schemathesis import Case, GenerationMode
from schemathesis.config import SchemathesisConfig

from borough import deadline
from borough_shop.profiles.contract import Profile
from borough_shop.testing.shop import KEYS, PRICES, memory_shop

EXAMPLES = 60
"""Per operation, valid and invalid ones mixed; the same in every run."""


def door() -> FastAPI:
    """A door whose Ada can order: what is valid is then accepted."""
    shop = memory_shop(stock=10**9)
    ada = Profile(customer_id="ada", name="Ada", email="a@b.example", card_token="tok_visa_4242")
    asyncio.run(shop.profiles.upsert(ada))
    return shop.door()


config = SchemathesisConfig.from_dict({"generation": {"mode": "all"}})
schema = schemathesis.openapi.from_asgi("/openapi.json", door(), config=config)
numbers = itertools.count()


def mend(case: Case[Any]) -> None:
    """Make good what no schema can say: a deadline that is not spent, and, where the request is to
    be valid, a cursor we gave, a key not used before, articles of the menu, each once.
    """
    if case.headers.get(deadline.HEADER, "").isdecimal():
        case.headers[deadline.HEADER] = "60000"
    if case.meta is None or case.meta.generation.mode is GenerationMode.NEGATIVE:
        return
    case.query.pop("cursor", None)
    if isinstance(case.body, dict) and "lines" in case.body:
        case.headers["Idempotency-Key"] = f"k-{next(numbers)}"
        lines = cast(list[dict[str, Any]], case.body["lines"])
        case.body = {
            "lines": [line | {"sku": sku} for line, sku in zip(lines, PRICES, strict=False)]
        }


@schema.parametrize()
@settings(max_examples=EXAMPLES, derandomize=True, database=None)
def test_the_door_conforms_to_its_openapi_document(case: Case[Any]) -> None:
    """No 5xx, no undocumented status, type, header or body; the valid accepted, the invalid not."""
    mend(case)
    answer = case.call_and_validate(headers={"X-API-Key": KEYS["ada"]})
    assert answer.status_code < 500
