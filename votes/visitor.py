"""Who votes, as a salted hash: enough to count one visitor once, not enough to know who it was."""

import hashlib
import hmac
import ipaddress
import os
import secrets
import time
from pathlib import Path

from common.errors import ConfigError

WRITING_SECONDS = 2.0
"""How long an empty salt file may be one that another process is about to fill."""
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
    """The salt for hashing identities: the secret `JOURNEY_SALT`, else `folder/visitor.salt`, created on first use.

    Without either, every visitor is new. ConfigError if the folder cannot be read or written.
    """
    if secret := os.environ.get("JOURNEY_SALT", ""):
        return hashlib.sha256(secret.encode()).digest()
    path = folder / "visitor.salt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return _make_salt(path) or _read_salt(path)
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot hold this installation's votes, runs and traces: {error.strerror}.",
            "Set JOURNEY_HOME to a folder that can be written.",
        ) from error


def _make_salt(path: Path) -> bytes:
    """Write a new salt to its file; empty if the file exists. Of processes that start together, only one succeeds."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return b""
    salt = secrets.token_bytes(32)
    with os.fdopen(handle, "wb") as file:
        file.write(salt)
    return salt


def _read_salt(path: Path) -> bytes:
    """The salt in its file, once its creator has written it. A file that stays empty was left by a crash."""
    until = time.monotonic() + WRITING_SECONDS
    while not (salt := path.read_bytes()) and time.monotonic() < until:
        time.sleep(0.02)
    if not salt:
        path.unlink()
        return _make_salt(path) or _read_salt(path)
    return salt
