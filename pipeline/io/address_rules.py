"""Rules for the network hosts to which connections are allowed: public ones, and private ones that settings allow."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

__all__ = ["AddressRules", "PrivateHostError", "is_host_or_network", "literal_address"]

Address = IPv4Address | IPv6Address

# The addresses that `allow_private` allows. These do not include link-local addresses, at which clouds provide a
# machine's credentials (169.254.169.254), nor unspecified, multicast and reserved addresses, which no server has.
_PRIVATE = tuple(
    map(
        ipaddress.ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "::1/128", "fc00::/7"),
    )
)
# NAT64 (RFC 6052) and IPv4-compatible addresses (RFC 4291) end in an IPv4 address.
_ENDS_IN_IPV4 = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
# Site-local addresses (RFC 3879), local NAT64 (RFC 8215) and Teredo (RFC 4380), which holds addresses of both kinds.
_NEVER_PUBLIC = tuple(map(ipaddress.ip_network, ("fec0::/10", "64:ff9b:1::/48", "2001::/32")))
# 2130706433, 0x7f.1 and 0177.0.0.1 are 127.0.0.1 to the system's resolver.
_NUMERIC_HOST = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)(?:\.(?:0x[0-9a-f]*|[0-9]+)){0,3}", re.IGNORECASE)
_HOST_NAME = re.compile(r"(?!-)[^\s/:@?#\[\]\\%]{1,253}")


class PrivateHostError(Exception):
    """Connections to a host are not allowed because of its address; never raised outside this package.

    Attributes:
        problem: Description of the problem, and the setting that allows the host.
    """

    def __init__(self, host: str, addresses: Iterable[Address]) -> None:
        kinds = {_kind(address): address for address in addresses}
        kind, address = next(iter(kinds.items()))
        at = "" if str(address) == host else f", {address}"
        remedy = f'set fetching.private_hosts to ["{host}"]'
        if any(_embedded(address)[0] in network for network in _PRIVATE):
            remedy += ", or fetching.allow_private to true"
        self.problem = (
            f"its host {host!r} is at {kind} address{at}, to which connections must be allowed by your settings; if the"
            f" host is yours, {remedy}"
        )
        super().__init__(self.problem)


@dataclass(frozen=True)
class AddressRules:
    """The hosts to which connections are allowed in addition to those at public addresses.

    Attributes:
        allow_private: Whether loopback and private addresses are allowed.
        private_hosts: Host names, addresses and networks that are allowed, even if they are not public or private.
    """

    allow_private: bool = False
    private_hosts: tuple[str, ...] = ()

    def check_name(self, host: str) -> None:
        """Reject a host by its name alone, if this is an address or "localhost", before it is resolved.

        Args:
            host: The host as in a URL, without brackets.

        Raises:
            PrivateHostError: Connections to the address are not allowed.
        """
        address = literal_address(host)
        if address is None and _plain(host).rpartition(".")[2] == "localhost":
            address = IPv4Address("127.0.0.1")
        if address is not None:
            self.allowed(host, [address])

    def allowed(self, host: str, addresses: Iterable[Address]) -> list[Address]:
        """Select the addresses of a host to which connections are allowed.

        Raises:
            PrivateHostError: There are addresses, but none is allowed.
        """
        found = list(addresses)
        names = {_plain(name) for name in self.private_hosts}
        allowed = found if _plain(host) in names else [address for address in found if self._is_allowed(address)]
        if found and not allowed:
            raise PrivateHostError(host, found)
        return allowed

    def _is_allowed(self, address: Address) -> bool:
        ends = _embedded(address)
        if all(map(_is_plainly_public, ends)):
            return True
        networks = [*self._networks(), *(_PRIVATE if self.allow_private else ())]
        return all(_is_plainly_public(end) or any(end in network for network in networks) for end in ends)

    def _networks(self) -> Iterable[IPv4Network | IPv6Network]:
        for name in self.private_hosts:
            try:
                yield ipaddress.ip_network(name.strip("[]"), strict=False)
            except ValueError:
                continue


def literal_address(host: str) -> Address | None:
    """Parse a host that is written as an address, in any spelling that the system accepts; None for a name."""
    text = host.strip("[]").rstrip(".")
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        pass
    if not _NUMERIC_HOST.fullmatch(text):
        return None
    try:
        return IPv4Address(socket.inet_aton(text))
    except OSError:
        return None


def is_host_or_network(text: str) -> bool:
    """Whether a text is a host name, an address or a network, not a URL."""
    try:
        ipaddress.ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return _HOST_NAME.fullmatch(text) is not None
    return True


def _plain(host: str) -> str:
    name = host.strip("[]").rstrip(".").lower()
    if name.isascii():
        return name
    try:
        return name.encode("idna").decode()
    except UnicodeError:
        return name


def _embedded(address: Address) -> list[Address]:
    """Return the addresses that connections to an address reach: the embedded one if there is one, else itself."""
    if isinstance(address, IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address.sixtofour is not None:
        return [address.sixtofour]
    plain = IPv6Address(int(address))
    # ::1 and :: are addresses of their own.
    if any(plain in network for network in _ENDS_IN_IPV4) and int(plain) > 1:
        return [IPv4Address(int(plain) & 0xFFFFFFFF)]
    return [plain]


def _is_plainly_public(address: Address) -> bool:
    return (
        address.is_global
        and not (address.is_private or address.is_loopback or address.is_link_local or address.is_multicast)
        and not (address.is_reserved or address.is_unspecified)
        and not any(address in network for network in _NEVER_PUBLIC)
    )


def _kind(address: Address) -> str:
    end = _embedded(address)[0]
    if end.is_loopback:
        return "a loopback"
    if end.is_link_local:
        return "a link-local"
    if any(end in network for network in _PRIVATE):
        return "a private"
    return "a reserved"
