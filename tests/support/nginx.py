"""nginx as a CDN in front of an origin, or of several: it caches by the whole address, asks once for what many want,
and writes down what it did. It needs no privileges and nothing outside its own folder.

What real CDNs do and nginx does not: it sends no Age, so it passes the origin's Date on. And a request that waits for
one that is under way looks for its answer only twice a second, or when it has waited for as long as it may: so it may
for a tenth of a second. What is held for longer, a reload or a hinted part, is then asked of the origin by each.
"""

import getpass
import json
import os
import re
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.stack import Process, eventually

NGINX = "/usr/sbin/nginx"
START_S = 5.0
CONFIG = """
daemon off;
{user}
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
  client_body_temp_path body; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  proxy_temp_path temp;
  proxy_cache_path cache levels=1:2 keys_zone=live:8m max_size=512m inactive=2m use_temp_path=off;
  log_format seen escape=json '{{"uri":"$request_uri","status":$status,"cache":"$upstream_cache_status",'
    '"took_s":$request_time,"at_s":$msec}}';
  access_log access.log seen;
  tcp_nodelay on;
  keepalive_timeout 75s;
  keepalive_requests 100000;
  upstream origin {{ {servers} keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} backlog=511;
    location / {{
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host {origin};
      proxy_read_timeout 30s;
      proxy_cache {cache};
      proxy_cache_key $uri$is_args$args;
      proxy_cache_lock on;
      proxy_cache_lock_timeout {lock_timeout};
      proxy_cache_lock_age 30s;
      proxy_pass_header Date;
      add_header X-Cache $upstream_cache_status always;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A request. `cache` is nginx's word: HIT, MISS, EXPIRED, or "" where the origin was not to be asked."""

    uri: str
    status: int
    cache: str
    took_s: float
    at_s: float

    @property
    def part(self) -> bool:
        """Whether it was for a part."""
        return re.search(r"/\d+\.\d+-\w+\.m4s$", urlsplit(self.uri).path) is not None


class Nginx(Process):
    """A running nginx. `url` leads to the origin, or to each of several in turn, through its cache if it has one."""

    def __init__(self, folder: Path, *origin_urls: str, lock_timeout: str = "100ms", cache: bool = True) -> None:
        port = _free_port()
        # Started by root it would give its rights up for those of `nobody`, who may not write here.
        user = f"user {getpass.getuser()};" if getpass.getuser() == "root" else ""
        origins = [urlsplit(url).netloc for url in origin_urls]
        config = CONFIG.format(
            user=user,
            port=port,
            origin=origins[0],
            servers=" ".join(f"server {origin};" for origin in origins),
            cache="live" if cache else "off",
            lock_timeout=lock_timeout,
        )
        (folder / "nginx.conf").write_text(config)
        self._log = folder / "access.log"
        super().__init__([NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"])
        self.url = f"http://127.0.0.1:{port}"
        try:
            eventually("nginx's port", lambda: self.running and _listens(port), START_S)
        except BaseException as error:
            error.add_note(self.output)
            self.kill()
            raise

    def __enter__(self) -> "Nginx":
        return self

    def kill(self) -> None:
        """End its whole group: nginx writes over its environment, and with it the mark."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        super().kill()

    def behind(self, url: str) -> str:
        """The address at which this nginx serves what the origin has at `url`."""
        return self.url + urlsplit(url).path

    def requests(self) -> list[Seen]:
        """All that were answered so far."""
        rows = [json.loads(line) for line in self._log.read_text().splitlines()]
        return [Seen(row["uri"], row["status"], row["cache"], row["took_s"], row["at_s"]) for row in rows]


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
