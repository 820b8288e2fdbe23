"""Contestant: dlt, the nearest peer with history, as its users would write it (scd2 merge)."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dlt
from dlt.sources.helpers import requests

url, page_size, database = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])


def call(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    answer: dict[str, Any] = requests.request(method, url + path, json=body).json()
    if answer["resultCode"] != 0:
        raise SystemExit(f"{method} {path}: {answer['resultMessage']}")
    return answer


@dlt.resource(name="person", write_disposition={"disposition": "merge", "strategy": "scd2"})
def people() -> Iterator[list[dict[str, Any]]]:
    login = {"tenant": "www.aisuru.com", "userName": "bench", "password": "bench"}
    token = call("POST", "/api/v2/Login", login)["token"]
    memori = call("GET", f"/api/v2/Memori/{token}")["memori"][0]
    giver = {"tag": memori["giverTag"], "pin": memori["giverPIN"]}
    opening = {"memoriID": memori["engineMemoriID"], **giver}
    session = call("POST", "/memori/v2/Session", opening)["sessionID"]
    start, count = 0, 1
    while start < count:
        page = call("GET", f"/memori/v2/People/{session}/{start}/{page_size}")
        yield page["people"]
        start, count = start + len(page["people"]), page["count"]
    call("DELETE", f"/memori/v2/Session/{session}")
    call("POST", f"/api/v2/Logout/{token}")


pipeline = dlt.pipeline(
    "people",
    pipelines_dir=str(database.with_suffix(".state")),
    destination=dlt.destinations.sqlalchemy(f"sqlite:///{database}"),
    dataset_name="main",
)
pipeline.run(people()).raise_on_failed_jobs()
