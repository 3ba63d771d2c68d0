"""The peer of `bench-edge`: nginx with its RTMP module, which pushes to a second nginx. One worker each."""

import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.support.stack import eventually

MODULE = "/usr/lib/nginx/modules/ngx_rtmp_module.so"
NGINX = "/usr/sbin/nginx"
CONFIG = """
load_module {module};
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr error;
events {{ worker_connections 1024; }}
rtmp {{
    access_log off; chunk_size 4096;
    server {{ listen 127.0.0.1:{rtmp}; application live {{ live on; {push} }} }}
}}
http {{
    access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{ listen 127.0.0.1:{http}; location / {{ rtmp_stat all; }} }}
}}
"""


class Nginx:
    """One nginx; `push_to` is the RTMP URL of another. `worker` is the process that does the work."""

    def __init__(self, folder: Path, push_to: str = "") -> None:
        folder.mkdir()
        rtmp, http = _free_port(), _free_port()
        push = f"push {push_to};" if push_to else ""
        config = folder / "nginx.conf"
        config.write_text(CONFIG.format(module=MODULE, folder=folder, rtmp=rtmp, http=http, push=push))
        self._master = subprocess.Popen([NGINX, "-p", str(folder), "-c", str(config)], stdout=sys.stderr)
        self.url = f"rtmp://127.0.0.1:{rtmp}/live"
        self._stat = f"http://127.0.0.1:{http}/"
        try:
            self.worker = eventually("nginx's worker", self._worker, 5)
        except BaseException:
            self._master.kill()
            raise

    def __enter__(self) -> "Nginx":
        return self

    def __exit__(self, *_: object) -> None:
        self._master.terminate()  # the worker goes with its master
        self._master.wait(10)

    def received_bytes(self) -> int:
        """All that it was sent, by its own count."""
        with urllib.request.urlopen(self._stat, timeout=5) as answer:
            found = re.search(rb"<bytes_in>(\d+)</bytes_in>", answer.read())
        assert found is not None
        return int(found[1])

    def _worker(self) -> int | None:
        pid = self._master.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else None


def version() -> str:
    """What the peer is."""
    said = subprocess.run([NGINX, "-v"], capture_output=True, text=True, check=True).stderr
    package = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-rtmp"], capture_output=True, text=True, check=False
    ).stdout
    return f"{said.split()[-1]} with libnginx-mod-rtmp {package or '(version unknown)'}, push to another nginx"


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
