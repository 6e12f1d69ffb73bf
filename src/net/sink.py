"""What the servers of the tests share: they say their port, then what they are sent, a line each, and end with their
standard input."""
import socketserver
import ssl
import subprocess
import sys
import threading

lock = threading.Lock()


def tell(line):
    with lock:
        print(line, flush=True)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        print(f"session ended: {sys.exc_info()[1]}", file=sys.stderr, flush=True)


def serve(server):
    tell(server.server_address[1])
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()


def tls_context(folder):
    """Of a certificate for "localhost" that nobody but a test trusts; it is then in certificate.pem of the folder."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "1", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                    "-keyout", key, "-out", certificate], check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
