"""Contestant: the script that one would write in an hour. Pages in turn, upsert, no history."""

import sqlite3
import sys

import requests

url, page_size, database = sys.argv[1], int(sys.argv[2]), sys.argv[3]
http = requests.Session()


def call(method, path, body=None):
    answer = http.request(method, url + path, json=body, timeout=60).json()
    if answer["resultCode"] != 0:
        raise SystemExit(f"{method} {path}: {answer['resultMessage']}")
    return answer


login = {"tenant": "www.aisuru.com", "userName": "bench", "password": "bench"}
token = call("POST", "/api/v2/Login", login)["token"]
memori = call("GET", f"/api/v2/Memori/{token}")["memori"][0]
giver = {"tag": memori["giverTag"], "pin": memori["giverPIN"]}
opening = {"memoriID": memori["engineMemoriID"], **giver}
session = call("POST", "/memori/v2/Session", opening)["sessionID"]

FIELDS = "personID personType name information pin tag creationTimestamp creationSessionID"
FIELDS = [*FIELDS.split(), "lastChangeTimestamp", "lastChangeSessionID"]
db = sqlite3.connect(database)
db.execute(f"CREATE TABLE IF NOT EXISTS person ({', '.join(FIELDS)}, PRIMARY KEY (personID))")
updates = ", ".join(f"{field} = excluded.{field}" for field in FIELDS[1:])
upsert = (
    f"INSERT INTO person VALUES ({', '.join(f':{field}' for field in FIELDS)})"
    f" ON CONFLICT (personID) DO UPDATE SET {updates}"
)
with db:
    start, count = 0, 1
    while start < count:
        page = call("GET", f"/memori/v2/People/{session}/{start}/{page_size}")
        db.executemany(upsert, page["people"])
        start, count = start + len(page["people"]), page["count"]
call("DELETE", f"/memori/v2/Session/{session}")
call("POST", f"/api/v2/Logout/{token}")
