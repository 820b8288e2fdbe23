"""Remotes that say what is not so in several places at once: a backup believes none of it."""

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from werkzeug.wrappers import Response
from workplace import Workplace, fill, kind

from sync.errors import Locked
from sync.kinds import KINDS
from sync.mirror.lock import hold
from sync.mirror.mirror import Mirror
from sync.sandbox import Sandbox, World

Answer = Callable[[str, str, dict[str, Any]], dict[str, Any] | None]


class Liar:
    """A WSGI layer that changes what the remote answers, once it is told to.

    Attributes:
        change: takes the method, the path and the answer; gives another answer, or None.
    """

    def __init__(self) -> None:
        self.change: Answer | None = None

    def wrap(self, app: Any) -> Any:
        def call(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            response = Response.from_app(app, environ, buffered=True)
            if self.change and response.mimetype == "application/json":
                path = environ["PATH_INFO"].lower()
                answer = json.loads(response.get_data())
                changed = self.change(environ["REQUEST_METHOD"], path, answer)
                if changed is not None:
                    response.set_data(json.dumps(changed))
                    response.status_code = changed.get("resultCode") or 200
            return response(environ, start_response)

        return call


@pytest.fixture
def liar() -> Liar:
    return Liar()


@pytest.fixture
def lying(world: World, liar: Liar, workplace: Workplace):
    """A sandbox that answers through the liar."""
    with Sandbox(world, middleware=liar.wrap) as sandbox:
        workplace.settle(sandbox)
        yield sandbox


def test_a_dead_session_that_says_not_found_is_no_witness_however_often_it_dies(
    lying: Sandbox, liar: Liar, workplace: Workplace, world: World
):
    guide = world.agent("Guide")
    guide.people["p-bob"] = {**guide.people["p-anna-1"], "personID": "p-bob", "tag": "🐻"}
    workplace.backup()

    def lie(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
        if "/people/" in path:
            people = [each for each in answer["people"] if each["personID"] != "p-bob"]
            return {**answer, "people": people, "count": len(guide.people) - 1}
        if "/person/" in path and method == "GET":
            lying.sessions.clear()
            return {"resultCode": 404, "resultMessage": "Not found"}
        return None

    liar.change = lie
    result = workplace.backup(code=3)

    assert kind(result, "Guide", "person")["deleted"] == 0
    assert kind(result, "Guide", "person")["status"] == "incomplete"
    liar.change = None
    assert kind(workplace.backup(), "Guide", "person")["deleted"] == 0


def test_an_absent_object_that_the_remote_answers_with_another_is_neither(
    lying: Sandbox, liar: Liar, workplace: Workplace, world: World
):
    guide = world.agent("Guide")
    anna = guide.people["p-anna-1"]
    guide.people["p-bob"] = {**anna, "personID": "p-bob", "name": "Bob", "tag": "🐻"}
    workplace.backup()
    del guide.people["p-bob"]

    def lie(method: str, path: str, _: dict[str, Any]) -> dict[str, Any] | None:
        is_bob = method == "GET" and "/person/" in path
        return {"resultCode": 0, "person": anna} if is_bob else None

    liar.change = lie
    person = kind(workplace.backup(code=3), "Guide", "person")

    assert (person["status"], person["deleted"]) == ("incomplete", 0)
    assert "it answers with another person" in person["error"]
    assert workplace.sql("select count(*) from person where name = 'Bob'") == [(1,)]


def without_archive(method: str, path: str, answer: dict[str, Any]) -> dict[str, Any] | None:
    """Keep an agent from the list of Memoris."""
    if path.startswith("/api/v2/memori/") and isinstance(answer.get("memori"), list):
        shown = [each for each in answer["memori"] if each["name"] != "Archive"]
        return {**answer, "memori": shown, "totalCount": len(shown)}
    return None


def test_an_agent_that_is_there_but_not_among_the_owned_makes_the_backup_partial(
    lying: Sandbox, liar: Liar, workplace: Workplace, world: World
):
    fill(world, world.add_agent("Archive"))
    workplace.backup()
    liar.change = without_archive
    outcome = workplace.run("backup")
    assert outcome.code == 3
    assert "listed, but not shown as the account's own: Archive" in outcome.out


def test_an_agent_that_came_back_is_not_marked_gone_by_a_run_that_did_not_list_agents(
    lying: Sandbox, workplace: Workplace, world: World
):
    archive = world.add_agent("Archive")
    workplace.backup()
    agents = dict(world.agents)
    del world.agents[archive.memori_id]
    workplace.backup()
    world.agents.clear()
    world.agents.update(agents)

    workplace.backup("--kind", "person")

    assert workplace.sql("select gone_at from source where name = 'Archive'") == [(None,)]


def test_two_media_with_one_key_are_told_of_and_not_taken_for_one(
    lying: Sandbox, liar: Liar, workplace: Workplace, world: World
):
    memories = world.agent("Guide").memories
    memories["m-tale-1"]["media"] = [dict(memories["m-hours-1"]["media"][0], title="another")]
    outcome = workplace.run("backup")
    assert outcome.code == 3
    assert "only 1 of 2 medium keys were distinct" in outcome.out


def test_a_configured_agent_that_was_never_backed_up_is_too_old(
    lying: Sandbox, workplace: Workplace, world: World
):
    workplace.backup()
    workplace.settle(lying, '[[memori]]\nname = "Giude"\n')
    outcome = workplace.run("status", "--max-age", "26h")
    assert outcome.code == 7
    assert "Giude was never backed up" in outcome.out
    assert outcome.out.endswith("older than 26h: Giude\n")
    workplace.settle(lying)
    assert workplace.run("status", "--max-age", "26h").code == 0
    world.add_agent("Archive")
    workplace.backup("--memori", "Guide")
    assert workplace.run("status", "--max-age", "26h").code == 7


def test_files_of_agents_that_a_run_left_out_keep_the_account_from_being_complete(
    lying: Sandbox, workplace: Workplace, world: World
):
    fill(world, world.add_agent("Archive"))
    result = workplace.backup("--memori", "Guide")
    account, guide = result["snapshots"]
    assert (account["status"], guide["status"]) == ("incomplete", "complete")
    assert account["error"] == "not fetched: 1 file of Memoris that were left out"
    assert workplace.run("status", "--max-age", "26h").code == 7
    workplace.backup()
    assert workplace.backup("--memori", "Guide")["snapshots"][0]["status"] == "complete"


def test_a_diff_says_where_a_snapshot_did_not_see_everything(
    lying: Sandbox, liar: Liar, workplace: Workplace
):
    workplace.backup()
    liar.change = lambda _, path, __: {"resultCode": 500} if "/memories/" in path else None
    workplace.backup(code=3)
    outcome = workplace.run("diff", "2", "--kind", "memory")
    told = "snapshot 4 is failed in memory: what it did not see stands as it was before"
    assert outcome.out.splitlines()[1:] == [told, "", "no differences"]
    told = workplace.run("diff", "2", "--json").json["incomplete"]
    assert {each["kind"] for each in told} == {"memory", "medium"}
    assert ", memory and medium: " in workplace.run("snapshots").out


def test_one_database_has_one_lock_whatever_links_lead_to_it(tmp_path):
    (tmp_path / "link.db").symlink_to(tmp_path / "mirror.db")
    mirrors = [Mirror(f"sqlite:///{tmp_path}/{name}.db", KINDS) for name in ("mirror", "link")]
    with hold(mirrors[0].engine, "one"), pytest.raises(Locked), hold(mirrors[1].engine, "two"):
        pass
    for mirror in mirrors:
        mirror.close()
