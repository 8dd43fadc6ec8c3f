"""Stock in memory: all lines or none, and a release leaves its tombstone."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from borough.testing.memory import Rows, atomic
from borough_shop.inventory import domain
from borough_shop.inventory.contract import Reservation, ReservationState
from borough_shop.inventory.domain import Article
from borough_shop.values import Line


class MemoryStock(Rows):
    def __init__(self, articles: tuple[Article, ...] = ()) -> None:
        super().__init__()
        self._articles = {article.sku: article for article in articles}
        self._reservations: dict[UUID, Reservation] = {}

    @atomic
    def receive(self, articles: tuple[Article, ...]) -> None:
        for article in articles:
            self._articles.setdefault(article.sku, article)

    @atomic
    def articles(self) -> tuple[Article, ...]:
        return tuple(sorted(self._articles.values(), key=lambda article: article.sku))

    @atomic
    def reserve(self, order_id: UUID, lines: tuple[Line, ...], at: datetime) -> Reservation:
        known = self._reservations.get(order_id)
        if known is not None:
            if known.state is ReservationState.RELEASED:
                raise domain.released(order_id)
            return known
        held = domain.priced(lines, self._articles)
        for line in held:
            if self._articles[line.sku].stock < line.quantity:
                raise domain.out_of_stock(line)
        for line in held:
            self._move(line, -line.quantity)
        fresh = Reservation(order_id=order_id, state=ReservationState.OPEN, lines=held)
        return self._keep(fresh, ReservationState.OPEN)

    @atomic
    def commit(self, order_id: UUID, at: datetime) -> Reservation:
        known = self._reservations.get(order_id)
        if known is None or known.state is ReservationState.RELEASED:
            raise domain.commit_after_release(order_id)
        return self._keep(known, ReservationState.COMMITTED)

    @atomic
    def release(self, order_id: UUID, at: datetime) -> Reservation:
        known = self._reservations.get(order_id)
        if known is None:
            known = Reservation(order_id=order_id, state=ReservationState.RELEASED, lines=())
        if known.state is ReservationState.COMMITTED:
            raise domain.release_after_commit(order_id)
        if known.state is ReservationState.OPEN:
            for line in known.lines:
                self._move(line, line.quantity)
        return self._keep(known, ReservationState.RELEASED)

    def _move(self, line: Line, pieces: int) -> None:
        article = self._articles[line.sku]
        self._articles[line.sku] = replace(article, stock=article.stock + pieces)

    def _keep(self, reservation: Reservation, state: ReservationState) -> Reservation:
        kept = reservation.model_copy(update={"state": state})
        self._reservations[kept.order_id] = kept
        return kept

    @atomic
    def ledger(self) -> tuple[Reservation, ...]:
        return tuple(self._reservations.values())
