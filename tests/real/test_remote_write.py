# SPDX-License-Identifier: Apache-2.0
"""Remote write into real receivers: 2.0 where it is taken, 1.0 where it is not, and nothing lost in between."""
import http.server
import json
import os
import threading
import time
import urllib.parse
import urllib.request

import pytest
from leatkit import otlp_in, pipeline, until
from test_prometheus_scrape import PROTO, proto_page

SENT = 'otelcol_exporter_sent_metric_points'

COLLECTOR = '''
extensions:
  health_check: {endpoint: "127.0.0.1:@P2@"}
receivers:
  otlp: {protocols: {grpc: {endpoint: "127.0.0.1:@P0@"}, http: {endpoint: "127.0.0.1:@P1@"}}}
exporters:
  prometheusremotewrite: {endpoint: "%s/api/v1/write", external_labels: {cluster: main}%s}
service:
  extensions: [health_check]
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [otlp], exporters: [prometheusremotewrite]}
'''


def get(url, **params):
    with urllib.request.urlopen(url + ('?' + urllib.parse.urlencode(params, doseq=True) if params else ''), timeout=20) as r:
        return json.load(r)


def attrs(**kv):
    return [{'key': k, 'value': {'stringValue': v} if isinstance(v, str) else v} for k, v in kv.items()]


def dotted(**kv):
    return attrs(**{k.replace('__', '.'): v for k, v in kv.items()})


def point(at, start=None, labels=(), **more):
    return {'timeUnixNano': str(at), 'startTimeUnixNano': str(start or at - 60 * 10**9), 'attributes': list(labels), **more}


def every_kind(at):
    """A resource with each kind of metric and the names that are hard to translate."""
    exemplar = {'timeUnixNano': str(at), 'asDouble': 0.3, 'traceId': '5b8efff798038103d269b633813fc60c', 'spanId': 'eee19b7ec3c1b174',
                'filteredAttributes': attrs(user='u1')}
    odd = dotted(http__route='/a', _lead='x', **{'0digit': 'y', 'a__b': 'one', 'empty': ''}) + attrs(
        **{'a.b': 'two', 'n': {'intValue': '7'}, 'd': {'doubleValue': 1.5}, 'b': {'boolValue': True}, 'l': {'arrayValue': {'values': [{'intValue': '1'}]}}})
    metrics = [
        {'name': 'cpu.load', 'unit': '1', 'description': 'load', 'gauge': {'dataPoints': [point(at, labels=odd, asDouble=0.5), point(at, asInt='3')]}},
        {'name': 'http.requests', 'unit': '{request}', 'sum': {'aggregationTemporality': 2, 'isMonotonic': True,
                                                                 'dataPoints': [point(at, labels=attrs(code='200'), asInt='42', exemplars=[exemplar])]}},
        {'name': 'queue.size', 'unit': 'By/s', 'sum': {'aggregationTemporality': 2, 'dataPoints': [point(at, asDouble=-2)]}},
        {'name': 'http.duration', 'unit': 'ms', 'histogram': {'aggregationTemporality': 2, 'dataPoints': [
            point(at, labels=attrs(m='GET'), count='6', sum=7.25, bucketCounts=['1', '2', '3'], explicitBounds=[0.25, 10], exemplars=[exemplar])]}},
        {'name': 'rpc.size', 'unit': 'By', 'exponentialHistogram': {'aggregationTemporality': 2, 'dataPoints': [
            point(at, count='9', sum=20, scale=10, zeroCount='1', positive={'offset': 3, 'bucketCounts': ['1', '0', '0', '0', '0', '0', '0', '0',
                                                                                                       '0', '0', '0', '0', '0', '0', '0', '0', '4', '2']},
                  negative={'offset': -2, 'bucketCounts': ['1']})]}},
        {'name': 'gc.pause', 'unit': 's', 'summary': {'dataPoints': [
            point(at, count='3', sum=0.75, quantileValues=[{'quantile': 0.5, 'value': 0.1}, {'quantile': 0.99, 'value': 0.5}])]}},
        {'name': 'gone', 'gauge': {'dataPoints': [point(at, flags=1)]}},
        {'name': '2xx.count', 'gauge': {'dataPoints': [point(at, asInt='1')]}},
    ]
    resource = dotted(service__name='shop', service__namespace='demo', service__instance__id='shop-1', host__name='h1', empty='')
    scope = {'name': 'lib', 'version': '1.0', 'attributes': attrs(kind='test')}
    return {'resourceMetrics': [{'resource': {'attributes': resource}, 'scopeMetrics': [{'scope': scope, 'metrics': metrics}]}]}


def send(port, request):
    asked = urllib.request.Request('http://127.0.0.1:%d/v1/metrics' % port, json.dumps(request).encode(), {'Content-Type': 'application/json'})
    with urllib.request.urlopen(asked, timeout=20) as r:
        assert r.status == 200


def gauges(at, count, name='plain', resource='svc'):
    points = [point(at, labels=attrs(i=str(i)), asInt=str(i)) for i in range(count)]
    return {'resourceMetrics': [{'resource': {'attributes': dotted(service__name=resource)},
                                 'scopeMetrics': [{'metrics': [{'name': name, 'gauge': {'dataPoints': points}}]}]}]}


def start(agent, url, shards=1, **more):
    receivers, port, http = otlp_in()
    exporter = {'endpoint': url, 'external_labels': {'cluster': 'main'}, **more}
    return agent(pipeline(receivers, {'prometheus_remote_write': exporter}, ('metrics',), leat={'shards': shards})), port


def points(request):
    metrics = request['resourceMetrics'][0]['scopeMetrics'][0]['metrics']
    return sum(len(v['dataPoints']) for m in metrics for k, v in m.items() if isinstance(v, dict))


def series(url, at):
    """Everything stored at that time: {labels: value or histogram}."""
    found = {}
    for row in get(url + '/api/v1/query', query='{__name__!=""}', time=at / 1e9)['data']['result']:
        found[tuple(sorted(row['metric'].items()))] = row.get('value', [0, None])[1], json.dumps(row.get('histogram', [0, None])[1])
    return found


@pytest.mark.parametrize('message', ['auto', 'io.prometheus.write.v2.Request'])
def test_prometheus_takes_two(agent, server, message):
    url = server('prometheus')['URL']
    one, port = start(agent, url + '/api/v1/write', protobuf_message=message)
    at = time.time_ns() // 10**6 * 10**6
    request = every_kind(at)
    send(port, request)
    until(lambda: one.total(SENT) == points(request), 20)
    found = series(url, at)
    assert ('__name__', 'http_requests_total') in {k for row in found for k in row}
    exemplars = get(url + '/api/v1/query_exemplars', query='http_requests_total', start=at / 1e9 - 60, end=at / 1e9 + 60)['data']
    assert exemplars[0]['exemplars'][0]['labels'] == {'span_id': 'eee19b7ec3c1b174', 'trace_id': '5b8efff798038103d269b633813fc60c', 'user': 'u1'}
    one.check_ledger()
    assert 'will try again' not in one.log()
    assert one.stop() == 0


def fallback(agent, url, count, found, shards=1):
    one, port = start(agent, url, shards)
    at = time.time_ns() // 10**6 * 10**6
    for i in range(5):
        send(port, gauges(at + i * 10**9, 400))
        send(port, gauges(at + i * 10**9, 400, resource='svc%d' % i))
    until(lambda: one.total(SENT) == 4000, 30)
    until(lambda: found() == count, 30, 'all samples stored')
    one.check_ledger()
    assert one.stop() == 0


@pytest.mark.parametrize('shards', [1, 3])
def test_a_prometheus_that_takes_one_only(agent, server, shards):
    url = server('prometheus-rw1')['URL']

    def found():
        rows = get(url + '/api/v1/query', query='sum(count_over_time(plain{cluster="main"}[5m]))', time=time.time() + 60)['data']['result']
        return rows and float(rows[0]['value'][1])

    fallback(agent, url + '/api/v1/write', 4000, found, shards)


def test_victoria_metrics_says_nothing_and_is_understood(agent, server):
    url = server('victoria-metrics')['URL']

    def found():
        urllib.request.urlopen(url + '/internal/force_flush', timeout=10).read()
        rows = get(url + '/api/v1/query', query='sum(count_over_time(plain{cluster="main"}[5m]))', time=int(time.time() + 30), nocache=1)['data']['result']
        return rows and float(rows[0]['value'][1])

    fallback(agent, url + '/api/v1/write', 4000, found)


@pytest.mark.parametrize('keys', [
    {}, {'translation_strategy': 'UnderscoreEscapingWithoutSuffixes'}, {'add_metric_suffixes': False, 'namespace': 'ns'},
    {'resource_to_telemetry_conversion': {'enabled': True}, 'disable_scope_info': True},
    {'resource_to_telemetry_conversion': {'enabled': True, 'exclude_service_attributes': True}, 'target_info': {'enabled': False}}],
    ids=['as it comes', 'strategy', 'bare names', 'resource', 'resource without service'])
def test_equal_to_the_collectors_exporter(agent, server, keys):
    ours, theirs = server('prometheus', folder='ours')['URL'], server('prometheus', folder='theirs')['URL']
    more = ''.join(', %s: %s' % (key, json.dumps(value)) for key, value in keys.items())
    collector = server('otelcol', conf=COLLECTOR % (theirs, more))
    one, port = start(agent, ours + '/api/v1/write', protobuf_message='prometheus.WriteRequest', **keys)
    at = time.time_ns() // 10**6 * 10**6
    request = every_kind(at)
    send(port, request)
    send(int(collector['HTTP'].rsplit(':', 1)[1].strip('/')), request)
    until(lambda: one.total(SENT) == points(request), 20)
    until(lambda: len(series(theirs, at)) >= len(series(ours, at)), 20)
    mine, wanted = series(ours, at), series(theirs, at)
    assert mine == wanted, (sorted(set(mine.items()) - set(wanted.items())), sorted(set(wanted.items()) - set(mine.items())))
    assert len(mine) >= 15
    one.check_ledger()
    assert one.stop() == 0


def test_what_prometheus_refuses_is_found_and_counted_and_the_rest_is_there(agent, server):
    for message in ('auto', 'prometheus.WriteRequest'):
        url = server('prometheus', folder=message)['URL']
        one, port = start(agent, url + '/api/v1/write', protobuf_message=message)
        at = time.time_ns() // 10**6 * 10**6
        send(port, gauges(at, 50))
        until(lambda: one.total(SENT) == 50, 20)
        bad = gauges(at, 50, name='other')
        bad['resourceMetrics'][0]['scopeMetrics'][0]['metrics'].append(
            {'name': 'plain', 'gauge': {'dataPoints': [point(at, labels=attrs(i='7'), asInt='-1')]}})  # same time, another value
        send(port, bad)
        until(lambda: one.total(SENT) == 100, 20)
        assert len(get(url + '/api/v1/query', query='other', time=at / 1e9)['data']['result']) == 50
        assert sum(row['dropped'] for row in one.check_ledger().values()) == 1
        assert one.stop() == 0


def test_delta_is_refused_and_counted(agent, server):
    url = server('prometheus')['URL']
    one, port = start(agent, url + '/api/v1/write')
    at = time.time_ns()
    request = gauges(at, 3)
    request['resourceMetrics'][0]['scopeMetrics'][0]['metrics'].append(
        {'name': 'd', 'sum': {'aggregationTemporality': 1, 'isMonotonic': True, 'dataPoints': [point(at, asInt='1'), point(at, asInt='2')]}})
    send(port, request)
    until(lambda: one.total(SENT) == 3, 20)
    assert sum(row['dropped'] for row in one.check_ledger().values()) == 2
    assert one.stop() == 0


# ---- scraped pages as OTLP, beside the Collector's receiver

SCRAPER = '''
extensions:
  health_check: {endpoint: "127.0.0.1:@P2@"}
receivers:
  otlp: {protocols: {grpc: {endpoint: "127.0.0.1:@P0@"}, http: {endpoint: "127.0.0.1:@P1@"}}}
%s
exporters:
  file/metrics: {path: "@DIR@/metrics.json", flush_interval: 100ms}
service:
  extensions: [health_check]
  telemetry: {metrics: {level: none}}
  pipelines:
    metrics: {receivers: [%s], exporters: [file/metrics]}
'''
TEXT = ('text/plain; version=0.0.4', '''# HELP http_requests_total Requests.
# TYPE http_requests_total counter
http_requests_total{code="200",method="GET"} 1027
http_requests_total{code="500",method="GET"} 3
# HELP temperature_celsius How warm.
# TYPE temperature_celsius gauge
temperature_celsius{room="a"} 21.5
temperature_celsius{room="b"} NaN
# TYPE latency_seconds histogram
latency_seconds_bucket{path="/",le="0.1"} 4
latency_seconds_bucket{path="/",le="1"} 9
latency_seconds_bucket{path="/",le="+Inf"} 11
latency_seconds_sum{path="/"} 12.5
latency_seconds_count{path="/"} 11
# TYPE gc summary
gc{quantile="0.5"} 0.25
gc{quantile="0.9"} 0.75
gc_sum 17
gc_count 40
# TYPE sum_only histogram
sum_only_sum 3
nobody_explains_this{x="y",otel_scope_name="lib",otel_scope_version="2",otel_scope_kind="k"} 7
target_info{region="eu",zone="a"} 1
''')
OPENMETRICS = ('application/openmetrics-text; version=1.0.0', '''# TYPE jobs_seconds counter
# HELP jobs_seconds Jobs done.
# UNIT jobs_seconds seconds
jobs_seconds_total{q="a"} 17 # {trace_id="0102030405060708090a0b0c0d0e0f10",span_id="0102030405060708",user="u"} 1 1520879607.789
# TYPE size_bytes histogram
# UNIT size_bytes bytes
size_bytes_bucket{le="10.0"} 1
size_bytes_bucket{le="+Inf"} 2 # {id="x"} 99.0
size_bytes_count 2
size_bytes_sum 100.0
# TYPE build info
build_info{version="1"} 1
# TYPE state stateset
state{state="on"} 1
state{state="off"} 0
# TYPE what unknown
what 4
# EOF
''')


class Pages(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        kind, text = {'/text': TEXT, '/openmetrics': OPENMETRICS, '/protobuf': (PROTO, proto_page(3))}[self.path]
        body = text if isinstance(text, bytes) else text.encode()
        self.send_response(200)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


VARYING = ('scrape_duration_seconds', 'scrape_series_added')


def attributes(of):
    return tuple(sorted((a['key'], json.dumps(a['value'], sort_keys=True)) for a in of.get('attributes', [])))


def told(path):
    """Everything but times, as a set; several scrapes of the same page tell the same."""
    found = set()
    for line in open(path) if os.path.exists(path) else ():
        try:
            request = json.loads(line)
        except ValueError:
            continue  # being written
        for resource in request.get('resourceMetrics', []):
            for scope in resource.get('scopeMetrics', []):
                who = (attributes(resource.get('resource', {})), scope['scope'].get('name'), attributes(scope['scope']))
                for metric in scope.get('metrics', []):
                    kind = next(k for k in ('gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary') if k in metric)
                    what = (metric['name'], metric.get('description', ''), metric.get('unit', ''), kind, metric[kind].get('isMonotonic'),
                            metric[kind].get('aggregationTemporality'), json.dumps(metric.get('metadata')))
                    for point in metric[kind].get('dataPoints', []):
                        if metric['name'] in VARYING:
                            continue
                        rest = {k: v for k, v in point.items() if k not in ('attributes', 'timeUnixNano', 'exemplars')}
                        if kind == 'exponentialHistogram':
                            rest.pop('startTimeUnixNano', None)  # the Collector does not tell it of these
                        found.add((who, what, attributes(point), json.dumps(rest, sort_keys=True)))
                        for exemplar in point.get('exemplars', []):  # leat tells one once, the Collector at each scrape
                            exemplar.get('filteredAttributes', []).sort(key=lambda a: a['key'])
                            if exemplar.get('asDouble') == 99:
                                exemplar.pop('timeUnixNano')  # none of its own
                            found.add((who, what, attributes(point), 'exemplar', json.dumps(exemplar, sort_keys=True)))
    return found


def test_scraped_pages_become_what_the_collectors_receiver_makes(agent, server):
    pages = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Pages)
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    jobs = [{'job_name': name, 'metrics_path': '/' + name, 'static_configs': [{'targets': ['127.0.0.1:%d' % pages.server_port]}]}
            for name in ('text', 'openmetrics', 'protobuf')]
    jobs[-1]['scrape_native_histograms'] = True
    receiver = {'config': {'global': {'scrape_interval': '1s', 'scrape_timeout': '1s'}, 'scrape_configs': jobs}}
    theirs = server('otelcol', conf=SCRAPER % ('  prometheus: ' + json.dumps(receiver), 'prometheus'), folder='theirs')
    ours = server('otelcol', conf=SCRAPER % ('', 'otlp'), folder='ours')
    one = agent(pipeline({'prometheus': receiver}, {'otlp_http': {'endpoint': ours['HTTP']}}, ('metrics',)))
    files = [os.path.join(s['DIR'], 'metrics.json') for s in (ours, theirs)]
    try:
        until(lambda: all(len(told(f)) > 15 for f in files), 30, lambda: '%s told; %s' % ([len(told(f)) for f in files], one.log()[-1500:]))
        time.sleep(3)
        mine, wanted = told(files[0]), told(files[1])
    finally:
        pages.shutdown()
    assert 'exponentialHistogram' in {what[3] for _, what, *_ in wanted}
    mine -= {row for row in mine - wanted if row[1][3] == 'exponentialHistogram' and row[3] == 'exemplar'}  # it tells those of a first series only
    assert mine == wanted, 'only ours:\n%s\nonly theirs:\n%s' % tuple('\n'.join(map(str, sorted(one, key=str))) for one in (mine - wanted, wanted - mine))
    one.check_ledger()
    assert one.stop() == 0
