"""Settings of the server and their defaults."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.serve.http.access_tokens import AccessTokens

__all__ = ["API_PREFIX", "ServeSettings", "is_loopback"]

API_PREFIX = "/api/v1"
"""Start of the paths of the API."""


@dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """Settings of the server.

    Attributes:
        host: Address to listen at.
        port: Port to listen at.
        host_names: Names, besides those of this machine, by which browsers may address the server; a request with
            another name is refused.
        tokens: Tokens that requests must carry; None to let everybody in, which is meant for loopback only.
        source_folders: Folders whose videos clients with the role admin may index; none by default.
        audit_log: File to which questions are logged; None for no log.
        certificate: File of the certificate for TLS, with its chain, in PEM; None for no TLS.
        private_key: File of the certificate's key; None if it is in the same file.
        header_seconds: Maximum time in which the headers of a request arrive.
        connections: Maximum number of open connections; the one that has been idle for the longest time is closed for
            a new one.
        body_bytes: Maximum size of a request's body.
        body_seconds: Maximum time in which a body arrives.
        upload_bytes: Maximum size of an uploaded picture or clip.
        uploads_bytes: Maximum size of all that is uploaded; the oldest files are dropped.
        client_requests: Maximum number of requests of one client at work; further ones get 429.
        requests: Maximum number of requests at work; further ones get 503.
        waiting_questions: Maximum number of questions that wait for an answer; further ones get 503.
        question_seconds: Maximum time for the answer to a question.
        waiting_pictures: Maximum number of pictures that wait to be decoded; further ones get 503.
        picture_bytes: Memory for the cache of pictures.
        copies_bytes: Disk space for copies and clips of videos; the least recently used are removed.
        copy_seconds: How long a request waits for a copy or a clip.
        part_seconds: Maximum length of a part or a clip of a video.
        whole_seconds: Maximum length of a video that is encoded as a whole if a browser cannot play it.
    """

    host: str = "127.0.0.1"
    port: int = 8737
    host_names: tuple[str, ...] = ()
    tokens: AccessTokens | None = field(default=None, repr=False)
    source_folders: tuple[Path, ...] = ()
    audit_log: Path | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    header_seconds: float = 20.0
    connections: int = 400
    body_bytes: int = 2**20
    body_seconds: float = 30.0
    upload_bytes: int = 64 * 2**20
    uploads_bytes: int = 512 * 2**20
    client_requests: int = 128
    requests: int = 512
    waiting_questions: int = 256
    question_seconds: float = 60.0
    waiting_pictures: int = 64
    picture_bytes: int = 64 * 2**20
    copies_bytes: int = 8 * 2**30
    copy_seconds: float = 120.0
    part_seconds: float = 600.0
    whole_seconds: float = 180.0


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
