"""A shop's orders, as somebody might keep them: keys, mails, times, prices, nulls, categories."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from pathlib import Path


def write_orders(
    folder: Path, *, days: int, rows: int = 400, drifted: int = 0, until: date | None = None
) -> pd.DataFrame:
    """Write a Parquet file a day, up to yesterday, of which the last `drifted` have other prices and a new payment."""
    rng = np.random.default_rng(11)
    folder.mkdir(parents=True)
    last = until or datetime.now(UTC).date() - timedelta(days=1)
    frames = []
    for i in range(days):
        day = last - timedelta(days=days - 1 - i)
        odd = i >= days - drifted
        frame = pd.DataFrame(
            {
                "order_id": np.arange(i * rows, (i + 1) * rows) + 100_000,
                "email": [f"person{n}@example.org" for n in rng.integers(0, 50_000, rows)],
                "created_at": pd.Timestamp(day) + pd.to_timedelta(np.sort(rng.integers(0, 86_400, rows)), unit="s"),
                "updated_at": pd.Timestamp(day) + pd.to_timedelta(rng.integers(86_400, 172_800, rows), unit="s"),
                "country": rng.choice(["DE", "FR", "IT"], rows, p=[0.5, 0.3, 0.2]),
                "payment": rng.choice(["card", "klarna" if odd else "paypal", "invoice"], rows, p=[0.6, 0.3, 0.1]),
                "price": np.round(rng.lognormal(3.8 if odd else 3.2, 0.8, rows), 2),
                "quantity": 1 + rng.poisson(1.2, rows),
                "coupon": pd.Series(rng.choice(["SPRING", "WELCOME"], rows)).mask(rng.random(rows) < 0.8),
            }
        )
        frame.to_parquet(folder / f"{day}.parquet", index=False)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)
