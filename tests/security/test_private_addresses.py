"""Hosts of this machine and of private networks are asked only where the user's own settings allow it."""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from web_server import WebServer

from pipeline.errors import ConfigError, MomentseekError, SourceError, VideoError, VideoNotFoundError
from pipeline.io.address_rules import AddressRules, PrivateHostError
from pipeline.io.named_hosts import with_named_hosts
from pipeline.io.settings import Fetching
from pipeline.run_config import load_run_config
from pipeline.sources import expand
from pipeline.video import Decoding, IndexedVideos, content_id, make_decoder

QUICK = Fetching(timeout_seconds=2, pause_seconds=0, tries=1)
ALLOWED = QUICK.model_copy(update={"allow_private": True})
REFUSED = "to which connections must be allowed by your settings.*fetching.private_hosts"

LOOPBACK = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "127.255.255.254",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "any.localhost",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "\uff11\uff12\uff17.0.0.1",
    "user:word@127.0.0.1",
    "example.org@127.0.0.1",
    "127.0.0.1%2f",
]
PRIVATE = ["10.0.0.5", "172.31.255.1", "192.168.1.1", "100.64.0.1", "[fd00::1]", "[64:ff9b::a00:5]"]
NEVER_BY_SWITCH = [
    "169.254.169.254",
    "0xa9fea9fe",
    "[fe80::1]",
    "[fe80::1%25lo]",
    "[::ffff:169.254.169.254]",
    "0.0.0.0",
    "0",
    "[::]",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[ff02::1]",
    "[fec0::1]",
    "[64:ff9b:1::7f00:1]",
    "[2001:0:7f00:1::]",
    "192.0.2.1",
]


@pytest.fixture
def server() -> Iterator[WebServer]:
    with WebServer({"/a.mp4": b"\0" * 5000}) as server:
        yield server


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give names addresses, one after another at each look: a name server of one's own."""
    answers: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in answers:
            return real(host, *rest, **named)
        left = answers[name]
        return real(left.pop(0) if len(left) > 1 else left[0], *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    # Its own resolver would ask real name servers.
    monkeypatch.setattr(aiohttp, "DefaultResolver", aiohttp.ThreadedResolver)
    return lambda name, *addresses: answers.update({name: list(addresses)})


def port_of(server: WebServer) -> str:
    return server.url("").rpartition(":")[2].strip("/")


@pytest.mark.parametrize("host", [*LOOPBACK, *PRIVATE, *NEVER_BY_SWITCH])
def test_no_spelling_of_a_private_address_is_asked(server: WebServer, host: str) -> None:
    for scheme in ("http", "HTTP"):
        with pytest.raises(VideoError):
            content_id(f"{scheme}://{host}:{port_of(server)}/a.mp4", QUICK)
    assert server.requests == []


@pytest.mark.parametrize("host", NEVER_BY_SWITCH)
def test_link_local_addresses_are_not_allowed_by_the_switch(host: str) -> None:
    with pytest.raises(VideoNotFoundError, match=r"link-local|reserved"):
        content_id(f"http://{host}/latest/meta-data/", ALLOWED)


def test_the_message_names_the_setting() -> None:
    with pytest.raises(
        VideoNotFoundError,
        match=r"'http://10.0.0.5/a.mp4': its host '10.0.0.5' is at a private address, .*"
        r'set fetching.private_hosts to \["10.0.0.5"\], or fetching.allow_private to true',
    ):
        content_id("http://10.0.0.5/a.mp4?sig=secret", QUICK)


@pytest.mark.parametrize(
    "allowed",
    [
        {"allow_private": True},
        {"private_hosts": ("127.0.0.1",)},
        {"private_hosts": ("127.0.0.0/8",)},
    ],
)
def test_what_is_allowed_is_asked(server: WebServer, allowed: dict[str, Any]) -> None:
    assert content_id(server.url("a.mp4"), QUICK.model_copy(update=allowed))


def test_a_named_host_is_asked_wherever_it_is(server: WebServer, resolve: Callable[..., None]) -> None:
    resolve("camera.local", "127.0.0.1")
    url = f"http://camera.local:{port_of(server)}/a.mp4"
    with pytest.raises(VideoNotFoundError, match=f"'camera.local' is at a loopback address, 127.0.0.1, {REFUSED}"):
        content_id(url, QUICK)
    assert content_id(url, QUICK.model_copy(update={"private_hosts": ("Camera.Local.",)}))
    assert content_id(url, QUICK.model_copy(update={"private_hosts": ("127.0.0.1",)}))
    with pytest.raises(VideoNotFoundError, match=REFUSED):
        content_id(url, QUICK.model_copy(update={"private_hosts": ("other.local", "10.0.0.0/8")}))


@pytest.mark.parametrize("bound_to", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_a_name_that_changes_its_address_is_checked_at_each_connection(
    server: WebServer, resolve: Callable[..., None], bound_to: str
) -> None:
    # 192.0.2.1 answers nobody; what counts is that the second look is not believed either.
    resolve("rebinding.example", "8.8.8.8", bound_to, bound_to, bound_to)
    fetching = QUICK.model_copy(update={"timeout_seconds": 0.2, "tries": 3})
    with pytest.raises(VideoError):
        content_id(f"http://rebinding.example:{port_of(server)}/a.mp4", fetching)
    assert server.requests == []


def test_of_several_addresses_the_public_ones_are_kept() -> None:
    found = [ipaddress.ip_address(text) for text in ("10.0.0.5", "8.8.8.8", "::1", "2606:4700::1111")]
    assert [str(one) for one in AddressRules().allowed("a.example", found)] == ["8.8.8.8", "2606:4700::1111"]
    with pytest.raises(PrivateHostError):
        AddressRules().allowed("a.example", found[:1])


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.2:{port}/b.mp4",
        "//127.0.0.2:{port}/b.mp4",
        "http://0x7f.2:{port}/b.mp4",
        "http://[::1]:{port}/b.mp4",
        "http://2130706432.127.0.0.1.invalid/",
        "file:///etc/hostname",
        "ftp://127.0.0.1/a",
        "s3://bucket/a",
        "gopher://127.0.0.1:{port}/a",
        "https://",
        "data:,x",
    ],
)
def test_redirects_are_checked_too(server: WebServer, location: str) -> None:
    server.redirect = lambda: location.format(port=port_of(server))
    fetching = QUICK.model_copy(update={"private_hosts": ("127.0.0.1",)})
    with pytest.raises(VideoError):
        content_id(server.url("a.mp4"), fetching)
    assert len(server.requests) == 1


def test_a_redirect_to_this_machine_is_not_followed(server: WebServer, resolve: Callable[..., None]) -> None:
    resolve("camera.local", "127.0.0.1")
    fetching = QUICK.model_copy(update={"private_hosts": ("camera.local",)})
    with WebServer({"/a.mp4": b"\0" * 5000}) as other:
        server.redirect = lambda: other.url("a.mp4")
        with pytest.raises(VideoNotFoundError, match=REFUSED):
            content_id(f"http://camera.local:{port_of(server)}/a.mp4", fetching)
        assert (len(server.requests), other.requests) == (1, [])


def test_a_redirect_within_what_is_allowed_is_followed(server: WebServer) -> None:
    locations = iter(["/b.mp4", "c.mp4?x=1", server.url("a.mp4")])

    def redirect() -> str:
        location = next(locations)
        if location == server.url("a.mp4"):
            server.redirect = None
        return location

    server.redirect = redirect
    assert content_id(server.url("a.mp4"), ALLOWED)


def test_credentials_do_not_go_to_another_host(server: WebServer, resolve: Callable[..., None]) -> None:
    resolve("other.local", "127.0.0.1")
    with WebServer({"/a.mp4": b"\0" * 5000}) as other:
        server.redirect = lambda: f"http://other.local:{port_of(other)}/a.mp4"
        content_id(server.url("a.mp4").replace("//", "//me:word@"), ALLOWED)
        assert "Authorization" in server.heads[0]
        assert all("Authorization" not in head for head in other.heads)


def test_https_is_not_left_for_http() -> None:
    import yarl

    from pipeline.io.web_client import WebClient

    client = WebClient("https://example.org/a.mp4", ALLOWED)
    for location in ("http://example.org/a.mp4", "HTTP://other.org/", "javascript:alert(1)"):
        with pytest.raises((VideoNotFoundError, ValueError)):
            client._redirected(yarl.URL("https://example.org/a.mp4"), location)


def test_the_users_proxy_is_asked_whatever_it_is(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url("").rstrip("/"))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(VideoNotFoundError, match=REFUSED):
        content_id("http://10.0.0.5/a.mp4", QUICK)
    assert server.requests == []
    with pytest.raises(VideoNotFoundError, match="no such file"):
        content_id("http://example.invalid/a.mp4", QUICK)
    assert len(server.requests) == 1
    # The proxy itself is no host that a manifest may name.
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(VideoNotFoundError, match=REFUSED):
        content_id(server.url("a.mp4"), QUICK)


@pytest.mark.parametrize("name", ["m.csv", "list.txt", "m.jsonl"])
def test_a_typed_manifest_does_not_allow_what_it_names(server: WebServer, name: str, tmp_path: Path) -> None:
    urls = {"m.csv": "uri\n{}\n", "list.txt": "{}\n", "m.jsonl": '{{"uri": "{}"}}\n'}
    (tmp_path / name).write_text(urls[name].format(server.url("a.mp4")))
    fetching = with_named_hosts(QUICK, [str(tmp_path / name)])
    assert fetching == QUICK
    [source] = expand([str(tmp_path / name)], fetching)
    with pytest.raises(VideoNotFoundError, match=REFUSED):
        content_id(source.uri, fetching)
    with pytest.raises(SourceError, match=REFUSED):
        list(expand([server.url(name)], fetching))
    assert server.requests == []


def test_a_record_of_a_library_is_not_asked(server: WebServer) -> None:
    videos = IndexedVideos(make_decoder(Decoding(), QUICK), QUICK, lambda _: [server.url("a.mp4")])
    with pytest.raises(VideoError, match=REFUSED):
        videos.place("0123")
    assert server.requests == []


def test_typed_hosts_are_allowed_where_they_are_private(resolve: Callable[..., None]) -> None:
    resolve("camera.local", "10.0.0.7")
    resolve("public.example", "8.8.8.8")
    typed = [
        "http://10.0.0.5/a.mp4",
        "HTTP://10.0.0.5:81/b.mp4",
        "http://camera.local/c.mp4",
        "https://public.example/d.mp4",
        "https://8.8.4.4/d.mp4",
        "/videos/e.mp4",
        "s3://bucket/f.mp4",
        "http://nosuch.invalid/g.mp4",
        "http://",
    ]
    assert with_named_hosts(QUICK, typed).private_hosts == ("10.0.0.5", "camera.local")
    assert with_named_hosts(ALLOWED, typed) == ALLOWED


@pytest.mark.parametrize("host", ["http://10.0.0.5", "10.0.0.5:80", "a/b", "", "user@host"])
def test_a_setting_that_is_no_host_is_said_so(host: str) -> None:
    with pytest.raises(ConfigError, match=r"fetching.private_hosts.*names, addresses or networks"):
        load_run_config(None, [f"fetching.private_hosts={json.dumps([host])}"])


def test_errors_are_of_ours() -> None:
    assert issubclass(VideoNotFoundError, MomentseekError)
    assert not issubclass(PrivateHostError, MomentseekError)
