"""The API keys of customers: a JSON file in the format of BOROUGH_API_KEYS."""

import json
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from borough_bill.load.generator import JobFailed


def read_keys(path: Path) -> dict[str, str]:
    """The keys by the customer's name.

    Raises JobFailed for a file that is no such JSON. Since keys are secrets, the message quotes no
    value of the file.
    """
    try:
        return TypeAdapter(dict[str, str]).validate_python(json.loads(path.read_text("utf-8")))
    except ValidationError:
        raise JobFailed(f"{path} does not hold API keys by name") from None
    except (OSError, ValueError) as error:
        raise JobFailed(f"{path} does not hold API keys by name: {error}") from error
