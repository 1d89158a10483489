"""Sending by Apprise, in a process of its own: whatever a receiver does, it ends with the message's time.

Run as ``python -m drift.alerts.sender``: a line of JSON in for each message, a line of JSON out for each. No library's
time-out is one of the whole answer, and a thread cannot be ended from outside; the kernel ends a process, at a time
that it sets itself and that also holds where its parent has died.
"""

from __future__ import annotations

import io
import json
import os
import re
import resource
import signal
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any

from drift.alerts import rendering, services
from drift.errors import NotifyError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from drift.alerts.services import Event

IDEMPOTENCY_HEADER = "Idempotency-Key"

LONGEST = 60.0
"""Seconds that a route's own URL may ask for at most, by Apprise's ``cto`` and ``rto``."""

MOST_READ = 1 << 20
"""Bytes of an answer over HTTP that are read; nothing depends on more."""

MOST_HELD = 1 << 29
"""Bytes of memory that the process may take, whatever the protocol."""


def main() -> None:
    """Send the messages that standard input names, one after the other, and answer for each."""
    # What a library prints is no answer.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    if hard == resource.RLIM_INFINITY or hard > MOST_HELD:
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_HELD, hard))
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            send(asked, answers)
            answer = {}
        except NotifyError as error:
            answer = {"problem": str(error)}
        except Exception as error:  # noqa: BLE001 - what a library says may quote the URL
            answer = {"problem": f"{type(error).__name__} while sending"}
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        print(json.dumps(answer), file=answers, flush=True)


def send(asked: Mapping[str, Any], answers: Any) -> None:
    """Send one message, or die: when its time is over an alarm ends the process, wherever it is.

    It has `timeout` seconds, or as many as the URL asks for itself (Apprise's ``?cto=`` to connect and ``?rto=`` to
    read, together at most `LONGEST`), which `answers` is told before it begins.

    Slack, Teams, PagerDuty and Opsgenie get what they have a form for (`drift.alerts.services`), the last two an event
    for each incident, each with this time and together with `LONGEST`; mail gets HTML, everything else plain text. A
    ``json://`` webhook also gets the payload as the field ``drift``, and mail and webhook the id as the header
    ``Idempotency-Key``. Redirects are not followed: a redirected POST would be taken for delivered and lost.
    """
    _read_no_more()
    url, payload, timeout = asked["url"], asked["payload"], asked["timeout"]
    found = re.match(r"[a-z0-9]+(?=://)", url)
    scheme = found[0] if found else "URL"
    events: Sequence[Event | None] = [None]
    if type(_channel(url, scheme)).__name__ in {"NotifyPagerDuty", "NotifyOpsgenie"}:
        events = services.events(payload)
    over = time.monotonic() + LONGEST
    for event in events:
        channel = _channel(url, scheme)
        if re.search(r"[?&][cr]to=", url):
            timeout = channel.socket_connect_timeout + channel.socket_read_timeout
        left = over - time.monotonic()
        late = f"{scheme}: no answer within {min(timeout, LONGEST):g} s"
        print(json.dumps({"late": late}), file=answers, flush=True)
        signal.setitimer(signal.ITIMER_REAL, max(min(timeout, left), 0.001))
        # The alarm alone says when time is over: a library's time-out is one of a single wait.
        channel.socket_connect_timeout = channel.socket_read_timeout = 2 * LONGEST
        result = _notify(channel, asked, event)
        if not result:
            raise NotifyError(f"{scheme}: {_why(result)}")


def _channel(url: str, scheme: str) -> Any:
    """Return Apprise's channel of a URL."""
    import apprise

    asset = apprise.AppriseAsset(app_id="Drift", app_desc="Drift", app_url="", async_mode=False, http_redirects=False)
    channel = apprise.Apprise.instantiate(url, asset=asset)
    if channel is None:
        raise NotifyError(f"{scheme}: {_unreadable(url, scheme)}")
    channel.overflow_mode = apprise.OverflowMode.TRUNCATE
    return channel


def _unreadable(url: str, scheme: str) -> str:
    if scheme == "msteams" or re.match(r"https://[^/]*webhook\.office\.com/", url):
        return (
            "Microsoft has retired the connectors of Teams: add the workflow 'Post to a channel when a webhook request "
            "is received' to the channel, and set the route to its URL"
        )
    return f"Apprise cannot read this route's URL: see its documentation of {scheme}://"


def _notify(channel: Any, asked: Mapping[str, Any], event: Event | None) -> Any:
    """Send a message, in the form that its service has for it."""
    import apprise

    payload, body, title = asked["payload"], asked["body"], asked["title"]
    kind, formats = payload.get("notify_type", "info"), channel.notify_format
    html = event is None and (formats if isinstance(formats, str) else formats[0]) == apprise.NotifyFormat.HTML
    match type(channel).__name__:
        case "NotifyJSON" | "NotifyEmail" as name:
            channel.headers[IDEMPOTENCY_HEADER] = asked["id"]
            if name == "NotifyJSON":
                channel.payload_extras["drift"] = payload
        case "NotifySlack" if not channel.template:
            _send_blocks(channel, services.slack(payload))
        case "NotifyWorkflows" if not channel.template:
            channel.gen_payload = lambda **_: services.teams(payload)
        case "NotifyPagerDuty" if event:
            channel.action = "resolve" if event.resolved else "trigger"
            channel.dedup, channel.include_image = event.key, False
            channel.source, channel.component, channel.group = event.monitor, event.component, event.group
            channel.class_id, channel.click = event.kind, event.link or None
            channel.details = {**channel.details, **event.details}
            title, body, kind = "", services.fit(event.summary, 1024), event.notify_type
        case "NotifyOpsgenie" if event:
            _send_alert(channel, event, asked["url"])
            title, body, kind = event.summary, event.details["details"], event.notify_type
    sender = apprise.Apprise(asset=channel.asset)
    sender.add(channel)
    return sender.notify(
        body=rendering.to_html(payload) if html else body,
        title=title,
        body_format=apprise.NotifyFormat.HTML if html else apprise.NotifyFormat.TEXT,
        notify_type=kind,
    )


def _send_blocks(channel: Any, message: Mapping[str, Any]) -> None:
    """Have Slack's channel send blocks wherever it would send text to people, and not variables to a workflow."""
    post = channel.__getattribute__("_send")

    def send(url: str, text: Mapping[str, Any], **options: Any) -> Any:
        addressed = {name: text[name] for name in ("channel", "thread_ts", "username") if name in text}
        return post(url, {**message, **addressed} if "attachments" in text else text, **options)

    vars(channel)["_send"] = send


def _send_alert(channel: Any, event: Event, url: str) -> None:
    """Have Opsgenie's channel open an alert, update it or close it, by its alias: it only knows those it opened."""
    import requests
    from apprise.plugins.opsgenie import OPSGENIE_API_LOOKUP

    fetch, opened = channel.__getattribute__("_fetch"), channel.send
    where = f"{OPSGENIE_API_LOOKUP[channel.region_name]}/{event.key}"

    def update(**words: Any) -> bool:
        by = {"identifierType": "alias"}
        if event.resolved:
            note = {"source": "Drift", "note": services.fit(words["body"], 25_000)}
            return bool(fetch(requests.post, f"{where}/close", note, by)[0])
        if not opened(**words):
            return False
        # A repeated alias adds to the alert's count alone.
        said = {"priority": f"P{channel.priority}"}
        return event.first or bool(fetch(requests.put, f"{where}/priority", said, by)[0])

    channel.action, channel.alias, channel.entity = "new", event.key, event.component
    channel.details = {**channel.details, **{name: text for name, text in event.details.items() if name != "details"}}
    channel.details |= {"link": event.link} if event.link else {}
    if not re.search(r"[?&]priority=", url):
        channel.priority = event.priority
    channel.send = update


def _read_no_more() -> None:
    """Let no answer over HTTP fill the memory: this process is ours, and so are the libraries in it."""
    import requests
    from urllib3 import HTTPResponse

    class Bounded(requests.adapters.HTTPAdapter):
        def build_response(self, req: Any, resp: Any) -> Any:
            # What was chunked, or has a length, is so no longer.
            headers = {
                k: v for k, v in resp.headers.items() if k.lower() not in {"transfer-encoding", "content-length"}
            }
            body = io.BytesIO(resp.read(MOST_READ, decode_content=False))
            resp.close()
            cut = HTTPResponse(body, headers, resp.status, reason=resp.reason, preload_content=False)
            return super().build_response(req, cut)

    vars(requests.sessions)["HTTPAdapter"] = Bounded


def _why(result: Any) -> str:
    """Say why Apprise failed. Its own words may quote what is secret, so only what is known to be harmless is kept."""
    said = " ".join(str(entry) for service in result for entry in service.logs())
    if answered := re.search(r"error=(\d{3})\b", said):
        return f"the receiver answered {answered[1]}"
    if re.search(r"connection error", said, re.IGNORECASE):
        return "no connection"
    return "not delivered; the command `apprise -vv` with the route's URL says more"


if __name__ == "__main__":
    main()
