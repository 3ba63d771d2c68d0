"""Preload hints: one rule of RFC 8216bis each."""

from headrace.core.hls.listing import InitSection
from tests.support.folded import folded, read, text
from tests.support.runs import chained, init_of, parts_of, plan_of, whole_run


def test_the_uri_that_is_hinted_is_that_of_the_part_which_comes() -> None:
    """RFC 8216bis §4.4.5.3, Appendix B.1; across segments, and where a part is missing or the one before it lasts."""
    plan = plan_of()
    entries = parts_of(plan, "audio", 2, gaps=(1, 5), filled=(3,))
    entries += parts_of(plan, "audio", 3, gaps=(0,))
    model = folded(whole_run(plan, 2))
    for entry, entry_id in chained(entries):
        hint = read(model, "audio").hint
        assert hint == model.hint("audio")
        model.apply(entry, entry_id)
        assert read(model, "audio").parts[-1].uri == hint


def test_a_takeover_in_mid_segment_abandons_the_hint_for_an_independent_part_of_another_name() -> None:
    """RFC 8216bis §6.2.6: a hinted resource need not be published when plans change."""
    plan = plan_of()
    rung = plan.rung_names[0]
    entries = [*whole_run(plan, 2), *parts_of(plan, rung, 2, count=2)]
    before = read(folded(entries), rung)
    (taken,) = parts_of(plan, rung, 2, encoder="e2", independent=(2,), count=3)[2:]
    after = read(folded([*entries, taken]), rung)
    assert (before.hint, after.hint) == ("2.2-e1.m4s", "2.3-e2.m4s")
    assert (after.parts[-1].uri, after.parts[-1].independent) == ("2.2-e2.m4s", True)
    assert after.discontinuity_tags == 0
    assert after.parts[:-1] == before.parts


def test_where_everything_is_missing_there_is_a_hint_too_and_the_next_gap_has_its_uri() -> None:
    """RFC 8216bis Appendix B.1: a live playlist always has a hint."""
    plan = plan_of("passthrough")
    model = folded([*whole_run(plan, 2), *parts_of(plan, "audio", 2), *parts_of(plan, "audio", 3)])
    uris = []
    for entry, entry_id in chained(
        [e for msn in (2, 3) for e in parts_of(plan, "source", msn, gaps=(0, 1), of=2, count=2)]
    ):
        hint = read(model, "source").hint
        model.apply(entry, entry_id)
        assert read(model, "source").parts[-1].uri == hint
        uris.append(hint)
    # An encoder that has been silent for a whole segment is not waited for: nobody could name it who reads from here.
    assert uris == ["2.0-e1.m4s", "2.1-e1.m4s", "3.0-gap.m4s", "3.1-gap.m4s"]


def test_an_init_section_that_is_about_to_change_is_hinted_and_the_open_segment_keeps_its_own() -> None:
    """RFC 8216bis Appendix B.1: a hint of TYPE=MAP, once the next part is known to need it."""
    plan = plan_of()
    entries = [*whole_run(plan, 3), *parts_of(plan, "audio", 3, count=3)]
    before = folded(entries)
    new = init_of(plan, "audio", "other build")
    after = folded([*entries, new])
    assert read(before, "audio").init_hint == ""
    hinted = read(after, "audio").init_hint
    section = after.init("audio", hinted)
    assert isinstance(section, InitSection)
    assert section.data == new.data
    assert after.version > before.version
    assert read(after, "audio").open == read(before, "audio").open
    old = read(after, "audio").segments[-1].map
    assert after.init("audio", old) is not None
    assert text(after, "audio").count("TYPE=") == 2
    rest = parts_of(plan, "audio", 3)[3:] + parts_of(plan, "audio", 4, discontinuity=1, count=1)
    later = read(folded([*entries, new, *rest]), "audio")
    assert later.open is not None
    assert (later.segments[-1].map, later.open.map, later.init_hint) == (old, hinted, "")


def test_the_same_init_section_again_is_not_hinted() -> None:
    plan = plan_of()
    model = folded([*whole_run(plan, 3), init_of(plan, "audio")])
    assert read(model, "audio").init_hint == ""
    assert model.version == folded(whole_run(plan, 3)).version


def test_the_init_section_of_the_open_segment_can_be_had_though_it_is_neither_the_newest_nor_a_whole_segment_s() -> (
    None
):
    """RFC 8216bis §3.1.2: every part lies under a MAP that can be fetched."""
    plan = plan_of()
    entries = [*whole_run(plan, 3), init_of(plan, "audio", "second build")]
    entries += parts_of(plan, "audio", 3, discontinuity=1, count=1)
    model = folded([*entries, init_of(plan, "audio", "third build")])
    opened = read(model, "audio").open
    assert opened is not None
    assert model.init("audio", opened.map) is not None
