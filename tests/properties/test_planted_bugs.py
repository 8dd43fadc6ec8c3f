"""Does the exhaustive search find each mistake that was planted in a town?"""

import pytest

from borough_shop.testing.mistakes import MISTAKES, Mistake
from borough_shop.testing.ordeals import ENDINGS, find
from borough_shop.testing.town import MICROSERVICES


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
async def test_the_search_finds_a_planted_bug(mistake: Mistake) -> None:
    """What passes for the shop as it is fails for the shop with this one mistake in it."""
    findings = await find(MICROSERVICES, ENDINGS[mistake.spoils], mistake.town)
    found = {violation.kind for finding in findings for violation in finding.violations}
    assert mistake.kind in found
