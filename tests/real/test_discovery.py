# SPDX-License-Identifier: Apache-2.0
"""Discovery against a real API server: the targets leat finds are the targets real Prometheus finds, labels and all."""
import json
import os
import re
import urllib.request

import pytest
from leatkit import until

PODS = 300 if os.environ.get('LEAT_FULL') else 40
NAMESPACES = ('shop', 'mail')


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


# ---- what is in the cluster

def node(i):
    return {'apiVersion': 'v1', 'kind': 'Node',
            'metadata': {'name': 'node-%d' % i, 'labels': {'topology.kubernetes.io/zone': 'z%d' % (i % 2), 'node/role': 'worker'},
                         'annotations': {'example.com/rack': 'r%d' % i, 'kwok.x-k8s.io/node': 'fake'}},
            'spec': {'providerID': 'cloud://host/%d' % i}}


def container(name, *ports, image='img:1'):
    made = {'name': name, 'image': image}
    if ports:
        made['ports'] = [{'containerPort': p, 'name': n, 'protocol': 'TCP'} if n else {'containerPort': p} for p, n in ports]
    return made


def pod(i):
    kinds = ([container('app', (8080, 'http'), (9090, 'metrics')), container('side', (9999, ''))], [container('bare')],
             [container('main', (80, 'web'))])
    meta = {'name': 'pod-%d' % i, 'namespace': NAMESPACES[i % 2],
            'labels': {'app': 'a%d' % (i % 4), 'app.kubernetes.io/name': 'n-%d' % i, 'empty': ''},
            'annotations': {'prometheus.io/scrape': 'true' if i % 3 else 'false', 'prometheus.io/port': '9%03d' % i,
                            'prometheus.io/path': '/m/%d?x' % i, 'note': 'grüße "q" \\ b', 'empty': ''}}
    if i % 4 == 0:
        meta['ownerReferences'] = [{'apiVersion': 'apps/v1', 'kind': 'ReplicaSet', 'name': 'rs-%d' % (i % 8), 'uid': 'u-%d' % i,
                                    'controller': True}]
    spec = {'nodeName': 'node-%d' % (i % 3), 'containers': kinds[i % 3]}
    if i % 7 == 1:
        meta['ownerReferences'] = [{'apiVersion': 'batch/v1', 'kind': 'Job', 'name': 'job-1', 'uid': 'u-%d' % i, 'controller': True}]
    if i % 5 == 0:
        spec['initContainers'] = [container('setup', (7000, 'init'), image='init:1')]
    return {'apiVersion': 'v1', 'kind': 'Pod', 'metadata': meta, 'spec': spec}


def service(name, ns, **spec):
    return {'apiVersion': 'v1', 'kind': 'Service',
            'metadata': {'name': name, 'namespace': ns, 'labels': {'svc': name}, 'annotations': {'team.example.com/owner': 'o-' + ns}},
            'spec': {'ports': [{'port': 80, 'name': 'web'}, {'port': 8443, 'name': 'tls'}], **spec}}


def owned(kind, api, name, ns, owner, owner_api, **spec):
    return {'apiVersion': api, 'kind': kind,
            'metadata': {'name': name, 'namespace': ns, 'labels': {'x': 'y'},
                         'ownerReferences': [{'apiVersion': owner_api, 'kind': owner, 'name': 'the-' + owner.lower(), 'uid': 'u', 'controller': True}]},
            'spec': {'template': {'metadata': {'labels': {'x': 'y'}}, 'spec': {'restartPolicy': 'Never', 'containers': [container('c')]}}, **spec}}


def ingress(ns):
    def path(p):
        return {'path': p, 'pathType': 'Prefix', 'backend': {'service': {'name': 'web', 'port': {'number': 80}}}}
    return {'apiVersion': 'networking.k8s.io/v1', 'kind': 'Ingress',
            'metadata': {'name': 'door', 'namespace': ns, 'labels': {'edge': 'yes'}, 'annotations': {'n.example.com/x': 'y'}},
            'spec': {'ingressClassName': 'nginx', 'tls': [{'hosts': ['*.%s.example' % ns]}],
                     'rules': [{'host': 'a.%s.example' % ns, 'http': {'paths': [path('/'), path('/api')]}},
                               {'host': 'a.b.%s.example' % ns, 'http': {'paths': [path('/deep')]}}, {'host': 'plain.example'}]}}


def reference(one):
    return {'kind': 'Pod', 'name': one['metadata']['name'], 'namespace': one['metadata']['namespace'], 'uid': one['metadata']['uid']}


def endpoints(ns, pods):
    def address(one):
        return {'ip': one['status']['podIP'], 'nodeName': one['spec']['nodeName'], 'targetRef': reference(one)}
    return {'apiVersion': 'v1', 'kind': 'Endpoints', 'metadata': {'name': 'web', 'namespace': ns, 'labels': {'ep': 'one', 'endpointslice.kubernetes.io/skip-mirror': 'true'}},
            'subsets': [{'addresses': [address(p) for p in pods[1:]] + [{'ip': '192.0.2.7', 'hostname': 'out'}],
                         'notReadyAddresses': [address(p) for p in pods[:1]],
                         'ports': [{'port': 8080, 'name': 'web'}, {'port': 80, 'name': 'alt'}]}]}


def endpointslice(ns, pods):
    return {'apiVersion': 'discovery.k8s.io/v1', 'kind': 'EndpointSlice', 'addressType': 'IPv4',
            'metadata': {'name': 'web-x1', 'namespace': ns, 'labels': {'kubernetes.io/service-name': 'web'}},
            'endpoints': [{'addresses': [p['status']['podIP']], 'nodeName': p['spec']['nodeName'], 'targetRef': reference(p), 'zone': 'z1',
                           'conditions': {'ready': i % 2 == 0, 'serving': True, 'terminating': False}} for i, p in enumerate(pods)] +
                         [{'addresses': ['192.0.2.9'], 'hostname': 'out'}],
            'ports': [{'port': 8080, 'name': 'web', 'protocol': 'TCP', 'appProtocol': 'http'}, {'port': 9090, 'name': 'metrics', 'protocol': 'TCP'}]}


@pytest.fixture
def cluster(server, kubectl):
    etcd = server('etcd')
    api = server('kube-apiserver', ETCD=etcd['URL'])
    server('kwok', KUBECONFIG=api['KUBECONFIG'])

    def run(*args, **more):
        return kubectl(api['KUBECONFIG'], *args, **more)

    def apply(*objects):
        run('apply', '--server-side', '-f', '-', input=json.dumps({'apiVersion': 'v1', 'kind': 'List', 'items': list(objects)}))

    def pods():
        return json.loads(run('get', 'pods', '-A', '-o', 'json'))['items']

    apply(*[{'apiVersion': 'v1', 'kind': 'Namespace', 'metadata': {'name': ns, 'labels': {'stage': 'p-' + ns}}} for ns in NAMESPACES],
          *[node(i) for i in range(3)])
    apply(*[pod(i) for i in range(PODS)])
    for ns in NAMESPACES:
        apply(service('web', ns), service('lb', ns, type='LoadBalancer'), service('far', ns, type='ExternalName', externalName='far.example'),
              ingress(ns), owned('Job', 'batch/v1', 'job-1', ns, 'CronJob', 'batch/v1'))
    sets = [owned('ReplicaSet', 'apps/v1', 'rs-%d' % i, ns, 'Deployment', 'apps/v1', replicas=0, selector={'matchLabels': {'x': 'y'}}) for i in (0, 4) for ns in NAMESPACES]
    for one in sets:
        del one['spec']['template']['spec']['restartPolicy']
    apply(*sets)
    for i in range(3):
        addresses = [{'type': 'Hostname', 'address': 'host-%d' % i}, {'type': 'ExternalIP', 'address': '203.0.113.%d' % i},
                     {'type': 'InternalIP', 'address': '198.51.100.%d' % i}, {'type': 'InternalIP', 'address': '2001:db8::%d' % i}]
        run('patch', 'node', 'node-%d' % i, '--subresource=status', '--type=merge', '-p',
            json.dumps({'status': {'addresses': addresses[:1] if i == 2 else addresses, 'daemonEndpoints': {'kubeletEndpoint': {'Port': 10250}}}}))
    until(lambda: all(p['status'].get('podIP') for p in pods()), 60, 'running pods')
    for ns in NAMESPACES:
        mine = [p for p in pods() if p['metadata']['namespace'] == ns]
        apply(endpoints(ns, mine[:6]), endpointslice(ns, mine[:9]))
    api.update(apply=apply, run=run, pods=pods)
    return api


# ---- what both are told, and what they found

def jobs(api):
    def sd(role, **more):
        return {'role': role, 'api_server': api['URL'], 'authorization': {'credentials': api['TOKEN']}, 'tls_config': {'ca_file': api['CA']}, **more}

    def job(name, *configs, relabel=()):
        everything = {'action': 'labelmap', 'regex': '__meta_kubernetes_(.+)', 'replacement': 'k8s_$1'}
        return {'job_name': name, 'scrape_interval': '60s', 'scrape_timeout': '1s', 'kubernetes_sd_configs': list(configs), 'relabel_configs': [*relabel, everything]}

    idiom = [{'source_labels': ['__meta_kubernetes_pod_annotation_prometheus_io_scrape'], 'action': 'keep', 'regex': True},
             {'source_labels': ['__meta_kubernetes_pod_annotation_prometheus_io_path'], 'action': 'replace', 'target_label': '__metrics_path__', 'regex': '(.+)'},
             {'source_labels': ['__address__', '__meta_kubernetes_pod_annotation_prometheus_io_port'], 'action': 'replace',
              'regex': r'([^:]+)(?::\d+)?;(\d+)', 'replacement': '$1:$2', 'target_label': '__address__'},
             {'source_labels': ['__meta_kubernetes_pod_uid'], 'modulus': 7, 'target_label': 'shard', 'action': 'hashmod'},
             {'source_labels': ['__meta_kubernetes_pod_name'], 'target_label': '__param_name'},
             {'source_labels': ['__meta_kubernetes_namespace'], 'target_label': 'NS', 'action': 'uppercase'},
             {'action': 'labeldrop', 'regex': '__meta_kubernetes_pod_(annotation|container).*'}]
    return [*[job(role, sd(role)) for role in ('node', 'pod', 'service', 'endpoints', 'endpointslice', 'ingress')],
            job('pod-attach', sd('pod', attach_metadata={'node': True})),
            job('slice-attach', sd('endpointslice', attach_metadata={'node': True}, namespaces={'names': ['shop']})),
            job('ns-attach', sd('pod', attach_metadata={'namespace': True, 'node': True}), sd('service', attach_metadata={'namespace': True})),
            job('owners', sd('pod', attach_metadata={'deployment': True, 'job': True, 'cronjob': True}),
                sd('endpointslice', attach_metadata={'deployment': True})),
            job('pod-here', sd('pod', selectors=[{'role': 'pod', 'field': 'spec.nodeName=node-1', 'label': 'app in (a0, a1)'}])),
            job('two', sd('service', namespaces={'names': ['mail']}), sd('node', selectors=[{'role': 'node', 'label': 'topology.kubernetes.io/zone=z1'}])),
            job('idiom', sd('pod'), relabel=idiom)]


def of_prometheus(url):
    found = set()
    for target in json.loads(get(url + '/api/v1/targets?state=active'))['data']['activeTargets']:
        found.add((target['scrapePool'], target['scrapeUrl'], json.dumps(target['labels'], sort_keys=True)))
    return found


def of_leat(agent):
    found = set()
    for line in get('http://127.0.0.1:%d/debug/dump' % agent.metrics_port).splitlines():
        row = re.fullmatch(r'\s*job (\S+) target (\S+) (\{.*\})', line)
        if not row:
            continue
        labels = {json.loads(n) if n[0] == '"' else n: json.loads(v)
                  for n, v in re.findall(r'("(?:[^"\\]|\\.)*"|\w+)=("(?:[^"\\]|\\.)*")', row.group(3))}
        shown = {n: v for n, v in labels.items() if not n.startswith('__')}
        found.add((row.group(1), row.group(2), json.dumps(shown, sort_keys=True)))
    return found


def same(url, agent):
    """None when they are the same; else what differs."""
    theirs, ours = of_prometheus(url), of_leat(agent)
    if theirs == ours and theirs:
        return None
    return 'only Prometheus (%d):\n%s\nonly leat (%d):\n%s' % (
        len(theirs - ours), '\n'.join(map(str, sorted(theirs - ours)[:6])), len(ours - theirs), '\n'.join(map(str, sorted(ours - theirs)[:6])))


# Scenario:   every role, with attached nodes, selectors, namespaces and the annotation idiom; then pods come, change and go, a service
#             goes, and the API server is away for a while.
# Guarantees: at each point leat and Prometheus 3.14 have the same targets, URL by URL and label by label; without the API server leat keeps
#             what it knew.
def test_same_targets_as_prometheus(cluster, server, agent, tmp_path):
    config = {'global': {'scrape_interval': '60s'}, 'scrape_configs': jobs(cluster)}
    prometheus = server('prometheus', conf=json.dumps(config))
    leat = agent({'receivers': {'prometheus': {'config': config}}, 'exporters': {'nop': {}},
                  'service': {'pipelines': {'metrics': {'receivers': ['prometheus'], 'exporters': ['nop']}}}})
    until(lambda: same(prometheus['URL'], leat) is None, 40, lambda: 'the same targets: ' + same(prometheus['URL'], leat))
    by_job = {}
    for name, _, _ in of_leat(leat):
        by_job[name] = by_job.get(name, 0) + 1
    assert set(by_job) == {j['job_name'] for j in config['scrape_configs']}, by_job
    assert all(word in str(of_leat(leat)) for word in ('the-deployment', 'the-cronjob', 'pod_job_name'))
    assert by_job['node'] == 3 and by_job['two'] > 3 and by_job['pod'] > PODS

    cluster['run']('delete', 'pod', '-n', 'shop', 'pod-0', '--now')
    # A pod that is no endpoint: Prometheus makes endpoints anew only when a pod's phase changes, leat whenever the pod does.
    cluster['run']('label', 'pod', '-n', 'mail', 'pod-%d' % (PODS - 1), 'fresh=yes')
    cluster['run']('delete', 'service', '-n', 'mail', 'lb')
    cluster['run']('annotate', 'service', '-n', 'shop', 'web', 'team.example.com/owner=other', '--overwrite')
    cluster['run']('label', 'node', 'node-2', 'fresh=node')
    cluster['apply'](pod(PODS), pod(PODS + 1))
    until(lambda: sum(bool(p['status'].get('podIP')) for p in cluster['pods']()) == PODS + 1, 60, 'new pods')
    until(lambda: 'fresh' in str(of_prometheus(prometheus['URL'])) and 'pod-%d"' % PODS in str(of_prometheus(prometheus['URL'])), 40, 'the news at Prometheus')
    until(lambda: same(prometheus['URL'], leat) is None, 40, lambda: 'the same targets after the change: ' + same(prometheus['URL'], leat))

    before = of_leat(leat)
    server.stop(cluster['PLACE'])
    until(lambda: 'unreachable' in leat.log() or 'kubernetes' in leat.log() or 'refused' in leat.log(), 30, 'a word about the server')
    assert of_leat(leat) == before
    assert leat.stop() == 0
