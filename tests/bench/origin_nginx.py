"""The peer of `bench-origin`: nginx that serves files, one worker, set up as one does for many small ones."""

import getpass
import signal
import socket
import subprocess
from pathlib import Path

from tests.support.stack import Process, eventually

NGINX = "/usr/sbin/nginx"
CONFIG = """
{user}
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr error;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000;
    open_file_cache max=1000; open_file_cache_valid 60s;
    client_body_temp_path {folder}/t; proxy_temp_path {folder}/t; fastcgi_temp_path {folder}/t;
    uwsgi_temp_path {folder}/t; scgi_temp_path {folder}/t;
    types {{ application/vnd.apple.mpegurl m3u8; video/mp4 m4s; }}
    server {{ listen 127.0.0.1:{port}; root {folder}; add_header Access-Control-Allow-Origin *; expires 1s; }}
}}
"""


class Nginx(Process):
    """A running nginx that serves `folder`, started by `command` with more words before it."""

    def __init__(self, folder: Path, *before: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        # Started by root it would give its rights up for those of `nobody`, who may not read here.
        user = f"user {getpass.getuser()};" if getpass.getuser() == "root" else ""
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(user=user, folder=folder, port=port))
        super().__init__([*before, NGINX, "-p", str(folder), "-c", str(config), "-e", "stderr"])
        self.url = f"http://127.0.0.1:{port}"
        self.worker = eventually("nginx's worker", self._worker, 5)

    def kill(self) -> None:
        """As its base; nginx writes its title over the environment, where the mark was, so it is told to go."""
        if self.running:
            self.signal(signal.SIGTERM)
        super().kill()

    def _worker(self) -> int | None:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return int(children[0]) if children else None


def version() -> str:
    """Its name and version."""
    said = subprocess.run([NGINX, "-v"], capture_output=True, text=True, check=True).stderr
    return said.partition("nginx version: ")[2].strip()
