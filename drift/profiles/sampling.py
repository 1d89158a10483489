"""Sampling: a bounded part of a stream of numbers, the same however the stream is cut into batches.

Everything up to a limit, then one of every 2, 4, 8, … neighbours. Which one is drawn once and for all for every place:
of two sensors that report in turns a fixed choice would see one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def _bits(n: int) -> NDArray[np.int64]:
    """Return n bits without pattern, always the same: the first of each number of SplitMix64 (Steele et al. 2014).

    Importing `numpy.random` would take longer than comparing two small files.
    """
    mixed = np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return (mixed >> np.uint64(63)).astype(np.int64)


_PIECE = 1 << 16
_PERIOD = 1 << 14
_SECOND: NDArray[np.int64] = _bits(_PERIOD)
"""Whether the second of the i-th pair stays."""
_PAIRS = 2 * np.arange(_PERIOD) + _SECOND


@dataclass(slots=True)
class Sample:
    """A systematic sample of at most `limit` of the numbers added so far, in their order.

    Examples
    --------
    >>> whole, cut = Sample(100), Sample(100)
    >>> whole.add(np.arange(1000.0))
    >>> for part in np.split(np.arange(1000.0), [7, 8, 600]):
    ...     cut.add(part)
    >>> whole.n, whole.stride, len(whole.values), bool((whole.values == cut.values).all())
    (1000, 16, 63, True)
    """

    limit: int
    n: int = 0
    stride: int = 1
    _kept: list[Floats] = field(default_factory=list)
    _size: int = 0
    _sorted: bool = False

    def add(self, values: Floats) -> None:
        """Take some more numbers into account."""
        for start in range(0, len(values), _PIECE):
            self._add(values[start : start + _PIECE])

    def _add(self, values: Floats) -> None:
        # A copy: a view would pin the buffer it was cut from.
        stay = slice(None) if self.stride == 1 else kept(self.n, self.n + len(values), self.stride) - self.n
        taken = np.array(values[stay])
        self.n += len(values)
        self._kept.append(taken)
        self._size += len(taken)
        while self._size > self.limit:
            self.stride *= 2
            joined = _halved(np.concatenate([*self._kept, np.empty(-self._size % (2 * _PERIOD))]), self._size)
            self._kept, self._size = [joined], len(joined)

    @property
    def ordered(self) -> Floats:
        """What was kept, sorted, and kept so: nothing can be added any more."""
        if not self._sorted:
            self._kept, self._sorted = [np.sort(self.values)], True
        return self._kept[0]

    @property
    def values(self) -> Floats:
        """What was kept."""
        if len(self._kept) != 1:
            self._kept = [np.concatenate([np.empty(0), *self._kept])]
        return self._kept[0]


def kept(start: int, stop: int, stride: int) -> NDArray[np.int64]:
    """Return which of the places from `start` to `stop` stay: one of every `stride` neighbours, a power of two.

    Of those that stay at a stride, the ones that `kept` finds at stride 2 are those that stay at twice the stride.

    Examples
    --------
    >>> kept(0, 8, 1).tolist(), kept(0, 8, 2).tolist(), kept(4, 8, 4).tolist()
    ([0, 1, 2, 3, 4, 5, 6, 7], [1, 2, 4, 7], [4])
    """
    if stride == 1 or stop <= start:
        return np.arange(start, stop)
    blocks = np.arange(start // stride, (stop - 1) // stride + 1)
    places = blocks * stride + _offsets(stride)[blocks & _PERIOD - 1]
    # The first block may have begun before `start`, and the last one end after `stop`.
    found: NDArray[np.int64] = places[int(places[0] < start) : len(places) - int(places[-1] >= stop)]
    return found


def stride_of(n_rows: int, limit: int) -> int:
    """Return the stride at which at most `limit` of so many rows stay.

    Examples
    --------
    >>> stride_of(8, 8), stride_of(9, 8), stride_of(33, 8)
    (1, 2, 8)
    """
    return 1 << max(0, -(-n_rows // limit) - 1).bit_length()


def _halved(padded: Floats, size: int) -> Floats:
    """Return of each pair of neighbours the one that stays; what stands beyond `size` is not a number."""
    stay = padded.reshape(-1, 2 * _PERIOD).take(_PAIRS, axis=1).ravel()
    last = (size - 1) // 2
    return stay[: last + (size % 2 == 0 or not _SECOND[last & _PERIOD - 1])]


@cache
def _offsets(stride: int) -> NDArray[np.int64]:
    """Return which number of each block of neighbours stays: the one that stays of the two that stay of its halves."""
    if stride == 1:
        return np.zeros(_PERIOD, np.int64)
    offsets: NDArray[np.int64] = _SECOND * (stride // 2) + _offsets(stride // 2)[_PAIRS & _PERIOD - 1]
    return offsets
