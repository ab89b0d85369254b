# SPDX-License-Identifier: Apache-2.0
"""config/examples/node.yaml as it is, with every road open to a real server: one node's logs, metrics, traces and profiles.

Five minutes with LEAT_FULL=1, half a minute without.
"""
import json
import os
import threading
import time
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from leatkit import ROOT, attribute, fixed64, free_port, pb, post, until

FULL = os.environ.get('LEAT_FULL') == '1'
SECONDS = 300 if FULL else 30
LINES_PER_SECOND, SPANS_PER_SECOND, SERIES = 1000, 200, 1000
SCRAPE_SECONDS, PROFILE_SECONDS = 2, 5
PROFILES = 5  # of each round, and more: growth of nothing is not sent
NODE, NAMESPACE = 'node-a', 'shop'
SENT = 'otelcol_exporter_sent_'
LOG_ROADS = ('loki', 'opensearch', 'kafka', 'clickhouse')


def get(url, data=None, headers=()):
    with urllib.request.urlopen(urllib.request.Request(url, data, dict(headers)), timeout=30) as r:
        return r.read().decode()


class Page(ThreadingHTTPServer):
    """A target: SERIES gauges that change with every scrape."""
    daemon_threads = True

    def __init__(self):
        page = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                page.scrapes += 1
                body = '# TYPE node_test gauge\n' + ''.join('node_test{n="%d"} %d\n' % (n, page.scrapes + n) for n in range(SERIES))
                self.send_response(200)
                self.send_header('Content-Type', 'text/plain; version=0.0.4')
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *args):
                pass

        self.scrapes = 0
        super().__init__(('127.0.0.1', 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


def cluster(server, kubectl):
    """An API server with a node and a deployment's pod -> (kubeconfig, pod name, uid)."""
    etcd = server('etcd')
    api = server('kube-apiserver', ETCD=etcd['URL'])
    config = api['KUBECONFIG']
    node = {'apiVersion': 'v1', 'kind': 'Node', 'metadata': {'name': NODE}}
    pod = {'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {
        'name': 'web-5d4f8c7b9-x7k2p', 'namespace': NAMESPACE, 'labels': {'app': 'web', 'pod-template-hash': '5d4f8c7b9'},
        'ownerReferences': [{'apiVersion': 'apps/v1', 'kind': 'ReplicaSet', 'name': 'web-5d4f8c7b9', 'uid': 'd9607e19-f88f-11e6-a518-42010a800195', 'controller': True}]},
        'spec': {'nodeName': NODE, 'containers': [{'name': 'web', 'image': 'web:1'}]}}
    space = {'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': NAMESPACE}}
    for thing in (space, node, pod):
        kubectl(config, 'apply', '-f', '-', input=json.dumps(thing))
    found = json.loads(kubectl(config, 'get', 'pod', '-n', NAMESPACE, pod['metadata']['name'], '-o', 'json'))
    return config, found['metadata']['name'], found['metadata']['uid']


class Lines:
    """Numbered CRI lines of one container, so many a second."""

    def __init__(self, root, pod, uid):
        folder = os.path.join(root, '%s_%s_%s' % (NAMESPACE, pod, uid), 'web')
        os.makedirs(folder)
        self.file, self.count = open(os.path.join(folder, '0.log'), 'a', buffering=1 << 16), 0

    def write(self, count):
        now = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())
        self.file.write(''.join('%s.%09dZ stdout F line %d of the shop, quite an ordinary one\n' % (now, n % 10**9, n) for n in range(self.count, self.count + count)))
        self.file.flush()
        self.count += count


def spans(first, count):
    at = time.time_ns()
    items = b''.join(pb(2, pb(1, (0x1EA7 << 64 | first + n + 1).to_bytes(16, 'big')) + pb(2, (first + n + 1).to_bytes(8, 'big')) + pb(5, 'op') + pb(6, 2) +
                          fixed64(7, at) + fixed64(8, at + 10**6) + pb(9, attribute('n', str(first + n)))) for n in range(count))
    return pb(1, pb(1, pb(1, attribute('service.name', 'shop'))) + pb(2, items))


class Client(threading.Thread):
    """Sends SPANS_PER_SECOND as an SDK does: what is refused for now is sent again, what is late follows at once."""

    def __init__(self, port, first):
        super().__init__(daemon=True)
        self.port, self.first, self.count, self.refused, self.status = port, first, 0, 0, 200
        self.ends = threading.Event()
        self.start()

    def run(self):
        began, some = time.monotonic(), SPANS_PER_SECOND // 4
        while not self.ends.wait(0.02 if self.status == 200 else 0.2) and self.status in (200, 429, 503):
            while self.count + some <= (time.monotonic() - began) * SPANS_PER_SECOND:
                self.status = post(self.port, '/v1/traces', spans(self.first + self.count, some))[0]
                if self.status != 200:
                    self.refused += 1
                    break
                self.count += some

    def stop(self):
        self.ends.set()
        self.join()
        assert self.status in (200, 429, 503), self.status
        return self.count


class Node:
    """The agent with node.yaml, its servers and its load."""

    def __init__(self, agent, server, kubectl, tmp_path):
        self.server, self.http = server, free_port()
        self.places = {name: server(name) for name in ('loki', 'opensearch', 'clickhouse', 'kafka', 'tempo', 'pyroscope', 'prometheus', 'goserver')}
        self.page = Page()
        kubeconfig, pod, self.uid = cluster(server, kubectl)
        logs = tmp_path / 'pods'
        self.lines, self.spans, self.refused = Lines(str(logs), pod, self.uid), 0, 0
        at = self.places
        env = {'LEAT_OTLP_GRPC': '127.0.0.1:%d' % free_port(), 'LEAT_OTLP_HTTP': '127.0.0.1:%d' % self.http, 'LEAT_POD_LOGS': str(logs),
               'LEAT_SCRAPE_INTERVAL': '%ds' % SCRAPE_SECONDS, 'LEAT_SCRAPE_TIMEOUT': '1s', 'LEAT_PROFILE_INTERVAL': '%ds' % PROFILE_SECONDS, 'LEAT_PROFILE_TIMEOUT': '5s', 'LEAT_KUBECONFIG': kubeconfig, 'KUBECONFIG': kubeconfig,
               'K8S_NODE_NAME': NODE, 'LEAT_K8S_AUTH': 'kubeConfig', 'LEAT_NODE_EXPORTER': '127.0.0.1:%d' % self.page.server_port,
               'LEAT_PPROF_TARGET': at['goserver']['ADDRESS'], 'LEAT_PPROF_SERVICE': 'goserver',
               'LEAT_REMOTE_WRITE': at['prometheus']['URL'] + '/api/v1/write', 'LEAT_LOKI': at['loki']['URL'], 'LEAT_OPENSEARCH': at['opensearch']['URL'],
               'LEAT_TEMPO': at['tempo']['GRPC'], 'LEAT_PYROSCOPE': at['pyroscope']['URL'], 'LEAT_KAFKA': at['kafka']['BROKERS'],
               'LEAT_CLICKHOUSE': at['clickhouse']['URL'], 'LEAT_STATE': str(tmp_path / 'state'), 'LEAT_HEALTH': '127.0.0.1:%d' % free_port(),
               'LEAT_METRICS_HOST': '127.0.0.1'}
        self.agent = agent({}, run=False, env=env, merge=[os.path.join(ROOT, 'config/examples/node.yaml')])
        self.agent.env['LEAT_METRICS_PORT'] = str(self.agent.metrics_port)
        self.agent.ports = [self.http]
        self.agent.start()

    def load(self, seconds, also=lambda second: None):
        """What a node does, second after second."""
        client = Client(self.http, self.spans)
        for second in range(seconds):
            began = time.monotonic()
            for quarter in range(1, 5):
                self.lines.write(LINES_PER_SECOND // 4)
                time.sleep(max(0.0, quarter * 0.24 - (time.monotonic() - began)))
            also(second)
            time.sleep(max(0.0, 1 - (time.monotonic() - began)))
        self.spans += client.stop()
        self.refused += client.refused

    def sent(self, exporter, what='log_records'):
        return self.agent.total(SENT + what, exporter=exporter)

    def peak_mib(self):
        with open('/proc/%d/status' % self.agent.process.pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith('VmHWM')) / 1024

    # ---- what each server holds

    def in_loki(self):
        query = urllib.parse.urlencode({'query': 'sum(count_over_time({k8s_namespace_name="%s"}[1h]))' % NAMESPACE, 'time': int(time.time()) + 60})
        found = json.loads(get(self.places['loki']['URL'] + '/loki/api/v1/query?' + query))['data']['result']
        return int(found[0]['value'][1]) if found else 0

    def in_opensearch(self):
        get(self.places['opensearch']['URL'] + '/_refresh', b'')
        return json.loads(get(self.places['opensearch']['URL'] + '/logs-node/_count'))['count']

    def ask_clickhouse(self, query):
        return get(self.places['clickhouse']['URL'] + '/?' + urllib.parse.urlencode({'query': query})).strip()

    def in_prometheus(self, query):
        found = json.loads(get(self.places['prometheus']['URL'] + '/api/v1/query?' + urllib.parse.urlencode({'query': query})))['data']['result']
        return float(found[0]['value'][1]) if found else 0

    def in_pyroscope(self):
        now = int(time.time() * 1000)
        body = {'profileTypeID': 'process_cpu:cpu:nanoseconds:cpu:nanoseconds', 'labelSelector': '{service_name="goserver"}', 'start': now - 3600000, 'end': now + 60000}
        found = json.loads(get(self.places['pyroscope']['URL'] + '/querier.v1.QuerierService/SelectMergeStacktraces', json.dumps(body).encode(),
                               {'Content-Type': 'application/json'}))
        return int(found.get('flamegraph', {}).get('total', 0))


def test_the_whole_fan(agent, server, kubectl, tmp_path):
    node = Node(agent, server, kubectl, tmp_path)
    node.load(SECONDS, lambda second: second % 10 or node.agent.check_ledger())
    lines, traced = node.lines.count, node.spans
    for road in LOG_ROADS:
        until(lambda: node.sent(road) == lines, 60, lambda: '%s: %d of %d' % (road, node.sent(road), lines))
    until(lambda: node.sent('otlp_grpc/tempo', 'spans') == traced and node.sent('clickhouse', 'spans') == traced, 30)
    until(lambda: node.in_loki() == lines, 30, lambda: 'loki has %d of %d' % (node.in_loki(), lines))
    until(lambda: node.in_opensearch() == lines, 30)
    assert int(node.ask_clickhouse('SELECT count() FROM otel_logs')) == lines
    known = "ResourceAttributes['k8s.pod.uid'] = '%s' AND ResourceAttributes['k8s.deployment.name'] = 'web' AND ResourceAttributes['app'] = 'web'" % node.uid
    assert int(node.ask_clickhouse('SELECT count() FROM otel_logs WHERE ' + known)) == lines, node.ask_clickhouse('SELECT ResourceAttributes, count() FROM otel_logs GROUP BY ALL')
    assert int(node.ask_clickhouse('SELECT uniqExact(SpanId) FROM otel_traces')) == traced
    assert json.loads(get(node.places['tempo']['URL'] + '/api/traces/' + (0x1EA7 << 64 | traced).to_bytes(16, 'big').hex()))['batches']
    assert until(lambda: node.in_prometheus('count(node_test{job="node"})') == SERIES)
    assert node.in_prometheus('up{job="node"}') == 1
    assert until(node.in_pyroscope) > 0
    assert node.agent.total('otelcol_exporter_send_failed') == 0
    assert all(row['dropped'] == 0 for row in node.agent.check_ledger().values())
    peak = node.peak_mib()
    print('node.yaml: %d lines, %d spans, %d scrapes in %d s; peak %.1f MiB' % (lines, traced, node.page.scrapes, SECONDS, peak))
    assert 'asan' in node.agent.args[0] or peak <= 60, 'peak %.1f MiB' % peak
    assert node.agent.stop() == 0


def delivered_by(node):
    """road -> items it has delivered: log records, spans, points, profiles."""
    return {**{road: node.sent(road) for road in LOG_ROADS}, 'tempo': node.sent('otlp_grpc/tempo', 'spans'), 'clickhouse spans': node.sent('clickhouse', 'spans'),
            'prometheus': node.sent('prometheus_remote_write', 'metric_points'), 'pyroscope': node.sent('pyroscope', 'profiles')}


@pytest.mark.parametrize('dead', (*LOG_ROADS, 'tempo', 'prometheus', 'pyroscope') if FULL else ('loki',))
def test_a_dead_destination_leaves_the_others_their_rate(agent, server, kubectl, tmp_path, dead):
    node = Node(agent, server, kubectl, tmp_path)
    node.load(5 + PROFILE_SECONDS)
    server.stop(node.places[dead]['PLACE'])
    before = delivered_by(node)
    scrapes = node.page.scrapes
    node.load(SECONDS)
    due = {**dict.fromkeys(LOG_ROADS, LINES_PER_SECOND * SECONDS), **dict.fromkeys(('tempo', 'clickhouse spans'), SPANS_PER_SECOND * SECONDS),
           'prometheus': SERIES * (node.page.scrapes - scrapes), 'pyroscope': PROFILES * SECONDS / PROFILE_SECONDS}
    assert node.page.scrapes - scrapes >= 0.95 * SECONDS / SCRAPE_SECONDS
    time.sleep(3)
    for road, count in delivered_by(node).items():
        assert road.startswith(dead) or count - before[road] >= 0.95 * due[road], (road, count - before[road], due[road])
    if dead != 'prometheus':
        assert node.in_prometheus('up{job="node"}') == 1
    if dead != 'pyroscope':
        assert node.in_pyroscope() > 0
    books = node.agent.check_ledger()
    print('%s dead for %d s, %d requests refused for a while: %s' % (dead, SECONDS, node.refused, {dict(edge).get('component', ''): row for edge, row in books.items() if dead in dict(edge).get('component', '')}))
    node.agent.stop(60)
