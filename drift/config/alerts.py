"""What a monitor's file says of its alerts: when they close, when nobody is notified, and who is notified of what."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, field_validator, model_validator

from drift.config import time_intervals
from drift.config.features import matches, most_specific
from drift.config.problems import shorten
from drift.config.source import IDENTIFIER, SECRET
from drift.config.time_intervals import Hours
from drift.config.validation import Model, Text, refuse, refuse_value, split_message
from drift.errors import DriftError, WindowError
from drift.text.formatting import when
from drift.windows import Span, load_timezone

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

AlertKind = Literal["drift", "table", "data_quality", "missing_data", "schema", "relationship", "not_judged", "run"]
"""What an alert is about: a feature, the whole table, failed expectations and odd numbers of rows, no rows at all,
columns, windows that could not be judged, or a run that failed."""

Level = Literal["critical", "warning"]
Urgency = Literal["critical", "warning", "resolved"]
NotifyType = Literal["info", "success", "warning", "failure"]

NOTIFY_TYPES: dict[str, NotifyType] = {"critical": "failure", "warning": "warning", "resolved": "success"}
"""How urgent a message is to a channel, in Apprise's words."""

NEVER = "never"


@dataclass(frozen=True, slots=True)
class Policy:
    """How alerts behave.

    Parameters
    ----------
    close_after
        Quiet windows in a row that resolve an alert, at least 1.
    close_below
        A window is quiet only where a feature is below this share of what opens an alert: of the warning floor, and of
        how far beyond its own history it has to be. In (0, 1]; at 1 whatever does not open an alert is quiet.
    repeat
        After this time what is critical and nobody acknowledged is notified again, all in one; None for never.
    cooldown
        Windows after the end of an alert in which the next one of its key is not notified, unless it is worse.
    openings, within
        More than `openings` openings of a key `within` this number of windows are flapping; with 0 nothing is.
    """

    close_after: int = 2
    close_below: float = 0.5
    repeat: timedelta | None = timedelta(days=7)
    cooldown: int = 0
    openings: int = 3
    within: int = 28

    def __post_init__(self) -> None:
        if self.close_after < 1:
            raise DriftError(f"close_after is {self.close_after}: an alert needs at least 1 quiet window to close")
        if not 0 < self.close_below <= 1:
            raise DriftError(f"close_below is {self.close_below:g}: it is a share of what opens an alert, up to 1")


def _read_hours(value: Any) -> Any:
    if isinstance(value, str):
        try:
            Hours.parse(value)
        except WindowError as error:
            refuse_value(*split_message(error))
    return value


WeeklyHours = Annotated[Text, BeforeValidator(_read_hours)]


def _read_moment(value: Any) -> Any:
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value) if "T" in value or " " in value else date.fromisoformat(value)
        except ValueError:
            refuse_value(f"{shorten(value)} is not a date", "write 2013-07-04, or 2013-07-04T18:00")
    if isinstance(value, datetime) and value.tzinfo is not None:
        refuse_value("has a time zone of its own", "write local time, as 2013-07-04T18:00: the window's zone counts")
    return value


Moment = Annotated[datetime | date, BeforeValidator(_read_moment)]


class Route(Model):
    """Who is notified of which alerts."""

    to: Text = Field(
        description="Airflow connection id, or the <NAME> of DRIFT_ROUTE_<NAME>, which holds the Apprise URL."
    )
    severity: list[Level] | None = Field(None, description="Only these severities.")
    features: list[Text] | None = Field(None, description="Only features with these names or patterns.")
    kinds: list[AlertKind] | None = Field(None, description="Only alerts of these kinds.")
    team: Text | None = Field(None, description="Only features that this team owns (alerts.owners).")
    quiet_hours: list[WeeklyHours] = Field(
        [],
        description="Hours in which only what is critical goes out; the rest waits for their end.",
        examples=[["22:00-07:00", "sat,sun"]],
    )
    notify_types: dict[Urgency, NotifyType] = Field(
        {}, description="Type of the notification for each urgency: info, success, warning or failure."
    )

    @field_validator("to")
    @classmethod
    def _check_to(cls, value: str) -> str:
        # The value is never shown: it may be a token.
        if not (IDENTIFIER.fullmatch(value) or is_harmless(value)):
            refuse_value(
                "is a URL, which may hold a token" if "://" in value else "is not a name for a route",
                "write a name, such as ops-chat, and set DRIFT_ROUTE_OPS_CHAT or Airflow's connection to the URL",
            )
        return value

    @field_validator("quiet_hours")
    @classmethod
    def _check_quiet_hours(cls, value: list[str]) -> list[str]:
        if time_intervals.never_over([Hours.parse(text) for text in value], load_timezone("UTC")):
            refuse_value("fill the whole week", 'leave some hours free, or ask for less: "severity: [critical]"')
        return value

    def held_until(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """Return the end of the quiet hours that `now` lies in; None outside them."""
        return time_intervals.over_at([Hours.parse(text) for text in self.quiet_hours], now, zone)

    def notify_type(self, urgency: str) -> NotifyType:
        """Return how urgent that is to the channel, in Apprise's words."""
        chosen: dict[str, NotifyType] = NOTIFY_TYPES | dict(self.notify_types.items())
        return chosen.get(urgency, "info")


def is_harmless(url: str) -> bool:
    """Whether a URL leads nowhere but to this machine and holds no secret, so that a monitor's file may name it.

    Examples
    --------
    >>> [is_harmless(url) for url in ("file:alerts.jsonl", "json://localhost:9/x", "json://example.com", "ops-chat")]
    [True, True, False, False]
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        local = host == "localhost" or (bool(host) and ipaddress.ip_address(host).is_loopback)
    except ValueError:
        return False
    if "@" in url or SECRET.search(url):
        return False
    return parts.scheme == "file" or (parts.scheme in {"json", "jsons"} and local)


class Close(Model):
    """When an alert ends on its own."""

    after: int = Field(2, ge=1, le=1000, description="Quiet windows in a row that resolve an alert.")
    below: float = Field(
        0.5,
        gt=0,
        le=1,
        description="A window is quiet only where a feature is below this share of what opens an alert.",
    )


class Flapping(Model):
    """When an alert comes and goes so often that people are notified of that alone."""

    openings: int = Field(3, ge=1, le=1000, description="More openings than this are flapping.")
    windows: int = Field(28, ge=0, le=1000, description="In this many windows; 0 calls nothing flapping.")


class Maintenance(Model):
    """A time in which alerts change their state and nobody is notified."""

    from_: Moment | None = Field(
        None, alias="from", description="Local date or time at which it begins.", examples=["2013-07-04T18:00"]
    )
    to: Moment | None = Field(None, description="Local date or time at which it is over.")
    weekly: WeeklyHours | None = Field(
        None, description="Or hours of every week, local time.", examples=["sat 02:00-06:00"]
    )
    reason: Text = Field(description="Why; recorded in the timeline of every alert that it suppresses.")

    @model_validator(mode="after")
    def _check_times(self) -> Self:
        once = self.from_ is not None and self.to is not None
        if (self.weekly is None) != once or (self.weekly is not None and (self.from_ or self.to)):
            refuse(((), "says no time", 'give from and to, or weekly: "sat 02:00-06:00"'))
        if self.from_ is not None and self.to is not None and _wall(self.from_) >= _wall(self.to):
            refuse((("to",), f"{self.to} is not after from {self.from_}", "write the end, which is exclusive"))
        return self

    def end_of(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """Return when the maintenance that `now` lies in is over; None outside it."""
        if self.weekly is not None:
            return time_intervals.over_at([Hours.parse(self.weekly)], now, zone)
        if self.from_ is None or self.to is None:
            return None
        start, end = (_wall(bound).replace(tzinfo=zone) for bound in (self.from_, self.to))
        return end if start <= now < end else None


def _wall(moment: date) -> datetime:
    return moment if isinstance(moment, datetime) else datetime.combine(moment, time())


class Alerts(Model):
    """What happens when features drift."""

    close: Close = Field(default_factory=Close, description="When an alert ends on its own.")
    repeat: Text = Field(
        "7d",
        description="After this time one reminder of what is critical and nobody acknowledged; or `never`.",
        examples=["7d", "4h", NEVER],
    )
    cooldown: int = Field(
        0,
        ge=0,
        le=1000,
        description="Windows after an alert in which the next one of its key notifies only if it is worse.",
    )
    flapping: Flapping = Field(
        default_factory=Flapping, description="What comes and goes too often to notify each time."
    )
    maintenance: list[Maintenance] = Field([], description="Times in which nobody is notified.")
    owners: dict[str, Text] = Field(
        {}, description="Team that owns a feature, by name or pattern; the most specific pattern wins."
    )
    dashboard: Text | None = Field(
        None, description="Where the dashboard is, for links; by default DRIFT_DASHBOARD_URL of the environment."
    )
    routes: list[Route] = Field([], description="Who is notified of which alerts; nobody by default.")

    @field_validator("repeat")
    @classmethod
    def _check_repeat(cls, value: str) -> str:
        try:
            return value if value == NEVER else value and str(Span.parse(value)) and value
        except WindowError as error:
            what, _ = split_message(error)
            refuse_value(what, f"write 4h, 1d, or {NEVER}")

    @field_validator("dashboard")
    @classmethod
    def _check_dashboard(cls, value: str | None) -> str | None:
        if value is not None and not is_web_address(value):
            refuse_value("is not a web address, or holds a password", "write https://drift.example.com")
        return value

    @model_validator(mode="after")
    def _check_teams(self) -> Self:
        teams = sorted(set(self.owners.values()))
        refuse(
            *(
                (("routes", i, "team"), f"{shorten(route.team)} owns no feature", f"{_named(teams)} in alerts.owners")
                for i, route in enumerate(self.routes)
                if route.team is not None and route.team not in teams
            )
        )
        return self

    @property
    def policy(self) -> Policy:
        """How the alerts behave, as values of the machine."""
        return Policy(
            close_after=self.close.after,
            close_below=self.close.below,
            repeat=None if self.repeat == NEVER else Span.parse(self.repeat).nominal,
            cooldown=self.cooldown,
            openings=self.flapping.openings,
            within=self.flapping.windows,
        )

    def maintenance_at(self, now: datetime, zone: ZoneInfo) -> str:
        """Say of the maintenance that `now` lies in until when it is and why; empty outside any.

        Examples
        --------
        >>> from datetime import UTC
        >>> alerts = Alerts(maintenance=[Maintenance(weekly="sat 02:00-06:00", reason="reload")])
        >>> alerts.maintenance_at(datetime(2013, 2, 9, 8, tzinfo=UTC), load_timezone("America/New_York"))
        'until 2013-02-09 06:00 EST: reload'
        """
        ends = [(end, each.reason) for each in self.maintenance if (end := each.end_of(now, zone))]
        if not ends:
            return ""
        end, reason = max(ends)
        return f"until {when(end, zone)}: {reason}"

    def owner_of(self, feature: str | None) -> str | None:
        """Return the team that owns a feature; None where nobody is named."""
        return None if feature is None else most_specific(feature, self.owners)

    def concerns(self, route: Route, feature: str | None, kind: AlertKind, severity: str) -> bool:
        """Whether a route asks for an alert; what concerns every feature is not about one alone.

        Examples
        --------
        >>> alerts = Alerts(owners={"pay_*": "payments"}, routes=[Route(to="mail", team="payments")])
        >>> [alerts.concerns(alerts.routes[0], name, "drift", "warning") for name in ("pay_day", "age", None)]
        [True, False, True]
        """
        if feature is not None:
            if route.features is not None and not matches(feature, route.features):
                return False
            if route.team is not None and self.owner_of(feature) != route.team:
                return False
        if route.kinds is not None and kind not in route.kinds:
            return False
        return route.severity is None or severity in route.severity

    def audience(self, feature: str | None, kind: AlertKind, severity: str) -> frozenset[str]:
        """Return the routes that are notified of an alert of that severity."""
        return frozenset(route.to for route in self.routes if self.concerns(route, feature, kind, severity))


def is_web_address(url: str) -> bool:
    """Whether a URL leads to a web page and holds no password.

    Examples
    --------
    >>> [is_web_address(url) for url in ("https://drift.example/x", "javascript:alert(1)", "http://a:b@c")]
    [True, False, False]
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc and url.isprintable()


def _named(teams: list[str]) -> str:
    return f"choose among {', '.join(teams)}" if teams else "name its features"
