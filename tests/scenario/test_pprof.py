# SPDX-License-Identifier: Apache-2.0
"""Targets that lie to the pprof receiver: each lie is counted and told, the good profile beside it goes on."""
import gzip
import http.server
import json
import os
import threading
import time

import pytest
from leatkit import ROOT, Agent, inside, pipeline, until


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


# Scenario:   an API server shows pods: two that ask to be profiled by annotation, one with a path and a service name of its own, and one that does not ask.
# Guarantees: the rules of config/examples/pprof.yaml pick port and path; the series bear namespace, pod, container and service; the bytes are those that were served.
def test_annotated_pods_are_profiled(agent, peer):
    with open(os.path.join(ROOT, 'tests/fuzz/pprof/corpus/goroutine'), 'rb') as f:
        served = gzip.compress(f.read())
    asked, sink = set(), peer()

    def pod(name, **annotations):
        return {'metadata': {'name': name, 'namespace': 'shop', 'uid': name, 'resourceVersion': '1', 'annotations': {k.replace('__', '/'): v for k, v in annotations.items()}},
                'spec': {'containers': [{'name': 'app', 'ports': [{'containerPort': 9}, {'containerPort': httpd.server_address[1]}]}]},
                'status': {'podIP': '127.0.0.1', 'phase': 'Running'}}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if 'watch=1' in self.path:
                time.sleep(60)
            asked.add(self.path.split('?')[0])
            body = json.dumps({'metadata': {'resourceVersion': '1'}, 'items': pods}).encode() if self.path.startswith('/api') else served
            self.send_response(200)
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    httpd = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    httpd.daemon_threads = True
    scrape = {'profiles.grafana.com__goroutine.scrape': 'true', 'profiles.grafana.com__goroutine.port': str(httpd.server_address[1])}
    pods = [pod('one', **scrape), pod('two', **scrape, **{'profiles.grafana.com__goroutine.path': '/my/goroutine', 'pyroscope.io__service_name': 'named'}), pod('three')]
    threading.Thread(target=httpd.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()
    annotation = '__meta_kubernetes_pod_annotation_profiles_grafana_com_goroutine_'
    rules = [{'source_labels': [annotation + 'scrape'], 'action': 'keep', 'regex': 'true'},
             {'source_labels': ['__meta_kubernetes_pod_container_port_number'], 'action': 'keepequal', 'target_label': annotation + 'port'},
             {'source_labels': [annotation + 'path'], 'regex': '(.+)', 'target_label': '__profile_path__'}]
    job = {'job_name': 'pods', 'scrape_interval': '1s', 'scrape_timeout': '1s', 'relabel_configs': rules,
           'profiling_config': {kind: {'enabled': False} for kind in ('process_cpu', 'memory', 'mutex', 'block')},
           'kubernetes_sd_configs': [{'role': 'pod', 'api_server': 'http://127.0.0.1:%d' % httpd.server_address[1]}]}
    one = agent(pipeline({'pprof': {'scrape_configs': [job]}}, {'pyroscope': {'endpoint': sink.url}}, ('profiles',)))

    def series():
        found = {}
        for request in sink.delivered():
            for each in inside(request.body, 1):
                labels = {inside(pair, 1)[0].decode(): inside(pair, 2)[0].decode() for pair in inside(each, 1)}
                found[labels['pod']] = labels
                assert inside(each, 2, 1) == [served]
        return found

    until(lambda: len(series()) == 2, 15, lambda: '%s %s' % (series(), one.log()))
    common = {'__name__': 'goroutine', 'job': 'pods', 'namespace': 'shop', 'container': 'app', 'instance': '127.0.0.1:%d' % httpd.server_address[1]}
    assert series() == {'one': {**common, 'pod': 'one', 'service_name': 'shop/app'}, 'two': {**common, 'pod': 'two', 'service_name': 'named'}}
    assert asked == {'/api/v1/pods', '/debug/pprof/goroutine', '/my/goroutine'}
    one.check_ledger()
    assert one.stop() == 0
    httpd.shutdown()
    httpd.server_close()
