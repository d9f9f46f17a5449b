"""The same pages with few boxes and with many: what a caller waits for must not grow with the registry."""

import http.client
import json
import queue
import statistics
import threading
import time

from boxvault import OWNER, PASSWORD
from harness import BenchError

SYSTEMS = ["debian", "ubuntu", "alpine", "fedora", "rocky", "arch", "windows", "freebsd"]
USES = ["server", "desktop", "kubernetes", "docker", "builder"]
BOXES_EACH = 50
WRITERS = 8
ROUNDS = 60

# What is asked for. The words of every box are those of its number, so that `debian` is common and `box00042` is not.
PAGES = {
    "list of organizations": "/api/organization",
    "boxes of an organization": "/api/organization/scale-0/box",
    "discover": "/api/discover",
    "discover, most downloaded": "/api/discover?sort=downloads&order=desc",
    "search for a common word": "/api/discover?q=debian",
    "search for two words": "/api/discover?q=debian+docker",
    "search for one box": "/api/discover?q=box00042",
    "search that finds nothing": "/api/discover?q=nowhere",
    "a box": "/api/organization/scale-0/box/debian-server-box00000",
}


class Connection:
    """One connection that stays open."""

    def __init__(self, server):
        self.connection = http.client.HTTPConnection(server.http, timeout=60)
        self.headers = {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Authorization": f"Bearer {server.token}",
        }

    def request(self, method, path, body=None):
        text = None if body is None else json.dumps(body)
        self.connection.request(method, path, text, self.headers)
        answer = self.connection.getresponse()
        content = answer.read()
        if answer.status not in (200, 201):
            raise BenchError(f"{method} {path} answered {answer.status}: {content[:300]}")
        return content


def fill(server, boxes):
    """Makes that many public boxes, fifty in each organization; few of them so that every page is full all the same."""
    organizations = queue.SimpleQueue()
    if boxes <= 2 * BOXES_EACH:
        organizations.put((0, range(BOXES_EACH)))
        for box in range(BOXES_EACH, boxes):
            organizations.put((box, range(box, box + 1)))
    else:
        for first in range(0, boxes, BOXES_EACH):
            organizations.put((first // BOXES_EACH, range(first, min(boxes, first + BOXES_EACH))))
    problems = []

    def work():
        try:
            connection = Connection(server)
            while not problems:
                fill_organization(connection, *organizations.get_nowait())
        except queue.Empty:
            return
        except (BenchError, OSError, http.client.HTTPException) as error:
            problems.append(error)

    writers = [threading.Thread(target=work) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    if problems:
        raise BenchError(f"could not make {boxes} boxes: {problems[0]}")


def fill_organization(connection, number, boxes):
    name = f"scale-{number}"
    connection.request("POST", "/api/organization", {"name": name})
    for box in boxes:
        system, use = SYSTEMS[box % len(SYSTEMS)], USES[box // len(SYSTEMS) % len(USES)]
        body = {
            "name": f"{system}-{use}-box{box:05}",
            "isPublic": True,
            "shortDescription": f"{system} for {use}s, image {box}",
        }
        connection.request("POST", f"/api/organization/{name}/box", body)


def milliseconds(server):
    """The median time of each page, each asked for again and again on one connection, and of a sign-in."""
    connection = Connection(server)
    times = {name: median_of(connection, "GET", path) for name, path in PAGES.items()}
    owner = {"username": OWNER, "password": PASSWORD}
    return times | {"a sign-in": median_of(connection, "POST", "/api/auth/signin", owner)}


def median_of(connection, method, path, body=None):
    samples = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        connection.request(method, path, body)
        samples.append((time.perf_counter() - began) * 1000)
    return statistics.median(samples)
