"""The cells of a histogram as rows of a table: what pages and the API show alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from drift.detection.evidence import Evidence
    from drift.detection.scores import Score


def cell_rows(evidence: Evidence | None, score: Score | None) -> list[dict[str, Any]]:
    """Return the cells that hold rows on either side, in order, with what each adds to the KL."""
    parts: Sequence[float] | None = score.contributions.tolist() if score is not None else None
    return [
        {
            "cell": cell,
            "reference": reference,
            "current": current,
            "reference_share": reference_share,
            "current_share": current_share,
            "contribution": parts[i] if parts else None,
        }
        for i, (cell, reference, current, reference_share, current_share) in enumerate(
            evidence.cells() if evidence else []
        )
        if reference or current
    ]
