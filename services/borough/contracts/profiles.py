"""The contract of profiles: who a customer is and how they pay."""

from typing import Annotated, Protocol

from pydantic import Field, StringConstraints

from borough.contracts.capability import Capability, Message, post, read
from borough.contracts.payments import CardToken
from borough.contracts.values import CustomerId

PersonName = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        max_length=100,
        pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*$",
    ),
]
"""At least one visible character, and no control characters: PostgreSQL keeps no NUL."""
Email = Annotated[
    str,
    StringConstraints(max_length=254, pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+$"),
]


class GetProfile(Message):
    """A customer by id."""

    customer_id: CustomerId


class Profile(Message):
    """A customer. The card token is a secret: never logged, never let out through a door."""

    customer_id: CustomerId
    name: PersonName
    email: Email
    card_token: CardToken = Field(repr=False)


class Profiles(Capability, Protocol, path="/profiles"):
    """Knows the customers. Read mostly."""

    @read("/{customer_id}")
    async def get(self, request: GetProfile) -> Profile:
        """The profile. Raises ProfileUnknown."""
        ...

    @post("", idempotent=True)
    async def upsert(self, request: Profile) -> Profile:
        """Create the profile or replace it whole; answers what is stored."""
        ...
