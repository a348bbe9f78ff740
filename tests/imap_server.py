"""A mail server over a real socket that speaks as much IMAP (RFC 3501) as a reader of one folder needs."""

import re
import socketserver
import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Kept:
    """One mail of the folder. `\\Seen`, `\\Flagged` and `\\Deleted` stand in `flags`."""

    raw: bytes
    flags: set[str] = field(default_factory=set)


class ImapServer(socketserver.ThreadingTCPServer):
    """`mails` is the folder by UID; `before` is called with each command and may raise to break the connection."""

    daemon_threads = allow_reuse_address = True

    def __init__(self, mails: list[bytes], uidplus: bool = True) -> None:
        super().__init__(("127.0.0.1", 0), Session)
        self.mails = {uid: Kept(raw) for uid, raw in enumerate(mails, start=1)}
        self.capabilities = "IMAP4rev1" + (" UIDPLUS" if uidplus else "")
        self.before: Callable[[str], None] = lambda command: None

    @property
    def url(self) -> str:
        return f"imap://bounces%40shop.test:geheim%2F1@127.0.0.1:{self.server_address[1]}/INBOX"

    def __enter__(self) -> "ImapServer":
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self.shutdown()
        self.server_close()


class Session(socketserver.StreamRequestHandler):
    server: ImapServer

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
        except ConnectionError:
            return

    def allowed(self, command: str) -> bool:
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
            self.say(f"* CAPABILITY {self.server.capabilities}")
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
