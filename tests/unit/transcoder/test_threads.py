"""Boxes between threads."""

import threading

from headrace.transcoder.worker.threads import Box


def test_a_full_box_holds_its_sender_until_there_is_room() -> None:
    box: Box[str] = Box(10)
    box.put("a", 6)
    entered = threading.Event()

    def send() -> None:
        box.put("b", 6)
        entered.set()

    sender = threading.Thread(target=send)
    sender.start()
    assert not entered.wait(0.05)
    assert box.get() == "a"
    assert entered.wait(5)
    sender.join()
    assert box.get() == "b"


def test_what_has_no_size_never_waits_and_what_is_too_large_passes_alone() -> None:
    box: Box[int] = Box(10)
    box.put(1, 25)
    box.put(2, 0)
    assert [box.get(), box.get()] == [1, 2]
    box.put(3, 10)
    assert box.get() == 3
