"""Log entries, folded and read back as a client reads them."""

from headrace.core.broadcast import Entry
from headrace.core.hls.playlist import RunModel
from headrace.core.hls.render import media_playlist
from tests.support.playlists import ReadPlaylist, read_playlist
from tests.support.runs import chained


def folded(entries: list[Entry]) -> RunModel:
    """The model after `entries`."""
    model = RunModel()
    for entry, entry_id in chained(entries):
        model.apply(entry, entry_id)
    return model


def text(model: RunModel, rung: str, query: str = "") -> str:
    """The rung's playlist, which must be there."""
    playlist = model.playlist(rung)
    assert playlist is not None
    return media_playlist(playlist, query)


def read(model: RunModel, rung: str) -> ReadPlaylist:
    """The rung's playlist as a client understands it."""
    return read_playlist(text(model, rung))
