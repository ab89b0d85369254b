# SPDX-License-Identifier: Apache-2.0
"""Pages that lie, beside one that does not: each ends in a counter and a log line that names its target, and harms nobody."""
import json
import re
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from leatkit import Agent, until

SERIES = 60000


class Liar(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    rounds = {}

    def do_GET(self):
        name = self.path[1:]
        n = self.rounds[name] = self.rounds.get(name, 0) + 1
        body, status = {
            'good': lambda: 'good 1\nround %d\n' % n,
            'flood': lambda: ''.join('flood{i="%d"} 1\n' % (n * SERIES + i) for i in range(SERIES)),
            'label': lambda: 'long{x="%s"} 1\n' % ('y' * 3000000),
            'names': lambda: 'many{%s} 1\n' % ','.join('l%d="1"' % i for i in range(6000)),
            'half': lambda: 'a 1\nb{c="d',
            'wrong': lambda: '# TYPE a nonsense\na 1\n',
            'twice': lambda: 'a 1\na 2\n',
            'bytes': lambda: 'a{b="\udcff"} 1\n',
            'large': lambda: 'a 1\n' * 600000,
            'none': lambda: '',
        }[name](), 500 if name == 'none' else 200
        body = body.encode('utf-8', 'surrogateescape')
        try:
            self.send_response(status)
            self.send_header('Content-Type', 'application/vnd.google.protobuf' if name == 'wrong' and n % 2 else 'text/plain; version=0.0.4')
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture
def liar():
    httpd = ThreadingHTTPServer(('127.0.0.1', 0), Liar)
    httpd.daemon_threads = True
    Liar.rounds.clear()
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield httpd.server_address[1]
    httpd.shutdown()


def test_pages_that_lie_harm_nobody(tmp_path, liar):
    names = ('good', 'flood', 'label', 'names', 'half', 'wrong', 'twice', 'bytes', 'large', 'none')
    jobs = [{'job_name': name, 'scrape_interval': '1s', 'metrics_path': '/' + name, 'static_configs': [{'targets': ['127.0.0.1:%d' % liar]}]} for name in names]
    one = Agent(str(tmp_path / 'leat'), {
        'receivers': {'prometheus': {'config': {'scrape_configs': jobs}, 'max_series_per_target': SERIES // 2, 'max_body_bytes': '2MiB'}},
        'exporters': {'nop': None}, 'service': {'pipelines': {'metrics': {'receivers': ['prometheus'], 'exporters': ['nop']}}}})
    one.start()
    try:
        until(lambda: all(Liar.rounds.get(name, 0) >= 4 for name in names), 60, 'four rounds')
        failed = 'leat_prometheus_scrapes_failed_total'
        for reason in ('series_limit', 'malformed', 'body_size_limit', 'status'):
            assert one.total(failed, reason=reason) > 0, reason
        assert one.total('leat_prometheus_samples_left_out_total', reason='duplicate') > 0
        log = one.log()
        for name in names:
            told = [line for line in log.splitlines() if 'scrape failed' in line and ':%d/%s:' % (liar, name) in line]
            assert (len(told) > 0) == (name not in ('good', 'twice')), name
            assert len(told) <= 2, told  # one in ten seconds
        rounds = Liar.rounds['good']
        until(lambda: Liar.rounds['good'] > rounds + 2, 20, 'the good target goes on')
    finally:
        one.close()


class Counting(BaseHTTPRequestHandler):
    """One page for each path; how often each was asked, and when last."""
    protocol_version = 'HTTP/1.1'
    seen = {}

    def do_GET(self):
        n = self.seen[self.path] = self.seen.get(self.path, 0) + 1
        body = b'page_rounds %d\n' % n
        self.send_response(200)
        self.send_header('Content-Type', 'text/plain; version=0.0.4')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def pages():
    httpd = ThreadingHTTPServer(('127.0.0.1', 0), Counting)
    httpd.daemon_threads = True
    Counting.seen.clear()
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield httpd.server_address[1]
    httpd.shutdown()


# Scenario:   three shards; 12 targets of a static list and 12 of a file, told apart by their path; then the file loses one and gains one.
# Guarantees: each target is scraped by exactly one shard at its interval; the one that went is asked no more and the one that came is; at
#             the stop nothing is held back, every sample went in, came out, and no edge has a difference.
def test_three_shards_share_the_targets(agent, tmp_path, pages):
    def of_file(numbers):
        part = tmp_path / 'targets.json.part'
        part.write_text(json.dumps([{'targets': ['127.0.0.1:%d' % pages], 'labels': {'__metrics_path__': '/file/%d' % i, 'n': str(i)}} for i in numbers]))
        part.rename(tmp_path / 'targets.json')

    of_file(range(12))
    static = [{'targets': ['127.0.0.1:%d' % pages], 'labels': {'__metrics_path__': '/static/%d' % i, 'n': str(i)}} for i in range(12)]
    jobs = [{'job_name': 'static', 'scrape_interval': '1s', 'static_configs': static},
            {'job_name': 'file', 'scrape_interval': '1s', 'file_sd_configs': [{'files': [str(tmp_path / 'targets.json')]}]}]
    one = agent({'leat': {'shards': 3}, 'receivers': {'prometheus': {'config': {'scrape_configs': jobs}}}, 'exporters': {'nop': None},
                 'service': {'pipelines': {'metrics': {'receivers': ['prometheus'], 'exporters': ['nop']}}}})
    paths = ['/%s/%d' % (kind, i) for kind in ('static', 'file') for i in range(12)]
    until(lambda: all(Counting.seen.get(p, 0) >= 3 for p in paths), 20, lambda: 'three rounds of %s' % Counting.seen)
    assert one.total('leat_prometheus_targets_added') == 24
    asked, begin = dict(Counting.seen), time.monotonic()
    time.sleep(3)
    passed = time.monotonic() - begin
    for path in paths:
        assert Counting.seen[path] - asked[path] <= passed + 2, path  # two shards with it would ask twice as often

    of_file([*range(1, 12), 12])
    until(lambda: Counting.seen.get('/file/12', 0) >= 2, 20, 'the target that came')
    until(lambda: one.total('leat_prometheus_targets_removed') == 1, 20, 'the end of the target that went')
    gone = Counting.seen['/file/0']
    until(lambda: all(Counting.seen[p] > asked[p] + 4 for p in paths if p != '/file/0'), 20, 'the others go on')
    assert Counting.seen['/file/0'] == gone
    assert one.total('leat_prometheus_targets_added') == 25
    assert one.total('leat_prometheus_scrapes_failed') == 0
    books = one.check_ledger()
    assert sum(row['in'] for row in books.values()) > 0 and not any(row['dropped'] for row in books.values())
    assert one.stop() == 0


class ApiServer(BaseHTTPRequestHandler):
    """Two pods, listed and then watched; the watch tells of a third one when `more` is set."""
    protocol_version = 'HTTP/1.1'
    asked, more = [], threading.Event()

    @staticmethod
    def pod(i):
        return {'metadata': {'name': 'p%d' % i, 'namespace': 'shop', 'uid': 'u%d' % i, 'resourceVersion': str(i + 1)},
                'spec': {'containers': [{'name': 'c', 'ports': [{'containerPort': 1}]}]}, 'status': {'podIP': '127.0.0.%d' % (i + 1)}}

    def piece(self, text):
        self.wfile.write(b'%x\r\n%s\r\n' % (len(text), text))
        self.wfile.flush()

    def do_GET(self):
        self.asked.append((self.path, self.headers.get('Authorization')))
        self.send_response(200)
        self.send_header('Transfer-Encoding', 'chunked')
        self.end_headers()
        try:
            if 'watch=1' not in self.path:
                self.piece(json.dumps({'metadata': {'resourceVersion': '10'}, 'items': [self.pod(0), self.pod(1)]}).encode())
                self.wfile.write(b'0\r\n\r\n')
            elif self.more.wait(60):
                self.piece(json.dumps({'type': 'ADDED', 'object': self.pod(2)}).encode() + b'\n')
                time.sleep(60)
        except OSError:
            self.close_connection = True

    def log_message(self, *args):
        pass


# Scenario:   three jobs that find pods in the same way, one with a selector, one with another token; then a pod comes.
# Guarantees: one list and one watch for what is the same, others for what is not; every job has the pods, and the one that came.
def test_equal_jobs_share_a_watch(agent):
    httpd = ThreadingHTTPServer(('127.0.0.1', 0), ApiServer)
    httpd.daemon_threads = True
    threading.Thread(target=httpd.serve_forever, daemon=True).start()

    def job(name, token='t', **more):
        sd = {'role': 'pod', 'api_server': 'http://127.0.0.1:%d' % httpd.server_address[1], 'authorization': {'credentials': token}, **more}
        return {'job_name': name, 'scrape_interval': '60s', 'kubernetes_sd_configs': [sd]}

    names = ('a', 'b', 'c', 'narrow', 'other')
    jobs = [job('a'), job('b'), job('c'), job('narrow', selectors=[{'role': 'pod', 'label': 'x=y'}]), job('other', token='o')]
    one = agent({'receivers': {'prometheus': {'config': {'scrape_configs': jobs}}}, 'exporters': {'nop': None},
                 'service': {'pipelines': {'metrics': {'receivers': ['prometheus'], 'exporters': ['nop']}}}})

    def targets():
        with urllib.request.urlopen('http://127.0.0.1:%d/debug/dump' % one.metrics_port, timeout=10) as answer:
            text = answer.read().decode()
        return {name: len(re.findall(r'job %s target ' % name, text)) for name in names}

    try:
        until(lambda: set(targets().values()) == {2}, 20, lambda: 'two pods for each job: %s' % targets())
        until(lambda: sum('watch=1' in path for path, _ in ApiServer.asked) >= 3, 20, 'the watches')
        ApiServer.more.set()
        until(lambda: set(targets().values()) == {3}, 30, lambda: 'three pods for each job: %s' % targets())
        for watch in (False, True):
            asked = [(path, token) for path, token in ApiServer.asked if ('watch=1' in path) == watch]
            assert sorted(('labelSelector' in path, token) for path, token in asked) == [(False, 'Bearer o'), (False, 'Bearer t'), (True, 'Bearer t')]
        assert one.stop() == 0
    finally:
        httpd.shutdown()
