"""An SMTP server for tests: takes mail on a free port of 127.0.0.1 and prints each one as a line of JSON.

The first line of output is the port. It ends when its standard input does. A recipient decides what happens to its mail:
refuse…@ is refused for ever, busy…@ is refused for now, and taken from the third try on.
"""
import argparse
import json
import socketserver
import ssl
from base64 import b64decode
from email import message_from_bytes, policy
from pathlib import Path

from sink import Server, lock, serve, tell, tls_context

tries = {}
options = argparse.Namespace()


class Session(socketserver.StreamRequestHandler):
    def setup(self):
        if options.tls == "implicit":
            self.request = options.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def reply(self, *lines):
        for line in lines:
            self.wfile.write(line.encode() + b"\r\n")

    def start_tls(self):
        self.reply("220 go on")
        self.request = options.context.wrap_socket(self.request, server_side=True)
        super().setup()

    def greet(self):
        offered = ["250-sink"]
        encrypted = isinstance(self.request, ssl.SSLSocket)
        if options.tls == "starttls" and not encrypted:
            offered.append("250-STARTTLS")
        if options.user:
            offered.append("250-AUTH PLAIN")
        self.reply(*offered, "250 8BITMIME")

    def authenticate(self, words):
        given = b64decode(words[1]) if len(words) > 1 else b64decode(self.ask("334 "))
        right = f"\0{options.user}\0{options.password}".encode()
        self.user = options.user if given == right else ""
        self.reply("235 welcome" if self.user else "535 who are you?")

    def ask(self, line):
        self.reply(line)
        return self.rfile.readline().strip()

    def recipient(self, address):
        with lock:
            tries[address] = tries.get(address, 0) + 1
        if address.startswith("refuse"):
            return self.reply("550 nobody here")
        if address.startswith("busy") and tries[address] < 3:
            return self.reply("451 come back later")
        self.to.append(address)
        return self.reply("250 ok")

    def data(self):
        self.reply("354 go on")
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b".") else line)
        message = message_from_bytes(b"".join(lines), policy=policy.default)
        body = message.get_body(("plain",))
        tell(json.dumps({
            "from": self.sender, "to": self.to, "user": self.user,
            "tls": self.request.version() if isinstance(self.request, ssl.SSLSocket) else "",
            "headers": {name.lower(): str(value) for name, value in message.items()},
            "text": body.get_content().replace("\r\n", "\n"),
        }))
        self.reply("250 taken")

    def handle(self):
        self.user, self.sender, self.to = "", "", []
        self.reply("220 sink")
        while line := self.rfile.readline():
            words = line.decode().split()
            verb = words[0].upper() if words else ""
            if verb == "EHLO":
                self.greet()
            elif verb == "STARTTLS" and options.tls == "starttls":
                self.start_tls()
            elif verb == "AUTH":
                self.authenticate(words[1:])
            elif verb == "MAIL" and options.user and not self.user:
                self.reply("530 authenticate first")
            elif verb == "MAIL":
                self.sender, self.to = line.decode().split("<")[1].split(">")[0], []
                self.reply("250 ok")
            elif verb == "RCPT":
                self.recipient(line.decode().split("<")[1].split(">")[0])
            elif verb == "DATA":
                self.data()
            elif verb == "QUIT":
                return self.reply("221 bye")
            else:
                self.reply("502 what?")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--tls", choices=["none", "starttls", "implicit"], default="none")
    parser.add_argument("--folder", type=Path, help="where certificate.pem is put")
    parser.add_argument("--user", default="")
    parser.add_argument("--password", default="")
    parser.parse_args(namespace=options)
    if options.tls != "none":
        options.context = tls_context(options.folder)
    with Server(("127.0.0.1", options.port), Session) as server:
        serve(server)


main()
