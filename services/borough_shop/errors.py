"""The errors of the shop."""

from borough.errors import Conflict, Invalid, Malformed, NotFound, Refused, Unavailable


class KeyMissing(Malformed):
    code, title = "idempotency-key-missing", "Idempotency-Key missing"


class PaymentDeclined(Refused):
    code, status, title = "payment-declined", 402, "Payment declined"


class ProfileUnknown(NotFound):
    code, title = "profile-unknown", "No such profile"


class OutOfStock(Conflict):
    code, title = "out-of-stock", "Out of stock"


class ProfileMissing(Conflict):
    code, title = "profile-missing", "Profile missing"


class Released(Conflict):
    code, title = "released", "Reservation released"


class CommitAfterRelease(Conflict):
    code, title = "commit-after-release", "Commit after release"


class ReleaseAfterCommit(Conflict):
    code, title = "release-after-commit", "Release after commit"


class UnknownSku(Invalid):
    code, title = "unknown-sku", "Unknown article"


class KeyReused(Invalid):
    code, title = "idempotency-key-reused", "Idempotency-Key reused"


class Abandoned(Unavailable):
    code, title = "abandoned", "Order abandoned"
