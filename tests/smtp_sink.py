"""A real SMTP server that keeps what it gets and misbehaves on request.

In a test: the fixture `smtp_sink`. As a process of its own, for tests that kill the sender:

    python -m tests.smtp_sink --port 2525 --log mails.jsonl [--delay 0.5] [--moods] [--hang-up-after 7]

which writes a line of JSON for every mail it takes, before it answers.
"""

import argparse
import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

# With `moods`, the local part of an address says how its mails are treated: `<mood>.<anything>@…`.
# mood: (when, what, whether only the first of its mails is treated so). At "dot" the mail is not taken yet.
MOODS = {
    "no-mailbox": ("rcpt", "550 5.1.1 unknown", False),
    "busy": ("rcpt", "451 4.3.0 try again", True),
    "closing": ("rcpt", "421 4.3.2 closing", True),
    "silent-before": ("text", "silence", True),
    "reset-before": ("text", "reset", True),
    "refused": ("dot", "554 5.7.1 not wanted", False),
    "full": ("dot", "452 4.2.2 full", True),
    "silent-lost": ("dot", "silence", True),
    "reset-lost": ("dot", "reset", True),
    "late": ("taken", "wait 1.5", False),
    "too-late": ("taken", "wait 20", False),
    "silent-after": ("taken", "silence", False),
    "reset-after": ("taken", "reset", False),
}
SILENCE_S = 3600.0


class SinkServer(SMTP):
    """SMTP that can fall silent before it asks for a mail's text."""

    async def smtp_DATA(self, arg: str) -> None:
        sink: SmtpSink = self.event_handler
        await sink.pause(sink.hang_before_data)
        for recipient in self.envelope.rcpt_tos:
            await sink.treat(recipient, "text", self)
        await super().smtp_DATA(arg)


class SmtpSink:
    """Collects mails. The attributes below may be changed at any time.

    messages:          every mail taken, parsed, in order
    envelopes:         their SMTP envelopes: sender, recipients, bytes
    refuse:            recipient -> reply such as "550 5.1.1 unknown", or None to take it
    reply:             the answer after the final dot; one that does not start with 2 means the mail is not taken
    delay_s:           seconds between the final dot and the answer; the mail counts as taken already
    hang_before_data:  fall silent before the text: the mail has not arrived
    hang_after_dot:    fall silent after the final dot: the mail is taken, the client never hears of it
    drop_after_dot:    like hang_after_dot, but close the connection
    moods:             whether addresses say how their mails are treated (MOODS)
    hang_up_after:     so many mails on one connection, at the next MAIL it is broken; 0: never
    """

    def __init__(self, port: int = 0, log: Path | None = None) -> None:
        self.messages: list[EmailMessage] = []
        self.envelopes: list[Envelope] = []
        self.refuse: Callable[[str], str | None] = lambda recipient: None
        self.reply = "250 OK"
        self.delay_s = 0.0
        self.hang_before_data = False
        self.hang_after_dot = False
        self.drop_after_dot = False
        self.moods = False
        self.hang_up_after = 0
        self.log = log
        self._treated: set[str] = set()
        self._controller = _Controller(self, hostname="127.0.0.1", port=port)

    def start(self) -> "SmtpSink":
        self._controller.start()
        return self

    def stop(self) -> None:
        self.hang_before_data = self.hang_after_dot = False
        self._controller.stop()

    @property
    def port(self) -> int:
        return self._controller.port

    @property
    def url(self) -> str:
        """As EMAIL_URL wants it."""
        return f"smtp://127.0.0.1:{self.port}"

    def to(self, recipient: str) -> list[EmailMessage]:
        """The mails taken for one address."""
        pairs = zip(self.messages, self.envelopes, strict=True)
        return [message for message, envelope in pairs if recipient in envelope.rcpt_tos]

    def delivery_ids(self) -> list[str]:
        return [str(message["X-Delivery-ID"]) for message in self.messages]

    def wait_for(self, count: int, seconds: float = 10) -> list[EmailMessage]:
        """The mails, once there are `count`. Raises AssertionError if there are fewer after `seconds`."""
        end = time.monotonic() + seconds
        while len(self.messages) < count:
            assert time.monotonic() < end, f"{len(self.messages)} mails after {seconds} s, expected {count}"
            time.sleep(0.02)
        return self.messages

    def clear(self) -> None:
        self.messages.clear()
        self.envelopes.clear()

    # What aiosmtpd calls

    async def pause(self, while_true: bool) -> None:
        while while_true and (self.hang_before_data or self.hang_after_dot):
            await asyncio.sleep(0.02)

    async def treat(self, recipient: str, when: str, server: SMTP) -> str:
        """Treat a mail as its address asks for at this moment. Returns an answer to give instead of the usual one."""
        at, what, once = MOODS.get(recipient.partition(".")[0], ("", "", False))
        if not self.moods or at != when or (once and recipient in self._treated):
            return ""
        self._treated.add(recipient)
        if what[0].isdigit():
            return what
        if what == "reset":
            server.transport.abort()
        await asyncio.sleep(float(what.partition(" ")[2] or SILENCE_S))  # until the client hangs up
        return ""

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.hang_up_after and getattr(session, "mails", 0) >= self.hang_up_after:
            server.transport.abort()
            await asyncio.sleep(SILENCE_S)
        envelope.mail_from, envelope.mail_at = address, time.time()
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := self.refuse(address) or await self.treat(address, "rcpt", server):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if not self.reply.startswith("2"):
            return self.reply
        if refusal := await self.treat(envelope.rcpt_tos[0], "dot", server):
            return refusal
        self.take(envelope)
        session.mails = getattr(session, "mails", 0) + 1
        await self.treat(envelope.rcpt_tos[0], "taken", server)
        await asyncio.sleep(self.delay_s)
        if self.drop_after_dot:
            server.transport.abort()
        await self.pause(self.hang_after_dot)
        return self.reply

    def take(self, envelope: Envelope) -> None:
        content = envelope.original_content or b""
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        self.envelopes.append(envelope)
        if self.log:
            line: dict[str, Any] = {
                "at": time.time(),
                "mail_at": getattr(envelope, "mail_at", 0.0),
                "delivery_id": message["X-Delivery-ID"],
                "message_id": message["Message-ID"],
                "to": envelope.rcpt_tos,
                "subject": message["Subject"],
            }
            with self.log.open("a") as file:
                file.write(json.dumps(line) + "\n")
                file.flush()
                os.fsync(file.fileno())


class _Controller(Controller):
    def factory(self) -> SMTP:
        return SinkServer(self.handler, hostname="sink.test", enable_SMTPUTF8=True)

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # the one chosen where port 0 was asked for
        super()._trigger_server()


def main() -> None:
    parser = argparse.ArgumentParser(description="A mail server that keeps what it gets.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds between final dot and answer")
    parser.add_argument("--moods", action="store_true", help="addresses say how their mails are treated")
    parser.add_argument("--hang-up-after", type=int, default=0, help="mails on one connection before it is broken")
    chosen = parser.parse_args()
    sink = SmtpSink(chosen.port, chosen.log)
    sink.delay_s, sink.moods, sink.hang_up_after = chosen.delay, chosen.moods, chosen.hang_up_after
    sink.start()
    print(sink.port, flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    sink.stop()


if __name__ == "__main__":
    main()
