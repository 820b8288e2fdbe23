"""Connections that threads may share: no cookies, no redirects, no look at the environment."""

import http.cookiejar
import os
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter

from sync.errors import UsageError


def pool(concurrency: int) -> requests.Session:
    """Connections for calls that go out side by side.

    Raises:
        UsageError: the certificates that the environment names are not there.
    """
    http_session = _Session()
    http_session.trust_env = False
    http_session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    bundle = os.environ.get("REQUESTS_CA_BUNDLE")
    if bundle and not Path(bundle).exists():
        raise UsageError("$REQUESTS_CA_BUNDLE names a file that is not there")
    http_session.verify = bundle or True
    adapter = HTTPAdapter(pool_connections=8, pool_maxsize=concurrency)
    http_session.mount("https://", adapter)
    http_session.mount("http://", adapter)
    return http_session


class _Session(requests.Session):
    """Leaves redirects alone.

    Even if told not to follow them, requests reads the whole body of one to see where it leads.
    """

    def get_redirect_target(self, _: requests.Response) -> None:
        """Nowhere; `Response.is_redirect` tells nevertheless."""
