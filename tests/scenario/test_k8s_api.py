# SPDX-License-Identifier: Apache-2.0
"""Every attribute k8s_attributes can put on a resource, every filter and every answer of an API server, from one made for it."""
import json
import queue
import re
import threading
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import h2kit
import pytest
from leatkit import SANITIZED, logs, logs_json, otlp_in, otlp_out, pipeline, post, until


def meta(name, ns=None, uid=None, owner=None, **more):
    made = {'name': name, 'uid': uid or 'uid-' + name, 'resourceVersion': '5', 'creationTimestamp': '2026-01-02T03:04:05Z', **more}
    if ns:
        made['namespace'] = ns
    if owner:
        made['ownerReferences'] = [{'kind': owner[0], 'name': owner[1], 'uid': 'uid-' + owner[1], 'controller': True}]
    return made


def pod(name, ip, owner=None, image='reg:5000/team/web:1.2', **more):
    labels = {'bare': '', 'app.kubernetes.io/name': 'n-' + name, 'team-a': 'one', 'team-b': 'two', **({'pod-template-hash': '7d9f'} if owner and owner[0] == 'ReplicaSet' else {})}
    return {'metadata': meta(name, 'shop', owner=owner, labels=labels, **more),
            'spec': {'nodeName': 'n1', 'hostname': 'h-' + name, 'containers': [{'name': 'main', 'image': image}]},
            'status': {'podIP': ip, 'containerStatuses': [{'name': 'main', 'restartCount': 0, 'containerID': 'containerd://c-' + name}]}}


PODS = [pod('web-7d9f-x', '10.0.0.1', ('ReplicaSet', 'web-7d9f'), annotations={'team/contact': 'c@example.com', 'resource.opentelemetry.io/tier': 'gold'}),
        pod('db-0', '10.0.0.2', ('StatefulSet', 'db')), pod('probe-zz', '10.0.0.3', ('DaemonSet', 'probe')),
        pod('nightly-29000000-q', '10.0.0.4', ('Job', 'nightly-29000000')), pod('jaeger-agent-1', '10.0.0.5'),
        pod('quiet', '10.0.0.6', annotations={'opentelemetry.io/k8s-processor.ignore': 'true'})]
OBJECTS = {
    'pods': PODS,
    'namespaces': [{'metadata': meta('shop', labels={'stage': 'live'}, annotations={'cost': '7'})}, {'metadata': meta('kube-system', uid='uid-cluster')}],
    'nodes': [{'metadata': meta('n1', labels={'topology.kubernetes.io/zone': 'z1', 'topology.kubernetes.io/region': 'r1'}, annotations={'rack': 'r7'})}],
    'deployments': [{'metadata': meta('web', 'shop', labels={'d': 'dep'})}],
    'statefulsets': [{'metadata': meta('db', 'shop', labels={'s': 'set'})}],
    'daemonsets': [{'metadata': meta('probe', 'shop', labels={'m': 'daemon'})}],
    'jobs': [{'metadata': meta('nightly-29000000', 'shop', owner=('CronJob', 'nightly'), labels={'j': 'job'})}],
}


class Api:
    """A list and a watch of each kind. `answers` are used up first: (status, headers, body), for what is not a watch or for all."""

    def __init__(self):
        self.asked, self.answers, self.events, self.tokens = [], [], queue.Queue(), []
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def piece(self, text):
                self.wfile.write(b'%x\r\n%s\r\n' % (len(text), text))
                self.wfile.flush()

            def do_GET(self):
                path = urllib.parse.unquote(self.path)
                api.asked.append(path)
                api.tokens.append(self.headers.get('Authorization'))
                if api.answers:
                    status, headers, body = api.answers.pop(0)
                    self.send_response(status)
                    for key, value in headers.items():
                        self.send_header(key, value)
                    self.send_header('Content-Length', str(len(body)))
                    self.end_headers()
                    return self.wfile.write(body)
                self.send_response(200)
                self.send_header('Content-Type', 'application/json')
                self.send_header('Transfer-Encoding', 'chunked')
                self.end_headers()
                kind = re.search(r'/(\w+)(?:\?|$)', path).group(1)
                try:
                    if 'watch=1' not in path:
                        self.piece(json.dumps({'metadata': {'resourceVersion': '10'}, 'items': OBJECTS[kind]}).encode())
                        self.wfile.write(b'0\r\n\r\n')
                        return
                    while kind == 'pods':
                        event = api.events.get()
                        if event is None:
                            self.wfile.write(b'0\r\n\r\n')
                            return
                        self.piece(json.dumps(event).encode() + b'\n')
                    time.sleep(600)
                except OSError:
                    self.close_connection = True

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()

    def close(self):
        self.events.put(None)
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def api():
    one = Api()
    yield one
    one.close()


def start(agent, peer, api, tmp_path, token='t1', name='leat', **k8s):
    (tmp_path / 'token').write_text(token)
    conf = tmp_path / 'kubeconfig'
    conf.write_text(json.dumps({
        'current-context': 'c', 'contexts': [{'name': 'c', 'context': {'cluster': 'k', 'user': 'u'}}], 'users': [{'name': 'u', 'user': {'tokenFile': str(tmp_path / 'token')}}],
        'clusters': [{'name': 'k', 'cluster': {'server': 'http://127.0.0.1:%d' % api.server.server_address[1]}}]}))
    receivers, port, _ = otlp_in()
    sink = peer()
    processors = {'k8s_attributes': {'auth_type': 'kubeConfig', 'pod_wait_timeout': '0s', 'wait_for_metadata': True, **k8s}}
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url, encoding='json')}, ('logs',), processors), name, env={'KUBECONFIG': str(conf), 'NODE': 'n1'})

    def put_on(**attributes):
        """What stands on a resource that comes with these."""
        body = logs_json('x')
        body['resourceLogs'][0]['resource'] = {'attributes': [{'key': k.replace('__', '.'), 'value': {'stringValue': v}} for k, v in attributes.items()]}
        before = len(sink.requests)
        until(lambda: post(port, '/v1/logs', json.dumps(body), 'application/json')[0] == 200, 20, 'a list of pods')
        until(lambda: len(sink.requests) > before, 15, one.log)
        found = json.loads(sink.requests[-1].body)['resourceLogs'][0]['resource']['attributes']
        return {a['key']: a['value']['stringValue'] for a in found if a['key'].replace('.', '__') not in attributes}

    return one, put_on


def known(name, **more):
    """What is said of every pod by the metadata asked for below."""
    return {'k8s.namespace.name': 'shop', 'k8s.pod.name': name, 'k8s.pod.uid': 'uid-' + name, 'k8s.pod.hostname': 'h-' + name, 'k8s.pod.start_time': '2026-01-02T03:04:05Z',
            'k8s.node.name': 'n1', 'k8s.node.uid': 'uid-n1', 'k8s.cluster.uid': 'uid-cluster', 'k8s.container.name': 'main', 'container.id': 'c-' + name,
            'container.image.name': 'reg:5000/team/web', 'container.image.tag': '1.2', **{k.replace('__', '.'): v for k, v in more.items()}}


ALL = ['k8s.namespace.name', 'k8s.cluster.uid', 'k8s.container.name', 'container.id', 'container.image.name', 'container.image.tag',
       *('k8s.pod.' + x for x in ('name', 'uid', 'hostname', 'ip', 'start_time')),
       *('k8s.%s.%s' % (kind, x) for kind in ('node', 'deployment', 'replicaset', 'statefulset', 'daemonset', 'job', 'cronjob') for x in ('name', 'uid'))]


# Guarantees: each metadata name has its value, owners and owners' owners among them; pods that are excluded or ask to be left alone get nothing.
def test_every_metadata_name(agent, peer, api, tmp_path):
    one, put_on = start(agent, peer, api, tmp_path, extract={'metadata': ALL})
    assert put_on(k8s__pod__ip='10.0.0.1') == known('web-7d9f-x', k8s__deployment__name='web', k8s__deployment__uid='uid-web', k8s__replicaset__name='web-7d9f',
                                                  k8s__replicaset__uid='uid-web-7d9f')
    assert put_on(k8s__pod__ip='10.0.0.2') == known('db-0', k8s__statefulset__name='db', k8s__statefulset__uid='uid-db')
    assert put_on(k8s__pod__ip='10.0.0.3') == known('probe-zz', k8s__daemonset__name='probe', k8s__daemonset__uid='uid-probe')
    assert put_on(k8s__pod__ip='10.0.0.4') == known('nightly-29000000-q', k8s__job__name='nightly-29000000', k8s__job__uid='uid-nightly-29000000',
                                                  k8s__cronjob__name='nightly', k8s__cronjob__uid='uid-nightly')
    assert put_on(k8s__pod__ip='10.0.0.5') == put_on(k8s__pod__ip='10.0.0.6') == {}
    one.check_ledger()
    assert one.stop() == 0


# Guarantees: labels and annotations of the pod and of all it belongs to, by key and by pattern, under their own or a given name.
def test_labels_and_annotations_of_everything(agent, peer, api, tmp_path):
    labels = [{'key': 'app.kubernetes.io/name', 'tag_name': 'app'}, {'key_regex': 'team-(.*)', 'tag_name': 'of.$$1'}, {'key': 'team-a'}, {'key': 'bare'}, {'key': 'stage', 'from': 'namespace'},
              {'key_regex': r'topology\.kubernetes\.io/(zone|region)', 'tag_name': '$$1', 'from': 'node'}, {'key': 'd', 'from': 'deployment'},
              {'key': 's', 'from': 'statefulset'}, {'key': 'm', 'from': 'daemonset'}, {'key': 'j', 'from': 'job'}]
    annotations = [{'key': 'team/contact', 'tag_name': 'contact'}, {'key': 'cost', 'from': 'namespace'}, {'key_regex': 'ra.*', 'from': 'node'}]
    one, put_on = start(agent, peer, api, tmp_path, extract={'metadata': [], 'labels': labels, 'annotations': annotations, 'otel_annotations': True})
    common = {'of.a': 'one', 'of.b': 'two', 'k8s.pod.labels.team-a': 'one', 'k8s.pod.labels.bare': '', 'k8s.namespace.labels.stage': 'live', 'zone': 'z1', 'region': 'r1',
              'k8s.namespace.annotations.cost': '7', 'k8s.node.annotations.rack': 'r7'}
    assert put_on(k8s__pod__ip='10.0.0.1') == {**common, 'app': 'n-web-7d9f-x', 'k8s.deployment.label.d': 'dep', 'contact': 'c@example.com', 'tier': 'gold'}
    assert put_on(k8s__pod__ip='10.0.0.2') == {**common, 'app': 'n-db-0', 'k8s.statefulset.label.s': 'set'}
    assert put_on(k8s__pod__ip='10.0.0.3') == {**common, 'app': 'n-probe-zz', 'k8s.daemonset.label.m': 'daemon'}
    assert put_on(k8s__pod__ip='10.0.0.4') == {**common, 'app': 'n-nightly-29000000-q', 'k8s.job.label.j': 'job'}
    assert one.stop() == 0


# Guarantees: data that names no pod is known by the address it came from, over HTTP and gRPC, also behind a rule that does not fit; 127.0.0.1 is a pod here.
def test_the_connection_tells_the_pod(agent, peer, api, tmp_path, monkeypatch):
    monkeypatch.setitem(OBJECTS, 'pods', [*PODS, pod('local', '127.0.0.1')])
    rules = [{'sources': [{'from': 'resource_attribute', 'name': 'k8s.pod.uid'}]}, {'sources': [{'from': 'connection'}]}]
    one, put_on = start(agent, peer, api, tmp_path, extract={'metadata': ['k8s.pod.name']}, pod_association=rules)
    assert put_on(z='1') == {'k8s.pod.name': 'local', 'k8s.pod.ip': '127.0.0.1'}
    assert put_on(k8s__pod__uid='uid-db-0') == {'k8s.pod.name': 'db-0'}
    with grpc.insecure_channel('127.0.0.1:%d' % one.ports[1]) as channel:
        channel.unary_unary(h2kit.LOGS)(logs('by gRPC'), timeout=10)
    until(lambda: one.total('otelcol_exporter_sent_log_records') == 3, 15, one.log)
    assert one.total('leat_processor_k8s_attributes_resources_total', result='found') == 3
    assert one.stop() == 0


# Guarantees: filters become selectors of the list and of the watch; the node comes from the environment; nobody else is asked for.
def test_filters_are_what_the_server_is_asked(agent, peer, api, tmp_path):
    labels = [{'key': 'a', 'value': 'b'}, {'key': 'c', 'value': 'd', 'op': 'not-equals'}, {'key': 'e', 'op': 'exists'}, {'key': 'f', 'op': 'does-not-exist'}]
    one, put_on = start(agent, peer, api, tmp_path, extract={'metadata': ['k8s.pod.name']},
                        filter={'node_from_env_var': 'NODE', 'namespace': 'shop', 'labels': labels, 'fields': [{'key': 'status.phase', 'value': 'Running'}]})
    assert put_on(k8s__pod__ip='10.0.0.2') == {'k8s.pod.name': 'db-0'}
    until(lambda: any('watch=1' in path for path in api.asked), 15)
    for path in api.asked:
        asked = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)
        assert path.startswith('/api/v1/namespaces/shop/pods?'), path
        assert set(asked['labelSelector'][0].split(',')) == {'a=b', 'c!=d', 'e', '!f'}
        assert set(asked['fieldSelector'][0].split(',')) == {'spec.nodeName=n1', 'status.phase=Running'}
    assert one.stop() == 0


STATUS = {'reason': 'Expired', 'kind': 'Status', 'code': 410}
REFUSALS = {'401': (401, {}, b'who are you'), '403': (403, {}, b'no'), '410': (410, {}, json.dumps(STATUS).encode()), '429': (429, {'Retry-After': '1'}, b''),
            'garbage': (200, {}, b'{"metadata": {"resourceVersion": "3"}, "items": [{]}'), 'nothing': (200, {}, b''), '503': (503, {}, b'')}


def outlive(agent, peer, folder, what):
    folder.mkdir()
    api = Api()
    api.answers = [REFUSALS[what]]
    one, put_on = start(agent, peer, api, folder, name=what, extract={'metadata': ['k8s.pod.name']})
    assert put_on(k8s__pod__ip='10.0.0.2') == {'k8s.pod.name': 'db-0'}
    failures = one.total('leat_k8s_failures_total')
    assert failures >= 1
    assert re.search(r'http://127\.0\.0\.1:%d: .*pods' % api.server.server_address[1], one.log()), one.log()
    until(lambda: 'watch=1' in api.asked[-1], 20, 'a watch')
    asked = len(api.asked)
    api.answers = [REFUSALS[what]]
    api.events.put(None)
    until(lambda: len(api.asked) > asked and not api.answers, 20, 'the watch to end')
    assert put_on(k8s__pod__ip='10.0.0.2') == {'k8s.pod.name': 'db-0'}, 'what is known stays'
    until(lambda: len(api.asked) > asked + 1, 20, 'another try')
    api.events.put({'type': 'ADDED', 'object': pod('new', '10.0.0.9')})
    until(lambda: put_on(k8s__pod__ip='10.0.0.9') == {'k8s.pod.name': 'new'}, 20, 'news')
    assert one.total('leat_k8s_failures_total') > failures
    assert one.stop() == 0
    api.close()


# Scenario:   each answer that is no answer, at start and to a watch that was well; an agent for each, all at once, since each waits a while.
# Guarantees: a counter, a line that names the server and what was asked of it, and the pods are known in the end as before.
def test_refusals_are_told_and_outlived(agent, peer, tmp_path):
    with ThreadPoolExecutor(len(REFUSALS)) as pool:
        list(pool.map(lambda what: outlive(agent, peer, tmp_path / what, what), REFUSALS))


# Guarantees: a token that was changed is used at the next request.
def test_the_token_is_read_again(agent, peer, api, tmp_path):
    one, put_on = start(agent, peer, api, tmp_path, token='old', extract={'metadata': ['k8s.pod.name']})
    assert put_on(k8s__pod__ip='10.0.0.2') == {'k8s.pod.name': 'db-0'}
    assert set(api.tokens) == {'Bearer old'}
    (tmp_path / 'token.part').write_text('new')
    (tmp_path / 'token.part').rename(tmp_path / 'token')
    time.sleep(1.1)
    asked = len(api.tokens)
    api.events.put(None)
    until(lambda: len(api.tokens) > asked, 20, 'the next watch')
    assert set(api.tokens[asked:]) == {'Bearer new'}
    assert one.stop() == 0


# Guarantees: with wait_for_metadata a server that says nothing holds data back for the timeout, and no longer.
def test_waiting_for_the_first_list_ends(agent, peer, api, tmp_path):
    api.answers = [(503, {}, b'')] * 1000
    began = time.monotonic()
    one, put_on = start(agent, peer, api, tmp_path, extract={'metadata': ['k8s.pod.name']}, wait_for_metadata_timeout='3s')
    assert put_on(k8s__pod__ip='10.0.0.2') == {}
    assert time.monotonic() - began >= 2.5
    assert SANITIZED or time.monotonic() - began < 15
    assert one.stop() == 0
