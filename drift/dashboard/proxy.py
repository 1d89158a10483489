"""Who stands between a reader and the dashboard; importing this loads no web framework."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from drift.errors import DriftError


@dataclass(frozen=True, slots=True)
class Proxy:
    """A reverse proxy that signs people in and says who they are in a header.

    Parameters
    ----------
    header
        Such as ``X-Forwarded-User``; the proxy must drop it where a reader sends it.
    addresses
        Where the proxy's requests come from, addresses or networks: from anywhere else the header says nothing.

    Raises
    ------
    DriftError
        If an address is not one.

    Examples
    --------
    >>> proxy = Proxy("X-Forwarded-User", ("127.0.0.1", "10.0.0.0/8"))
    >>> proxy.is_at("10.2.3.4"), proxy.is_at("192.0.2.7"), proxy.is_at("")
    (True, False, False)
    """

    header: str
    addresses: tuple[str, ...] = ("127.0.0.1", "::1")

    def __post_init__(self) -> None:
        for address in self.addresses:
            try:
                ipaddress.ip_network(address, strict=False)
            except ValueError as error:
                raise DriftError(f"{address!r} is not an address of a proxy: write 10.0.0.5 or 10.0.0.0/8") from error
        if not self.header.strip():
            raise DriftError("name the header in which the proxy sends the user's name, such as X-Forwarded-User")

    def is_at(self, peer: str) -> bool:
        """Whether a request from this address comes from the proxy."""
        try:
            found = ipaddress.ip_address(peer)
        except ValueError:
            return False
        mapped = getattr(found, "ipv4_mapped", None)
        networks = [ipaddress.ip_network(address, strict=False) for address in self.addresses]
        return any(one in network for network in networks for one in (found, mapped) if one is not None)
