"""When a difference is drift: the thresholds of a monitor, and how long something must last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from drift.config.features import most_specific
from drift.config.validation import Model, in_doubt, refuse

if TYPE_CHECKING:
    from pydantic import ValidationInfo

    from drift.config.validation import Refusal


class Effect(Model):
    """How large a divergence must be, in nats, to be worth a notification."""

    warning: float = Field(0.01, gt=0, description="Smallest divergence for a warning, in nats.")
    critical: float = Field(0.1, gt=0, description="Smallest divergence for a critical alert, in nats.")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.warning > self.critical:
            what = f"critical {self.critical:g} lies below warning {self.warning:g}"
            refuse(((), what, "raise critical, or lower warning"))
        return self


class EffectOverride(Model):
    """Thresholds of some features; what is left out is as for all."""

    warning: float | None = Field(None, gt=0, description="Smallest divergence for a warning, in nats.")
    critical: float | None = Field(None, gt=0, description="Smallest divergence for a critical alert, in nats.")


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
            warning, critical = self._merged(override)
            if warning > critical:
                what = f"critical {critical:g} lies below warning {warning:g}"
                found.append((("features", pattern), what, "give both, warning the smaller"))
        refuse(*found)
        return self

    def _merged(self, override: EffectOverride) -> tuple[float, float]:
        return (
            self.effect.warning if override.warning is None else override.warning,
            self.effect.critical if override.critical is None else override.critical,
        )

    @property
    def remembered(self) -> int:
        """How many windows before one are looked back at: what is usual, and what persistence counts."""
        return self.history + self.persistence.of - 1

    def effect_for(self, feature: str) -> Effect:
        """Return the thresholds of a feature.

        Examples
        --------
        >>> Detection(features={"*_delay": EffectOverride(critical=0.2)}).effect_for("dep_delay")
        Effect(warning=0.01, critical=0.2)
        """
        override = most_specific(feature, self.features)
        if override is None:
            return self.effect
        warning, critical = self._merged(override)
        return Effect(warning=warning, critical=critical)
