# SPDX-License-Identifier: Apache-2.0
"""A real Pyroscope 1.21: profiles of a live Go program, and profiles pushed by OTLP, read back with the totals that were sent."""
import base64
import gzip
import http.client
import http.server
import json
import random
import threading
import time
import urllib.error
import urllib.request
import uuid

from leatkit import attribute, fields, fixed64, inside, otlp_in, pb, pipeline, post, until, varint

SENT, FAILED = 'otelcol_exporter_sent_profiles', 'otelcol_exporter_send_failed_profiles'
CPU = 'process_cpu:cpu:nanoseconds:cpu:nanoseconds'


def signed(n):
    return n - (1 << 64) if n >> 63 else n


def packed(data):
    out, n, shift = [], 0, 0
    for byte in data:
        n |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            out.append(signed(n))
            n = shift = 0
    return out


def numbers(message, number):
    return [n for k, v in fields(message) if k == number for n in (packed(v) if isinstance(v, bytes) else [signed(v)])]


def one(message, number, otherwise=0):
    return next((v for k, v in fields(message) if k == number), otherwise)


def totals(profile):
    """-> {type name: sum of its values} of a pprof"""
    strings = [s.decode() for s in inside(profile, 6)]
    types = [strings[one(t, 1)] for t in inside(profile, 1)]
    sums = [0] * len(types)
    for sample in inside(profile, 2):
        values = numbers(sample, 2)
        assert len(values) == len(types)
        sums = [a + b for a, b in zip(sums, values)]
    return dict(zip(types, sums))


def call(base, path, body, content_type='application/json', **headers):
    asked = urllib.request.Request(base + path, body, {'Content-Type': content_type, **headers})
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return answer.read()
    except urllib.error.HTTPError as refusal:
        raise AssertionError('%s %s' % (refusal.code, refusal.read())) from refusal


def flame(base, kind, selector, **headers):
    """-> (total, function names) of everything of the last hour"""
    now = time.time_ns() // 10**6
    question = {'profile_typeID': kind, 'label_selector': selector, 'start': now - 3600000, 'end': now + 600000}
    found = json.loads(call(base, '/querier.v1.QuerierService/SelectMergeStacktraces', json.dumps(question).encode(), **headers))
    graph = found.get('flamegraph', {})
    return int(graph.get('total', 0)), set(graph.get('names', []))


def series(base, *names):
    now = time.time_ns() // 10**6
    question = {'matchers': [], 'labelNames': list(names), 'start': now - 3600000, 'end': now + 600000}
    found = json.loads(call(base, '/querier.v1.QuerierService/Series', json.dumps(question).encode()))
    return [{p['name']: p['value'] for p in s['labels']} for s in found.get('labelsSet', [])]


# ---- OTLP

class Dictionary:
    def __init__(self, stacks, depth, seed):
        self.rng = random.Random(seed)
        self.strings = ['']
        functions = [pb(1, self.string('func_%d' % i)) + pb(3, self.string('file_%d.go' % (i % 7))) for i in range(50)]
        mapping = pb(1, 4096) + pb(2, 1 << 20) + pb(4, self.string('/bin/demo'))
        locations = [pb(1, 1) + pb(2, 4096 + i) + pb(3, pb(1, 1 + i % 50) + pb(2, 10 + i)) for i in range(200)]
        self.stacks = [[self.rng.randrange(1, 201) for _ in range(self.rng.randrange(1, depth))] for _ in range(stacks)]
        self.attributes = [b'']
        self.body = [pb(1, b''), pb(1, mapping), pb(2, b''), *(pb(2, m) for m in locations), pb(3, b''), *(pb(3, m) for m in functions),
                     pb(4, b''), pb(4, pb(1, b'\x01' * 16) + pb(2, b'\x02' * 8)), pb(7, b''),
                     *(pb(7, pb(1, b''.join(map(varint, s)))) for s in self.stacks)]

    def string(self, text):
        if text not in self.strings:
            self.strings.append(text)
        return self.strings.index(text)

    def attribute(self, key, value):
        self.attributes.append(pb(1, self.string(key)) + pb(2, pb(1, value)))
        return len(self.attributes) - 1

    def encode(self):
        return b''.join(self.body + [pb(5, s) for s in self.strings] + [pb(6, a) for a in self.attributes])

    def profile(self, kind, period_type, period, values, service=None):
        """A profile with one sample of each value."""
        def value_type(number, pair):
            return pb(number, pb(1, self.string(pair[0])) + pb(2, self.string(pair[1])))

        extra = pb(2, varint(self.attribute('service.name', service))) if service else b''
        out = value_type(1, kind) + fixed64(3, time.time_ns()) + pb(4, 10**10) + (value_type(5, period_type) + pb(6, period) if period else b'')
        for value in values:
            out += pb(2, pb(1, self.rng.randrange(1, len(self.stacks) + 1)) + extra + pb(4, varint(value)))
        return out


def request(dictionary, profiles, resource):
    body = b''.join(pb(2, p) for p in profiles)
    return pb(1, pb(1, b''.join(pb(1, attribute(k, v)) for k, v in resource)) + pb(2, body)) + pb(2, dictionary.encode())


def start(agent, url, **more):
    receivers, port, _ = otlp_in()
    pyroscope = {'endpoint': url, 'retry_on_failure': {'initial_interval': '200ms', 'max_interval': '1s'}, **more}
    return agent(pipeline(receivers, {'pyroscope': pyroscope}, ('profiles',))), port


def test_otlp_profiles_are_stored_as_pyroscope_itself_would(agent, server):
    """The same request through leat and through Pyroscope's own OTLP door: equal names, totals and functions."""
    base = server('pyroscope')['URL']
    one_agent, port = start(agent, base, external_labels={'cluster': 'test'})
    rng = random.Random(7)
    cpu, wall, blocked = ([rng.randrange(1, 1000) for _ in range(n)] for n in (300, 100, 50))
    for way in 'leat', 'door':
        d = Dictionary(200, 30, 1)
        profiles = [d.profile(('samples', 'count'), ('cpu', 'nanoseconds'), 10**7, cpu), d.profile(('wall', 'nanoseconds'), ('wall', 'nanoseconds'), 1, wall),
                    d.profile(('off_cpu', 'nanoseconds'), None, 0, blocked)]
        other = [d.profile(('samples', 'count'), ('cpu', 'nanoseconds'), 10**7, cpu[:20], 'other-' + way)]
        # a resource with a service of its own beside its samples' is refused by that door
        for body in request(d, profiles, [('service.name', way), ('k8s.pod.name', 'web-1')]), request(d, other, [('k8s.pod.name', 'web-1')]):
            if way == 'leat':
                assert post(port, '/v1development/profiles', body)[0] == 200
            else:
                call(base, '/v1development/profiles', body, 'application/x-protobuf')
    wanted = {CPU: sum(cpu) * 10**7, 'wall:wall:nanoseconds:wall:nanoseconds': sum(wall), 'off_cpu:off_cpu:nanoseconds::': sum(blocked)}
    for kind, total in wanted.items():
        own = until(lambda: (r := flame(base, kind, '{service_name="door"}'))[0] and r, 20, kind)
        ours = until(lambda: (r := flame(base, kind, '{service_name="leat"}'))[0] and r, 20, lambda: kind + one_agent.log())
        assert ours[0] == own[0] == total
        assert ours[1] == own[1]
    assert flame(base, CPU, '{service_name="other-leat"}') == flame(base, CPU, '{service_name="other-door"}')
    assert flame(base, CPU, '{service_name="other-leat"}')[0] == sum(cpu[:20]) * 10**7
    found = [s for s in series(base, 'service_name', 'k8s_pod_name', 'cluster', '__name__') if s['service_name'] == 'leat']
    assert {s['__name__'] for s in found} == {'process_cpu', 'wall', 'off_cpu'}
    assert all(s['k8s_pod_name'] == 'web-1' and s['cluster'] == 'test' for s in found)
    assert one_agent.total(FAILED) == 0
    one_agent.check_ledger()
    assert one_agent.stop() == 0


def test_what_pyroscope_refuses_is_dropped_alone(agent, server):
    """A profile from yesterday is refused, one without samples or with an index that leads nowhere never leaves; the others arrive."""
    base = server('pyroscope')['URL']
    one_agent, port = start(agent, base)
    d = Dictionary(20, 10, 2)
    good = d.profile(('samples', 'count'), ('cpu', 'nanoseconds'), 10**7, [1, 2, 3])
    old = good.replace(next(v for k, v in fields(good) if k == 3), (time.time_ns() - 86400 * 10**9).to_bytes(8, 'little'))
    lost = d.profile(('samples', 'count'), ('cpu', 'nanoseconds'), 10**7, [1]) + pb(2, pb(1, 12345) + pb(4, varint(1)))
    empty = d.profile(('samples', 'count'), ('cpu', 'nanoseconds'), 10**7, [])
    assert post(port, '/v1development/profiles', request(d, [old, good, lost, empty], [('service.name', 'mixed')]))[0] == 200
    until(lambda: one_agent.total(SENT) == 1, 20, one_agent.log)
    until(lambda: flame(base, CPU, '{service_name="mixed"}')[0] == 6 * 10**7, 20)
    until(lambda: sum(row['dropped'] for row in one_agent.check_ledger().values()) == 3)
    assert one_agent.total('leat_dropped_items_total', component='pyroscope', reason='refused') == 1
    assert one_agent.total('leat_dropped_items_total', component='pyroscope', reason='cannot_encode') == 2
    assert one_agent.stop() == 0


def test_tenants(agent, server):
    """A Pyroscope that asks for a tenant: without one it answers 401 and the profile is kept."""
    base = server('pyroscope', LEAT_AUTH='true')['URL']
    receivers, port, _ = otlp_in()
    exporters = {'pyroscope/a': {'endpoint': base, 'headers': {'X-Scope-OrgID': 'a'}}, 'pyroscope/none': {'endpoint': base}}
    one_agent = agent(pipeline(receivers, exporters, ('profiles',), leat={'shutdown_timeout': '1s'}))
    d = Dictionary(20, 10, 3)
    body = request(d, [d.profile(('samples', 'count'), ('cpu', 'nanoseconds'), 10**7, [4])], [('service.name', 'x')])
    assert post(port, '/v1development/profiles', body)[0] == 200
    until(lambda: flame(base, CPU, '{service_name="x"}', **{'X-Scope-OrgID': 'a'})[0] == 4 * 10**7, 20)
    until(lambda: one_agent.total('leat_on_hold', component='pyroscope/none') == 1)
    assert one_agent.total('leat_items_held', component='pyroscope/none') == 1
    one_agent.check_ledger()
    assert one_agent.stop() == 4


# ---- scraped

class Recorder:
    """Stands between leat and a target, keeps what the target served."""

    def __init__(self, target):
        self.bodies = {}
        recorder = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_GET(self):
                asked = http.client.HTTPConnection(target, timeout=60)
                asked.request('GET', self.path)
                answer = asked.getresponse()
                body = answer.read()
                asked.close()
                if answer.status == 200:
                    recorder.bodies.setdefault(self.path.split('?')[0].split('/')[-1], []).append(body)
                self.send_response(answer.status)
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        self.address = '127.0.0.1:%d' % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def sums(self, kind, *names):
        """Over all bodies."""
        all_of = [totals(gzip.decompress(b)) for b in self.bodies.get(kind, [])]
        return [sum(t[n] for t in all_of) for n in names]

    def growth(self, kind, name):
        """From the first body to the last."""
        ends = [totals(gzip.decompress(b))[name] for b in (self.bodies[kind][0], self.bodies[kind][-1])]
        return ends[1] - ends[0]


def test_a_live_go_program(agent, server):
    """CPU, allocations, goroutines, locks: what was served is what is stored; counts from the start of the program become what grew."""
    base = server('pyroscope')['URL']
    recorder = Recorder(server('goserver')['ADDRESS'])
    job = {'job_name': 'go', 'scrape_interval': '2s', 'scrape_timeout': '2s', 'delta_profiling_duration': '1s',
           'static_configs': [{'targets': [recorder.address], 'labels': {'service_name': 'goserver', 'namespace': 'demo'}}],
           'relabel_configs': [{'target_label': 'zone', 'replacement': 'a'}]}
    one_agent = agent(pipeline({'pprof': {'scrape_configs': [job]}}, {'pyroscope': {'endpoint': base}}, ('profiles',)))
    until(lambda: all(len(recorder.bodies.get(k, [])) >= 4 for k in ('profile', 'allocs', 'goroutine', 'mutex', 'block')), 40,
          lambda: '%s %s' % ({k: len(v) for k, v in recorder.bodies.items()}, one_agent.log()))
    one_agent.check_ledger()
    assert one_agent.stop() == 0
    where = '{service_name="goserver",zone="a",namespace="demo",job="go",instance="%s"}' % recorder.address
    wanted = dict(zip((CPU, 'process_cpu:samples:count:cpu:nanoseconds'), recorder.sums('profile', 'cpu', 'samples')))
    # of goroutines Pyroscope leaves some frames' samples out: asked by pushing the same bodies to it directly
    for body in recorder.bodies['goroutine']:
        labels = [{'name': '__name__', 'value': 'goroutine'}, {'name': 'service_name', 'value': 'direct'}]
        sample = {'rawProfile': base64.b64encode(body).decode(), 'ID': str(uuid.uuid4())}
        call(base, '/push.v1.PusherService/Push', json.dumps({'series': [{'labels': labels, 'samples': [sample]}]}).encode())
    goroutines = 'goroutine:goroutine:count:goroutine:count'
    wanted[goroutines] = until(lambda: flame(base, goroutines, '{service_name="direct"}')[0], 20)
    for name, unit in ('inuse_space', 'bytes'), ('inuse_objects', 'count'):
        wanted['memory:%s:%s:space:bytes' % (name, unit)] = recorder.sums('allocs', name)[0]
    for name, unit in ('alloc_space', 'bytes'), ('alloc_objects', 'count'):
        wanted['memory:%s:%s:space:bytes' % (name, unit)] = recorder.growth('allocs', name)
    for kind in 'mutex', 'block':
        for name, unit in ('contentions', 'count'), ('delay', 'nanoseconds'):
            wanted['%s:%s:%s:contentions:count' % (kind, name, unit)] = recorder.growth(kind, name)
    got = {kind: flame(base, kind, where) for kind in wanted}
    assert {kind: total for kind, (total, _) in got.items()} == wanted
    assert wanted[CPU] > 0 and wanted['memory:alloc_space:bytes:space:bytes'] > 0 and wanted['mutex:delay:nanoseconds:contentions:count'] > 0
    assert 'main.burnCPU' in got[CPU][1] and 'main.allocate' in got['memory:alloc_space:bytes:space:bytes'][1]
    assert 'main.holdLock' in got['mutex:contentions:count:contentions:count'][1]
