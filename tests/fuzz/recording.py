"""What real encoders say: a server that takes every publisher, and encoders that publish to it.

Law: on loopback, on a port of the system's choice, and with a bound to every wait. Neighbours: `seeds` keeps what came.
"""

import multiprocessing
import socket
import subprocess
import threading

import av
import numpy as np

from headrace.core import rtmp
from headrace.core.amf import encode_values
from tests.fuzz.laws.publish import AUDIO, METADATA, VIDEO
from tests.fuzz.laws.rtmp import RANDOM

WITHIN_S = 30


class Recorder:
    """A server that takes every publisher, and writes down what comes."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.heard, self.said = bytearray(), bytearray()
        self.messages: list[tuple[int, int, bytes]] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until the publisher is gone."""
        self._thread.join(WITHIN_S)
        self._listening.close()

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        connection.settimeout(WITHIN_S)
        server = rtmp.ServerConnection(random=RANDOM)
        with connection:
            while data := connection.recv(4096):
                self.heard += data
                server.receive_data(data, 0)
                while (event := server.next_event()) is not None:
                    self._take(server, event)
                said = server.data_to_send()
                self.said += said
                connection.sendall(said)

    def _take(self, server: rtmp.ServerConnection, event: rtmp.ServerEvent) -> None:
        match event:
            case rtmp.ConnectRequested(id=request_id) | rtmp.PublishRequested(id=request_id):
                server.accept(request_id)
            case rtmp.VideoReceived(timestamp=at, data=data):
                self.messages.append((VIDEO, at, data))
            case rtmp.AudioReceived(timestamp=at, data=data):
                self.messages.append((AUDIO, at, data))
            case rtmp.MetadataReceived(timestamp=at, values=values):
                self.messages.append((METADATA, at, encode_values(dict(values))))


def by_ffmpeg(url: str) -> None:
    """Debian's ffmpeg."""
    command = (
        f"ffmpeg -v error -f lavfi -i testsrc=s=64x48:r=10 -f lavfi -i sine=r=44100 -t 1 "
        f"-c:v libx264 -preset ultrafast -g 5 -pix_fmt yuv420p -c:a aac -b:a 32k -f flv {url}"
    )
    subprocess.run(command.split(), check=True, timeout=WITHIN_S)


def by_pyav(url: str) -> None:
    """FFmpeg's libraries by PyAV, in a process of its own: it connects without letting others run."""
    publishing = multiprocessing.get_context("spawn").Process(target=_publish_by_pyav, args=(url,))
    publishing.start()
    publishing.join(WITHIN_S)


def _publish_by_pyav(url: str) -> None:
    with av.open(url, "w", format="flv", timeout=WITHIN_S) as container:
        video = container.add_stream("libx264", rate=10, options={"preset": "ultrafast", "bf": "2"})
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        for number in range(8):
            picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), number * 9, np.uint8), format="rgb24")
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
