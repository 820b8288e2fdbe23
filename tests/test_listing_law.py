"""The law of listings: whatever happens while pages travel, nothing living is lost or struck off.

Each example makes an agent, may back it up once in peace, and then runs one backup while the
remote inserts, deletes, moves and edits objects between pages, fails, lies and lets sessions die.
Then a quiet run must put everything right, and one more must find nothing to write.

A merge tries 120 examples, always the same. To look further, by hand, 120 others for each seed:
    pytest -n 0 tests/test_listing_law.py --hypothesis-profile=by_hand --hypothesis-seed=N
"""

import itertools
import json
import sqlite3
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import tenacity
from hypothesis import HealthCheck, example, given, note, settings
from hypothesis import strategies as st
from werkzeug.wrappers import Response
from workplace import Workplace

from sync import config, log
from sync.app import App
from sync.backup import backup
from sync.errors import SyncError
from sync.mirror.values import Reason
from sync.redact import Redactor
from sync.sandbox import Agent, Sandbox, World
from sync.stop import Stop

COLLECTIONS = {
    "person": ("people", "people", "person"),
    "localization_key": ("localizationkeys", "localization_keys", "localizationkey"),
    "memory": ("memories", "memories", "memory"),
}
"""{kind: (its listings' path segment, where an agent keeps it, its single objects' segment)}."""

KEYS = {"person": "personID", "localization_key": "key", "memory": "memoryID"}
LISTED_AS = {"person": "people", "localization_key": "localizationKeys", "memory": "memories"}
COLUMN = {"person": "name", "localization_key": "value", "memory": "title", "medium": "title"}
HTML = "<html>maintenance</html>"
NO = '{"resultCode": 400, "resultMessage": "no"}'

ANSWERS: dict[str, Callable[[], Response]] = {
    "500": lambda: Response(HTML, 500),
    "503": lambda: Response('{"resultCode": 503, "resultMessage": "busy"}', 503),
    "429": lambda: Response("", 429, {"Retry-After": "0"}),
    "404 of something else": lambda: Response(HTML, 404),
    "html": lambda: Response(HTML, 200),
    "nothing": lambda: Response("", 200),
    "refusal": lambda: Response(NO, 200),
}
"""What comes instead of an answer."""

ALTERED = ("cut", "half a json", "null", "no count", "count + 1", "count - 1", "count - 2")
"""What is done to an answer."""

MOVES = ("insert", "delete", "move", "edit", "replace")
SORTS = {*ANSWERS, *ALTERED, *MOVES, "dead session"}

Ident = tuple[str, str]


@dataclass(frozen=True)
class Trouble:
    """What happens at the nth call, counted from 1, for a page or for a single object."""

    nth: int
    sort: str
    at: int = 0
    to: int = 0
    of_object: bool = False


@dataclass(frozen=True)
class Plan:
    """One example.

    Attributes:
        known: the agent was backed up before.
        hidden: places of objects that no listing shows, though they are there.
        lie: what every count is off by.
    """

    kind: str
    size: int
    known: bool
    page_size: int
    page_cap: int | None
    concurrency: int
    is_patient: bool
    hidden: frozenset[int]
    lie: int
    troubles: tuple[Trouble, ...]


def plans(kind: str) -> st.SearchStrategy[Plan]:
    place = st.integers(0, 8)
    moves = st.builds(
        Trouble, st.integers(1, 5), st.sampled_from(MOVES), place, place, st.just(value=False)
    )
    nth = st.integers(1, 5)
    answers = st.builds(Trouble, nth, st.sampled_from(["dead session", *ANSWERS]))
    alterations = st.builds(Trouble, nth, st.sampled_from(ALTERED))
    of_object = st.builds(
        Trouble,
        st.integers(1, 3),
        st.sampled_from(["insert", "edit", "dead session", *ANSWERS, "cut", "half a json", "null"]),
        place,
        place,
        st.just(value=True),
    )
    return st.builds(
        Plan,
        kind=st.just(kind),
        size=st.integers(3, 7),
        known=st.booleans(),
        page_size=st.integers(1, 3),
        page_cap=st.sampled_from([None, None, 1, 2, 3]),
        concurrency=st.sampled_from([1, 4]),
        is_patient=st.booleans(),
        hidden=st.just(frozenset()) | st.frozensets(place, max_size=2),
        lie=st.sampled_from([*[0] * 8, -2, -1, 1, 5]),
        troubles=st.lists(moves | answers | alterations | of_object, min_size=3, max_size=9).map(
            tuple
        ),
    ).map(plausible)


def plausible(plan: Plan) -> Plan:
    """Whoever hides objects does not count too few as well: that would be a whole shorter list."""
    if not plan.hidden:
        return plan
    troubles = tuple(each for each in plan.troubles if not each.sort.startswith("count -"))
    return replace(plan, lie=max(plan.lie, 0), troubles=troubles)


@dataclass
class Life:
    """What lives on the remote, and what lived there without a break since `start`."""

    agent: Agent
    kind: str
    hidden_keys: set[str] = field(default_factory=set)
    always: set[Ident] = field(default_factory=set)
    values: dict[Ident, set[str]] = field(default_factory=dict)

    @property
    def objects(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = getattr(self.agent, COLLECTIONS[self.kind][1])
        return found

    def now(self) -> dict[Ident, str]:
        """{what is there: the value that edits change}."""
        there = {(self.kind, k): v[COLUMN[self.kind]] for k, v in self.objects.items()}
        for each in self.objects.values():
            for medium in each.get("media", []):
                there["medium", medium["mediumID"]] = medium["title"]
        return there

    def start(self) -> None:
        self.always = set(self.now())
        self.values = {}
        self.look()

    def look(self) -> None:
        now = self.now()
        self.always &= now.keys()
        for ident, value in now.items():
            self.values.setdefault(ident, set()).add(value)


class Remote:
    """The sandbox behind a middleware that carries out a plan, and watches what is written."""

    def __init__(self, database: Path) -> None:
        self.world = World.empty()
        self.sandbox = Sandbox(self.world, middleware=self.wrap)
        self.struck: Counter[str] = Counter()
        self.false_deletions: list[Ident] = []
        self.plan: Plan | None = None
        self._database = database
        self._numbers = 0
        self._calls: Counter[bool] = Counter()
        self._judged = 0

    def settle(self, plan: Plan) -> Life:
        """A new agent in the place of the last one; its last object always stays."""
        self._numbers += 1
        self.world.agents.clear()
        agent = self.world.add_agent(f"Agent {self._numbers}")
        number = str(self._numbers)
        for each in (agent.settings, *agent.people.values()):
            for name in ("memoriID", "engineMemoriID"):
                if name in each:
                    each[name] += number
        self.world.agents = {agent.memori_id: agent}
        agent.localization_keys.clear()
        self.life = Life(agent, plan.kind)
        for _ in range(plan.size):
            self._insert(0)
        # One object always stays, so that no run finds all of a kind gone: the Giver, if it can.
        self._anchor = list(self.life.objects)[-1]
        return self.life

    def begin(self, plan: Plan) -> None:
        keys = list(self.life.objects)
        keys.remove(self._anchor)
        self.life.hidden_keys = {keys[place] for place in plan.hidden if place < len(keys)}
        # Nobody can know of what was never shown; all else must be there.
        self.unseen = set() if plan.known else set(self.life.hidden_keys)
        for key in [*self.unseen]:
            media = self.life.objects[key].get("media", [])
            self.unseen |= {each["mediumID"] for each in media}
        self.sandbox.remote.page_cap = plan.page_cap
        self.plan = plan
        self._calls.clear()
        self.life.start()

    def end(self) -> None:
        with self.sandbox.lock:
            self.judge()
            self.plan = None
            self.life.hidden_keys = set()
            self.sandbox.remote.page_cap = None

    def judge(self) -> None:
        """Hold against the remote what was struck off since the last call: it stood still."""
        if not self._database.exists():
            return
        query = "select id, kind, key from change where op = 'deleted' and id > ? order by id"
        now = self.life.now()
        for number, kind, key in self._sql.execute(query, (self._judged,)):
            self._judged = number
            if (kind, key) in now:
                self.false_deletions.append((kind, key))

    def open(self) -> None:
        self._sql = sqlite3.connect(self._database, check_same_thread=False)

    def close(self) -> None:
        self._sql.close()

    def wrap(self, app: Any) -> Any:
        def call(environ: Any, start_response: Any) -> Any:
            segments = environ["PATH_INFO"].lower().split("/")
            with self.sandbox.lock:
                plan = self.plan
                if plan is None or len(segments) < 4:
                    return app(environ, start_response)
                self.judge()
                listing, _, single = COLLECTIONS[plan.kind]
                of_object = segments[3] == single
                if segments[3] != listing and not of_object:
                    return app(environ, start_response)
                return self._answer(plan, app, environ, start_response, of_object=of_object)

        return call

    def _answer(
        self, plan: Plan, app: Any, environ: Any, start_response: Any, *, of_object: bool
    ) -> Any:
        self._calls[of_object] += 1
        due = [
            each
            for each in plan.troubles
            if (each.of_object, each.nth) == (of_object, self._calls[of_object])
        ]
        for each in due:
            if each.sort in MOVES:
                self._move(each)
            elif each.sort == "dead session":
                self.sandbox.sessions.clear()
                self.struck[each.sort] += 1
        sort = next((each.sort for each in due if each.sort in {*ANSWERS, *ALTERED}), "")
        if sort in ANSWERS:
            self.struck[sort] += 1
            return ANSWERS[sort]()(environ, start_response)
        response = Response.from_app(app, environ, buffered=True)
        answer = json.loads(response.get_data())
        if answer["resultCode"] != 0:
            return response(environ, start_response)
        if sort:
            self.struck[sort] += 1
        name = LISTED_AS[plan.kind]
        if not of_object:
            self._bend(plan, sort, answer)
        elif sort == "null":
            answer = {each: None if isinstance(v, dict) else v for each, v in answer.items()}
        if sort == "null" and name in answer:
            answer[name] = None
        data = json.dumps(answer).encode()
        response.set_data(data[: len(data) // 2] if sort == "half a json" else data)
        whole = response(environ, start_response)
        return [data[:-9]] if sort == "cut" else whole

    def _bend(self, plan: Plan, sort: str, answer: dict[str, Any]) -> None:
        name, key = LISTED_AS[plan.kind], KEYS[plan.kind]
        shown = [each for each in answer[name] if each[key] not in self.life.hidden_keys]
        answer["count"] += plan.lie - len(self.life.hidden_keys & self.life.objects.keys())
        answer[name] = shown
        if sort.startswith("count"):
            answer["count"] += int(sort.removeprefix("count").replace(" ", ""))
        if sort == "no count":
            del answer["count"]
        elif answer["count"] < 0:
            answer["count"] = 0

    def _move(self, trouble: Trouble) -> None:
        objects, sort = self.life.objects, trouble.sort
        free = [key for key in objects if key != self._anchor]
        self.struck[sort] += 1
        if sort == "insert" or not free:
            self._insert(trouble.to)
        else:
            key = free[trouble.at % len(free)]
            if sort in ("delete", "replace"):
                del objects[key]
            if sort == "replace":
                self._insert(trouble.to)
            elif sort == "edit":
                self._edit(objects[key])
            elif sort == "move":
                keys = [each for each in objects if each != key]
                keys.insert(trouble.to, key)
                self._sort(keys)
        self.life.look()

    def _insert(self, place: int) -> None:
        self._numbers += 1
        key = f"k{self._numbers}"
        keys = list(self.life.objects)
        self.life.objects[key] = document(self.life.kind, key)
        keys.insert(place, key)
        self._sort(keys)

    def _sort(self, keys: list[str]) -> None:
        objects = self.life.objects
        in_order = {key: objects[key] for key in keys}
        objects.clear()
        objects.update(in_order)

    def _edit(self, edited: dict[str, Any]) -> None:
        self._numbers += 1
        edited[COLUMN[self.life.kind]] = f"edit {self._numbers}"
        if "media" in edited:
            if len(edited["media"]) > 1:
                edited["media"].pop(0)
            else:
                edited["media"].append(medium(f"x{self._numbers}"))


def medium(key: str) -> dict[str, Any]:
    return {
        "mediumID": key,
        "url": None,
        "content": "text",
        "mimeType": "text/plain",
        "title": f"medium {key}",
        "properties": {},
    }


def document(kind: str, key: str) -> dict[str, Any]:
    if kind == "person":
        pin = f"{zlib.crc32(key.encode()) % 10**6:06}"
        return {"personID": key, "personType": "Receiver", "name": key, "pin": pin, "tag": key}
    if kind == "localization_key":
        return {"key": key, "value": key}
    return {
        "memoryID": key,
        "memoryType": "Question",
        "title": key,
        "answers": [{"text": key}],
        "media": [medium(f"{key}x{number}") for number in range(len(key) % 3 + 1)],
    }


class Client:
    """The product, told to back up again and again into one mirror."""

    def __init__(self, workplace: Workplace, remote: Remote, stack: ExitStack) -> None:
        apps = {}
        for is_patient in (False, True):
            workplace.settle(remote.sandbox, retry_s=2 if is_patient else 0)
            apps[is_patient] = App(config.load(workplace.config, {}), Stop(), Redactor())
        self._app = apps[False]
        self._accounts = {each: stack.enter_context(app.account()) for each, app in apps.items()}
        self._folder = workplace.folder
        self._of_mirror = stack.enter_context(ExitStack())
        self.begin_again()

    def begin_again(self) -> None:
        """Go on with a mirror that is empty."""
        self._of_mirror.close()
        for each in (*self._folder.glob("mirror.db*"), *self._folder.glob("files/mirror")):
            each.unlink()
        self._mirror = self._of_mirror.enter_context(self._app.writing("a test"))
        self._sql = sqlite3.connect(self._folder / "mirror.db")
        self._of_mirror.callback(self._sql.close)

    def run(self, plan: Plan) -> int:
        wishes = self._app.wishes((), (plan.kind,), Reason.MANUAL)
        means = replace(self._app.means, page_size=plan.page_size, concurrency=plan.concurrency)
        app, account = self._app, self._accounts[plan.is_patient]
        try:
            result = backup(
                account, self._mirror, app.store, app.kinds, means, wishes, lambda *_: None
            )
        except SyncError as error:
            return error.exit_code
        return result.exit_code

    def sql(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._sql.execute(query, values).fetchall()

    def last_run(self) -> dict[str, str]:
        """{source, and kind of it: status} of the last run."""
        run = "(select max(run_id) from snapshot)"
        query = f"select s.id, '', s.status from snapshot s where s.run_id = {run}"
        kinds = (
            "select k.snapshot_id, k.kind, k.status from snapshot_kind k"
            f" join snapshot s on s.id = k.snapshot_id where s.run_id = {run}"
        )
        return {
            f"{where} {kind}": status for where, kind, status in self.sql(f"{query} union {kinds}")
        }

    def complete_kinds(self) -> list[str]:
        return [
            name.split()[1]
            for name, status in self.last_run().items()
            if status == "complete" and name.split()[1:]
        ]

    def changes(self) -> int:
        ((number,),) = self.sql("select count(*) from change")
        return int(number)

    def state(self, kind: str) -> dict[Ident, str]:
        """{object: value} of the last agent, as its last snapshot saw it (design 5)."""
        query = """
            select c.key, c.document from change c
            where c.source_id = (select max(id) from source) and c.kind = ? and c.op <> 'deleted'
            and c.snapshot_id <= ?1 and (c.superseded_in is null or c.superseded_in > ?1)"""
        ((last,),) = self.sql(
            "select max(id) from snapshot where source_id = (select max(id) from source)"
        )
        rows = self.sql(query.replace("c.kind = ?", "c.kind = ?2"), last, kind)
        return {(kind, key): json.loads(text)[COLUMN[kind]] for key, text in rows}

    def table(self, kind: str) -> dict[Ident, str]:
        """{object: value} of the last agent, as its table tells what is there now."""
        query = (
            f"select key, {COLUMN[kind]} from {kind} where source_id = (select max(id) from source)"
        )
        return {(kind, key): value for key, value in self.sql(query)}


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[Remote]:
    remote = Remote(tmp_path / "mirror.db")
    with remote.sandbox:
        yield remote


@pytest.fixture
def client(
    workplace: Workplace, remote: Remote, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Client]:
    # Whoever is asked to wait counts the seconds, but does not wait.
    monkeypatch.setattr(tenacity, "sleep_using_event", lambda _: lambda _: None)
    log.set_up("critical", Redactor())
    with ExitStack() as stack:
        client = Client(workplace, remote, stack)
        remote.open()
        stack.callback(remote.close)
        yield client


def kinds_of(plan: Plan) -> list[str]:
    return ["memory", "medium"] if plan.kind == "memory" else [plan.kind]


def one_trouble(sort: str) -> Plan:
    """What is sure to meet one sort of trouble, whatever the chances bring."""
    trouble = Trouble(2, sort)
    return Plan("person", 3, True, 1, None, 1, False, frozenset(), 0, (trouble,))


def quiet(plan: Plan) -> Plan:
    return replace(plan, page_size=100, concurrency=1, is_patient=False)


def check_troubled_run(client: Client, remote: Remote, plan: Plan, code: int) -> None:
    statuses = client.last_run()
    assert not remote.false_deletions
    deleted = client.sql(
        "select kind, key from change where op = 'deleted' and superseded_in is null"
        " and source_id = (select max(id) from source)"
    )
    assert not set(deleted) & remote.life.now().keys()
    assert (code == 0) == (set(statuses.values()) == {"complete"})
    check_that_complete_is_complete(client, remote)


def check_that_complete_is_complete(client: Client, remote: Remote) -> None:
    """What lived through the whole run is there, as it was at some moment of the run."""
    life = remote.life
    for kind in client.complete_kinds():
        state = client.state(kind)
        lived = {each for each in life.always if each[0] == kind and each[1] not in remote.unseen}
        assert not lived - state.keys()
        assert all(state[each] in life.values[each] for each in lived)


def check_quiet_runs(client: Client, remote: Remote, plan: Plan) -> None:
    remote.end()
    assert client.run(quiet(plan)) == 0
    assert set(client.last_run().values()) == {"complete"}
    there = remote.life.now()
    for kind in kinds_of(plan):
        assert client.table(kind) == {k: v for k, v in there.items() if k[0] == kind}
        assert client.table(kind) == client.state(kind)
    if plan.is_patient:  # One more run of each other example would find the same, only later.
        before = client.changes()
        assert client.run(quiet(plan)) == 0
        assert client.changes() == before


EXAMPLES = 120
PER_MIRROR = 20
"""A mirror of all agents that ever were grows slow."""


@pytest.mark.parametrize(
    ("kind", "share"), [("person", 0.6), ("localization_key", 0.2), ("memory", 0.2)]
)
def test_nothing_that_lives_is_struck_off_or_lost_whatever_happens_between_pages(
    client: Client, remote: Remote, kind: str, share: float
):
    numbers = itertools.count(1)

    @settings(
        max_examples=round(share * EXAMPLES),
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(plan=plans(kind))
    def law(plan: Plan) -> None:
        if next(numbers) % PER_MIRROR == 0:
            client.begin_again()
        remote.settle(plan)
        if plan.known:
            assert client.run(quiet(plan)) == 0
        remote.begin(plan)
        try:
            code = client.run(plan)
        finally:
            remote.end()
        note(f"{code} {client.last_run()}")
        check_troubled_run(client, remote, plan, code)
        check_quiet_runs(client, remote, plan)

    if kind == "person":
        for sort in sorted(SORTS):
            law = example(plan=one_trouble(sort))(law)
    law()

    assert kind != "person" or not SORTS - remote.struck.keys()


def run_once(client: Client, remote: Remote, plan: Plan) -> None:
    remote.settle(plan)
    remote.begin(plan)
    try:
        code = client.run(plan)
    finally:
        remote.end()
    check_troubled_run(client, remote, plan, code)
    check_quiet_runs(client, remote, plan)


PEOPLE = Plan("person", 5, False, 2, None, 1, False, frozenset(), 0, ())
"""A first backup of five people and the Giver, in three pages."""


def test_a_loss_and_a_gain_between_two_pages_do_not_hide_whom_they_pushed_from_view(
    client: Client, remote: Remote
):
    pushed = Trouble(2, "replace", at=0, to=8)
    run_once(client, remote, replace(PEOPLE, troubles=(pushed,)))


def test_a_person_that_moves_to_where_the_listing_was_already_is_not_lost(
    client: Client, remote: Remote
):
    moves = (Trouble(2, "delete", at=0), Trouble(2, "move", at=4, to=0), Trouble(2, "insert", to=8))
    run_once(client, remote, replace(PEOPLE, troubles=moves))


def test_a_count_that_is_too_small_on_every_page_is_found_out(client: Client, remote: Remote):
    run_once(client, remote, replace(PEOPLE, lie=-2))


def test_one_object_is_not_the_whole_because_a_page_of_one_and_a_count_of_one_say_so(
    client: Client, remote: Remote
):
    one_of_three = Plan("localization_key", 3, False, 1, 1, 1, False, frozenset(), -2, ())
    run_once(client, remote, one_of_three)
