# SPDX-License-Identifier: Apache-2.0
"""Targets that hang, dribble, break off, point elsewhere and change their pages, while the list flaps and the configuration is read again."""
import gzip
import json
import os
import random
import signal
import socket
import threading
import time

import pytest
from leatkit import SANITIZED, until

KINDS = ('good', 'churn', 'hang', 'dribble', 'reset', 'cut', 'open', 'proto', 'gzip', 'away', 'alias', 'stamped')


def page(rng, kind):
    """-> content type, body, more headers"""
    text = 'text/plain; version=0.0.4'
    if kind == 'churn':
        start = rng.randrange(1000)
        return text, ''.join('# HELP f%d %s\n# TYPE f%d gauge\nf%d{i="%d"} %d\n' % (i, 'h' * rng.randrange(40), i, i, i % 7, i) for i in range(start, start + 300)), ''
    if kind == 'cut':
        body = ''.join('c{i="%d"} %d\n' % (i, i) for i in range(200))
        return text, body[:rng.randrange(len(body))], ''
    if kind == 'open':
        body = ''.join('# TYPE o%d counter\no%d_total %d # {trace_id="%d"} 1\no%d_created 5\n' % (i, i, i, rng.random() * 9, i) for i in range(50)) + '# EOF\n'
        return 'application/openmetrics-text; version=1.0.0', body if rng.random() < .7 else body[:rng.randrange(len(body))], ''
    if kind == 'proto':
        return 'application/vnd.google.protobuf', rng.randbytes(rng.randrange(400)), ''
    if kind == 'gzip':
        packed = gzip.compress(b'z 1\n' * 5000)
        return text, packed if rng.random() < .5 else packed[:rng.randrange(len(packed))], 'Content-Encoding: gzip\r\n'
    if kind == 'alias':
        labels = ['x="1"', 'y="2"', 'z="3"']
        rng.shuffle(labels)
        return text, ''.join('a{i="%d",%s} 1\na{%s,i="%d"} 2\n' % (i, ','.join(labels), ','.join(labels), i) for i in range(rng.randrange(1, 300))), ''
    if kind == 'stamped':
        return text, ''.join('s%d 1 %d\n' % (i, time.time() * 1000 - rng.randrange(5000)) for i in range(100)), ''
    return text, ''.join('g%d %d\n' % (i, rng.randrange(9)) for i in range(100)), ''


class Targets:
    """A server that does to each connection what the path says."""

    def __init__(self):
        self.sock = socket.create_server(('127.0.0.1', 0), backlog=200)
        self.port, self.asked, self.rng = self.sock.getsockname()[1], {}, random.Random(7)
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                conn, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    def serve(self, conn):
        try:
            with conn:
                head = b''
                while data := conn.recv(4096):
                    head += data
                    if b'\r\n\r\n' in head:
                        self.answer(conn, head.split(b' ')[1].decode().split('/')[1])
                        head = b''
        except OSError:
            pass

    def answer(self, conn, kind):
        self.asked[kind] = self.asked.get(kind, 0) + 1
        if kind == 'hang':
            time.sleep(3)
            raise OSError
        if kind == 'away':  # to another host, which hangs
            conn.sendall(b'HTTP/1.1 302 Found\r\nLocation: http://localhost:%d/hang/0\r\nContent-Length: 0\r\n\r\n' % self.port)
            return
        content_type, body, more = page(self.rng, kind)
        body = body if isinstance(body, bytes) else body.encode()
        if kind == 'dribble':
            conn.sendall(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
            for i in range(0, len(body)):
                conn.sendall(b'1\r\n%c\r\n' % body[i])
                if i % 50 == 0:
                    time.sleep(0.01)
            conn.sendall(b'0\r\n\r\n')
            return
        head = 'HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n%s\r\n' % (content_type, len(body), more)
        if kind == 'reset':
            conn.sendall((head.encode() + body)[:self.rng.randrange(len(head) + len(body))])
            raise OSError
        conn.sendall(head.encode() + body)


@pytest.fixture
def targets():
    one = Targets()
    yield one
    one.sock.close()


# Scenario:   48 targets of all those kinds, some of them on and off a list that changes twice a second; the configuration is read again every
#             three seconds.
# Guarantees: good targets are scraped on, bad ones end in counters, the ledger balances, the end is clean.
def test_targets_and_lists_that_flap(agent, peer, tmp_path, targets):
    store = peer()
    rng = random.Random(11)

    def of_file():
        rows = [{'targets': ['127.0.0.1:%d' % targets.port], 'labels': {'__metrics_path__': '/%s/%d' % (kind, i), 'n': str(i % 2)}}
                for kind in KINDS for i in range(4) if kind == 'good' or rng.random() < .6]
        (tmp_path / 'part').write_text(json.dumps(rows))
        os.rename(tmp_path / 'part', tmp_path / 'targets.json')

    of_file()
    job = {'job_name': 'all', 'scrape_interval': '500ms', 'scrape_timeout': '400ms', 'scrape_native_histograms': True,
           'file_sd_configs': [{'files': [str(tmp_path / 'targets.json')]}]}
    one = agent({'leat': {'shards': 2}, 'receivers': {'prometheus': {'config': {'scrape_configs': [job]}, 'max_series_per_target': 500}},
                 'exporters': {'prometheus_remote_write': {'endpoint': store.url + '/api/v1/write'}, 'nop': None},
                 'service': {'pipelines': {'metrics': {'receivers': ['prometheus'], 'exporters': ['prometheus_remote_write', 'nop']}}}})
    end = time.monotonic() + (16 if SANITIZED else 8)
    again = time.monotonic() + 3
    while time.monotonic() < end:
        time.sleep(.5)
        of_file()
        if time.monotonic() > again:
            again += 3
            one.process.send_signal(signal.SIGHUP)
    before = targets.asked['good']
    until(lambda: targets.asked['good'] >= before + 8, 20, 'good targets to be asked on')
    until(one.is_ready, 20, 'the agent')
    assert one.total('leat_prometheus_scrapes_failed') > 0
    one.check_ledger()
    assert one.stop() == 0
