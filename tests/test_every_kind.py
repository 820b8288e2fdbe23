"""What holds for every kind, whichever there are: no test here knows one by its name.

The demo account has objects of every kind that an agent can have.
"""

import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from workplace import Workplace, restore

from sync.cli import run
from sync.document import Document, canonical
from sync.kind import Kind, Scope, adopt, cut_out
from sync.kinds import KINDS
from sync.sandbox import Agent, Sandbox, World, demo_world

AGENT = "Guida"
OF_AN_AGENT = {name: kind for name, kind in KINDS.items() if kind.scope is Scope.MEMORI}
RESTORABLE = {name: kind for name, kind in OF_AN_AGENT.items() if kind.create and not kind.parent}


@pytest.fixture(scope="module")
def world() -> World:
    return demo_world()


def documents(world: World, kind: Kind) -> list[Document]:
    """All objects of a kind as the remote has them."""
    if kind.parent:
        parents = KINDS[kind.parent.kind]
        return list(
            itertools.chain.from_iterable(
                adopt(cut_out(each, kind)[1], kind, parents.key_of(each))
                for each in documents(world, parents)
            )
        )
    if kind.scope is Scope.ACCOUNT:
        lists = {
            "memori": [each.settings for each in world.agents.values()],
            "assets": [each.document for each in world.assets.values()],
            "badges": world.badges,
        }
        return lists[listed_as(kind)]
    return [each for agent in world.agents.values() for each in of(agent, kind).values()]


def listed_as(kind: Kind) -> str:
    assert kind.list
    return kind.list.answer


def of(agent: Agent, kind: Kind) -> dict[str, Document]:
    return agent.collection(listed_as(kind))


def what_matters(agent: Agent, kind: Kind) -> Counter[str]:
    """Objects of a kind without what a restore gives anew, and without what is never kept."""
    return Counter(
        canonical({name: each for name, each in kind.matter(document).items() if name in sent})
        for document in of(agent, kind).values()
        for sent in [{*kind.writable, *kind.create_only} - {ref.path for ref in kind.refs}]
    )


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_there_is_a_sample_and_every_field_of_it_has_a_role(world: World, kind: Kind):
    found = documents(world, kind)
    assert found
    if not kind.allow_list:
        for each in found:
            kept = {field: value for field, value in kind.clean(each).items() if field != "media"}
            assert not kind.undeclared(kept)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_it_is_told_how_it_is_listed_and_what_of_it_comes_back(kind: Kind):
    assert kind.about
    assert kind.list
    assert bool(kind.create) != bool(kind.not_restorable)


def test_all_of_every_kind_is_mirrored(workplace: Workplace, serve: Callable[..., Sandbox]):
    world = demo_world()
    with serve(world) as sandbox:
        workplace.settle(sandbox, "personal_data = true\n")
        workplace.backup()
    for kind in KINDS.values():
        ((number,),) = workplace.sql(f"select count(*) from {kind.name}")
        assert number == len(documents(world, kind)), kind.name


def test_what_is_lost_of_every_kind_comes_back_as_it_was(
    workplace: Workplace, serve: Callable[..., Sandbox], database: str
):
    workplace.database = database
    world = demo_world()
    agent = world.agent(AGENT)
    before = {name: what_matters(agent, kind) for name, kind in RESTORABLE.items()}
    with serve(world) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        for kind in RESTORABLE.values():
            lose(agent, kind)

        told = restore(workplace, "--memori", AGENT, *options(RESTORABLE))

        assert told["verified"] is True
        assert restore(workplace, "--memori", AGENT, *options(RESTORABLE))["done"] == 0
    for name, kind in RESTORABLE.items():
        assert what_matters(agent, kind) == before[name], name
    missed = {each["reason"] for each in told["not_restorable"]}
    for kind in RESTORABLE.values():
        for secret in kind.secret:
            assert f"its {secret}, if it had any, is never kept" in missed


@pytest.mark.parametrize(
    "kind",
    [each for each in OF_AN_AGENT.values() if not (each.create or each.is_personal)],
    ids=lambda kind: kind.name,
)
def test_what_is_lost_of_a_kind_that_only_the_remote_makes_is_named(
    workplace: Workplace, serve: Callable[..., Sandbox], kind: Kind
):
    world = demo_world()
    with serve(world) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        lost, _ = of(world.agent(AGENT), kind).popitem()
        for args in (("--dry-run",), ()):
            told = restore(workplace, "--memori", AGENT, *args)
            loss = {"kind": kind.name, "key": lost, "reason": kind.not_restorable}
            assert loss in told["not_restorable"]
        assert told["verified"] is True


def options(kinds: dict[str, Kind]) -> Iterator[str]:
    return itertools.chain.from_iterable(("--kind", name) for name in kinds)


def lose(agent: Agent, kind: Kind) -> None:
    """All that an owner can delete of a kind."""
    objects = of(agent, kind)
    for key, document in list(objects.items()):
        if kind.key_given or kind.limits(document).no_create:
            continue
        del objects[key]


@pytest.mark.parametrize(
    "kind",
    [each for each in RESTORABLE.values() if each.update and not each.key_given],
    ids=lambda kind: kind.name,
)
def test_a_change_of_every_kind_is_kept_and_taken_back(
    workplace: Workplace, serve: Callable[..., Sandbox], kind: Kind
):
    world = demo_world()
    agent = world.agent(AGENT)
    with serve(world) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        before = what_matters(agent, kind)
        document = list(of(agent, kind).values())[-1]
        name = next(name for name in kind.writable if isinstance(document.get(name), str))
        document |= {name: "another", "lastChangeTimestamp": "2026-03-01T12:00:00Z"}

        told = restore(workplace, "--memori", AGENT, "--kind", kind.name)

        assert (told["steps"]["update"], told["verified"]) == (1, True)
        assert what_matters(agent, kind) == before


@pytest.mark.parametrize(
    "kind",
    [each for each in RESTORABLE.values() if each.delete and not each.update],
    ids=lambda kind: kind.name,
)
def test_what_no_update_can_change_is_made_again_once(
    workplace: Workplace, serve: Callable[..., Sandbox], kind: Kind
):
    world = demo_world()
    agent = world.agent(AGENT)
    with serve(world) as sandbox:
        workplace.settle(sandbox)
        taken = workplace.first_backup()["snapshots"]
        first = next(each["id"] for each in taken if each["source"]["name"] == AGENT)
        before = what_matters(agent, kind)
        document = list(of(agent, kind).values())[-1]
        name = next(name for name in kind.create_only if isinstance(document.get(name), str))
        document[name] = "another"
        workplace.backup()

        told = restore(workplace, "--snapshot", str(first), "--recreate", "--kind", kind.name)

        assert (told["done"], told["verified"]) == (1, True)
        assert what_matters(agent, kind) == before
        again = restore(workplace, "--snapshot", str(first), "--recreate", "--kind", kind.name)
        assert again["steps"] == {"create": 0, "update": 0, "delete": 0, "upload": 0}
    ((number,),) = workplace.sql(f"select count(*) from {kind.name}")
    assert number == len(documents(world, kind))


def test_fields_that_nobody_knows_are_kept_for_every_kind_that_holds_no_secrets(
    workplace: Workplace,
):
    world = demo_world()
    open_kinds = [each for each in OF_AN_AGENT.values() if not (each.allow_list or each.parent)]
    for kind in open_kinds:
        next(iter(of(world.agent(AGENT), kind).values()))["surprise"] = {"of": kind.name}
    with Sandbox(world) as sandbox:
        workplace.settle(sandbox, "personal_data = true\n")
        told = workplace.run("backup")
    assert told.code == 0
    for kind in open_kinds:
        found = workplace.sql(f"select document from {kind.name} where document like '%surprise%'")
        assert f'"surprise":{{"of":"{kind.name}"}}' in found[0][0]
        assert re.search(rf"field\.unknown .*kind={kind.name} field=surprise", told.err)


def test_personal_data_is_left_alone_unless_the_settings_say_so(
    workplace: Workplace, serve: Callable[..., Sandbox]
):
    personal = [kind.name for kind in KINDS.values() if kind.is_personal]
    with serve(demo_world()) as sandbox:
        workplace.settle(sandbox)
        told = workplace.backup()
        assert not any(name in each["kinds"] for each in told["snapshots"] for name in personal)
        assert workplace.run("status", "--max-age", "1h").code == 0
        refused = workplace.run("backup", "--kind", personal[0])
        assert (refused.code, "`personal_data = true`" in refused.err) == (2, True)
        assert "Login" not in [each.template for each in list(sandbox.calls)[-1:]]

        workplace.settle(sandbox, "personal_data = true\n")
        assert workplace.run("status", "--max-age", "1h").code == 7
        workplace.backup()
        assert workplace.run("status", "--max-age", "1h").code == 0
        workplace.settle(sandbox)
        workplace.backup()
    for name in personal:
        assert workplace.sql(f"select count(*) from {name}") > [(0,)]
    assert workplace.run("check").code == 0


def test_no_chat_is_too_short_and_none_brings_a_session_id(
    workplace: Workplace, serve: Callable[..., Sandbox]
):
    world = demo_world()
    with serve(world) as sandbox:
        workplace.settle(sandbox, "personal_data = true\n")
        workplace.backup()
    logs = world.agent(AGENT).collection("chatLogs").values()
    assert min(len(each["lines"]) for each in logs) == 1
    found = workplace.sql("select session_id, document from chat_log")
    assert len(found) == len(logs)
    assert all(session.startswith("~") for session, _ in found)
    assert not any(each["sessionID"] in str(found) for each in logs)


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_one_kind_is_told_with_its_calls_and_what_its_fields_count_for(
    capsys: pytest.CaptureFixture[str], kind: Kind
):
    assert run(["kinds", kind.name, "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["kinds"]
    assert kind.list
    assert told["calls"]["list"] == f"{kind.list.method} {kind.list.template}"
    assert ("create" in told["calls"]) == told["restorable"]
    assert run(["kinds", kind.name]) == 0
    text = capsys.readouterr().out
    assert all(len(line) <= 80 for line in text.splitlines())
    assert all(field in text for field in told["tracked"])


def test_a_kind_that_does_not_exist_is_told_with_those_that_do(capsys: pytest.CaptureFixture[str]):
    assert run(["kinds", "ghost"]) == 2
    assert "no kind ghost" in capsys.readouterr().err
