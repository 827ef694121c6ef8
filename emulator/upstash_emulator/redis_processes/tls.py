"""TLS on the loopback interface: certificates for one run, and dropping a connection."""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    import asyncio


class Certificates:
    """A certificate authority for one run, and a server certificate for the loopback names.

    Attributes:
        bundle: PEM file for `SSL_CERT_FILE`. It has this authority and the machine's own ones. So
            other TLS connections in the same shell still work.
        certificate: PEM file of the server's certificate.
        key: PEM file of its private key.
        context: TLS settings of a server that presents the certificate.
    """

    def __init__(self, folder: Path) -> None:
        """Create all files in a folder that only this user can open."""
        self.bundle = folder / "ca-bundle.pem"
        self.certificate = folder / "server.pem"
        self.key = folder / "server-key.pem"
        authority = trustme.CA(organization_name="upstash_emulator")
        leaf = authority.issue_cert("127.0.0.1", "::1", "localhost")
        leaf.private_key_pem.write_to_path(self.key)
        self.certificate.write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))
        self.bundle.write_bytes(authority.cert_pem.bytes() + _usual_roots())
        self.key.chmod(0o600)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.load_cert_chain(self.certificate, self.key)


def abort(transport: asyncio.WriteTransport) -> None:
    """Drop a connection at once. It may have ended already."""
    # Over TLS, some versions of Python (such as 3.11.2) fail here if the connection has ended.
    with suppress(AttributeError):
        transport.abort()


def _usual_roots() -> bytes:
    """Return the machine's authorities: its own bundle, else that of the package certifi."""
    paths = ssl.get_default_verify_paths()
    bundles = [Path(paths.cafile)] if paths.cafile else []
    if paths.capath:
        bundles.append(Path(paths.capath, "ca-certificates.crt"))
    try:
        import certifi  # optional
    except ImportError:
        pass
    else:
        bundles.append(Path(certifi.where()))
    return next((bundle.read_bytes() for bundle in bundles if bundle.is_file()), b"")
