"""The API keys of customers: a file of JSON, as a part reads them from BOROUGH_API_KEYS."""

import json
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from borough_bill.load.generator import JobFailed


def read_keys(path: Path) -> dict[str, str]:
    """The keys by the customer's name. Raises JobFailed for a file that is not what it should be.

    Nothing of what the file holds is told: keys are secrets.
    """
    try:
        return TypeAdapter(dict[str, str]).validate_python(json.loads(path.read_text("utf-8")))
    except ValidationError:
        raise JobFailed(f"{path} does not hold API keys by name") from None
    except (OSError, ValueError) as error:
        raise JobFailed(f"{path} does not hold API keys by name: {error}") from error
