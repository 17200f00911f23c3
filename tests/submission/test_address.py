from __future__ import annotations

import os
import socket

import pytest

from pipeline.errors import ConfigError, ExecutionError
from pipeline.submission.address import address_of, check_answers, no_addresses, token_header


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    for name in [name for name in os.environ if name.startswith("RAY_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_address_of_takes_the_given_one_before_the_environment(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "http://third:8265")
    assert address_of(None) == "http://third:8265"
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "https://second/")
    assert address_of(None) == "https://second"
    assert address_of("http://first:8265/") == "http://first:8265"


def test_address_of_passes_over_an_address_of_another_kind_in_the_environment(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    with pytest.raises(ConfigError, match="no cluster is given"):
        address_of(None)


@pytest.mark.parametrize("address", ["head:8265", "ray://head:10001", "auto", "http://"])
def test_address_of_refuses_what_is_no_url_of_a_dashboard(address):
    with pytest.raises(ConfigError, match=r"for example http://head:8265"):
        address_of(address)


def test_no_addresses_puts_them_back(monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")
    with no_addresses():
        assert "RAY_ADDRESS" not in os.environ
    assert os.environ["RAY_ADDRESS"] == "head:6379"


def test_check_answers_says_where_nobody_listens():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        check_answers(f"http://127.0.0.1:{port}")
    with pytest.raises(ExecutionError, match=rf"no server answers at http://127.0.0.1:{port}.*dashboard-host"):
        check_answers(f"http://127.0.0.1:{port}")


def test_token_header_reads_the_places_in_which_ray_keeps_a_token(monkeypatch, tmp_path):
    assert token_header() == {}
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("home\n")
    assert token_header() == {"Authorization": "Bearer home"}
    (tmp_path / "kept").write_text("file")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "kept"))
    assert token_header() == {"Authorization": "Bearer file"}
    monkeypatch.setenv("RAY_AUTH_TOKEN", "variable")
    assert token_header() == {"Authorization": "Bearer variable"}
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert token_header() == {}


def test_token_header_says_which_file_cannot_be_read(monkeypatch, tmp_path):
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match=r"RAY_AUTH_TOKEN_PATH names .*none"):
        token_header()
