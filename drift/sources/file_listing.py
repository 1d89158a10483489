"""Finding files: a path, folder or glob, on a local disk or in an object store, and what their paths say of them.

Local paths and the stores that Arrow knows (S3, Google Cloud) go through `pyarrow.fs`, all others through fsspec. Names
that start with a dot or an underscore, and checksums, are left out, as Spark and Arrow do; a folder that is a table of
Delta, Hudi or Iceberg is refused.
"""

from __future__ import annotations

import fnmatch
import os
import re
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, unquote, urlsplit

import pyarrow as pa
import pyarrow.fs as pafs

from drift.config import roots
from drift.errors import DriftError, MissingExtra, SourceError, SourceMissing, SourceUnreachable
from drift.text.secrets import learn_url, masked

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

Format = Literal["parquet", "csv"]
PartitionValue = int | date | str | None

COMPRESSED = (".gz", ".bz2", ".zst", ".lz4")
_STORE_SECONDS = 30
_CLOCK_STEP = 2_000_000_000
"""Nanoseconds: the coarsest clock that a file system keeps its times by."""
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_STORES = {"s3", "gs", "gcs", "hdfs", "viewfs", "abfs", "abfss", "az", "adl", "oss", "http", "https", "memory"}
"""Schemes that lead to a store, and to no file of this machine, not even by way of another scheme."""

_MAGIC = re.compile(r"[*?\[]")
_ROW = re.compile(r"(: Expected \d+ columns, got \d+):.*")
_FORMATS: dict[str, Format] = {".parquet": "parquet", ".pq": "parquet", ".csv": "csv"}
_HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True, slots=True)
class Place:
    """Where files are: a filesystem, how to name it to a person, and the folder that local files must lie in."""

    files: str
    filesystem: pafs.FileSystem
    remote: bool
    root: Path | None = None

    def inside(self, path: str) -> str:
        """Return a path to open, its links followed; refuse one that leads out of the root."""
        if self.remote or self.root is None:
            return path
        real = roots.inside(path or ".", self.root)
        if real is None:
            shown = path if path == self.files else f"{self.files}: {path}"
            raise SourceError(roots.refusal(shown, self.root))
        return real if path else path

    @contextmanager
    def reading(self, path: str, doing: str = "be read") -> Iterator[None]:
        """Turn whatever a filesystem or a decoder raises into an error that names the file and what to do."""
        listed = doing.startswith("be read")
        try:
            yield
        except DriftError:
            raise
        except FileNotFoundError as error:
            if listed and path != self.files:
                raise SourceMissing(f"{path} was removed after {self.files} had been listed: run it again") from error
            raise SourceMissing(f"{path}: no such file or folder") from error
        except Exception as error:  # every object store's library has a tree of errors of its own
            reason = _reason(error)
            if isinstance(error, PermissionError) or "ACCESS_DENIED" in reason or "Permission denied" in reason:
                raise SourceError(f"{path}: permission denied: let this user read it ({reason})") from error
            kind = SourceError if isinstance(error, ValueError) or not self.remote else SourceUnreachable
            cure = ": write it again, or move it away" if listed and kind is SourceError else ""
            raise kind(f"{path} cannot {doing}: {reason}{cure}") from error


def _reason(error: Exception) -> str:
    """Return the first line of an error, without the path that is named anyway and without the row that broke."""
    line = "".join(filter(str.isprintable, masked(str(error)).strip().split("\n")[0]))
    line = _ROW.sub(r"\1", line.removeprefix("Could not open CSV input source ").partition(": Invalid: ")[2] or line)
    return line.strip(" .:") or type(error).__name__


def is_remote(files: str) -> bool:
    """Say whether a path is a URI that leads to a store.

    Examples
    --------
    >>> is_remote("s3://lake/flights/*.parquet"), is_remote("file:///lake"), is_remote("lake/*.csv")
    (True, False, False)
    """
    return bool(_URI.match(files)) and not files.startswith("file:")


def locate(files: str, root: Path | None = None) -> tuple[Place, str]:
    """Return the filesystem, and the path or glob within it; local files have to lie in the root."""
    if not _URI.match(files):
        return Place(files, pafs.LocalFileSystem(), remote=False, root=root), str(Path(files).expanduser())
    # In a URI the question mark starts the options (s3://bucket/key?region=…): it is not a wildcard there.
    parts = urlsplit(files, allow_fragments=False)
    learn_url(files)
    host = parts.netloc.rpartition("@")[2]
    shown = f"{parts.scheme}://{host}{parts.path}"
    if parts.scheme not in {"file", *_STORES}:
        known = ", ".join(sorted(_STORES - {"memory"}))
        raise SourceError(
            f"{shown}: {parts.scheme}:// is not a store that files are read from: write a path, or {known}"
        )
    fixed = "/".join(_fixed(parts.path))
    query = parts.query
    if parts.scheme in {"gs", "gcs"} and "retry_limit_seconds" not in query:
        # Arrow would otherwise try for a quarter of an hour.
        query = f"{query}&retry_limit_seconds={_STORE_SECONDS}".lstrip("&")
    filesystem: pafs.FileSystem
    with Place(shown, pafs.LocalFileSystem(), remote=True).reading(shown, "be opened"):
        try:
            uri = f"{parts.scheme}://{parts.netloc}{quote(fixed)}{'?' if query else ''}{query}"
            filesystem, base = pafs.FileSystem.from_uri(uri)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            reason = masked(str(error))
            if "Unrecognized filesystem" not in reason and not isinstance(error, pa.ArrowNotImplementedError):
                raise SourceError(f"{shown} cannot be opened: {reason}") from None
            filesystem, base = _through_fsspec(f"{parts.scheme}://{parts.netloc}{fixed}", parts.scheme)
    return Place(shown, filesystem, remote=parts.scheme != "file", root=root), base.rstrip("/") + parts.path[
        len(fixed) :
    ]


def _fixed(path: str) -> list[str]:
    """Return the leading parts of a path in which nothing is a wildcard."""
    parts = path.split("/")
    return parts[: next((i for i, part in enumerate(parts) if _MAGIC.search(part)), len(parts))]


def _through_fsspec(uri: str, scheme: str) -> tuple[pafs.FileSystem, str]:
    try:
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]
    except ImportError:
        raise MissingExtra("fsspec", extra="object-store") from None
    try:
        filesystem, base = url_to_fs(uri)
    except ImportError as error:
        raise SourceError(f"{scheme}:// needs a package that is not installed: {error}") from error
    handler: Any = pafs.FSSpecHandler
    return pafs.PyFileSystem(handler(filesystem)), base


@dataclass(frozen=True)
class Listing:
    """The files of one format that a path, folder or glob, `asked` for with its format, stands for, sorted by path.

    `keys` are the partition columns, each with its value for each file; `folders` the local folders that say so, with
    the time of their last change: empty where that does not tell.
    """

    asked: tuple[str, Format | None]
    shape: Format
    infos: Sequence[pafs.FileInfo]
    keys: dict[str, list[PartitionValue]]
    folders: Mapping[str, int]

    def holds(self, rows: Sequence[int] | None = None) -> bool:
        """Whether no file came or went since; the files themselves may have changed.

        With the places of some files as `rows` only their folders are looked at, and those where folders may have come.
        """
        asked: Iterable[str] = self.folders
        if rows is not None:
            asked = {*self._empty, *(os.path.dirname(self.infos[i].path) for i in rows)}  # noqa: PTH120 - of thousands
        try:
            return bool(self.folders) and all(_changed(name) == self.folders.get(name) for name in asked)
        except OSError:
            return False

    @cached_property
    def _empty(self) -> set[str]:
        """Folders that held no file themselves."""
        return self.folders.keys() - {os.path.dirname(info.path) for info in self.infos}  # noqa: PTH120 - the same


def list_files(place: Place, path: str, file_format: Format | None) -> Listing:
    """Find the files that a path, folder or glob stands for, and their format."""
    listed: set[str] = set()
    begun = time.time_ns()
    shape, infos = of_format(place.files, expand(place, path, listed), file_format)
    folders = {} if place.remote else {name: _changed(name) for name in listed}
    # A folder that changes once more before the clock moves on would look as it did: such a listing holds for once.
    still = max(folders.values(), default=begun) < begun - _CLOCK_STEP
    keys = partitions([info.path for info in infos])
    return Listing((place.files, file_format), shape, infos, keys, folders if still else {})


def _changed(folder: str) -> int:
    return os.stat(folder).st_mtime_ns  # noqa: PTH116 - asked of hundreds of folders a window, and ten times as fast


def _children(place: Place, folder: str, *, recursive: bool, listed: set[str] | None) -> list[pafs.FileInfo]:
    place.inside(folder)
    with place.reading(folder or ".", "be listed"):
        infos = place.filesystem.get_file_info(pafs.FileSelector(folder, recursive=recursive))
    _refuse_tables(place, infos)
    if listed is not None:
        listed.update([folder or ".", *(info.path for info in infos if recursive and _is_folder(info))])
    depth = len(folder.rstrip("/")) + 1 if folder else 0
    seen = [i for i in infos if not any(part.startswith((".", "_")) for part in i.path[depth:].split("/"))]
    return [info for info in seen if not info.path.endswith(".crc")]


def _refuse_tables(place: Place, infos: Sequence[pafs.FileInfo]) -> None:
    """Refuse a folder that is a table: which files hold its rows, and which rows were deleted, only its log says."""
    for info in infos:
        folder, _, name = info.path.rpartition("/")
        kind = _LOGS.get(name)
        if name == "metadata" and not info.is_file:
            _refuse_tables(place, place.filesystem.get_file_info(pafs.FileSelector(info.path)))
        elif name.endswith(".metadata.json") and folder.endswith("metadata"):
            kind, folder = "Iceberg", folder.rpartition("/")[0]
        if kind:
            raise SourceError(
                f"{place.files}: {folder or '.'} is {kind}'s, and only its log says which files hold the rows of the "
                f"table: write connection and table (or query) of an engine that reads {kind}, such as Spark or Trino, "
                "instead of files"
            )


_LOGS = {"_delta_log": "Delta", ".hoodie": "Hudi"}


def _refuse_above(place: Place, folder: str) -> None:
    """Refuse a folder that is a partition of a table, or holds the data of one."""
    above, _, name = folder.rstrip("/").rpartition("/")
    if "=" in name or name == "data":
        with suppress(OSError):
            _refuse_tables(place, place.filesystem.get_file_info(pafs.FileSelector(above, allow_not_found=True)))
        _refuse_above(place, above)


def expand(place: Place, path: str, listed: set[str] | None = None) -> list[pafs.FileInfo]:
    """Return every file that a path, folder or glob stands for, sorted by path; `listed` gathers folders asked."""
    # Not by fsspec: it lists the whole tree for day=2014-01-0[1-5], 30 times as long, and not which folders it asked.
    filesystem = place.filesystem

    def children(folder: str, *, recursive: bool) -> list[pafs.FileInfo]:
        return _children(place, folder, recursive=recursive, listed=listed)

    def everything(info: pafs.FileInfo) -> list[pafs.FileInfo]:
        found = children(info.path, recursive=True) if _is_folder(info) else [info]
        return [_readable(place, each) for each in found if not _is_folder(each)]

    def match(folder: str, parts: list[str]) -> list[pafs.FileInfo]:
        head, *rest = parts
        if head == "**":
            inner = [folder] + [c.path for c in children(folder, recursive=True) if _is_folder(c)]
            return [hit for each in inner for hit in match(each, rest or ["*"])]
        hits = [c for c in children(folder, recursive=False) if fnmatch.fnmatchcase(c.base_name, head)]
        if not rest:
            return [file for hit in hits for file in everything(hit)]
        return [file for hit in hits if _is_folder(hit) for file in match(hit.path, rest)]

    place.inside("/".join(_fixed(path)))
    with place.reading(place.files, "be found"):
        whole = filesystem.get_file_info(path)
    _refuse_above(place, "/".join(_fixed(path)))
    if whole.type != pafs.FileType.NotFound:
        infos = everything(whole)
    elif _MAGIC.search(path):
        fixed = _fixed(path)
        base = "/".join(fixed) or ("/" if path.startswith("/") else "" if place.remote else ".")
        infos = match(base, path.split("/")[len(fixed) :])
    else:
        raise SourceMissing(f"{place.files}: no such file or folder")
    if not infos:
        raise SourceMissing(f"{place.files}: no file there")
    return sorted({info.path: info for info in infos}.values(), key=lambda info: info.path)


def _is_folder(info: pafs.FileInfo) -> bool:
    return info.type == pafs.FileType.Directory


def _readable(place: Place, info: pafs.FileInfo) -> pafs.FileInfo:
    """Return a file; refuse a pipe, whose rows would be gone after a first look, and what has no end."""
    if place.remote or info.is_file:
        return info
    raise SourceError(
        f"{info.path} is a pipe, a socket or a device, and files are read more than once: write its rows to a file"
    )


def _format_of(path: str) -> Format | None:
    name = path.lower()
    for ending in COMPRESSED:
        name = name.removesuffix(ending)
    return next((shape for ending, shape in _FORMATS.items() if name.endswith(ending)), None)


def of_format(
    files: str, infos: Sequence[pafs.FileInfo], file_format: Format | None
) -> tuple[Format, list[pafs.FileInfo]]:
    """Return the format, and the files that have it; files with an extension of their own kind are left out."""
    shapes = {shape for shape in (_format_of(info.path) for info in infos) if shape}
    if file_format is None and len(shapes) > 1:
        raise SourceError(
            f"{files} holds both Parquet and CSV files: choose by a glob such as *.parquet, or in a monitor by "
            "source.format"
        )
    if file_format is None and not shapes:
        raise SourceError(
            f"{files}: {infos[0].base_name} is neither .parquet nor .csv: rename it, or say in a monitor by "
            "source.format which it is"
        )
    shape = file_format or shapes.pop()
    chosen = [info for info in infos if _format_of(info.path) == shape]
    chosen = chosen or [info for info in infos if _format_of(info.path) is None]
    if not chosen:
        raise SourceMissing(f"{files}: no {shape} file there")
    return shape, chosen


def partitions(paths: Sequence[str]) -> dict[str, list[PartitionValue]]:
    """Return column → its value for each path; whole numbers, ISO dates, or text."""
    # Not by pyarrow.dataset: to it dates are text, 007 is 7, and a column of which only the null is there an error.
    pairs = [
        {
            key: unquote(value)
            for key, _, value in (part.partition("=") for part in path.split("/")[:-1])
            if key and value
        }
        for path in paths
    ]
    names = {name: None for each in pairs for name in each}
    return {name: _typed([each.get(name) for each in pairs]) for name in names}


def _typed(texts: Sequence[str | None]) -> list[PartitionValue]:
    values = [None if text == _HIVE_NULL else text for text in texts]
    present = [value for value in values if value is not None]
    if all(re.fullmatch(r"-?(?:0|[1-9]\d{0,17})", value) for value in present):
        return [None if value is None else int(value) for value in values]
    try:
        if all(len(value) == 10 for value in present):
            return [None if value is None else date.fromisoformat(value) for value in values]
    except ValueError:
        pass
    return list(values)


def placing(keys: Mapping[str, Sequence[PartitionValue]], path: str) -> frozenset[str]:
    """Return the partition columns that say where rows lie, and not what they are: they are features only if named.

    Those that tell the time, by their values (``day=2013-02-08``) or by their name (``hour=5``); and those that the
    path asked for itself names (``country=DE/*.parquet``), for whoever wrote it chose their value.

    Examples
    --------
    >>> keys = {"day": [date(2013, 2, 8)], "hour": [5, 6], "country": ["DE", "DE"], "shop": ["a", "b"]}
    >>> sorted(placing(keys, "lake/country=DE/day=*"))
    ['country', 'day', 'hour']
    """
    written = {part.partition("=")[0] for part in _fixed(path) if "=" in part}
    return frozenset(name for name in keys if name in written or _tells_time(name, keys[name]))


def _tells_time(name: str, values: Sequence[PartitionValue]) -> bool:
    present = [value for value in values if value is not None]
    return name.lower() in _TIMES or (
        bool(present) and all(isinstance(value, date) or _TIME.fullmatch(str(value)) for value in present)
    )


_TIMES = {"year", "quarter", "month", "week", "day", "date", "hour", "minute", "time", "dt", "ds"}
_TIME = re.compile(
    r"(?:19|20)\d{2}"
    r"(?:-(?:0[1-9]|1[0-2])(?:-\d{2}(?:[T _-]?\d{2}.*)?)?|(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{2})?)"
)
"""2013-02, 2013-02-08, 2013-02-08T05…, 20130208 or 2013020805."""


def partition_type(values: Sequence[PartitionValue]) -> pa.DataType:
    """Return the Arrow type of a partition's values."""
    first = next((value for value in values if value is not None), None)
    return pa.int64() if isinstance(first, int) else pa.date32() if isinstance(first, date) else pa.string()
