"""nginx: the backend of all, a service that permits everything, and a contender."""

import os
import pathlib

from demolib.guard import Guard
from demolib.places import any_free_port

from .processes import Process, until

SIZES = {"small": 1 << 10, "large": 64 << 10}

FRAME = """\
daemon off;
worker_processes 1;
pid {directory}/pid;
error_log stderr warn;
{user}
events {{ worker_connections 8192; }}
http {{
    access_log off;
    default_type application/octet-stream;
    keepalive_requests 1000000000;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
{body}
}}
"""

FILES = """\
    sendfile on;
    open_file_cache max=10;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        root {directory};
        location / {{ rewrite /(small|large)$ /$1 break; }}
        location = /ready {{ return 200; }}
    }}
"""

PERMITS = """\
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ return 204; }}
        location = /ready {{ return 200; }}
    }}
"""

# nginx 1.22 speaks HTTP/2 in cleartext at an address of its own only.
PROXY = """\
    upstream backend {{ server {backend}; keepalive 64; keepalive_requests 1000000000; }}
    {service}
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        listen 127.0.0.1:{http2} http2 backlog=4096;
        location = /ready {{ return 200; }}
        {location}
        location / {{
            {asks}
            proxy_pass http://backend;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_max_temp_file_size 0;
            proxy_set_header X-Forwarded-For $remote_addr;
        }}
    }}
"""

SERVICE = """\
upstream service {{ server {service}; keepalive 64; keepalive_requests 1000000000; }}
"""

LOCATION = """\
        location = /auth {
            internal;
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
            proxy_set_header X-Original-URI $request_uri;
        }
"""


class Nginx:
    """One nginx with one worker."""

    def __init__(self, name: str, directory: pathlib.Path, guard: Guard, body: str, **places) -> None:
        self.port, self.http2 = any_free_port(), any_free_port()
        directory.mkdir()
        directory.chmod(0o755)
        for file, size in SIZES.items():
            (directory / file).write_bytes(b"x" * size)
        places |= {"port": self.port, "http2": self.http2, "directory": directory}
        # Debian's compiled-in user for the workers of root may not enter everywhere.
        user = "user root;" if os.geteuid() == 0 else ""
        text = FRAME.format(directory=directory, user=user, body=body.format(**places))
        (directory / "nginx.conf").write_text(text)
        command = ["nginx", "-p", directory, "-c", directory / "nginx.conf", "-e", "stderr"]
        self.process = Process(name, command, directory / "log", guard)
        until(self.process, f"http://127.0.0.1:{self.port}/ready")

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


def backend(directory: pathlib.Path, guard: Guard) -> Nginx:
    """What all proxies stand before: two files."""
    return Nginx("the backend", directory, guard, FILES)


def permits(directory: pathlib.Path, guard: Guard) -> Nginx:
    """The cheapest authorization service there is: it looks at nothing and permits all."""
    return Nginx("the service that permits", directory, guard, PERMITS)


def proxy(directory: pathlib.Path, guard: Guard, backend_at: str) -> Nginx:
    """`proxy_pass`."""
    places = {"backend": backend_at, "service": "", "location": "", "asks": ""}
    return Nginx("nginx", directory, guard, PROXY, **places)


def auth_request(directory: pathlib.Path, guard: Guard, backend_at: str, service: str) -> Nginx:
    """`proxy_pass` behind `auth_request`."""
    places = {
        "backend": backend_at,
        "service": SERVICE.format(service=service),
        "location": LOCATION,
        "asks": "auth_request /auth;",
    }
    return Nginx("nginx with auth_request", directory, guard, PROXY, **places)
