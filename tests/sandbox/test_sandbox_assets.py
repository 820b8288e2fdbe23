"""Files: uploaded, described, served."""

from __future__ import annotations

import pytest

from sync.sandbox.drawing import pdf, png

ASSET = "/api/v2/Asset"
PICTURE = png(4, 3, 200, 10, 10)


@pytest.fixture
def memory_id(giver):
    memory = {"memoryType": "Default", "answers": [{"text": "x"}]}
    return giver.post("/memori/v2/Memory/{s}", memory)["memoryID"]


@pytest.fixture
def upload(owner):
    def send(where="", name="photo.png", content=PICTURE, part="file"):
        files = {part: (name, content)}
        return owner.raw("POST", f"{ASSET}/{{s}}{where}", files=files).json()

    return send


def file_name(answer):
    return answer["asset"]["assetURL"].rsplit("/", 1)[1]


class TestUpload:
    def test_the_record_is_made_by_the_remote(self, upload, owner):
        asset = upload(name="My photo.PNG", part="My photo.PNG")["asset"]
        assert asset["assetURL"] == f"https://assets.memori.ai/api/v2/asset/{asset['assetID']}.png"
        assert asset["mimeType"] == "image/png"
        assert asset["originalFileName"] == "My photo"
        assert asset["memoriID"] is asset["engineMemoryID"] is None
        assert asset["creationTimestamp"] == "2026-03-01T12:00:00.000000Z"
        assert owner.get("/api/v2/Assets/{s}")["assets"] == [asset]
        details = owner.get(f"/api/v2/AssetDetails/{{s}}/{asset['assetID']}.png")
        assert details["asset"] == asset

    def test_the_path_says_where_it_belongs(self, upload, agent, memory_id):
        asset = upload(f"/{agent.memori_id}")["asset"]
        assert (asset["memoriID"], asset["engineMemoryID"]) == (agent.memori_id, None)
        asset = upload(f"/{agent.memori_id}/{memory_id}")["asset"]
        assert (asset["memoriID"], asset["engineMemoryID"]) == (agent.memori_id, memory_id)

    @pytest.mark.parametrize(
        ("name", "content", "code"),
        [
            ("photo.png", b"", -504),
            ("photo.png", b"not a picture", -505),
            ("photo.exe", b"MZ", -505),
            ("photo", PICTURE, -506),
        ],
    )
    def test_a_wrong_file_is_refused(self, upload, world, name, content, code):
        assert upload(name=name, content=content)["resultCode"] == code
        assert not world.assets

    def test_a_long_file_is_refused(self, upload, sandbox):
        sandbox.remote.upload_limit_bytes = len(PICTURE) - 1
        assert upload()["resultCode"] == -503
        assert upload(content=PICTURE + bytes(100_000))["resultCode"] == -503
        sandbox.remote.upload_limit_bytes = len(PICTURE)
        assert upload()["resultCode"] == 0

    def test_an_unknown_agent_or_memory_is_refused(self, upload, agent, world, memory_id):
        assert upload("/unknown")["resultCode"] == -51
        assert upload(f"/{agent.memori_id}/unknown")["resultCode"] == -507
        other = world.agent("Archive")
        assert upload(f"/{other.memori_id}/{memory_id}")["resultCode"] == -507

    @pytest.mark.parametrize(
        ("options", "code"),
        [
            ({"json": {}}, -501),
            ({"data": b"x", "headers": {"Content-Type": "multipart/form-data"}}, -502),
            (
                {
                    "data": b"--b--\r\n",
                    "headers": {"Content-Type": "multipart/form-data; boundary=b"},
                },
                -508,
            ),
            ({"files": {"file": (None, "no name")}}, -506),
        ],
    )
    def test_what_is_no_upload_is_refused(self, owner, options, code):
        assert owner.raw("POST", f"{ASSET}/{{s}}", **options).json()["resultCode"] == code

    def test_an_upload_needs_a_login(self, client):
        files = {"file": ("photo.png", PICTURE)}
        answer = client.raw("POST", f"{ASSET}/unknown", files=files).json()
        assert answer["resultCode"] == -101


class TestDownload:
    def test_a_public_file_is_served_to_anyone(self, upload, client, giver):
        name = file_name(upload())
        for path in (name, f"{name}/{giver.secret}", f"{name}/whatever"):
            response = client.raw("GET", f"{ASSET}/{path}")
            assert response.content == PICTURE
            assert response.headers["Content-Type"] == "image/png"
            assert int(response.headers["Content-Length"]) == len(PICTURE)

    def test_a_file_of_a_memory_needs_a_session_of_its_agent(self, upload, giver, world, memory_id):
        guide, archive = world.agents.values()
        name = file_name(upload(f"/{guide.memori_id}/{memory_id}"))
        elsewhere = giver.open_giver(archive)
        assert giver.get(f"{ASSET}/{name}")["resultCode"] == -603
        assert giver.get(f"{ASSET}/{name}/unknown")["resultCode"] == -602
        assert elsewhere.get(f"{ASSET}/{name}/{{s}}")["resultCode"] == -602
        assert giver.raw("GET", f"{ASSET}/{name}/{{s}}").content == PICTURE

    @pytest.mark.parametrize("content", [b'{"resultCode": 7, "other": []}', b"[1]", b"{"])
    def test_a_json_file_is_served_as_it_is(self, upload, client, content):
        name = file_name(upload(name="data.json", content=content))
        response = client.raw("GET", f"{ASSET}/{name}")
        assert response.headers["Content-Type"] == "application/json"
        assert response.content == content

    def test_a_missing_file_is_an_envelope_not_a_picture(self, client):
        response = client.raw("GET", f"{ASSET}/00000000.png")
        assert response.status_code == 200
        assert response.json()["resultCode"] == -601
        assert client.get(f"{ASSET}/no-extension")["resultCode"] == -604

    def test_a_size_in_the_name_is_understood(self, upload, client):
        stem = file_name(upload()).removesuffix(".png")
        for size in ("32x32", "favicon", "512x512"):
            assert client.raw("GET", f"{ASSET}/{stem}@{size}.png").content == PICTURE
        assert client.get(f"{ASSET}/{stem}@9x9.png")["resultCode"] == -604

    def test_an_etag_saves_the_second_download(self, upload, client):
        path = f"{ASSET}/{file_name(upload())}"
        etag = client.raw("GET", path).headers["ETag"]
        again = client.raw("GET", path, headers={"If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b"")
        other = client.raw("GET", path, headers={"If-None-Match": '"other"'})
        assert (other.status_code, other.content) == (200, PICTURE)

    def test_a_download_can_be_resumed_unless_the_file_changed(self, upload, client):
        content = pdf(["A page"] * 20)
        path = f"{ASSET}/{file_name(upload(name='page.pdf', content=content))}"
        etag = client.raw("GET", path).headers["ETag"]
        rest = client.raw("GET", path, headers={"Range": "bytes=100-", "If-Range": etag})
        assert (rest.status_code, rest.content) == (206, content[100:])
        assert rest.headers["Content-Range"] == f"bytes 100-{len(content) - 1}/{len(content)}"
        stale = client.raw("GET", path, headers={"Range": "bytes=100-", "If-Range": '"old"'})
        assert (stale.status_code, stale.content) == (200, content)
        beyond = client.raw("GET", path, headers={"Range": "bytes=999999-"})
        assert beyond.status_code == 416


class TestRecords:
    def test_a_record_changes_but_its_agent_stays(self, upload, owner, agent, memory_id, clock):
        before = upload(f"/{agent.memori_id}")["asset"]
        path = f"{ASSET}/{{s}}/{before['assetID']}.png"
        clock.forward(minutes=1)
        change = {"originalFileName": "Renamed", "memoriID": "x", "engineMemoryID": memory_id}
        after = owner.patch(path, change)["asset"]
        changed = {
            "originalFileName": "Renamed",
            "engineMemoryID": memory_id,
            "lastChangeTimestamp": "2026-03-01T12:01:00.000000Z",
        }
        assert after == before | changed
        assert owner.patch(path, {"engineMemoryID": "-"})["asset"]["engineMemoryID"] is None
        assert owner.patch(path, {"engineMemoryID": "unknown"})["resultCode"] == -507

    def test_a_removed_file_is_gone(self, upload, owner, client):
        name = file_name(upload())
        assert owner.delete(f"{ASSET}/{{s}}/{name}")["resultCode"] == 0
        assert owner.get("/api/v2/Assets/{s}")["assets"] == []
        assert owner.delete(f"{ASSET}/{{s}}/{name}")["resultCode"] == -601
        assert client.get(f"{ASSET}/{name}")["resultCode"] == -601

    def test_only_the_owner_writes(self, upload, client):
        path = f"{ASSET}/unknown/{file_name(upload())}"
        assert client.patch(path, {"originalFileName": "x"})["resultCode"] == -101
        assert client.delete(path)["resultCode"] == -101

    def test_removing_a_memory_leaves_its_files(self, upload, owner, giver, agent, memory_id):
        upload(f"/{agent.memori_id}/{memory_id}")
        giver.delete(f"/memori/v2/Memory/{{s}}/{memory_id}")
        assets = owner.get("/api/v2/Assets/{s}")["assets"]
        assert [asset["engineMemoryID"] for asset in assets] == [memory_id]


class TestLegacyForms:
    V1 = "/api/v1"

    @pytest.mark.parametrize("form", ["{}", "twin.memori.ai/{}", "a/b/{}"])
    def test_a_cloud_asset_may_be_named_by_a_path(self, upload, client, form):
        path = f"{self.V1}/CloudAsset/" + form.format(file_name(upload()))
        assert client.raw("GET", path).content == PICTURE
        assert client.raw("GET", path.replace("CloudAsset", "cloudasset")).content == PICTURE

    def test_a_guid_names_an_asset_without_extension(self, upload, client):
        asset_id = upload()["asset"]["assetID"]
        assert client.raw("GET", f"{self.V1}/GuidAsset/{asset_id}").content == PICTURE
        assert client.get(f"{self.V1}/GuidAsset/unknown")["resultCode"] == -601

    def test_files_of_memories_take_the_session_as_a_query(self, upload, giver, agent, memory_id):
        name = file_name(upload(f"/{agent.memori_id}/{memory_id}"))
        old = f"{self.V1}/memoriai/memory"
        for path in (f"{old}/media/cloud/x/{name}", f"{old}/{memory_id}/media/cloud/{name}"):
            assert giver.get(path)["resultCode"] == -603
            response = giver.raw("GET", f"{path}?memori-ai-session-id={{s}}")
            assert response.content == PICTURE
        assert giver.get(f"{old}/unknown/media/cloud/{name}")["resultCode"] == -601

    def test_cover_and_avatar_go_by_the_engine_id(self, upload, client, agent):
        agent.settings["coverURL"] = upload()["asset"]["assetURL"]
        old = f"{self.V1}/memoriai/memori"
        assert client.raw("GET", f"{old}/cover/{agent.engine_id}").content == PICTURE
        assert client.get(f"{old}/cover/{agent.memori_id}")["resultCode"] == -51
        assert client.get(f"{old}/avatar/{agent.engine_id}")["resultCode"] == -604


def test_what_a_coauthor_uploaded_is_served_and_not_shown(upload, owner, giver, world):
    name = file_name(upload())
    world.assets[name].is_listed = False
    assert owner.get("/api/v2/Assets/{s}")["assets"] == []
    assert giver.raw("GET", f"{ASSET}/{name}/{{s}}").content == PICTURE
    details = owner.raw("GET", f"/api/v2/AssetDetails/{{s}}/{name}").json()
    assert details["resultCode"] == -602
    assert owner.raw("DELETE", f"{ASSET}/{{s}}/{name}").json()["resultCode"] == -602
    assert type(world).from_json(world.to_json()).assets == world.assets
