"""A mail server over a real socket that speaks as much IMAP (RFC 3501) as a reader of one folder needs, by TLS or not."""

import datetime
import re
import socketserver
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(folder: Path, host: str = "localhost") -> Path:
    """A certificate for a host that nobody signed but itself, in one file with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    (file := folder / f"{host}.pem").write_bytes(made.public_bytes(pem) + secret)
    return file


@dataclass
class Kept:
    """One mail of the folder. `\\Seen`, `\\Flagged` and `\\Deleted` stand in `flags`."""

    raw: bytes
    flags: set[str] = field(default_factory=set)


class ImapServer(socketserver.ThreadingTCPServer):
    """`mails` is the folder by UID; `before` is called with each command and may raise to break the connection;
    `commands` are those that came.

    With a certificate it speaks TLS: from the start, or after STARTTLS, before which nobody may log in.
    """

    daemon_threads = allow_reuse_address = True

    def __init__(
        self, mails: list[bytes], uidplus: bool = True, certificate: Path | None = None, starttls: bool = False
    ) -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if certificate else None
        if self.tls and certificate:
            self.tls.load_cert_chain(certificate)
        self.starttls = starttls
        self.mails = {uid: Kept(raw) for uid, raw in enumerate(mails, start=1)}
        self.capabilities = "IMAP4rev1" + (" UIDPLUS" if uidplus else "")
        self.commands: list[str] = []
        self.before: Callable[[str], None] = self.commands.append

    @property
    def url(self) -> str:
        door, host = ("imaps" if self.tls and not self.starttls else "imap"), "localhost" if self.tls else "127.0.0.1"
        return f"{door}://bounces%40shop.test:geheim%2F1@{host}:{self.server_address[1]}/INBOX"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not like our certificate hangs up in the middle of the greeting."""

    def __enter__(self) -> "ImapServer":
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()


class Session(socketserver.StreamRequestHandler):
    server: ImapServer
    safe = False

    def setup(self) -> None:
        if self.server.tls and not self.server.starttls:
            self.secure()
        super().setup()

    def secure(self) -> None:
        assert self.server.tls
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        self.safe = True

    def handle(self) -> None:
        self.say("* OK ready")
        try:
            while line := self.rfile.readline().decode().strip():
                tag, _space, command = line.partition(" ")
                self.server.before(command)
                self.answer(command)
                self.say(f"{tag} OK done" if self.allowed(command) else f"{tag} NO not allowed")
                if command == "LOGOUT":
                    return
                if command == "STARTTLS" and self.server.starttls:
                    self.secure()
                    super().setup()
        except ConnectionError:
            return

    def allowed(self, command: str) -> bool:
        if command.startswith("LOGIN") and self.server.tls and not self.safe:
            return False
        return (
            not command.startswith("LOGIN")
            or command == 'LOGIN "bounces@shop.test" "geheim/1"'
            or (command == 'LOGIN bounces@shop.test "geheim/1"')
        )

    def say(self, line: str) -> None:
        self.wfile.write(line.encode() + b"\r\n")

    def answer(self, command: str) -> None:
        mails = self.server.mails
        if command == "CAPABILITY":
            offered = " STARTTLS" if self.server.starttls and not self.safe else ""
            self.say(f"* CAPABILITY {self.server.capabilities}{offered}")
        elif command.startswith("SELECT"):
            self.say(f"* {len(mails)} EXISTS")
        elif command.startswith("UID SEARCH"):
            self.say(" ".join(["* SEARCH", *(str(uid) for uid, kept in mails.items() if "\\Seen" not in kept.flags)]))
        elif found := re.fullmatch(r"UID FETCH (\d+) \(INTERNALDATE BODY.PEEK\[\]<0.(\d+)>\)", command):
            raw = mails[int(found[1])].raw[: int(found[2])]
            head = f'* 1 FETCH (UID {found[1]} INTERNALDATE "20-Nov-2026 10:00:00 +0000" BODY[]<0> {{{len(raw)}}}\r\n'
            self.wfile.write(head.encode() + raw + b")\r\n")
        elif found := re.fullmatch(r"UID STORE (\d+) \+FLAGS \((.*)\)", command):
            mails[int(found[1])].flags |= set(found[2].split())
        elif command.startswith(("UID EXPUNGE", "EXPUNGE")):
            only = command.removeprefix("UID EXPUNGE ") if command.startswith("UID") else ""
            for uid in [uid for uid, kept in mails.items() if "\\Deleted" in kept.flags and only in ("", str(uid))]:
                del mails[uid]
