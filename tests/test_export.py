"""What is mirrored can be taken away, and opened with nothing but the standard library."""

import csv
import hashlib
import io
import json
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_safe_name import check_safe
from workplace import Workplace, add_people, execute, fill
from worlds import PNG, add_file, add_medium, add_memory, add_person, url_of

from sync.export.choice import latest
from sync.export.markdown import fenced, inline, link
from sync.export.sheet import cell, csv_table
from sync.kind import Scope
from sync.kinds import KINDS
from sync.mirror.lock import hold
from sync.mirror.mirror import Mirror
from sync.mirror.values import FileCounts, KindResult, Snapshot, Source, Status, Tally
from sync.restore_point import choose_snapshot
from sync.sandbox import Sandbox, World
from sync.selection import owner_of
from sync.wanted import read_wanted

NAMES = [
    "a/b", "a\\b", "..", "CON", "con.png", "nul\0nul", "line\nbreak", "🦊 fox", "é", "e\u0301",
    "x" * 300, "half \ud83e", "same", "same", "SAME", "", " . ", "*_[x](y)`<b>&amp;",
    "# no heading",
]  # fmt: skip
FORMULA = '=cmd|"/c calc"!A1'


def export(work: Workplace, path: Path, *args: str, code: int = 0) -> dict[str, Any]:
    outcome = work.run("export", str(path), "--json", *args)
    assert outcome.code == outcome.json["exit_code"] == code, outcome
    return outcome.json


def tree(path: Path) -> dict[str, bytes]:
    """{name: bytes} of all files of an export."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as opened:
            assert opened.testzip() is None
            assert len(set(opened.namelist())) == len(opened.namelist())
            return {name: opened.read(name) for name in opened.namelist()}
    files = (each for each in path.rglob("*") if not each.is_dir())
    return {each.relative_to(path).as_posix(): each.read_bytes() for each in files}


def check_sums(path: Path) -> None:
    command = ["sha256sum", "-c", "--strict", "--quiet", "SHA256SUMS"]
    done = subprocess.run(command, cwd=path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    named = [line[66:] for line in (path / "SHA256SUMS").read_text("utf-8").splitlines()]
    assert sorted(named) == sorted(tree(path).keys() - {"SHA256SUMS"})


def contents(files: dict[str, bytes], agent: str) -> dict[str, dict[str, Any]]:
    """{folder: content} of an agent."""
    return {
        name.removesuffix("content.json"): json.loads(data)
        for name, data in files.items()
        if name.startswith(f"{agent}/contents/") and name.endswith("/content.json")
    }


def folder_of(files: dict[str, bytes], key: str) -> str:
    """The folder of the content with this key."""
    found = contents(files, "Guide").items()
    (folder,) = [folder for folder, content in found if content["memoryID"] == key]
    return folder


def leftovers(path: Path) -> list[str]:
    return [each.name for each in path.iterdir() if "export" in each.name or each.name == "out"]


@pytest.fixture
def hostile(workplace: Workplace, sandbox: Sandbox, world: World) -> Workplace:
    """A mirror of names that nobody should have."""
    return back_up_hostile(workplace, sandbox, world, workplace.database)


def back_up_hostile(
    workplace: Workplace, sandbox: Sandbox, world: World, database: str
) -> Workplace:
    world.account.user_name = "owner/.."
    for name in ("account", "../Guide"):
        fill(world, world.add_agent(name))
    guide = world.agent("Guide")
    for number, name in enumerate(NAMES):
        add_person(guide, f"p{number}", name, f"tag {number}", information=FORMULA)
        add_memory(guide, f"m{number}", name, f"<b>{name}</b>", receiverID=f"p{number}")
        file = f"file{number}.png"
        add_file(world, guide, file, PNG + b"%d" % number, None, name)
        # All files lie beside one content, and are mentioned by it.
        link = {"url": url_of(file), "mimeType": "image/png"}
        add_medium(guide, "m0", f"x{number}", name, **link)
        add_file(world, guide, f"loose{number}.png", PNG + b"loose %d" % number, None, name)
    workplace.database = database
    workplace.settle(sandbox)
    workplace.first_backup()
    return workplace


def test_a_hostile_account_is_read_again_with_nothing_but_the_standard_library(
    workplace: Workplace, sandbox: Sandbox, world: World, database: str, tmp_path: Path
):
    hostile = back_up_hostile(workplace, sandbox, world, database)
    out = tmp_path / "out"
    told = export(hostile, out)
    files = tree(out)

    check_sums(out)
    assert (told["files"], told["bytes"]) == (len(files), sum(map(len, files.values())))
    assert told["missing"] == []
    for name in files:
        assert len(name) <= 200
        for part in name.split("/"):
            check_safe(part)
    for folder in (out, *(each for each in out.rglob("*") if each.is_dir())):
        plain = [each.name.casefold() for each in folder.iterdir()]
        assert len(set(plain)) == len(plain)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE((out / name).stat().st_mode) for name in files} == {0o600}
    assert {name.partition("/")[0] for name in files if "/" in name} == {
        "Guide", "account", "account (2)", "_Guide",
    }  # fmt: skip

    guide = world.agent("Guide")
    people = json.loads(files["Guide/people.json"])
    assert {each["personID"]: each["name"] for each in people} == {
        key: each["name"] for key, each in guide.people.items()
    }
    found = contents(files, "Guide")
    assert {each["memoryID"]: each["title"] for each in found.values()} == {
        key: each["title"] for key, each in guide.memories.items()
    }
    first = folder_of(files, "m0")
    media = found[first]["media"]
    assert [each["mediumID"] for each in media] == [
        each["mediumID"] for each in guide.memories["m0"]["media"]
    ]
    stored = {asset.content for asset in world.assets.values()}
    pictures = [data for data in files.values() if data.startswith(PNG)]
    assert len(pictures) == len(set(pictures)) == len(stored)
    assert set(pictures) == stored
    beside = [name for name in files if name.startswith(first) and name.endswith(".png")]
    assert len(beside) == len(NAMES)
    where = {each["key"]: each for each in json.loads(files["Guide/files.json"])}
    for name, asset in world.assets.items():
        if asset.document["memoriID"] == guide.memori_id:
            assert files[where[f"asset/{name}"]["path"]] == asset.content

    export(hostile, tmp_path / "out.zip")
    assert tree(tmp_path / "out.zip") == files


def test_pages_link_to_what_is_there_and_no_name_changes_what_they_are(
    hostile: Workplace, tmp_path: Path
):
    export(hostile, tmp_path / "out")
    files = tree(tmp_path / "out")
    pages = [name for name in files if name.endswith(".md")]
    assert len(pages) == len(NAMES) + 6 + 3
    for name in pages:
        text = files[name].decode()
        folder = name.rpartition("/")[0]
        targets = re.findall(r"(?<!\\)\]\(([^)]*)\)", text)
        # Answers are the owner's own; what stands before them is ours.
        for target in targets:
            if target != "y":
                assert f"{folder}/{unquote(target)}" in files
        if name.endswith("/content.md"):
            head, _, rest = text.partition("\n## Answer")
            assert [line for line in head.splitlines() if line.startswith("#")] == [
                head.splitlines()[0]
            ]
            assert "<" not in head.replace("\\<", "")
            assert rest
        else:
            lines = text.splitlines()
            assert lines[:2] == ["# Contents", ""]
            assert all(line.startswith("- [") for line in lines[2:])


def test_people_open_in_a_spreadsheet_and_none_of_them_is_a_formula(
    hostile: Workplace, world: World, tmp_path: Path
):
    export(hostile, tmp_path / "out")
    data = (tmp_path / "out" / "Guide" / "people.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    rows = {
        row["personID"]: row
        for row in csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
    }
    people = world.agent("Guide").people
    assert rows.keys() == people.keys()
    for key, row in rows.items():
        known = people[key]
        name = re.sub("[\0\ud800-\udfff]", "\ufffd", known["name"] or "")
        assert row["name"] == name
        assert row["information"] == (f"'{FORMULA}" if known["information"] else "")
        assert row["pin"] == ("" if known["personType"] == "Giver" else "****")
    told = json.loads((tmp_path / "out" / "Guide" / "people.json").read_text("utf-8"))
    assert {each["information"] for each in told} == {FORMULA, None}
    assert "stars" in (tmp_path / "out" / "README.txt").read_text("utf-8")


def test_pins_stand_in_it_only_where_that_is_asked_for(
    work: Workplace, world: World, tmp_path: Path
):
    work.first_backup()
    export(work, tmp_path / "out")
    export(work, tmp_path / "pins", "--with-pins")
    assert not [name for name, data in tree(tmp_path / "out").items() if b"001234" in data]
    pins = tree(tmp_path / "pins")
    holding = {name for name, data in pins.items() if b"001234" in data}
    assert holding == {"Guide/people.csv", "Guide/people.json"}
    assert not [name for name, data in pins.items() if b"271828" in data]
    assert b"ARE in this export" in pins["README.txt"]


def test_every_kind_of_medium_is_shown(work: Workplace, world: World, tmp_path: Path):
    guide = world.agent("Guide")
    add_memory(guide, "m", "All", f'<img src="{url_of("there@32x32.png")}">', tags=["a", "b*"])
    add_file(world, guide, "there.png", PNG + b"in a text", None, "shown.png")
    add_file(world, guide, "own.png", PNG + b"attached", "m", "attached")
    add_medium(guide, "m", "x1", "page", url="https://example.com/(a) b", mimeType="text/html")
    add_medium(guide, "m", "x2", None, url="rgb(255, 0, 0)", mimeType="image/png")
    add_medium(guide, "m", "x3", "bad", url="javascript:alert(1)", mimeType="text/html")
    add_medium(guide, "m", "x4", "code", content="a\n````\nb", mimeType="text/javascript")
    add_medium(guide, "m", "x5", "dot", content="iVBORw0KGgo=", mimeType="image/png")
    work.first_backup()
    export(work, tmp_path / "out")
    files = tree(tmp_path / "out")
    folder = folder_of(files, "m")
    page = files[f"{folder}content.md"].decode()

    assert '<img src="shown.png">' in page
    assert "- Tags: a; b\\*\n" in page
    assert "\n[page](https://example.com/%28a%29%20b)\n" in page
    assert "\nrgb(255, 0, 0)" in page
    assert "\nbad: javascript:alert(1)\n" in page
    assert "\n`````javascript\na\n````\nb\n`````\n" in page
    assert "\n![dot](dot.png)\n" in page
    assert files[f"{folder}dot.png"] == b"\x89PNG\r\n\x1a\n"
    assert files[f"{folder}shown.png"] == PNG + b"in a text"
    assert files[f"{folder}attached.png"] == PNG + b"attached"


def test_what_belongs_to_no_content_or_no_agent_is_there_too(
    work: Workplace, world: World, tmp_path: Path
):
    guide = world.agent("Guide")
    add_file(world, guide, "cover.png", PNG + b"cover", None, "cover")
    guide.settings["coverURL"] = url_of("cover.png")
    add_file(world, guide, "nobody.png", PNG + b"nobody's", None, "nobody's")
    world.assets["nobody.png"].document["memoriID"] = None
    work.first_backup()

    told = export(work, tmp_path / "out")
    files = tree(tmp_path / "out")

    assert files["Guide/files/cover.png"] == PNG + b"cover"
    assert json.loads(files["Guide/settings.json"])["coverURL"] == url_of("cover.png")
    assert files["account/files/nobody's.png"] == PNG + b"nobody's"
    assert [each["assetID"] for each in json.loads(files["account/assets.json"])] == ["nobody"]
    assert [each["name"] for each in json.loads(files["account/agents.json"])] == ["Guide"]
    assert [each["source"]["name"] for each in told["sources"]] == ["Guide", "owner"]
    assert told["sources"][1]["objects"] == {
        "memori": 1,
        "integration": 0,
        "asset": 1,
        "badge": 0,
    }

    export(work, tmp_path / "one", "--memori", "Guide")
    assert {name.partition("/")[0] for name in tree(tmp_path / "one")} == {
        "Guide", "README.txt", "SHA256SUMS",
    }  # fmt: skip


def test_it_is_as_of_the_snapshot_that_is_asked_for(work: Workplace, world: World, tmp_path: Path):
    work.first_backup()
    guide = world.agent("Guide")
    guide.memories["m-hours-1"]["title"] = "Closed"
    add_people(guide, 2)
    work.backup()

    now = export(work, tmp_path / "now.zip")
    then = export(work, tmp_path / "then.zip", "--snapshot", "2")

    counts = [each["sources"][0]["objects"]["person"] for each in (then, now)]
    assert counts == [2, 4]
    assert [each["sources"][0]["snapshot_id"] for each in (then, now)] == [2, 4]
    titles = [
        {each["title"] for each in contents(tree(tmp_path / name), "Guide").values()}
        for name in ("then.zip", "now.zip")
    ]
    assert titles == [{"Opening hours", "The bell"}, {"Closed", "The bell"}]
    outcome = work.run("export", str(tmp_path / "early"), "--at", "2020-01-01")
    assert (outcome.code, leftovers(tmp_path)) == (2, [])
    assert "nothing was backed up by then" in outcome.err


def documents(files: dict[str, bytes], agent: str) -> dict[tuple[str, str], Any]:
    """{(kind, key): document} of what is an agent's own."""
    found: dict[tuple[str, str], Any] = {}
    for content in contents(files, agent).values():
        media = content.pop("media")
        found["memory", content["memoryID"]] = content
        found |= {("medium", each["mediumID"]): each for each in media}
    settings = json.loads(files[f"{agent}/settings.json"])
    found["memori", settings["memoriID"]] = settings
    names = {"people": "person", "assets": "asset", "localization_keys": "localization_key"}
    for name, data in files.items():
        folder, _, file = name.rpartition("/")
        kind = KINDS.get(names.get(file.removesuffix(".json"), file.removesuffix(".json")))
        if folder == agent and kind is not None:
            found |= {(kind.name, each[kind.key]): each for each in json.loads(data)}
    return found


def test_it_holds_just_what_a_restore_of_the_same_snapshot_goes_back_to(
    backed_up: Workplace, world: World, tmp_path: Path
):
    guide = world.agent("Guide")
    add_people(guide, 20)
    for number in range(20):
        add_file(world, guide, f"new{number}.png", PNG + b"%d" % number, None, f"new {number}")
    backed_up.backup()
    for number in range(15):
        del guide.people[f"p-new-{number}"]
        del world.assets[f"new{number}.png"]
    guide.people["p-anna-1"]["name"] = "Anna B."
    world.assets["new19.png"].document["originalFileName"] = "renamed"
    guide.memories["m-tale-1"]["title"] = "The clock"
    backed_up.backup(code=6)

    told = export(backed_up, tmp_path / "out", "--with-pins")
    files = tree(tmp_path / "out")

    assert [(each["source"]["name"], each["snapshot_id"]) for each in told["sources"]] == [
        ("Guide", 6), ("owner", 5),
    ]  # fmt: skip
    of_agent, of_account = (each["older_kinds"] for each in told["sources"])
    assert {kind: each["snapshot_id"] for kind, each in of_agent.items()} == {
        "person": 4, "asset": 3,
    }  # fmt: skip
    assert {kind: each["snapshot_id"] for kind, each in of_account.items()} == {"asset": 3}
    text = " ".join(files["README.txt"].decode().split())
    assert "person is as of snapshot 4 of" in text
    found = documents(files, "Guide")
    assert found["person", "p-anna-1"]["name"] == "Anna"
    assert found["asset", "new19"]["originalFileName"] == "new 19"
    assert found["memory", "m-tale-1"]["title"] == "The clock"
    assert b"Anna B." not in files["Guide/people.csv"]

    mirror = opened(backed_up)
    snapshot = choose_snapshot(mirror, "Guide", 6)
    wanted = read_wanted(mirror, KINDS, owner_of(mirror), snapshot, snapshot.source)
    mirror.close()
    assert found == wanted.objects


def opened(work: Workplace) -> Mirror:
    return Mirror(work.database.replace("///mirror", f"///{work.folder}/mirror"), KINDS)


def test_an_agent_that_is_gone_is_there_as_it_was_last(
    work: Workplace, world: World, tmp_path: Path
):
    other = world.add_agent("Other")
    fill(world, other)
    work.first_backup()
    del world.agents[other.memori_id]
    work.backup()
    assert work.sql("select name from source where gone_at is not null") == [("Other",)]

    told = export(work, tmp_path / "out")

    found = {each["source"]["name"]: each["objects"] for each in told["sources"]}
    assert found["Other"] == found["Guide"]
    assert found["Other"] | {"memory": 2, "medium": 1, "asset": 1} == found["Other"]
    assert (tmp_path / "out" / "Other" / "settings.json").is_file()
    assert (tmp_path / "out" / "Other" / "contents" / "0001 Opening hours" / "map.png").is_file()


@pytest.mark.parametrize("name", ["out", "out.zip"])
@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda path: path.write_bytes(b"x" * path.stat().st_size), "has other bytes"),
        (Path.unlink, "is not there"),
    ],
)
def test_a_damaged_file_is_named_and_everything_else_is_there(
    work: Workplace, world: World, tmp_path: Path, harm: Any, reason: str, name: str
):
    add_file(world, world.agent("Guide"), "good.png", PNG + b"good", None, "good")
    work.first_backup()
    content = world.assets["00000001-aaaa-4bbb-8ccc-000000000001.png"].content
    sha256 = hashlib.sha256(content).hexdigest()
    harm(work.files / "sha256" / sha256[:2] / sha256[2:])

    told = export(work, tmp_path / name, code=4)
    files = tree(tmp_path / name)

    (lack,) = told["missing"]
    assert (lack["source"], lack["name"]) == ("Guide", "map.png")
    assert reason in lack["reason"]
    assert "map.png" in files["README.txt"].decode()
    assert not [each for each in files if each.endswith("map.png")]
    page = files["Guide/contents/0001 Opening hours/content.md"].decode()
    assert "map: this file is not here, what is stored " + reason in page
    assert files["Guide/files/good.png"] == PNG + b"good"
    assert len(contents(files, "Guide")) == 2


def test_a_file_that_was_never_stored_is_named(work: Workplace, world: World, tmp_path: Path):
    add_medium(
        world.agent("Guide"), "m-tale-1", "x", "lost", url=url_of("lost.png"), mimeType="image/png"
    )
    assert work.backup(code=3)

    told = export(work, tmp_path / "out", code=3)

    assert told["missing"] == [
        {
            "source": "Guide",
            "key": "asset/lost.png",
            "name": "lost.png",
            "reason": "it was not there on the remote",
        }
    ]
    readme = (tmp_path / "out" / "README.txt").read_text("utf-8")
    assert "lost.png" in readme
    outcome = work.run("export", str(tmp_path / "again"))
    assert "lost.png: it was not there on the remote" in outcome.out
    assert all(len(line) <= 80 for line in outcome.out.splitlines() if str(tmp_path) not in line)


def test_a_damaged_content_leaves_what_belongs_to_it(work: Workplace, tmp_path: Path):
    work.first_backup()
    execute(work, "update change set document = '{' where key = 'm-hours-1'")

    told = export(work, tmp_path / "out", code=4)
    files = tree(tmp_path / "out")

    (lack,) = told["missing"]
    assert (lack["key"], lack["name"]) == ("m-hours-1", "memory m-hours-1")
    folder = folder_of(files, "m-hours-1")
    assert [each["mediumID"] for each in contents(files, "Guide")[folder]["media"]] == ["x-map-1"]
    assert f"{folder}map.png" in files


@pytest.mark.parametrize("kind", ["memori", "asset", "person", "localization_key", "medium"])
@pytest.mark.parametrize("args", [(), ("--memori", "Guide"), ("--snapshot", "2")])
def test_what_is_damaged_is_named_once_whatever_was_asked_for(
    work: Workplace, tmp_path: Path, kind: str, args: tuple[str, ...]
):
    work.first_backup()
    execute(work, f"update change set document = '{{' where kind = '{kind}'")
    damaged = work.sql(f"select key from change where kind = '{kind}'")

    told = export(work, tmp_path / "out", *args, code=4)

    assert {each["key"] for each in told["missing"]} == {key for (key,) in damaged}
    assert len(told["missing"]) == len(damaged)
    readme = (tmp_path / "out" / "README.txt").read_text("utf-8")
    assert all(f"{kind} {key}: " in readme for (key,) in damaged)


def test_a_medium_whose_content_is_not_there_is_named(work: Workplace, tmp_path: Path):
    work.first_backup()
    execute(
        work,
        "update change set op = 'deleted', document = null, digest = null where key = 'm-hours-1'",
    )

    told = export(work, tmp_path / "out", code=4)

    (lack,) = told["missing"]
    assert (lack["key"], lack["name"]) == ("x-map-1", "medium x-map-1")
    assert "content" in lack["reason"]
    counts = told["sources"][0]["objects"]
    assert (counts["memory"], counts["medium"]) == (1, 0)


def test_an_agent_that_was_not_there_yet_is_not_lacking(
    work: Workplace, world: World, tmp_path: Path
):
    work.first_backup()
    execute(work, "update snapshot set started_at = '2026-01-01'")
    fill(world, world.add_agent("Other"))
    work.backup()

    told = export(work, tmp_path / "then", "--at", "2026-01-02")

    assert [each["source"]["name"] for each in told["sources"]] == ["Guide", "owner"]
    assert told["left_out"] == []


def test_agents_that_are_left_alone_are_named_and_nothing_is_lacking(
    workplace: Workplace, sandbox: Sandbox, world: World, tmp_path: Path
):
    fill(world, world.add_agent("Other"))
    workplace.settle(sandbox, '\n[[memori]]\nname = "Guide"\n')
    workplace.backup()

    told = export(workplace, tmp_path / "out")

    assert (told["left_out"], told["never_backed_up"]) == ([], ["Other"])
    readme = " ".join((tmp_path / "out" / "README.txt").read_text("utf-8").split())
    assert "Other: nothing was ever backed up of it but its settings" in readme
    assert "Nothing that was there is lacking." in readme
    outcome = workplace.run("export", str(tmp_path / "again"))
    assert "Other: nothing was ever backed up of it" in outcome.out
    assert export(workplace, tmp_path / "one", "--memori", "Guide")["never_backed_up"] == []


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_a_full_disk_ends_with_8_and_leaves_nothing(
    work: Workplace, world: World, tmp_path: Path, name: str
):
    large = PNG + os.urandom(3 * 1024 * 1024)
    add_file(world, world.agent("Guide"), "large.png", large, None, "large")
    work.first_backup()
    work.run("status")  # the database's own files have their size by now
    with files_of_at_most(2 * 1024 * 1024):
        outcome = work.run("export", str(tmp_path / name))
    assert outcome.code == 8
    assert "cannot write" in outcome.err
    assert leftovers(tmp_path) == []


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Have something happen when the second content of an agent is written."""

    def let(happen: Callable[[], None]) -> None:
        @contextmanager
        def progress() -> Iterator[Any]:
            def watch(_: str, what: str, number: int, __: int | None) -> None:
                if (what, number) == ("contents", 2):
                    happen()

            yield watch

        monkeypatch.setattr("sync.cli.progress.progress", progress)

    return let


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_ctrl_c_leaves_nothing(work: Workplace, tmp_path: Path, meanwhile: Any, name: str):
    work.first_backup()
    seen = []

    def interrupt() -> None:
        seen.extend(leftovers(tmp_path))
        os.kill(os.getpid(), signal.SIGINT)

    meanwhile(interrupt)
    assert work.run("export", str(tmp_path / name)).code == 130
    assert [each for each in seen if "export" in each]
    assert leftovers(tmp_path) == []


KILLED = """
import os, signal, sys
import sync.cli.progress
from contextlib import contextmanager

@contextmanager
def progress():
    def watch(_, what, number, __):
        if (what, number) == ("contents", 2):
            os.kill(os.getpid(), getattr(signal, sys.argv[1]))
    yield watch

sync.cli.progress.progress = progress
sys.exit(sync.cli.run(sys.argv[2:]))
"""
"""An export that gets a signal when its second content is written."""


def begin(work: Workplace, path: Path, signal_name: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", KILLED, signal_name, "export", str(path)]
    return subprocess.Popen([*command, "--config", str(work.config)], stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("name", ["out", "out.zip", f"{'é' * 120}.zip"])
def test_what_an_export_that_was_killed_leaves_is_removed_by_the_next_one(
    work: Workplace, tmp_path: Path, name: str
):
    work.first_backup()
    place = tmp_path / "place"
    place.mkdir()

    def left() -> set[str]:
        return {each.name for each in place.iterdir()}

    assert begin(work, place / name, "SIGKILL").wait(60) == -signal.SIGKILL
    (half,) = left()
    assert half.startswith(f".{name[:20]}")
    assert half.endswith(".part")
    # Another path is none of its business, and what somebody else called so is left alone.
    mine = ".out.export-mine.part"
    (place / mine).touch()
    export(work, place / "another")
    assert left() == {half, "another", mine}
    export(work, place / name)
    assert left() == {name, "another", mine}


@pytest.mark.parametrize("name", ["out", "out.zip"])
def test_an_export_that_lives_is_left_alone_by_another_one_to_the_same_path(
    work: Workplace, tmp_path: Path, name: str
):
    work.first_backup()
    slow = begin(work, tmp_path / name, "SIGSTOP")
    assert os.WIFSTOPPED(os.waitpid(slow.pid, os.WUNTRACED)[1])
    (half,) = leftovers(tmp_path)
    export(work, tmp_path / name)
    files = tree(tmp_path / name)
    assert half in [each.name for each in tmp_path.iterdir()]
    slow.send_signal(signal.SIGCONT)
    assert slow.wait(60) == 2
    assert half not in [each.name for each in tmp_path.iterdir()]
    assert tree(tmp_path / name) == files


def test_a_snapshot_that_is_forgotten_is_not_exported(
    work: Workplace, tmp_path: Path, meanwhile: Any
):
    work.first_backup()
    forget = "update snapshot set status = 'forgotten' where id = 2"
    meanwhile(lambda: execute(work, forget))
    outcome = work.run("export", str(tmp_path / "out"))
    assert outcome.code == 8
    assert "snapshot 2 was forgotten while it was read" in outcome.err
    outcome = work.run("export", str(tmp_path / "out"), "--snapshot", "2")
    assert (outcome.code, leftovers(tmp_path)) == (2, [])


def test_nothing_is_written_over_anything(work: Workplace, tmp_path: Path):
    work.first_backup()
    folder, file = tmp_path / "out", tmp_path / "out.zip"
    folder.mkdir()
    (folder / "mine").write_text("mine")
    file.write_text("mine")
    for path in (folder, file, folder / "mine", tmp_path / "none" / "out", "nul\0"):
        assert work.run("export", str(path)).code == 2
    assert (tree(folder), file.read_text()) == ({"mine": b"mine"}, "mine")
    (folder / "mine").unlink()
    export(work, folder)
    check_sums(folder)


def test_it_asks_neither_the_remote_nor_for_the_lock(
    work: Workplace, sandbox: Sandbox, tmp_path: Path
):
    work.first_backup()
    before = len(sandbox.calls)
    mirror = Mirror(f"sqlite:///{work.folder}/mirror.db", KINDS)
    with hold(mirror.engine, "backup"):
        export(work, tmp_path / "out")
    mirror.close()
    assert len(sandbox.calls) == before


def test_a_kind_that_was_never_seen_whole_is_told(work: Workplace, tmp_path: Path):
    work.backup("--kind", "person")
    told = export(work, tmp_path / "out", code=3)
    older = told["sources"][0]["older_kinds"]
    assert older["memory"]["snapshot_id"] is None
    assert "person" not in older
    assert "memory was never seen whole" in (tmp_path / "out" / "README.txt").read_text("utf-8")


def test_every_further_kind_is_a_list_and_personal_ones_only_where_they_are_mirrored(
    work: Workplace, sandbox: Sandbox, tmp_path: Path
):
    work.first_backup()
    export(work, tmp_path / "without")
    work.settle(sandbox, "personal_data = true\n")
    work.backup()
    export(work, tmp_path / "with")
    usual = {name for name, each in KINDS.items() if each.scope is Scope.MEMORI}
    usual -= {"person", "localization_key", "memory", "medium"}
    for folder, is_there in (("without", False), ("with", True)):
        names = {each.stem for each in (tmp_path / folder / "Guide").glob("*.json")}
        assert usual - names == {each for each in usual if KINDS[each].is_personal and not is_there}


def test_what_is_not_there_cannot_be_exported(work: Workplace, tmp_path: Path):
    assert work.run("export", str(tmp_path / "out")).code == 10
    work.first_backup()
    for args in (("--memori", "Nobody"), ("--snapshot", "99"), ("--snapshot", "2", "--at", "now")):
        assert work.run("export", str(tmp_path / "out"), *args).code == 2
    for args, told in (
        (("--memori", "Nobody"), "it holds: 'Guide'"),
        (("--memori", "owner"), "'owner' is the account, and no agent"),
        (("--memori", "owner"), "without --memori it is exported with all its agents"),
        (("--snapshot", "1"), "of the same run are: 2 of 'Guide'; or say --at '20"),
    ):
        outcome = work.run("export", str(tmp_path / "out"), *args)
        assert outcome.code == 2
        assert told in outcome.err
    assert leftovers(tmp_path) == []


ANYTHING = st.text(st.characters(codec=None))


@given(st.one_of(ANYTHING, st.text("`~\n a")), st.sampled_from(["text/css", "a/`\n", ""]))
def test_no_snippet_ends_its_block(text: str, mime_type: str):
    first, *lines, last = fenced(text, mime_type).split("\n")
    assert last == first[: len(last)] == "`" * len(last)
    assert "`" not in first[len(last) :]
    assert not [line for line in lines if last in line]
    fenced(text, mime_type).encode()


@given(st.one_of(ANYTHING, st.text("[](){}<>*_`\\!#\n\r\0| a&")))
def test_no_title_is_more_than_text(text: str):
    shown = inline(text)
    assert not re.search(r"[`*_{}\[\]<>#|~&$]", re.sub(r"\\.", "", shown))
    assert len(shown.splitlines()) <= 1
    shown.encode()


@given(ANYTHING)
def test_no_link_ends_before_its_end(text: str):
    for each in (text, f"https://example.com/{text}", f"javascript:{text}"):
        shown = link("page", each)
        assert not re.search(r"\]\([^)]*\)(?=.)", shown, re.DOTALL)
        assert re.fullmatch(r"\[page\]\((?:https?|mailto):[^\s()<>]*\)|page: .*|page", shown)


@given(st.lists(st.lists(ANYTHING, min_size=2, max_size=2), max_size=5))
def test_cells_come_out_of_a_table_as_they_went_in(rows: list[list[str]]):
    data = b"".join(csv_table(("a", "b"), rows)).decode("utf-8-sig")
    _, *found = csv.reader(io.StringIO(data, newline=""), strict=True)
    assert found == [[cell(each) for each in row] for row in rows]
    assert not [each for row in found for each in row if each.startswith(tuple("=+-@\t\r"))]
    assert cell(["a", "b", 1]) == "a; b; 1"


def test_of_an_agent_the_latest_complete_backup_counts_and_then_whatever_there_is():
    guide, other = (Source(each, Scope.MEMORI, "Guide", f"{each}") for each in (1, 2))

    def seen(number: int, status: Status, reason: str = "manual") -> Snapshot:
        at = datetime(2026, 11, number, tzinfo=UTC)
        kinds = {"person": KindResult(status, Tally())}
        return Snapshot(number, number, guide, at, at, status, reason, None, FileCounts(), kinds)

    restored = seen(1, Status.COMPLETE, "before_restore")
    failed, first = seen(2, Status.FAILED), seen(3, Status.COMPLETE)
    later = [seen(4, Status.FAILED), seen(5, Status.RUNNING), seen(6, Status.FORGOTTEN)]
    again = seen(7, Status.COMPLETE, "after_restore")
    every = [restored, failed, first, *later, again]

    assert latest(every, guide, None) == first
    assert latest(every, guide, failed.started_at) == failed
    assert latest(every, guide, restored.started_at) == restored
    assert latest([*later[1:], again], guide, None) == again
    assert latest(every, other, None) is None
