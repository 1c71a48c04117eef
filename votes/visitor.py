"""Who votes, as a salted hash: enough to count one visitor once, not enough to know who it was."""

import contextlib
import hashlib
import hmac
import ipaddress
import os
import secrets
from pathlib import Path

from common.errors import ConfigError

IPV6_PREFIX = 64
"""Bits of an IPv6 address that name a visitor: providers hand out at least this much to one customer."""


def network(address: str) -> str:
    """The part of an address that a visitor cannot change at will: an IPv4 address, or the /64 of an IPv6 address.

    Anything that is no address is returned as it is.
    """
    try:
        ip = ipaddress.ip_address(address.strip().strip("[]").partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, IPV6_PREFIX), strict=False))
    return str(ip)


def visitor_hash(salt: bytes, identity: str) -> str:
    """32 hex digits of HMAC-SHA256 (RFC 2104) of the identity under the salt. The identity itself is never stored."""
    return hmac.new(salt, identity.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:32]


def load_salt(folder: Path) -> bytes:
    """The 32 random bytes kept in `folder/visitor.salt`, made on first use. Without the file, every visitor is new.

    ConfigError if the folder cannot be read or written.
    """
    path = folder / "visitor.salt"
    try:
        if not path.exists():
            _make_salt(path)
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot hold this installation's votes, runs and traces: {error.strerror}.",
            "Set JOURNEY_HOME to a folder that can be written.",
        ) from error


def _make_salt(path: Path) -> None:
    """Two processes that start together get the same salt: the file appears whole, and the first one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    draft.touch(mode=0o600)
    draft.write_bytes(secrets.token_bytes(32))
    with contextlib.suppress(FileExistsError):
        os.link(draft, path)
    draft.unlink()
