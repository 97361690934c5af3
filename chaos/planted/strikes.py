"""The faults that bring planted bugs out."""

from __future__ import annotations

from chaos import plan
from chaos.plan import Fault


def deaths(point: str) -> tuple[Fault, ...]:
    """Both replicas of the orders service die at the point, one of them twice."""
    moments = (("orders-1", 0.3), ("orders-2", 1.3), ("orders-1", 2.3))
    return tuple(Fault(plan.KILL_AT, name, at, point=point) for name, at in moments)


def gateway_deaths(point: str) -> tuple[Fault, ...]:
    """The gateway dies at the point, again and again."""
    moments = (0.3, 1.3, 2.3)
    return tuple(Fault(plan.KILL_AT, plan.GATEWAY, at, point=point) for at in moments)


def receivers(manner: str) -> Fault:
    """Receivers fail for as long as messages are published."""
    return Fault(plan.RECEIVERS, manner, 0.0, 4.0)


def sender_deaths(point: str) -> tuple[Fault, ...]:
    """Both replicas of deliveries die at the point, one of them twice."""
    moments = (("deliveries-1", 0.5), ("deliveries-2", 1.5), ("deliveries-1", 2.5))
    return tuple(Fault(plan.KILL_AT, name, at, point=point) for name, at in moments)


def sleeps(point: str, seconds: float, *moments: tuple[str, float]) -> tuple[Fault, ...]:
    """Replicas fall asleep at the point."""
    return tuple(Fault(plan.FREEZE_AT, name, at, seconds, point) for name, at in moments)
