"""One door before services apart: nginx, which sends `/live` to the origins in turn and everything else to control, so
that the console's player, which fetches from its own page's host alone, finds the media.

Neighbours: a cluster has an ingress for it; `nginx` is the CDN of the tests.
"""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.nginx import NGINX
from tests.support.stack import Process

# The second control is asked where the first is away: a login is known to one of them.
CONFIG = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path body; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  proxy_temp_path temp;
  upstream origins {{ {origins} }}
  upstream controls {{ {controls} }}
  server {{
    listen 127.0.0.1:{port};
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_buffering off;
    proxy_read_timeout 30s;
    location / {{ proxy_pass http://controls; }}
    location /live/ {{ proxy_pass http://origins; }}
  }}
}}
"""


def open_door(folder: Path, port: int, controls: Sequence[str], origins: Sequence[str]) -> Process:
    """A running nginx at `port` of loopback. It dies with this process."""
    places = [[f"server {urlsplit(url).netloc}" for url in urls] for urls in (controls, origins)]
    first, *others = places[0]
    config = CONFIG.format(
        port=port,
        controls=" ".join([f"{first};", *(f"{other} backup;" for other in others)]),
        origins=" ".join(f"{place};" for place in places[1]),
    )
    (folder / "nginx.conf").write_text(config)
    command = [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    return Process(["setpriv", "--pdeathsig", "TERM", *command])
