"""`python -m … URL TEXT`: publishes to one subscriber with redis-py in a loop; CPU microseconds of one publish."""

from __future__ import annotations

import sys
import time

from redis import Redis

TOPIC, TIMES = "plain", 10_000


def main(url: str, text: str) -> float:
    publisher, subscriber = Redis.from_url(url), Redis.from_url(url)
    with subscriber.pubsub() as listening:
        listening.subscribe(TOPIC)
        listening.get_message(timeout=5)
        used = 0.0
        for _each in range(TIMES):
            before = time.process_time()
            assert publisher.publish(TOPIC, text) == 1
            used += time.process_time() - before
            listening.get_message(timeout=5)
    publisher.close()
    subscriber.close()
    return used / TIMES * 1e6


if __name__ == "__main__":
    print(main(sys.argv[1], sys.argv[2]))
