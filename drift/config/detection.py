"""When a difference is drift: the thresholds of a monitor, and how long something must last."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from drift.config.features import most_specific
from drift.config.problems import explain
from drift.config.validation import Model, in_doubt, refuse

if TYPE_CHECKING:
    from pydantic import ValidationInfo

    from drift.config.validation import Refusal


Measure = Literal["kl", "psi", "js_distance", "wasserstein", "mean", "median", "missing"]
Unit = Literal["", "%", "sd"]
Level = Literal["none", "warning", "critical"]

UNITS: dict[Measure, tuple[Unit, ...]] = {
    "wasserstein": ("", "sd"), "mean": ("", "%", "sd"), "median": ("", "%", "sd"),
}  # fmt: skip
"""The units that a measure may be given in; all others have one of their own."""

_MEASURE = "What is compared with the thresholds: `kl` (nats, bias-corrected), `psi`, `js_distance`, `wasserstein`, "
_MEASURE += "`mean` or `median` (how far it moved), or `missing` (percentage points)."
_UNIT = "Of a distance or a move: empty for the feature's own unit (days, seconds), `sd` for the reference's standard "
_UNIT += "deviations, `%` of the reference's mean or median."


class Effect(Model):
    """How large a difference must be to be worth a notification, in a measure that the counts give."""

    measure: Measure = Field("kl", description=_MEASURE)
    unit: Unit = Field("", description=_UNIT)
    warning: float = Field(0.01, gt=0, description="Smallest difference for a warning.")
    critical: float = Field(0.1, gt=0, description="Smallest difference for a critical alert.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        given = {"warning", "critical"} & self.model_fields_set
        if self.unit not in UNITS.get(self.measure, ("",)):
            units = " or ".join(repr(unit) for unit in UNITS.get(self.measure, ("",)))
            refuse((("unit",), f"{self.measure} is not measured in {self.unit!r}", f"choose {units}"))
        if self.measure != "kl" and len(given) < 2:
            refuse(((), f"{self.measure} has no thresholds by default", "give warning and critical"))
        if self.warning > self.critical:
            what = f"critical {self.critical:g} lies below warning {self.warning:g}"
            refuse(((), what, "raise critical, or lower warning"))
        return self

    @property
    def scale(self) -> str:
        """The measure with its unit: sizes on one scale can be compared."""
        return f"{self.measure} {self.unit}".rstrip()

    @property
    def in_nats(self) -> Effect:
        """Thresholds of divergences: these, or the usual ones where these are of another measure."""
        return self if self.measure == "kl" else Effect()

    def level(self, size: float) -> Level:
        """Return the severity of a size by the thresholds alone."""
        return "critical" if size >= self.critical else "warning" if size >= self.warning else "none"


class EffectOverride(Model):
    """Thresholds of some features; what is left out is as for all. Another measure needs thresholds of its own."""

    measure: Measure | None = Field(None, description=_MEASURE)
    unit: Unit | None = Field(None, description=_UNIT)
    warning: float | None = Field(None, gt=0, description="Smallest difference for a warning.")
    critical: float | None = Field(None, gt=0, description="Smallest difference for a critical alert.")


class Persistence(Model):
    """How often a feature must have drifted of late."""

    of: int = Field(3, ge=1, le=100, description="Windows looked at, the current one included.")
    at_least: int = Field(2, ge=1, le=100, description="Windows of these that must have drifted.")

    @property
    def stretch(self) -> tuple[int, int]:
        """Windows looked at, and how many of them must have drifted; the current one alone where one is enough."""
        return (self.of, self.at_least) if self.at_least > 1 else (1, 1)

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.at_least > self.of:
            refuse(((), f"at_least {self.at_least} of {self.of} windows can never be", "lower at_least, or raise of"))
        return self


class Detection(Model):
    """When a difference is drift: significant, large enough, and lasting."""

    min_rows: int = Field(30, ge=1, description="Fewer rows than this, in a window or its reference, are not judged.")
    effect: Effect = Field(default_factory=Effect, description="How large a divergence must be, in nats.")
    features: dict[str, EffectOverride] = Field(
        {}, description="Thresholds of some features, by name or pattern; the most specific pattern wins."
    )
    fdr: float = Field(0.01, gt=0, le=0.5, description="Share of false alarms among the features called.")
    persistence: Persistence = Field(
        default_factory=Persistence, description="How often a feature must have drifted of late."
    )
    history: int = Field(56, ge=0, le=1000, description="Earlier windows whose scores are a feature's own history.")
    z: float = Field(
        4.0, gt=0, le=1000, description="Robust standard deviations beyond its own history at which it is unusual."
    )
    cell_z: float = Field(
        5.0,
        gt=0,
        le=1000,
        description="Robust standard deviations beyond its own history at which the share of one cell (missing, "
        "unseen, a value, a bin) is unusual, though the feature as a whole is not.",
    )
    seasonal: bool = Field(
        True,  # noqa: FBT003 - pydantic's own way to write a default
        description="Where a feature differs from a trailing reference, judge it by the same weekday of 8 weeks if it "
        "differs less from that; for windows of a day or less.",
    )
    smoothing: Literal["pooled", "jeffreys", "laplace", "epsilon"] = Field(
        "pooled", description="How empty cells are smoothed in the divergence that is shown."
    )

    @model_validator(mode="after")
    def _check_overrides(self, info: ValidationInfo) -> Self:
        if in_doubt(info, ("detection", "effect")):
            return self
        found: list[Refusal] = []
        for pattern, override in self.features.items():
            given = self._given(override)
            if given.get("warning", 0) > given.get("critical", math.inf):
                what = f"critical {given['critical']:g} lies below warning {given['warning']:g}"
                found.append((("features", pattern), what, "give both, warning the smaller"))
                continue
            try:
                Effect(**given)
            except ValidationError as error:
                found += [(("features", pattern, *each["loc"]), *explain(each)) for each in error.errors()]
        refuse(*found)
        return self

    def _given(self, override: EffectOverride) -> dict[str, Any]:
        given = override.model_dump(exclude_none=True)
        same = given.get("measure", self.effect.measure) == self.effect.measure and "unit" not in given
        return (self.effect.model_dump() if same else {"measure": self.effect.measure}) | given

    @property
    def remembered(self) -> int:
        """How many windows before one are looked back at: what is usual, and what persistence counts."""
        return self.history + self.persistence.of - 1

    def effect_for(self, feature: str) -> Effect:
        """Return the measure and the thresholds of a feature.

        Examples
        --------
        >>> Detection(features={"*_delay": EffectOverride(critical=0.2)}).effect_for("dep_delay")
        Effect(measure='kl', unit='', warning=0.01, critical=0.2)
        """
        override = most_specific(feature, self.features)
        return self.effect if override is None else Effect(**self._given(override))
