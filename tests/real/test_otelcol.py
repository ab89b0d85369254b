# SPDX-License-Identifier: Apache-2.0
"""The real Collector on both sides: it sends to leat, leat sends to it, and what arrives equals what was sent, field by field.

The first Collector writes what it was given into files and sends it on to leat; the second writes what leat sent.
"""
import json
import os

import pytest
from leatkit import SIGNALS, otlp_in, pipeline, post, until

SENDER = '''
extensions:
  health_check: {endpoint: "127.0.0.1:@P2@"}
receivers:
  otlp: {protocols: {grpc: {endpoint: "127.0.0.1:@P0@"}, http: {endpoint: "127.0.0.1:@P1@"}}}
exporters:
  file/traces: {path: "@DIR@/traces.json", flush_interval: 100ms}
  file/metrics: {path: "@DIR@/metrics.json", flush_interval: 100ms}
  file/logs: {path: "@DIR@/logs.json", flush_interval: 100ms}
  file/profiles: {path: "@DIR@/profiles.json", flush_interval: 100ms}
  %s
service:
  extensions: [health_check]
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [file/traces%s]}
    metrics: {receivers: [otlp], exporters: [file/metrics%s]}
    logs: {receivers: [otlp], exporters: [file/logs%s]}
    profiles: {receivers: [otlp], exporters: [file/profiles%s]}
'''
TO_LEAT = {
    'grpc': 'otlp: {endpoint: "127.0.0.1:%(grpc)d", tls: {insecure: true}}',
    'grpc gzip and batches': 'otlp: {endpoint: "127.0.0.1:%(grpc)d", tls: {insecure: true}, compression: gzip, sending_queue: {batch: {flush_timeout: 200ms, min_size: 100}}}',
    'http': 'otlp_http: {endpoint: "http://127.0.0.1:%(http)d", compression: none}',
    'http gzip': 'otlp_http: {endpoint: "http://127.0.0.1:%(http)d", compression: gzip}',
    'http zstd': 'otlp_http: {endpoint: "http://127.0.0.1:%(http)d", compression: zstd}',
    'http snappy': 'otlp_http: {endpoint: "http://127.0.0.1:%(http)d", compression: snappy}',
    'http json': 'otlp_http: {endpoint: "http://127.0.0.1:%(http)d", encoding: json}',
}
LISTS = {'traces': ('resourceSpans', 'scopeSpans', ('spans',)), 'logs': ('resourceLogs', 'scopeLogs', ('logRecords',)),
         'metrics': ('resourceMetrics', 'scopeMetrics', ('metrics',)), 'profiles': ('resourceProfiles', 'scopeProfiles', ('profiles',))}
PATHS = {'traces': '/v1/traces', 'logs': '/v1/logs', 'metrics': '/v1/metrics', 'profiles': '/v1development/profiles'}


def attrs(**kv):
    return [{'key': k, 'value': v} for k, v in kv.items()]


EVERY = attrs(s={'stringValue': 'text \u00fc\u4e16'}, empty={'stringValue': ''}, i={'intValue': '-9223372036854775808'}, d={'doubleValue': 1.5e-300},
              b={'boolValue': False}, raw={'bytesValue': 'AAEC/w=='}, none={},
              list={'arrayValue': {'values': [{'stringValue': 'x'}, {'intValue': '7'}, {'arrayValue': {'values': [{'boolValue': True}]}}]}},
              map={'kvlistValue': {'values': attrs(inner={'kvlistValue': {'values': attrs(deep={'stringValue': 'end'})}})}})
RESOURCE = {'attributes': attrs(**{'service.name': {'stringValue': 'shop'}}) + EVERY, 'droppedAttributesCount': 3}
SCOPE = {'name': 'scope', 'version': '1.2', 'attributes': attrs(k={'stringValue': 'v'}), 'droppedAttributesCount': 1}
TRACE, SPAN, TIME = '5b8efff798038103d269b633813fc60c', 'eee19b7ec3c1b174', '1544712660300000000'
EXEMPLAR = {'timeUnixNano': TIME, 'asDouble': 2.5, 'traceId': TRACE, 'spanId': SPAN, 'filteredAttributes': attrs(f={'stringValue': 'x'})}
POINT = {'attributes': EVERY, 'startTimeUnixNano': TIME, 'timeUnixNano': TIME, 'flags': 1, 'exemplars': [EXEMPLAR]}


def wrapped(outer, inner, name, items):
    return {outer: [{'resource': RESOURCE, 'schemaUrl': 'https://a/1', inner: [{'scope': SCOPE, 'schemaUrl': 'https://a/2', name: items}]},
                    {'resource': {}, inner: [{'scope': {}, name: items[:1]}]}]}


RICH = {
    'logs': wrapped('resourceLogs', 'scopeLogs', 'logRecords', [
        {'timeUnixNano': TIME, 'observedTimeUnixNano': '1', 'severityNumber': 17, 'severityText': 'ERROR', 'body': body, 'attributes': EVERY,
         'droppedAttributesCount': 2, 'flags': 1, 'traceId': TRACE, 'spanId': SPAN, 'eventName': 'device.app'} for body in [kv['value'] for kv in EVERY if kv['value']]]),
    'traces': wrapped('resourceSpans', 'scopeSpans', 'spans', [
        {'traceId': TRACE, 'spanId': SPAN, 'parentSpanId': '0102030405060708', 'traceState': 'a=b,c=d', 'flags': 257, 'name': 'op', 'kind': kind,
         'startTimeUnixNano': TIME, 'endTimeUnixNano': TIME, 'attributes': EVERY, 'droppedAttributesCount': 1,
         'events': [{'timeUnixNano': TIME, 'name': 'e', 'attributes': EVERY, 'droppedAttributesCount': 1}], 'droppedEventsCount': 2,
         'links': [{'traceId': TRACE, 'spanId': SPAN, 'traceState': 'x=y', 'attributes': EVERY, 'droppedAttributesCount': 4, 'flags': 256}], 'droppedLinksCount': 3,
         'status': {'code': 2, 'message': 'it broke'}} for kind in range(1, 6)]),
    'metrics': wrapped('resourceMetrics', 'scopeMetrics', 'metrics', [
        {'name': 'gauge', 'unit': 'By', 'description': 'a gauge', 'metadata': attrs(m={'stringValue': 'x'}), 'gauge': {'dataPoints': [{**POINT, 'asDouble': 0.1}, {**POINT, 'asInt': '-5'}]}},
        {'name': 'sum', 'sum': {'aggregationTemporality': 2, 'isMonotonic': True, 'dataPoints': [{**POINT, 'asInt': '9223372036854775807'}]}},
        {'name': 'histogram', 'histogram': {'aggregationTemporality': 1, 'dataPoints': [
            {**POINT, 'count': '6', 'sum': 3.5, 'min': 0.1, 'max': 2.0, 'bucketCounts': ['1', '2', '3'], 'explicitBounds': [0.5, 1.0]}]}},
        {'name': 'exponential', 'exponentialHistogram': {'aggregationTemporality': 2, 'dataPoints': [
            {**POINT, 'count': '9', 'sum': 1.0, 'scale': -2, 'zeroCount': '1', 'zeroThreshold': 0.001, 'positive': {'offset': -3, 'bucketCounts': ['1', '0', '7']},
             'negative': {'offset': 4, 'bucketCounts': ['2']}, 'min': -1.0, 'max': 4.0}]}},
        {'name': 'summary', 'summary': {'dataPoints': [
            {'attributes': EVERY, 'timeUnixNano': TIME, 'count': '4', 'sum': 2.0, 'quantileValues': [{'quantile': 0.5, 'value': 1.0}, {'quantile': 0.99, 'value': 7.0}]}]}}]),
}
RICH['profiles'] = {**wrapped('resourceProfiles', 'scopeProfiles', 'profiles', [
    {'sampleType': {'typeStrindex': 1, 'unitStrindex': 2}, 'timeUnixNano': TIME, 'durationNano': '1000', 'periodType': {'typeStrindex': 1, 'unitStrindex': 2},
     'period': '99', 'profileId': TRACE, 'droppedAttributesCount': 1, 'originalPayloadFormat': 'pprof', 'originalPayload': 'AAEC/w==', 'attributeIndices': [1],
     'samples': [{'stackIndex': 1, 'attributeIndices': [1], 'linkIndex': 1, 'values': ['5', '-1'], 'timestampsUnixNano': [TIME, TIME]}]}]),
    'dictionary': {
        'stringTable': ['', 'cpu', 'nanoseconds', 'main', 'main.c', 'key'], 'stackTable': [{}, {'locationIndices': [1]}],
        'linkTable': [{}, {'traceId': TRACE, 'spanId': SPAN}], 'attributeTable': [{}, {'keyStrindex': 5, 'value': {'stringValue': 'v'}, 'unitStrindex': 2}],
        'mappingTable': [{}, {'memoryStart': '4096', 'memoryLimit': '8192', 'fileOffset': '16', 'filenameStrindex': 4, 'attributeIndices': [1]}],
        'locationTable': [{}, {'mappingIndex': 1, 'address': '5000', 'lines': [{'functionIndex': 1, 'line': '7', 'column': '3'}], 'attributeIndices': [1]}],
        'functionTable': [{}, {'nameStrindex': 3, 'systemNameStrindex': 3, 'filenameStrindex': 4, 'startLine': '5'}]}}


def records(folder, signal):
    """Every record with all that stands above it, as sorted text: batching may regroup, nothing may change."""
    outer, inner, names = LISTS[signal]
    out = []
    try:
        with open(os.path.join(folder, signal + '.json')) as f:
            batches = [json.loads(line) for line in f if line.endswith('\n')]
    except FileNotFoundError:
        return out
    for batch in batches:
        for resource in batch.get(outer, []):
            above = {**{k: v for k, v in resource.items() if k != inner}, 'dictionary': batch.get('dictionary')}
            for scope in resource.get(inner, []):
                between = {k: v for k, v in scope.items() if k not in names}
                out += [json.dumps([above, between, item], sort_keys=True) for name in names for item in scope.get(name, [])]
    return sorted(out)


def compare(first, second, counts):
    for signal, least in counts.items():
        until(lambda: len(records(first, signal)) >= least, 20, 'the sending Collector wrote %s' % signal)
        until(lambda: len(records(second, signal)) >= len(records(first, signal)), 30,
              lambda: '%s: %d of %d arrived' % (signal, len(records(second, signal)), len(records(first, signal))))
        sent, arrived = records(first, signal), records(second, signal)
        assert len(arrived) == len(sent), 'repeated without need'
        for a, b in zip(sent, arrived):
            assert a == b


def send(url, signal):
    return post(int(url.rsplit(':', 1)[1]), PATHS[signal], json.dumps(RICH[signal]).encode(), 'application/json')[0]


def rich_count(signal):
    outer, inner, (items,) = LISTS[signal]
    return sum(len(s[items]) for r in RICH[signal][outer] for s in r[inner])


@pytest.mark.parametrize('way_out', ['otlp_grpc', 'otlp_http'])
@pytest.mark.parametrize('way_in', list(TO_LEAT))
def test_collector_to_leat_to_collector(agent, server, telemetrygen, way_in, way_out):
    receivers, http_port, grpc_port = otlp_in()
    last = server('otelcol', folder='last')
    exporter = {'otlp_grpc': {'endpoint': last['GRPC'], 'tls': {'insecure': True}}, 'otlp_http': {'endpoint': last['HTTP']}}[way_out]
    one = agent(pipeline(receivers, {way_out: exporter}, SIGNALS))
    link = TO_LEAT[way_in] % {'http': http_port, 'grpc': grpc_port}
    name = ', ' + link.split(':')[0]
    conf = SENDER % (link, name, name, name, name)
    first = server('otelcol', conf, folder='first')
    for signal in SIGNALS:
        assert send(first['HTTP'], signal) == 200
    for signal in ('traces', 'metrics', 'logs'):
        telemetrygen(signal, first['GRPC'], 40, '--service', 'generated', '--otlp-attributes', 'a="b"', '--telemetry-attributes', 'n="1"')
    counts = {signal: rich_count(signal) + (0 if signal == 'profiles' else 40) for signal in SIGNALS}
    compare(first['DIR'], last['DIR'], counts)
    one.check_ledger()
    assert one.stop() == 0


CODINGS = [('otlp_grpc', {'compression': c}) for c in ('none', 'gzip', 'zstd', 'snappy')] + [
    ('otlp_http', {'compression': c}) for c in ('none', 'gzip', 'zstd', 'snappy', 'zlib', 'deflate', 'lz4', 'x-snappy-framed')] + [('otlp_http', {'encoding': 'json'})]


@pytest.mark.parametrize('kind,more', CODINGS, ids=lambda v: v if isinstance(v, str) else '-'.join(v.values()))
def test_leat_sends_in_every_coding(agent, server, kind, more):
    """What a Collector writes of leat's requests equals what it writes of the sender's own."""
    last, straight = server('otelcol', folder='last'), server('otelcol', folder='straight')
    receivers, port, _ = otlp_in()
    exporter = {'endpoint': last['GRPC'], 'tls': {'insecure': True}} if kind == 'otlp_grpc' else {'endpoint': last['HTTP']}
    one = agent(pipeline(receivers, {kind: {**exporter, **more}}, SIGNALS))
    for signal in SIGNALS:
        assert send(straight['HTTP'], signal) == send('http://127.0.0.1:%d' % port, signal) == 200
    compare(straight['DIR'], last['DIR'], {signal: rich_count(signal) for signal in SIGNALS})
    one.check_ledger()
    assert one.stop() == 0
    assert ' took all, with a word' not in one.log(), 'the answers were read'


@pytest.mark.parametrize('shards', [1, 3])
def test_leat_batches_and_the_collector_reads_them(agent, server, shards):
    """The batch processor concatenates requests; a real decoder reads the result as the same records."""
    last = server('otelcol', folder='last')
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, {'otlp_http': {'endpoint': last['HTTP'], 'compression': 'zstd'}}, processors={'batch': {'timeout': '300ms'}},
                         leat={'shards': shards}))
    signals = ('logs', 'metrics', 'traces') # profiles are never merged: their dictionary belongs to one request
    for i in range(50):
        for signal in signals:
            assert send('http://127.0.0.1:%d' % port, signal) == 200
    for signal in signals:
        each = rich_count(signal)
        until(lambda: len(records(last['DIR'], signal)) >= 50 * each, 30, signal)
        assert len(records(last['DIR'], signal)) == 50 * each
        assert len(set(records(last['DIR'], signal))) == each, 'each of them fifty times'
    one.check_ledger()
    assert one.stop() == 0
