"""An HTTPS server for tests: on a free port of 127.0.0.1, it prints each request as a line of JSON.

The first line of output is the port. It ends when its standard input does. A path decides the answer: /status/N,
/large/BYTES, /redirect (to /status/200), /silence (none); anything else is 200 and "taken".
"""
import argparse
import json
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

from sink import Server, serve, tell, tls_context


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        tell(json.dumps({"method": self.command, "path": self.path, "body": body.decode(), "from": self.client_address[1],
                         "headers": {name.lower(): value for name, value in self.headers.items()}}))
        kind, _, argument = self.path.lstrip("/").partition("/")
        if kind == "silence":
            threading.Event().wait()
        reply = b"x" * int(argument) if kind == "large" else b"taken"
        self.send_response(302 if kind == "redirect" else int(argument) if kind == "status" else 200)
        if kind == "redirect":
            self.send_header("location", "/status/200")
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="where certificate.pem is put")
    options = parser.parse_args()
    with Server(("127.0.0.1", options.port), Handler) as server:
        server.socket = tls_context(options.folder).wrap_socket(server.socket, server_side=True)
        serve(server)


main()
