"""Settings of reading remote videos."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from pipeline.config import Settings
from pipeline.io.address_rules import AddressRules, is_host_or_network

__all__ = ["Fetching"]


class Fetching(Settings):
    """How videos are read that are not on this machine's file systems: from object stores and web servers.

    Only the parts that are wanted are read, by range requests. What takes no such requests, and all that decord or
    OpenCV decode, is copied to the disk for as long as it is read.
    """

    timeout_seconds: float = Field(default=30.0, gt=0)
    """Longest wait for an answer, or for the next bytes, before a try counts as failed."""

    least_bytes_per_second: int = Field(default=2000, ge=1)
    """Least rate at which a web server must send, over any `timeout_seconds` of waiting for it; a slower one counts as
    a failed try. The default is below the slowest mobile links (GPRS: 4,000), so only a server that stalls on purpose,
    or a link on which a video would take days, is below it."""

    allow_private: bool = False
    """Whether web servers at private and loopback addresses may be asked, whoever names them: a manifest, a redirect or
    a library's records. Link-local addresses, where clouds give out credentials, must be in `private_hosts`."""

    private_hosts: tuple[str, ...] = ()
    """Web servers that may be asked though they are at addresses that are not public: names ("camera.local"), addresses
    ("10.0.0.5") and networks ("10.1.0.0/16"). `momentseek index` adds the hosts of URLs on its command line."""

    schemes: tuple[Literal["ftp", "hdfs", "hf", "oci", "oss", "sftp", "smb", "ssh", "tos", "webhdfs"], ...] = ()
    """Further schemes of fsspec that are read. The packages that read them connect to any host that a URI names,
    private ones included, and may send it this user's credentials."""

    tries: int = Field(default=3, ge=1)
    """How often a request is made before the video fails; only faults that may pass are tried again."""

    pause_seconds: float = Field(default=0.5, ge=0)
    """Pause before the second try; it doubles with each."""

    cache_bytes: int = Field(default=32 * 2**20, ge=8 * 2**20)
    """Most bytes that are kept of a video that is read by ranges."""

    spool_folder: str | None = Field(default=None, min_length=1)
    """Where copies are kept; None for the system's folder for temporary files. A copy has no name there, and goes with
    the process that made it."""

    spool_bytes: int = Field(default=20 * 10**9, ge=1)
    """Most bytes of one copy; what is larger fails. Each video that is being read may have one."""

    @property
    def address_rules(self) -> AddressRules:
        """Which hosts web servers may be at."""
        return AddressRules(self.allow_private, self.private_hosts)

    @field_validator("private_hosts")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not is_host_or_network(host):
                raise ValueError("expected the names, addresses or networks of hosts, without scheme, port and path")
        return hosts
