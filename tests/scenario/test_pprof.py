# SPDX-License-Identifier: Apache-2.0
"""Targets that lie to the pprof receiver: each lie is counted and told, the good profile beside it goes on."""
import gzip
import http.server
import os
import threading

import pytest
from leatkit import ROOT, Agent, pipeline, until


@pytest.fixture
def liar():
    def good(name):
        with open(os.path.join(ROOT, 'tests/fuzz/pprof/corpus', name), 'rb') as f:
            return f.read()

    bodies = {'goroutine': gzip.compress(good('goroutine')), 'allocs': gzip.compress(b'\0' * (2 << 20)), 'mutex': gzip.compress(good('mutex'))[:-20],
              'block': gzip.compress(good('block') + b'\x12\x04\x0a\x02\xff\x01')}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = bodies.get(self.path.split('?')[0].split('/')[-1])
            self.send_response(200 if body else 500)
            self.send_header('Content-Length', str(len(body or b'')))
            self.end_headers()
            self.wfile.write(body or b'')

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield '127.0.0.1:%d' % server.server_address[1]
    server.shutdown()


def test_each_lie_is_counted_and_the_rest_goes_on(tmp_path, liar):
    job = {'job_name': 'liars', 'scrape_interval': '2s', 'body_size_limit': '1MiB', 'static_configs': [{'targets': [liar]}]}
    one = Agent(str(tmp_path), pipeline({'pprof': {'scrape_configs': [job]}}, {'nop': {}}, ('profiles',))).start()
    try:
        failed = 'leat_pprof_scrapes_failed_total'
        for reason in 'body_size_limit', 'gzip', 'malformed', 'status':
            until(lambda: one.total(failed, reason=reason) >= 1, 15, lambda: reason + one.log())
        until(lambda: one.total('otelcol_receiver_accepted_profiles') >= 2, 15, one.log)
        assert liar in one.log()
        one.check_ledger()
        assert one.stop() == 0
    finally:
        one.close()
