# SPDX-License-Identifier: Apache-2.0
import os
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import leatkit  # noqa: E402


@pytest.fixture
def agent(tmp_path):
    """agent(config) starts one; at the end each is stopped and its log is searched for sanitizer reports."""
    started = []

    def start(config, name='leat', run=True, **more):
        one = leatkit.Agent(str(tmp_path / name), config, **more)
        started.append(one)
        return one.start() if run else one

    yield start
    for one in started:
        one.close()


@pytest.fixture
def peer():
    """peer() opens a scripted HTTP server."""
    opened = []

    def open_peer(port=0):
        opened.append(leatkit.Peer(port))
        return opened[-1]

    yield open_peer
    for one in opened:
        one.close()
