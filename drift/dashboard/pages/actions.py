"""What people do here: they answer alerts, silence features, mark moments, and retry undelivered notifications.

Each is a form, sent by a page of ours, by somebody who may; the answer leads back to the page, where it then stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from drift.alerts.actions import Action
from drift.dashboard import access
from drift.dashboard.formatting import LocalTime, link
from drift.dashboard.parameters import Opened, local_times
from drift.errors import DriftError, StoreConflict, StoreError
from drift.pipeline import actions
from drift.store.reads import alerts

router = APIRouter(include_in_schema=False)

ANSWERS: tuple[Action, ...] = ("acknowledge", "snooze", "unsnooze", "resolve")
_SPAN = re.compile(r"([0-9]{1,3})([hd])")
_LONGEST = 1000


async def _fields(request: Request) -> dict[str, str]:
    """Read a form; who does not say their name is who they said they were last time."""
    return {"by": access.said(request)} | await access.read_form(request)


Fields = Annotated[dict[str, str], Depends(_fields)]
Answerer = Annotated[access.Reader, Depends(access.may_answer)]


@router.post("/alert")
def answer(request: Request, store: Opened, reader: Answerer, fields: Fields) -> Response:
    """Acknowledge, snooze or resolve an alert, or silence the features that it is of."""
    found = alerts.one(store, fields.get("id", ""))
    if found is None:
        raise HTTPException(404, "there is no such alert; it may have been pruned")
    if fields.get("action") == "silence":
        fields |= {"monitor": found.monitor, "reason": _text(fields, "comment"), "next": link("alert", id=found.id)}
        return silence(request, store, reader, fields)
    now, action = datetime.now(UTC), _action(fields, (*ANSWERS, "silence"))
    until = _until(fields, local_times(store)[found.monitor], now) if action == "snooze" else None
    if fields.get("events") not in {None, str(found.events)}:
        raise HTTPException(409, "somebody else has answered this alert: look at it again")
    by, comment = _who(reader, fields), _text(fields, "comment")
    _done(lambda: actions.act(store, found, action, by=by, now=now, comment=comment, until=until))
    return _back(request, link("alert", id=found.id), fields)


@router.post("/incident")
def answer_all(request: Request, store: Opened, reader: Answerer, fields: Fields) -> Response:
    """Acknowledge, snooze or resolve all alerts of an incident."""
    found = store.incident(fields.get("id", ""))
    if found is None:
        raise HTTPException(404, "there is no such incident; it may have been pruned")
    now, action = datetime.now(UTC), _action(fields, ANSWERS)
    until = _until(fields, local_times(store)[found.monitor], now) if action == "snooze" else None
    by, comment = _who(reader, fields), _text(fields, "comment")
    _done(lambda: actions.act_on_incident(store, found, action, by=by, now=now, comment=comment, until=until))
    return _back(request, link("incident", id=found.id), fields)


@router.post("/silences")
def silence(request: Request, store: Opened, reader: Answerer, fields: Fields) -> Response:
    """Silence features of a monitor, or end a silence."""
    now, by = datetime.now(UTC), _who(reader, fields)
    if fields.get("action") == "unsilence":
        comment = _text(fields, "comment")
        _done(lambda: actions.expire_silence(store, fields.get("id", ""), by=by, now=now, comment=comment))
        return _back(request, _next(fields), fields)
    times = local_times(store)
    monitor = fields.get("monitor", "")
    if monitor not in times:
        raise HTTPException(404, "there is no such monitor")
    until = _until(fields, times[monitor], now)
    features, reason = _text(fields, "features"), _text(fields, "reason")
    _done(lambda: actions.silence_features(store, monitor, features, reason=reason, until=until, by=by, now=now))
    return _back(request, _next(fields), fields)


@router.post("/marks")
def mark(request: Request, store: Opened, reader: Answerer, fields: Fields) -> Response:
    """Mark a moment of a monitor: at its local time, or now."""
    by, at, monitor = _who(reader, fields), fields.get("at") or None, fields.get("monitor", "")
    _done(lambda: actions.mark(store, fields.get("text", ""), at=at, monitors=[monitor], by=by, now=datetime.now(UTC)))
    return _back(request, _next(fields), fields)


@router.post("/notifications")
def retry(request: Request, store: Opened, reader: Answerer, fields: Fields) -> Response:  # noqa: ARG001 - whoever may answer
    """Queue undeliverable notifications again, for the next run or `drift alerts deliver`."""
    which = fields.get("id", "")
    if not which and fields.get("all") != "yes":
        raise HTTPException(422, "id: which notification?")
    if not store.retry_notifications(datetime.now(UTC), which or None):
        raise HTTPException(409, "no such notification was given up; it may have been sent by now")
    return _back(request, "notifications", fields)


def _action(fields: dict[str, str], offered: tuple[str, ...]) -> Action:
    action = next((each for each in ANSWERS if each == fields.get("action")), None)
    if action is None:
        raise HTTPException(422, f"action: write one of {', '.join(offered)}")
    return action


def _done(act: Callable[[], object]) -> None:
    try:
        act()
    except StoreConflict as error:
        raise HTTPException(409, f"{error}: look at it again") from error
    except StoreError:
        raise
    except DriftError as error:
        raise HTTPException(409, str(error)) from error


def _who(reader: access.Reader, fields: dict[str, str]) -> str:
    """Return who answers: whoever signed in, or else who they say they are."""
    return reader.name or _text(fields, "by")[:80] or "somebody at the dashboard"


def _text(fields: dict[str, str], name: str) -> str:
    return fields.get(name, "")[:_LONGEST]


def _until(fields: dict[str, str], local: LocalTime, now: datetime) -> datetime:
    """Return until when: the end of a local day where one is named, else so long from now."""
    day = fields.get("until", "")
    if day:
        try:
            wanted = date.fromisoformat(day[:10]) + timedelta(days=1)
            return local.calendar.midnight(wanted)
        except (ValueError, OverflowError) as error:
            raise HTTPException(422, "until: not a date, write 2013-02-08") from error
    span = _SPAN.fullmatch(fields.get("for", ""))
    if span is None or not int(span[1]):
        raise HTTPException(422, "for: write 4h or 3d, or give a date in until")
    return now + timedelta(**{{"h": "hours", "d": "days"}[span[2]]: int(span[1])})


def _next(fields: dict[str, str]) -> str:
    return access.safe_next(fields.get("next", "")).removeprefix("./") or "alerts"


def _back(request: Request, page: str, fields: dict[str, str]) -> Response:
    return access.remember(RedirectResponse(f"./{page}", 303), request, fields["by"])
