"""Where the page is to listen: what cannot be is told before anything is loaded."""

import socket
import sys

import pytest

from app import parse_arguments
from common.errors import ServerError
from models.serving.server import check_port


@pytest.mark.parametrize("port", ["99999", "0", "-1", "abc", "²", ""])
def test_a_port_is_a_number_that_there_is(
    port: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["app.py", f"--port={port}"])
    with pytest.raises(SystemExit):
        parse_arguments()
    monkeypatch.setattr(sys, "argv", ["app.py"])
    monkeypatch.setenv("GRADIO_SERVER_PORT", port)
    with pytest.raises(SystemExit):
        parse_arguments()
    assert capsys.readouterr().err.count(f"{port!r} is not a number from 1 to 65535") == 2


def test_the_port_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["app.py"])
    monkeypatch.setenv("GRADIO_SERVER_PORT", "7861")
    assert parse_arguments().port == 7861


@pytest.mark.parametrize("host", ["::1", "[::1]", "192.0.2.1"])
def test_an_address_that_is_not_this_machines_is_told(host: str) -> None:
    with pytest.raises(ServerError, match=r"not an IPv4 address of this machine\. Give --host"):
        check_port(host, 7860)


def test_a_port_that_is_taken_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ServerError, match="cannot be used: Address already in use"):
            check_port("127.0.0.1", taken.getsockname()[1])
