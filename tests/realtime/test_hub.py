"""Fan-out without sockets: order, exclusion, what a late joiner gets, and the counts."""

from __future__ import annotations

from apps.realtime.counters import Counters
from apps.realtime.hub import MAX_WAITING, Hub, LiveChannel
from apps.realtime.protocol.frames import payloads_of
from apps.realtime.protocol.publications import Mark, Position, Publication, Topic


def channel(name: str = "news") -> LiveChannel:
    return Hub().open("1", name, b"topic", Counters())


def publication(number: int, *, excluded: str = "", kind: Topic = Topic.EVENT, sequence: int = 0) -> Publication:
    return Publication(Position("e", number), f"id{number}", excluded, kind, b"%d" % number, sequence)


def event(number: int, *, excluded: str = "") -> Publication:
    return Publication(Position("e", number), f"id{number}", excluded, Topic.EVENT, b'{"data":%d}' % number)


def join(live: LiveChannel, name: str, **options: object) -> list[bytes]:
    writes: list[bytes] = []
    live.wait(name)
    assert live.go_live(name, writes.append, **options)  # type: ignore[arg-type]
    return writes


def seen(writes: list[bytes]) -> list[bytes]:
    return [payload for wire in writes for payload in payloads_of(wire)]


def test_everybody_gets_the_same_bytes_in_one_write() -> None:
    live = channel()
    first, second = join(live, "a"), join(live, "b")
    live.deliver([publication(1), publication(2)])
    assert seen(first) == [b"1", b"2"]
    assert len(first) == 1
    assert first[0] is second[0]
    assert (live.counters.delivered, live.counters.bytes) == (4, 2 * len(first[0]))


def test_the_excluded_socket_gets_the_others_in_order() -> None:
    live = channel()
    sender, other = join(live, "a"), join(live, "b")
    live.deliver([publication(1), publication(2, excluded="a"), publication(3)])
    assert (seen(sender), seen(other)) == ([b"1", b"3"], [b"1", b"2", b"3"])
    assert live.counters.delivered == 5


def cut(wire: bytes) -> None:
    """What uvloop's transport does between the end of a connection and its removal from the channel."""
    raise RuntimeError("the handler is closed")


def test_a_peer_that_is_gone_costs_the_others_nothing() -> None:
    """The log's mark has moved when the writes begin, so nobody would ever look for what an error skipped."""
    live, heard = channel(), dict[str, list[bytes]]()
    writes = {"cut": cut, "plain": heard.setdefault("plain", []).append}
    positioned = {"cut too": cut, "asking": heard.setdefault("asking", []).append}
    live.stands_at(Mark(Position("e", 0)))
    for name, write in (writes | positioned).items():
        live.wait(name)
        if name in writes:
            live.go_live(name, write)
        else:
            live.go_live_from(name, write, Mark(Position("e", 0)))
    live.deliver([event(1), event(2)])
    live.deliver([event(3, excluded="cut too")])
    live.hold()
    live.start_over(Mark(Position("f", 0)))
    assert [b"messages_lost" in text for text in seen(heard["asking"])] == [False, False, False, True]
    assert len(seen(heard["plain"])) == 3


def test_what_arrives_during_the_subscription_follows_the_ack() -> None:
    live, writes = channel(), []
    live.wait("a")
    live.deliver([publication(1)])
    writes.append(b"\x81\x03ack")
    live.go_live("a", writes.append)
    live.deliver([publication(2)])
    assert seen(writes) == [b"ack", b"1", b"2"]


def test_what_the_cache_replayed_is_not_repeated() -> None:
    live, writes = channel("cache-a"), []
    live.wait("a")
    live.deliver([publication(1), publication(2), publication(3)])
    live.go_live("a", writes.append, seen="id2")
    assert seen(writes) == [b"3"]


def test_a_member_event_that_the_list_already_says_is_left_out() -> None:
    live = channel("presence-a")
    writes = join(live, "a", sequence=5)
    live.deliver([publication(number, kind=Topic.MEMBER, sequence=number) for number in (5, 6)])
    assert seen(writes) == [b"6"]
    assert live.counters.delivered == 0


def test_a_subscription_that_missed_too_much_does_not_go_live() -> None:
    live = channel()
    live.wait("a")
    for number in range(MAX_WAITING + 2):
        live.deliver([publication(number)])
    assert not live.go_live("a", lambda wire: None)
    assert live.count == 0


def test_a_channel_without_subscribers_closes() -> None:
    hub = Hub()
    live = hub.open("1", "news", b"topic", Counters())
    join(live, "a")
    assert not hub.close_if_empty(live)
    assert live.remove("a")
    assert hub.close_if_empty(live)
    assert hub.channels == {}
