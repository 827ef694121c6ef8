"""A certificate authority of our own, for one run of the emulator."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Certificates:
    """A server certificate for the loopback names, and what clients need to trust it.

    Attributes:
        bundle: PEM file for `SSL_CERT_FILE`: our authority, then the roots trusted so far, so that
            other TLS in that shell keeps working.
        certificate: PEM file of the server's certificate.
        key: PEM file of its private key.
    """

    def __init__(self, folder: Path) -> None:
        """Make everything, in a folder that only this user can open."""
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


def _usual_roots() -> bytes:
    """Return what this machine trusts: its own bundle, else that of the package certifi."""
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
