"""Fetching files: every form is found, nothing comes in that is not the file, nothing gets out."""

import re

import pytest
from file_host import FileHost
from workplace import Workplace

from sync.sandbox import Agent, Asset, Sandbox, World

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40


@pytest.fixture
def host():
    with FileHost() as host:
        yield host


@pytest.fixture
def guide(world: World) -> Agent:
    return world.agent("Guide")


def refer(agent: Agent, *urls: str) -> None:
    """Give the first content media with these URLs instead of its own."""
    memory = agent.memories["m-hours-1"]
    (medium,) = memory["media"]
    memory["media"] = [
        {**medium, "mediumID": f"x-{n}", "url": url} for n, url in enumerate(urls, start=1)
    ]


def files(work: Workplace) -> dict[str, tuple[str, int | None]]:
    """{key: (status, size)} of the agent's files."""
    rows = work.sql(
        "select file.key, status, size_bytes from file join source on source.id = source_id"
        " where source.name = 'Guide'"
    )
    return {key: (status, size) for key, status, size in rows}


def test_every_form_of_earlier_years_is_fetched(work: Workplace, world: World, guide: Agent):
    ((name, asset),) = world.assets.items()
    asset.document |= {"memoriID": guide.memori_id, "engineMemoryID": "m-hours-1"}
    open_name = "11111111-aaaa-4bbb-8ccc-000000000009.png"
    facts = {"assetID": open_name[:-4], "mimeType": "image/png"}
    world.assets[open_name] = Asset({**asset.document, **facts, "engineMemoryID": None}, PNG)
    guide.settings["coverURL"] = f"https://assets.memori.ai/api/v2/asset/{open_name}"
    refer(
        guide,
        f"cloud://twin.memori.ai/{open_name}",
        f"guid://{open_name[:-4]}",
        f"/api/v1/memoriai/memory/media/cloud/twin/{name}?memori-ai-session-id=gone",
        f"https://old.example/api/v1/memoriai/memory/m-hours-1/media/cloud/{name}\n",
    )
    old_cover = f"/api/v1/memoriai/memori/cover/{guide.engine_id}"
    guide.memories["m-tale-1"]["answers"][0]["text"] = f'<img src="{old_cover}">'

    work.backup()

    small, large = len(asset.content), len(PNG)
    assert files(work) == {
        f"cloud/twin.memori.ai/{open_name}": ("stored", large),
        f"guid/{open_name[:-4]}": ("stored", large),
        f"memoriai/memory/media/cloud/twin/{name}": ("stored", small),
        f"memoriai/memory/m-hours-1/media/cloud/{name}": ("stored", small),
        f"memoriai/memori/cover/{guide.engine_id}": ("stored", large),
    }


def test_what_is_no_file_is_kept_word_for_word_and_never_fetched(
    work: Workplace, sandbox: Sandbox, guide: Agent
):
    urls = ("rgb(255, 0, 0)", "https://example.org/page", "data:image/png;base64,iVBORw0KGgo=")
    refer(guide, *urls)
    work.backup()
    assert files(work) == {}
    assert {url for (url,) in work.sql("select url from medium")} == set(urls)


def test_an_asset_that_the_backend_does_not_have_is_fetched_from_its_own_configured_url(
    work: Workplace, sandbox: Sandbox, host: FileHost, guide: Agent
):
    name = "22222222-aaaa-4bbb-8ccc-000000000009.png"
    host.files[f"/api/v2/asset/{name}"] = PNG
    work.settle(sandbox, assets=host.url)
    refer(guide, f"{host.url}/api/v2/asset/{name}")

    work.backup()

    assert files(work) == {f"asset/{name}": ("stored", len(PNG))}
    assert host.asked == [f"/api/v2/asset/{name}"]


def test_no_host_but_the_remote_is_ever_told_a_session_or_a_token(
    work: Workplace, sandbox: Sandbox, host: FileHost, guide: Agent
):
    host.files["/cover.png"] = PNG
    work.settle(sandbox, assets=host.url)
    refer(guide, f"{host.url}/cover.png?memori-ai-session-id=x", f"{host.url}/api/v2/asset/no.png")
    work.backup(code=3)
    assert host.asked == ["/cover.png", "/api/v2/asset/no.png"]
    told = "\n".join(host.headers).lower()
    assert not re.search("cookie|authorization|referer", told)
