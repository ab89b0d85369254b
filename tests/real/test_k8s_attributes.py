# SPDX-License-Identifier: Apache-2.0
"""A real API server: the right pod on every record, through a restart of the server, a 410 and a pod that lives two seconds."""
import json
import os
import time

import pytest
from leatkit import otlp_in, pipeline, post, until

PODS = 300 if os.environ.get('LEAT_FULL') else 60
NODE = 'node-1'
K8S = {'auth_type': 'kubeConfig', 'filter': {'node_from_env_var': 'TEST_NODE'},
       'extract': {'metadata': ['k8s.namespace.name', 'k8s.pod.name', 'k8s.pod.uid', 'k8s.deployment.name', 'k8s.node.name', 'k8s.node.uid',
                                'container.image.name', 'container.image.tag', 'k8s.cluster.uid'],
                   'labels': [{'tag_name': 'app', 'key': 'app'}, {'tag_name': 'ns.$$1', 'key_regex': 'team-(.*)', 'from': 'namespace'}]},
       'pod_association': [{'sources': [{'from': 'resource_attribute', 'name': 'k8s.pod.uid'}]},
                           {'sources': [{'from': 'resource_attribute', 'name': 'k8s.namespace.name'}, {'from': 'resource_attribute', 'name': 'k8s.pod.name'}]}]}


def pod(i, node=NODE):
    deployment = 'web-%d' % (i % 7)
    return {'apiVersion': 'v1', 'kind': 'Pod',
            'metadata': {'name': '%s-5d8f9c-%d' % (deployment, i), 'namespace': 'shop', 'labels': {'app': 'app-%d' % i, 'pod-template-hash': '5d8f9c'},
                         'ownerReferences': [{'apiVersion': 'apps/v1', 'kind': 'ReplicaSet', 'name': deployment + '-5d8f9c', 'uid': 'rs-%d' % (i % 7), 'controller': True}]},
            'spec': {'nodeName': node, 'automountServiceAccountToken': False, 'containers': [{'name': 'main', 'image': 'reg:5000/web:%d' % i}]}}


class Cluster:
    def __init__(self, server, kubectl):
        self.server, self.etcd = server, server('etcd')
        self.api = server('kube-apiserver', ETCD=self.etcd['URL'])
        self.kwok = server('kwok', KUBECONFIG=self.api['KUBECONFIG'])
        self.run = lambda *args, **more: kubectl(self.api['KUBECONFIG'], *args, **more)

    def apply(self, *items):
        self.run('create', '-f', '-', input=json.dumps({'apiVersion': 'v1', 'kind': 'List', 'items': items}))

    def pods(self):
        return {p['metadata']['name']: p for p in json.loads(self.run('get', 'pods', '-n', 'shop', '-o', 'json'))['items']}

    def restart(self, while_down=lambda: None):
        port = self.api['URL'].rsplit(':', 1)[1]
        self.server.stop(self.api['PLACE'])
        while_down()
        self.server('kube-apiserver', ETCD=self.etcd['URL'], PORT=port)


@pytest.fixture
def cluster(server, kubectl):
    return Cluster(server, kubectl)


def text(key, value):
    return {'key': key, 'value': {'stringValue': value}}


def send(port, attributes, *bodies):
    body = {'resourceLogs': [{'resource': {'attributes': [text(*a) for a in attributes.items()]},
                              'scopeLogs': [{'logRecords': [{'body': {'stringValue': b}} for b in bodies]}]}]}
    status, _, answer = post(port, '/v1/logs', json.dumps(body), 'application/json')
    assert status == 200, answer


def arrived(folder):
    """-> {body: attributes of its resource}"""
    out = {}
    path = os.path.join(folder, 'out.json')
    for line in open(path) if os.path.exists(path) else ():
        if not line.endswith('\n'):
            continue
        for resource in json.loads(line)['resourceLogs']:
            attributes = {a['key']: a['value'].get('stringValue') for a in resource['resource'].get('attributes', [])}
            for scope in resource['scopeLogs']:
                for record in scope['logRecords']:
                    body = record['body']['stringValue']
                    assert body not in out, 'twice: ' + body
                    out[body] = attributes
    return out


def expected(p, node_uid, cluster_uid):
    name, image = p['metadata']['name'], p['spec']['containers'][0]['image']
    return {'k8s.namespace.name': 'shop', 'k8s.pod.name': name, 'k8s.pod.uid': p['metadata']['uid'], 'k8s.deployment.name': name.rsplit('-', 2)[0],
            'k8s.node.name': NODE, 'k8s.node.uid': node_uid, 'k8s.cluster.uid': cluster_uid, 'app': p['metadata']['labels']['app'], 'ns.name': 'blue',
            'container.image.name': 'reg:5000/web', 'container.image.tag': image.rsplit(':', 1)[1]}


def test_every_record_bears_its_pod(agent, cluster):
    cluster.apply({'apiVersion': 'v1', 'kind': 'Node', 'metadata': {'name': NODE}}, {'apiVersion': 'v1', 'kind': 'Node', 'metadata': {'name': 'node-2'}},
                  {'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': 'shop', 'labels': {'team-name': 'blue'}}})
    cluster.apply(*(pod(i) for i in range(PODS)), pod(9999, 'node-2'))
    receivers, port, _ = otlp_in()
    leat = agent(pipeline(receivers, {'file': {'path': 'out.json'}}, ('logs',), {'k8s_attributes': K8S}, leat={'shards': 2}),
                 env={'KUBECONFIG': cluster.api['KUBECONFIG'], 'TEST_NODE': NODE})
    node_uid = cluster.run('get', 'node', NODE, '-o', 'jsonpath={.metadata.uid}')
    cluster_uid = cluster.run('get', 'namespace', 'kube-system', '-o', 'jsonpath={.metadata.uid}')
    pods, want = cluster.pods(), {}

    def talk(p, mark, by_uid=True):
        name = p['metadata']['name']
        identity = {'k8s.pod.uid': p['metadata']['uid']} if by_uid else {'k8s.namespace.name': 'shop', 'k8s.pod.name': name}
        send(port, identity, *('%s %s %d' % (name, mark, i) for i in range(3)))
        want.update({'%s %s %d' % (name, mark, i): expected(p, node_uid, cluster_uid) for i in range(3)})

    def all_right():
        got = until(lambda: (a := arrived(leat.folder)) and len(a) >= len(want) and a, 20, lambda: '%d records' % len(want))
        wrong = {b: a for b, a in got.items() if a != want.get(b)}
        assert not wrong and len(got) == len(want), (len(wrong), next(iter(wrong.items()), None))

    here = [p for p in pods.values() if p['spec']['nodeName'] == NODE]
    assert len(here) == PODS
    for i, p in enumerate(here):
        talk(p, 'first', i % 2)
    all_right()
    assert leat.total('leat_processor_k8s_attributes_resources_total', result='found') == PODS
    assert leat.total('leat_processor_k8s_attributes_given_up_total') == 0

    # a pod of another node is not watched: it waits for two seconds and goes as it is
    other = pods['web-%d-5d8f9c-9999' % (9999 % 7)]
    send(port, {'k8s.pod.uid': other['metadata']['uid']}, 'other')
    want['other'] = {'k8s.pod.uid': other['metadata']['uid']}
    all_right()
    assert leat.total('leat_processor_k8s_attributes_given_up_total', reason='timeout') == 1

    # new pods: their data comes before the API has shown them, in one case they are gone two seconds later
    for i in range(PODS, PODS + 5):
        cluster.apply(pod(i))
        name = pod(i)['metadata']['name']
        p = json.loads(cluster.run('get', 'pod', name, '-n', 'shop', '-o', 'json'))
        talk(p, 'new', i % 2)
        if i == PODS:
            time.sleep(1)
            cluster.run('delete', 'pod', name, '-n', 'shop', '--grace-period=0', '--force')
            time.sleep(1)
            talk(p, 'after its end')
    all_right()

    # the server goes and comes back: what is known stays, and what is new is found
    before = leat.total('leat_k8s_failures_total')
    cluster.restart(lambda: [talk(p, 'alone') for p in here[:20]])
    assert leat.total('leat_k8s_failures_total') > before
    cluster.apply(*(pod(i) for i in range(PODS + 5, PODS + 10)))
    until(lambda: leat.total('leat_k8s_events_total') and leat.total('leat_k8s_failures_total', reason='expired') >= 1, 90, 'a 410')
    until(lambda: leat.total('leat_k8s_lists_total') >= 4, 90, 'a second list')
    time.sleep(2)
    pods = cluster.pods()
    for i, p in enumerate(p for p in pods.values() if p['spec']['nodeName'] == NODE):
        talk(p, 'again', i % 2)
    all_right()
    leat.check_ledger()
    assert leat.stop() == 0


# ---- beside the Collector's processor

COLLECTOR = '''
extensions:
  health_check: {endpoint: "127.0.0.1:@P2@"}
receivers:
  otlp: {protocols: {http: {endpoint: "127.0.0.1:@P1@"}}}
processors:
  k8sattributes: %s
exporters:
  file: {path: "@DIR@/out.json", flush_interval: 100ms}
service:
  extensions: [health_check]
  telemetry: {metrics: {level: none}}
  pipelines:
    logs: {receivers: [otlp], processors: [k8sattributes], exporters: [file]}
'''
WORKLOADS = ('deployment', 'replicaset', 'statefulset', 'daemonset', 'job', 'cronjob')
EVERYTHING = {'auth_type': 'kubeConfig', 'wait_for_metadata': True, 'extract': {
    'metadata': ['k8s.namespace.name', 'k8s.cluster.uid', 'k8s.container.name', 'container.id', 'container.image.name', 'container.image.tag', 'k8s.node.name', 'k8s.node.uid',
                 *('k8s.pod.' + x for x in ('name', 'uid', 'hostname', 'ip', 'start_time')), *('k8s.%s.%s' % (w, x) for w in WORKLOADS for x in ('name', 'uid'))],
    'labels': [{'key': 'app', 'tag_name': 'app'}, {'key_regex': 'team-(.*)', 'tag_name': 'of.$$1'}, {'key': 'tier'}, {'key': 'stage', 'from': 'namespace'},
               {'key_regex': 'zone.*', 'from': 'node'}, {'key': 'd', 'from': 'deployment'}, {'key': 's', 'from': 'statefulset'}, {'key': 'm', 'from': 'daemonset'},
               {'key': 'j', 'from': 'job'}],
    'annotations': [{'key': 'note'}, {'key_regex': 'x/(.*)', 'tag_name': 'x.$$1.y'}, {'key': 'cost', 'from': 'namespace'}, {'key': 'rack', 'from': 'node'},
                    *({'key': 'a', 'from': w} for w in ('deployment', 'statefulset', 'daemonset', 'job'))], 'otel_annotations': True},
    'pod_association': [{'sources': [{'from': 'resource_attribute', 'name': 'k8s.pod.uid'}]},
                        {'sources': [{'from': 'resource_attribute', 'name': 'k8s.namespace.name'}, {'from': 'resource_attribute', 'name': 'k8s.pod.name'}]},
                        {'sources': [{'from': 'resource_attribute', 'name': 'k8s.pod.ip'}]}]}


def named(kind, name, api='apps/v1', owner=None, labels=None, **spec):
    template = {'metadata': {'labels': {'x': 'y'}}, 'spec': {'containers': [{'name': 'c', 'image': 'i'}], **({'restartPolicy': 'Never'} if api == 'batch/v1' else {})}}
    spec = {'template': template, **({'selector': {'matchLabels': {'x': 'y'}}} if api == 'apps/v1' else {}), **spec}
    meta = {'name': name, 'namespace': 'shop', 'labels': labels or {}, 'annotations': {'a': 'of ' + name}}
    if owner:
        meta['ownerReferences'] = [owner]
    return {'apiVersion': api, 'kind': kind, 'metadata': meta, 'spec': spec}


def reference(api, kind, name, uid):
    return {'apiVersion': api, 'kind': kind, 'name': name, 'uid': uid, 'controller': True}


def owned_pods(uid):
    """A pod of each workload, and some that are odd: two containers, a digest for a tag, no owner, another namespace's rules."""
    owners = {'web-5d8f9c-aaaaa': reference('apps/v1', 'ReplicaSet', 'web-5d8f9c', uid('rs', 'web-5d8f9c')), 'db-0': reference('apps/v1', 'StatefulSet', 'db', uid('sts', 'db')),
              'probe-zzzzz': reference('apps/v1', 'DaemonSet', 'probe', uid('ds', 'probe')), 'nightly-29000000-q': reference('batch/v1', 'Job', 'nightly-29000000', uid('job', 'nightly-29000000')),
              'once-x': reference('batch/v1', 'Job', 'once', uid('job', 'once')), 'alone': None, 'two': None, 'digest': None, 'untagged': None, 'named-host': None}
    images = {'digest': ['reg:5000/a/b:1.2@sha256:' + '0' * 64], 'untagged': ['plain'], 'two': ['one:1', 'two:2']}
    for name, owner in owners.items():
        labels = {'app': 'a-' + name, 'team-x': 'y', 'tier': '', **({'pod-template-hash': '5d8f9c'} if name.startswith('web') else {})}
        meta = {'name': name, 'namespace': 'shop', 'labels': labels, 'annotations': {'note': 'n\u00fc', 'x/one': '1', 'resource.opentelemetry.io/team.name': 'blue'}}
        if owner:
            meta['ownerReferences'] = [owner]
        spec = {'nodeName': NODE, 'automountServiceAccountToken': False, **({'hostname': 'given'} if name == 'named-host' else {}),
                'containers': [{'name': 'c%d' % i, 'image': image} for i, image in enumerate(images.get(name, ['reg:5000/web:1']))]}
        yield {'apiVersion': 'v1', 'kind': 'Pod', 'metadata': meta, 'spec': spec}


def test_equal_to_the_collectors_processor(agent, server, cluster):
    cluster.apply({'apiVersion': 'v1', 'kind': 'Node', 'metadata': {'name': NODE, 'labels': {'zone': 'z', 'zone-b': 'b'}, 'annotations': {'kwok.x-k8s.io/node': 'fake', 'rack': 'r'}}},
                  {'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': 'shop', 'labels': {'stage': 'live'}, 'annotations': {'cost': '7'}}})

    def uid(kind, name):
        return cluster.run('get', kind, name, '-n', 'shop', '-o', 'jsonpath={.metadata.uid}')

    cluster.apply(named('Deployment', 'web', labels={'d': 'dep'}, replicas=0), named('StatefulSet', 'db', labels={'s': 'set'}, replicas=0, serviceName='db'),
                  named('DaemonSet', 'probe', labels={'m': 'daemon'}), named('Job', 'once', 'batch/v1', labels={'j': 'job'}, suspend=True),
                  {'apiVersion': 'batch/v1', 'kind': 'CronJob', 'metadata': {'name': 'nightly', 'namespace': 'shop'},
                   'spec': {'schedule': '0 0 * * *', 'jobTemplate': {'spec': named('Job', '', 'batch/v1')['spec']}}})
    cluster.apply(named('ReplicaSet', 'web-5d8f9c', owner=reference('apps/v1', 'Deployment', 'web', uid('deploy', 'web')), replicas=0),
                  named('Job', 'nightly-29000000', 'batch/v1', reference('batch/v1', 'CronJob', 'nightly', uid('cronjob', 'nightly')), suspend=True))
    cluster.apply(*owned_pods(uid))
    pods = until(lambda: (found := cluster.pods()) and all(p['status'].get('podIP') and p['status'].get('containerStatuses') for p in found.values()) and found, 60, 'running pods')
    theirs = server('otelcol-wide', conf=COLLECTOR % json.dumps(EVERYTHING), KUBECONFIG=cluster.api['KUBECONFIG'])
    receivers, port, _ = otlp_in()
    ours = agent(pipeline(receivers, {'file': {'path': 'out.json'}}, ('logs',), {'k8s_attributes': EVERYTHING}), env={'KUBECONFIG': cluster.api['KUBECONFIG']})
    asked = {}
    for name, p in pods.items():
        identity = {'uid': {'k8s.pod.uid': p['metadata']['uid']}, 'name': {'k8s.namespace.name': 'shop', 'k8s.pod.name': name}, 'ip': {'k8s.pod.ip': p['status']['podIP']}}
        containers = {'uid': {}, 'name': {'k8s.container.name': 'c0'}, 'ip': {'k8s.container.name': 'c0', 'k8s.deployment.name': 'mine', 'app': ''}}
        asked.update({'%s by %s' % (name, way): {**identity[way], **containers[way]} for way in identity})
    del asked['two by uid']  # whose container? kwok's have no ids, so that the Collector takes two for one
    until(lambda: ours.total('leat_k8s_lists_total') >= 7, 20, 'a list of each kind')
    for where in (port, int(theirs['HTTP'].rsplit(':', 1)[1].strip('/'))):
        for body, attributes in asked.items():
            send(where, attributes, body)
    found, wanted = (until(lambda: (a := arrived(folder)) and len(a) == len(asked) and a, 20, folder) for folder in (ours.folder, theirs['DIR']))
    for attributes in wanted.values():
        if not attributes['k8s.pod.hostname']:
            del attributes['k8s.pod.hostname']  # a host name that nobody gave is empty there, and not said here
    different = {body: (sorted(set(found[body].items()) - set(wanted[body].items())), sorted(set(wanted[body].items()) - set(found[body].items())))
                 for body in asked if found[body] != wanted[body]}
    assert not different, '\n'.join('%s\n  only leat %s\n  only the Collector %s' % (body, *both) for body, both in different.items())
    assert ours.stop() == 0
