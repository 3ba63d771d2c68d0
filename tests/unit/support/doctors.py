"""What can be wrong with a recording: each doctor makes it so."""

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urljoin

from headrace.core.cmaf import Sample, fragment
from tests.support.conformance.listing import read
from tests.support.recorder import Answer, Recording, Refresh, Rendition
from tests.unit.support.recorded import VIDEO, failure

Doctor = Callable[[Recording], None]
Change = Callable[[str], str]
MIDDLE = 12  # of the refreshes: the third part of a segment has just come
END = -1
TAIL = slice(MIDDLE, None)


def of(recording: Recording, name: str = VIDEO) -> Rendition:
    return next(each for each in recording.renditions.values() if each.name == name)


def rewritten(refresh: Refresh, change: Change) -> bool:
    """Whether the playlist is another one now."""
    text = change(before := refresh.answer.body.decode())
    refresh.answer = replace(refresh.answer, body=text.encode(), headers=refresh.answer.headers | {"etag": ""})
    refresh.listing = read(refresh.answer.body)
    return text != before


def text(old: str, new: str, *, at: slice = slice(None), name: str = VIDEO) -> Doctor:
    """Another text in some of a rendition's playlists."""
    return lines(lambda given: given.replace(old, new), at=at, name=name)


def lines(change: Change, *, at: slice = slice(None), name: str = VIDEO) -> Doctor:
    def doctor(recording: Recording) -> None:
        assert any([rewritten(refresh, change) for refresh in of(recording, name).refreshes[at]]), "nothing was done"

    return doctor


def everywhere(old: str, new: str) -> Doctor:
    """Another text in every playlist of every rendition."""

    def doctor(recording: Recording) -> None:
        for rendition in recording.renditions.values():
            shown = [each for each in rendition.probes.values() if each.answer.status == 200]
            done = [rewritten(each, lambda given: given.replace(old, new)) for each in rendition.refreshes + shown]
            assert any(done), "nothing was done"

    return doctor


def once(index: int, old: str, new: str) -> Doctor:
    return text(old, new, at=slice(index, index + 1 or None))


def without(start: str, index: int = MIDDLE, *, first: bool = False) -> Doctor:
    """A playlist without its lines (or its first line) that start so."""

    def change(given: str) -> str:
        kept = given.split("\n")
        for line in [line for line in kept if line.startswith(start)][: 1 if first else None]:
            kept.remove(line)
        return "\n".join(kept)

    return lines(change, at=slice(index, index + 1 or None))


def answered(index: int, **headers: str) -> Doctor:
    """Other headers with one playlist."""

    def doctor(recording: Recording) -> None:
        refresh = of(recording).refreshes[index]
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        refresh.answer = replace(refresh.answer, headers=refresh.answer.headers | given)

    return doctor


def probed(what: str, change: Callable[[Answer], Answer]) -> Doctor:
    def doctor(recording: Recording) -> None:
        probe = of(recording).probes[what]
        probe.answer = change(probe.answer)

    return doctor


def status(code: int) -> Callable[[Answer], Answer]:
    return lambda answer: replace(answer, status=code)


def late(seconds: float) -> Callable[[Answer], Answer]:
    return lambda answer: replace(answer, first_byte_s=answer.first_byte_s + seconds, done_s=answer.done_s + seconds)


def delayed(seconds: float, at: slice, name: str = VIDEO) -> Doctor:
    """Playlists that come later than they should."""

    def doctor(recording: Recording) -> None:
        for refresh in of(recording, name).refreshes[at]:
            refresh.answer = late(seconds)(refresh.answer)

    return doctor


def resource(uri: str, change: Callable[[Answer], Answer], name: str = VIDEO) -> Doctor:
    """Another answer for the first resource whose name starts with `uri`."""

    def doctor(recording: Recording) -> None:
        rendition = of(recording, name)
        for kept in (rendition.resources, rendition.hinted):
            for url, answer in kept.items():
                if url.startswith(urljoin(rendition.url, uri)):
                    kept[url] = change(answer)

    return doctor


def body(change: Callable[[bytes], bytes]) -> Callable[[Answer], Answer]:
    def changed(answer: Answer) -> Answer:
        made = change(answer.body)
        return replace(answer, body=made, headers=answer.headers | {"content-length": str(len(made))})

    return changed


def other_media(make: Callable[[int], bytes]) -> Doctor:
    """Segment 13 of the video made of other parts, alike in the parts and in the segment."""

    def doctor(recording: Recording) -> None:
        made = [make(part) for part in range(6)]
        for number, part in enumerate(made):
            resource(f"13.{number}-", body(lambda _, part=part: part))(recording)  # type: ignore[misc]
        resource("13-", body(lambda _: b"".join(made)))(recording)

    return doctor


def part_of_13(part: int, **other: int) -> bytes:
    """The video's own, or with other numbers: `shift` of its decode time, `sync` for which sample, `flags`."""
    samples = [Sample(b"picture", 3000, 0, (part, n) == (0, 0) and not other.get("never")) for n in range(10)]
    return fragment(100 + part, 900_000 + 13 * 180_000 + part * 30_000 + other.get("shift", 0), samples)


def dropped_report(recording: Recording) -> None:
    rendition = of(recording)
    rewritten(rendition.refreshes[MIDDLE], lambda t: "\n".join(x for x in t.split("\n") if "REPORT" not in x))


def stale_report(recording: Recording) -> None:
    rendition = of(recording)
    at = rendition.refreshes[MIDDLE]
    rewritten(
        at,
        lambda t: t.replace("LAST-MSN=13,LAST-PART=0", "LAST-MSN=12,LAST-PART=4").replace(
            "LAST-MSN=12,LAST-PART=5", "LAST-MSN=11,LAST-PART=5"
        ),
    )


def hint_refused(code: int) -> Doctor:
    return resource("13.2-", lambda answer: replace(failure(answer.url, answer.done_s, code)))


def dribbled(recording: Recording) -> None:
    rendition = of(recording)
    for url, answer in rendition.hinted.items():
        rendition.hinted[url] = replace(answer, done_s=answer.first_byte_s + 0.3)


def abandoned(code: int) -> Doctor:
    """One part came from another encoder than was hinted at, and the hint was answered with `code`."""

    def doctor(recording: Recording) -> None:
        rendition = of(recording)
        text("13.2-e1.m4s", "13.2-e2.m4s", at=slice(MIDDLE + 3, None))(recording)
        hinted, came = (urljoin(rendition.url, f"13.2-{encoder}.m4s") for encoder in ("e1", "e2"))
        rendition.resources[came] = replace(rendition.resources.pop(hinted), url=came)
        rendition.hinted[hinted] = replace(rendition.hinted[hinted], status=code)

    return doctor


def two_bodies(recording: Recording) -> None:
    one, other = (of(recording).refreshes[index] for index in (MIDDLE, MIDDLE + 1))
    other.answer = replace(other.answer, headers=other.answer.headers | {"etag": one.answer.headers["etag"]})


def never_ended(recording: Recording) -> None:
    for rendition in recording.renditions.values():
        del rendition.refreshes[END]


def not_reloaded(recording: Recording) -> None:
    at = of(recording).refreshes
    at[MIDDLE].answer, at[MIDDLE].listing = at[MIDDLE - 1].answer, at[MIDDLE - 1].listing


def refused(recording: Recording) -> None:
    at = of(recording).refreshes[MIDDLE]
    at.answer = replace(at.answer, status=503)


def gone(index: int) -> Doctor:
    def doctor(recording: Recording) -> None:
        of(recording).kept[index] = replace(of(recording).kept[index], status=404)

    return doctor


def master(old: str, new: str) -> Doctor:
    def doctor(recording: Recording) -> None:
        recording.multivariant = replace(
            recording.multivariant, body=recording.multivariant.body.replace(old.encode(), new.encode())
        )

    return doctor


def variant(**attributes: str | None) -> Doctor:
    def doctor(recording: Recording) -> None:
        (given,) = recording.variants.values()
        for name, value in attributes.items():
            name = name.replace("_", "-")
            if value is None:
                given.pop(name)
            else:
                given[name] = value

    return doctor


def slower(by_s: float, *, every: int) -> Doctor:
    """Each `every` refreshes are later than the ones before."""

    def doctor(recording: Recording) -> None:
        for number in range(every, len(of(recording).refreshes), every):
            delayed(by_s, slice(number, None))(recording)

    return doctor


def bursts(recording: Recording) -> None:
    """Every fifth refresh is late, so that the next ones come with it."""
    for number in range(0, len(of(recording).refreshes), 5):
        delayed(1.2, slice(number, number + 1))(recording)


def short_part(recording: Recording) -> None:
    """One part lasts a fifth of a second, in all renditions."""
    everywhere('0.33334,URI="12.1-', '0.20000,URI="12.1-')(recording)
