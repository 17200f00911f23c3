"""Allows the private hosts of URLs that the user typed."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable

from pipeline.io.address_rules import AddressRules, PrivateHostError, literal_address
from pipeline.io.settings import Fetching
from pipeline.uris import is_web

__all__ = ["with_named_hosts"]


def with_named_hosts(fetching: Fetching, names: Iterable[str]) -> Fetching:
    """Return settings that also allow the non-public hosts of URLs that the user typed.

    For this, host names are resolved, unless a proxy resolves them. URLs in a list, manifest, redirect or record do not
    count as typed.

    Args:
        fetching: The present settings.
        names: The paths, URIs and URLs that the user typed.
    """
    hosts = [host for host in dict.fromkeys(_hosts(names)) if _is_refused(host, fetching.address_rules)]
    if not hosts:
        return fetching
    return fetching.model_copy(update={"private_hosts": (*fetching.private_hosts, *hosts)})


def _hosts(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        if not is_web(name):
            continue
        try:
            from pipeline.io.web_client import host_of, proxy_of, url_of

            host = host_of(url_of(name))
            if literal_address(host) is not None or proxy_of(url_of(name)) is None:
                yield host
        except (ImportError, ValueError):
            # The error is reported when the URL is read.
            continue


def _is_refused(host: str, rules: AddressRules) -> bool:
    try:
        rules.check_name(host)
        if literal_address(host) is None:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            rules.allowed(host, [ipaddress.ip_address(address[0]) for *_, address in found])
    except PrivateHostError:
        return True
    except OSError:
        return False
    return False
