"""Settings of reading remote videos."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from pipeline.config import Settings
from pipeline.io.address_rules import AddressRules, is_host_or_network

__all__ = ["Fetching"]


class Fetching(Settings):
    """Reading of remote videos, from object stores and web servers.

    Only the necessary parts are read, with range requests. If a server does not support range requests, or if the
    decoder is decord or OpenCV, the video is copied to the disk while it is in use.
    """

    timeout_seconds: float = Field(default=30.0, gt=0)
    """Maximum time to wait for a response, or for the next bytes, before an attempt counts as failed."""

    least_bytes_per_second: int = Field(default=2000, ge=1)
    """Minimum transfer rate of a web server, over each `timeout_seconds` of waiting; a slower transfer counts as a
    failed attempt. The default is below the rate of the slowest mobile links (GPRS: 4,000), so only servers that stall
    on purpose, or links on which a video would take days, are slower."""

    allow_private: bool = False
    """Whether to connect to web servers at private and loopback addresses, even if a manifest, a redirect or a
    library's records name them. Link-local addresses, where clouds provide credentials, must be in `private_hosts`."""

    private_hosts: tuple[str, ...] = ()
    """Web servers at addresses that are not public, to which connections are allowed: names ("camera.local"), addresses
    ("10.0.0.5") and networks ("10.1.0.0/16"). `momentseek index` adds the hosts of URLs on its command line."""

    schemes: tuple[Literal["ftp", "hdfs", "hf", "oci", "oss", "sftp", "smb", "ssh", "tos", "webhdfs"], ...] = ()
    """Additional fsspec schemes to accept. The packages for these schemes connect to any host that a URI names,
    including private ones, and may send this user's credentials to it."""

    tries: int = Field(default=3, ge=1)
    """Number of attempts for a request before the video fails; only temporary errors are retried."""

    pause_seconds: float = Field(default=0.5, ge=0)
    """Pause before the second attempt; it doubles with each further one."""

    cache_bytes: int = Field(default=32 * 2**20, ge=8 * 2**20)
    """Maximum number of bytes that are cached of a video that is read with range requests."""

    spool_folder: str | None = Field(default=None, min_length=1)
    """Folder for copies; null for the system's temporary folder. Copies have no file names, and are removed when the
    process ends."""

    spool_bytes: int = Field(default=20 * 10**9, ge=1)
    """Maximum size of a copy; larger videos fail. There may be one copy for each video that is being read."""

    @property
    def address_rules(self) -> AddressRules:
        """The rules for the addresses of web servers."""
        return AddressRules(self.allow_private, self.private_hosts)

    @field_validator("private_hosts")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not is_host_or_network(host):
                raise ValueError("expected the names, addresses or networks of hosts, without scheme, port and path")
        return hosts
