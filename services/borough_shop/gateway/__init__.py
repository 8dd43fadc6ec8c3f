"""The doors: authentication, rate limit, deadline, and the public interfaces."""

from typing import Annotated

from fastapi import FastAPI
from pydantic import BaseModel, Field, SecretStr

from borough.app import Gateway
from borough.compose import Composition
from borough_shop.gateway.admission import Admission
from borough_shop.gateway.policy import ApiKeys, RateLimit
from borough_shop.gateway.rest import rest
from borough_shop.inventory.contract import Inventory
from borough_shop.orders.contract import Orders
from borough_shop.profiles.contract import Profiles


class GatewaySettings(BaseModel):
    api_keys: dict[str, SecretStr] = Field(
        {}, description='The key of each customer who may use the doors: {"ada": "..."}.'
    )
    rate_limit_per_s: Annotated[float, Field(gt=0)] = Field(
        100, description="Requests a second a customer may send to one replica of the gateway."
    )
    rate_limit_burst: Annotated[int, Field(ge=1)] = Field(
        200, description="Requests a customer may send at once before the rate holds."
    )


def make(part: Composition) -> FastAPI:
    """The public app, with every door."""
    own = part.own(GatewaySettings)
    admission = Admission(
        keys=ApiKeys({name: key.get_secret_value() for name, key in own.api_keys.items()}),
        limit=RateLimit(
            rate=own.rate_limit_per_s, burst=own.rate_limit_burst, clock=part.clock.monotonic
        ),
        deadline_ms=part.settings.deadline_ms,
        tasks=part.tasks,
    )
    app = part.empty_app("Borough")
    app.include_router(
        rest(
            admission,
            orders=part.ask(Orders, from_door=True),
            profiles=part.ask(Profiles, from_door=True),
            inventory=part.ask(Inventory, from_door=True),
        )
    )
    return app


GATEWAY = Gateway(calls=(Orders, Profiles, Inventory), make=make, settings=GatewaySettings)
