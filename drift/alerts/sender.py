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
import warnings
from typing import TYPE_CHECKING, Any

from drift.alerts import rendering
from drift.errors import NotifyError

if TYPE_CHECKING:
    from collections.abc import Mapping

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

    Mail gets HTML, everything else plain text. A ``json://`` webhook also gets the payload as the field ``drift``, and
    both the id as the header ``Idempotency-Key``. Redirects are not followed: a redirected POST would be taken for
    delivered and lost.
    """
    import apprise

    _read_no_more()
    url, payload, timeout = asked["url"], asked["payload"], asked["timeout"]
    found = re.match(r"[a-z0-9]+(?=://)", url)
    scheme = found[0] if found else "URL"
    asset = apprise.AppriseAsset(app_id="Drift", app_desc="Drift", app_url="", async_mode=False, http_redirects=False)
    channel = apprise.Apprise.instantiate(url, asset=asset)
    if channel is None:
        raise NotifyError(f"{scheme}: Apprise cannot read this route's URL: see its documentation of {scheme}://")
    if re.search(r"[?&][cr]to=", url):
        timeout = min(channel.socket_connect_timeout + channel.socket_read_timeout, LONGEST)
    else:
        channel.socket_connect_timeout = channel.socket_read_timeout = timeout
    channel.overflow_mode = apprise.OverflowMode.TRUNCATE
    if channel.service_name in {"JSON", "E-Mail"}:
        channel.headers[IDEMPOTENCY_HEADER] = asked["id"]
    if channel.service_name == "JSON":
        channel.payload_extras["drift"] = payload
    formats = channel.notify_format
    html = (formats if isinstance(formats, str) else formats[0]) == apprise.NotifyFormat.HTML
    sender = apprise.Apprise(asset=asset)
    sender.add(channel)
    late = f"{scheme}: no answer within {timeout:g} s"
    print(json.dumps({"late": late}), file=answers, flush=True)
    signal.setitimer(signal.ITIMER_REAL, timeout)
    result = sender.notify(
        body=rendering.to_html(payload) if html else asked["body"],
        title=asked["title"],
        body_format=apprise.NotifyFormat.HTML if html else apprise.NotifyFormat.TEXT,
        notify_type=payload.get("notify_type", "info"),
    )
    if not result:
        raise NotifyError(f"{scheme}: {_why(result, timeout)}")


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


def _why(result: Any, timeout: float) -> str:
    """Say why Apprise failed. Its own words may quote what is secret, so only what is known to be harmless is kept."""
    said = " ".join(str(entry) for service in result for entry in service.logs())
    if answered := re.search(r"error=(\d{3})\b", said):
        return f"the receiver answered {answered[1]}"
    if re.search(r"connection error", said, re.IGNORECASE):
        return f"no connection, or no answer within {timeout:g} s"
    return "not delivered; the command `apprise -vv` with the route's URL says more"


if __name__ == "__main__":
    main()
