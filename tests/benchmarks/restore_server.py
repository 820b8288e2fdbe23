"""The sandbox with an agent of some size, as a process of its own: every call takes its time.

It listens on loopback, writes its port to stdout and ends when its stdin does. `PUT
/control/lose/MS` loses all that can come back and makes every call from then on take so long;
`GET /control/calls` tells how many calls there were since.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from people import key_of

from sync.sandbox import Agent, Sandbox, World

_MEDIA = 5
"""Every so many memories have a medium."""


def teach(agent: Agent, objects: int) -> None:
    """Give an agent so many objects: half people, the rest memories and media, with refs."""
    people = objects // 2
    for number in range(people):
        key = key_of(number)
        person = {"personID": key, "personType": "Receiver", "name": f"Person {number}"}
        agent.people[key] = {**person, "pin": f"{number:06}", "tag": f"🧭{number}"}
    memories = (objects - people) * _MEDIA // (_MEDIA + 1)
    media = objects - people - memories
    for number in range(memories):
        key = key_of(people + number)
        agent.memories[key] = {
            "memoryID": key,
            "memoryType": "Question",
            "title": f"Question {number}",
            "answers": [{"text": f"Answer {number}"}],
            "receiverID": key_of(number) if number % 3 == 0 else None,
            "media": [
                {"mediumID": key_of(people + memories + number), "content": f"Text {number}"}
                | {"mimeType": "text/plain", "url": None, "title": "text", "properties": {}}
            ][: number < media],
        }


class Slow:
    """The sandbox's app with time between call and answer, and a way to steer it."""

    def __init__(self, app: Callable[..., Iterable[bytes]], agent: Agent) -> None:
        self._app, self._agent = app, agent
        self._latency_s = 0.0
        self._calls = count()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a call, later."""
        path = environ["PATH_INFO"]
        if not path.startswith("/control/"):
            next(self._calls)
            due = time.monotonic() + self._latency_s
            answer = self._app(environ, start)
            # What it takes to answer is a part of what a caller waits for.
            time.sleep(max(0.0, due - time.monotonic()))
            return answer
        body = b""
        if path.startswith("/control/lose/"):
            self._latency_s = float(path.rpartition("/")[2]) / 1000
            self._calls = count()
            people = self._agent.people
            self._agent.people = {
                key: each for key, each in people.items() if each["personType"] == "Giver"
            }
            self._agent.memories = {}
        else:
            body = str(next(self._calls)).encode()
        start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
        return [body]


def main() -> None:
    """Serve until nobody asks any more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=5000)
    world = World.empty()
    agent = world.add_agent("Guide")
    teach(agent, parser.parse_args().objects)
    world.account.user_name, world.account.password = "bench", "bench"
    with Sandbox(world, middleware=lambda app: Slow(app, agent)) as sandbox:
        sys.stdout.write(sandbox.url.rpartition(":")[2] + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
