"""Envelopes. Nothing is carried: what is due stands in PostgreSQL."""

from __future__ import annotations

from celery import shared_task

from apps.campaigns import planning
from apps.campaigns.journeys.engine import advance_journeys, due_journeys
from apps.campaigns.journeys.fusing import pause_blown_journeys
from apps.campaigns.journeys.triggers import take_events
from apps.campaigns.services import running, winners
from apps.campaigns.services.fuses import pause_blown_campaigns
from apps.messaging.bell import JOURNEY, PLAN, ring

#: Seconds of planning per task, so that other work gets its turn.
_WORK = 2.0


@shared_task(name="campaigns.tick")
def tick(**_unknown: object) -> None:
    """Starts what is due, finishes what has ended, chooses winners, and rings for runs that nobody plans."""
    running.start_due_campaigns()
    running.finish_ended_campaigns()
    pause_blown_campaigns()
    pause_blown_journeys()
    winners.choose_due_winners()
    if planning.idle_runs():
        ring(PLAN)


@shared_task(name="campaigns.plan")
def plan(**_unknown: object) -> None:
    if planning.plan_started_runs(seconds=_WORK):
        ring(PLAN)


@shared_task(name="campaigns.watch")
def watch(**_unknown: object) -> None:
    """Brings in whom events bring into journeys, and rings for those who are due."""
    take_events()
    if due_journeys():
        ring(JOURNEY)


@shared_task(name="campaigns.journey")
def journey(**_unknown: object) -> None:
    if advance_journeys(seconds=_WORK):
        ring(JOURNEY)
