"""Login, user, settings of agents, badges."""

from __future__ import annotations

import pytest

LOGIN = "/api/v2/Login"


@pytest.fixture
def credentials(world):
    account = world.account
    return {"tenant": account.tenant, "userName": "owner", "password": account.password}


def test_a_login_gives_a_token_and_the_user(client, credentials, sandbox):
    answer = client.post(LOGIN, credentials)
    assert answer["user"]["userName"] == "owner"
    assert "password" not in answer["user"]
    assert list(sandbox.tokens) == [answer["token"]]
    for path in ("User", "PwlUser"):
        user = client.get(f"/api/v2/{path}/{answer['token']}")["user"]
        assert user == answer["user"]


def test_the_mail_address_names_the_user_too(client, credentials, world):
    by_mail = credentials | {"userName": None, "eMail": world.account.email}
    assert client.post(LOGIN, by_mail)["resultCode"] == 0


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"password": "guess"}, -13),
        ({"tenant": "www.example.org"}, -1),
        ({"userName": "nobody"}, -12),
        ({"tenant": None}, -21),
        ({"password": ""}, -23),
        ({"userName": None}, -31),
    ],
)
def test_a_wrong_login_is_refused_with_http_200(client, credentials, wrong, code):
    response = client.raw("POST", LOGIN, json=credentials | wrong)
    assert response.status_code == 200
    assert response.json()["resultCode"] == code
    assert "token" not in response.json()


def test_five_wrong_passwords_lock_the_account_until_it_is_reset(client, credentials, sandbox):
    wrong = credentials | {"password": "guess"}
    assert [client.post(LOGIN, wrong)["resultCode"] for _ in range(6)] == [-13] * 5 + [-38]
    assert client.post(LOGIN, credentials)["resultCode"] == -38
    sandbox.remote.login_failures = 0
    assert client.post(LOGIN, credentials)["resultCode"] == 0


def test_a_right_password_forgives_wrong_ones(client, credentials):
    wrong = credentials | {"password": "guess"}
    for _ in range(3):
        assert [client.post(LOGIN, wrong)["resultCode"] for _ in range(4)] == [-13] * 4
        assert client.post(LOGIN, credentials)["resultCode"] == 0


def test_an_account_may_be_kept_out_for_other_reasons(client, credentials, world):
    world.account.login_refusal = -14
    answer = client.post(LOGIN, credentials)
    assert answer["resultCode"] == -14
    assert answer["flowID"]


@pytest.mark.parametrize("path", ["Logout", "PwlLogout"])
def test_a_logout_ends_the_token(owner, path):
    assert owner.raw("POST", f"/api/v2/{path}/{{s}}").json()["resultCode"] == 0
    assert owner.get("/api/v2/User/{s}")["resultCode"] == -101


def test_a_token_expires(owner, clock):
    clock.forward(hours=23)
    assert owner.get("/api/v2/User/{s}")["resultCode"] == 0
    clock.forward(hours=1)
    assert owner.get("/api/v2/User/{s}")["resultCode"] == -103


@pytest.mark.parametrize(
    "path",
    [
        "User/x",
        "PwlUser/x",
        "Memori/x",
        "SharedMemori/x",
        "Memori/x/y",
        "Badges/x",
        "Badge/x/y",
        "Assets/x",
        "AssetDetails/x/y.png",
    ],
)
def test_an_unknown_token_opens_nothing(client, path):
    response = client.raw("GET", f"/api/v2/{path}")
    assert response.status_code == 200
    assert response.json()["resultCode"] == -101


def test_the_health_check_is_a_bare_envelope(client):
    answer = client.get("/api/v2/HealthCheck")
    assert set(answer) == {"requestID", "requestDateTime", "resultCode", "resultMessage"}


def test_agents_are_listed_without_secrets_that_only_go_in(owner, world, agent):
    agent.password = "deep"
    agent.settings |= {"privacyType": "SECRET", "password": "deep", "recoveryTokens": ["a"]}
    answer = owner.get("/api/v2/Memori/{s}")
    assert answer["totalCount"] == 2
    assert [memori["name"] for memori in answer["memori"]] == ["Guide", "Archive"]
    shown = owner.get(f"/api/v2/Memori/{{s}}/{agent.memori_id}")["memori"]
    assert shown == answer["memori"][0]
    assert not shown.keys() & {"password", "newPassword", "recoveryTokens"}
    assert owner.get("/api/v2/SharedMemori/{s}")["totalCount"] == 0
    assert owner.get("/api/v2/Memori/{s}/unknown")["resultCode"] == -51


@pytest.fixture
def change(owner, agent):
    path = f"/api/v2/Memori/{{s}}/{agent.memori_id}"
    return lambda **fields: owner.patch(path, fields)


class TestSettings:
    def test_a_change_sets_what_is_given(self, change, agent):
        before = dict(agent.settings)
        memori = change(name="Cicerone", nsfw=False, description=None, memoriID="x")["memori"]
        now = "2026-03-01T12:00:00.000000Z"
        changed = {"name": "Cicerone", "nsfw": False, "lastChangeTimestamp": now}
        assert memori == agent.settings == before | changed

    def test_the_credentials_of_the_giver_stay(self, change):
        assert change(giverTag="🦊")["resultCode"] == -53
        assert change(giverPIN="000000")["resultCode"] == -213
        assert change(giverTag="🎓", giverPIN="271828")["resultCode"] == 0

    def test_a_private_agent_wants_its_token(self, change):
        token = change(privacyType="PRIVATE")["memori"]["secretToken"]
        assert token
        assert change(name="x")["resultCode"] == -204
        assert change(name="x", password="wrong")["resultCode"] == -13
        assert change(name="x", password=token)["resultCode"] == 0

    def test_a_secret_agent_wants_its_password(self, change, agent):
        assert change(privacyType="SECRET")["resultCode"] == -204
        answer = change(privacyType="SECRET", newPassword="first")
        assert answer["resultCode"] == 0
        assert agent.password == "first"
        assert "newPassword" not in agent.settings
        assert change(password="first", newPassword="second")["resultCode"] == 0
        assert change(name="x", password="first")["resultCode"] == -13
        assert change(privacyType="PUBLIC", password="second")["resultCode"] == 0
        assert agent.password is None

    def test_an_unknown_agent_or_type_is_refused(self, owner, change):
        assert owner.patch("/api/v2/Memori/{s}/unknown", {"name": "x"})["resultCode"] == -51
        assert change(privacyType="OPEN")["resultCode"] < 0
        assert change(name=5)["resultCode"] == 400


def test_badges_are_listed_and_got(owner, world):
    world.badges.append({"badgeID": "b1", "name": "Friend", "date": "2024-01-01T00:00:00"})
    assert owner.get("/api/v2/Badges/{s}")["badges"] == world.badges
    assert owner.get("/api/v2/Badge/{s}/b1")["badge"] == world.badges[0]
    assert owner.get("/api/v2/Badge/{s}/b2")["resultCode"] == -2051
