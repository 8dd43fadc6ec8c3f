"""The contract of profiles: name, email address and card token of customers."""

from typing import Annotated, Protocol

from pydantic import Field, StringConstraints

from borough.capability import Capability, Message, post, read
from borough_shop.payments.contract import CardToken
from borough_shop.values import CustomerId

CONTROL = r"\x00-\x1f\x7f-\x9f"
SPACE = r" \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
r"""Listed, since the meaning of `\s` differs between regular expressions of schema readers."""

PersonName = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        max_length=100,
        pattern=f"^[^{CONTROL}]*[^{CONTROL}{SPACE}][^{CONTROL}]*$",
    ),
]
"""At least one visible character, and no control characters: PostgreSQL stores no NUL."""
Email = Annotated[
    str,
    StringConstraints(max_length=254, pattern=f"^[^@{CONTROL}{SPACE}]+@[^@{CONTROL}{SPACE}]+$"),
]


class GetProfile(Message):
    customer_id: CustomerId


class Profile(Message):
    """A customer. The card token is a secret: never logged, and masked at every door."""

    customer_id: CustomerId
    name: PersonName
    email: Email
    card_token: CardToken = Field(repr=False)


class Profiles(Capability, Protocol, path="/profiles"):
    """Profiles of customers; most calls are reads."""

    @read("/{customer_id}")
    async def get(self, request: GetProfile) -> Profile:
        """The profile. Raises ProfileUnknown."""
        ...

    @post("", idempotent=True)
    async def upsert(self, request: Profile) -> Profile:
        """Create the profile or replace it whole; returns the stored one."""
        ...
