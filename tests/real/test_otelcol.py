# SPDX-License-Identifier: Apache-2.0
"""The real Collector on both sides: it sends to leat, leat sends to it, and what arrives equals what was sent, field by field.

The first Collector writes what it was given into files and sends it on to leat; the second writes what leat sent.
"""
import json
import os

import pytest
from leatkit import otlp_in, pipeline, post, until

SENDER = '''
extensions:
  health_check: {endpoint: "127.0.0.1:@P2@"}
receivers:
  otlp: {protocols: {grpc: {endpoint: "127.0.0.1:@P0@"}, http: {endpoint: "127.0.0.1:@P1@"}}}
exporters:
  file/traces: {path: "@DIR@/traces.json", flush_interval: 100ms}
  file/metrics: {path: "@DIR@/metrics.json", flush_interval: 100ms}
  file/logs: {path: "@DIR@/logs.json", flush_interval: 100ms}
  %s
service:
  extensions: [health_check]
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [file/traces%s]}
    metrics: {receivers: [otlp], exporters: [file/metrics%s]}
    logs: {receivers: [otlp], exporters: [file/logs%s]}
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
         'metrics': ('resourceMetrics', 'scopeMetrics', ('metrics',))}


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
            above = {k: v for k, v in resource.items() if k != inner}
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


@pytest.mark.parametrize('way_out', ['otlp_grpc', 'otlp_http'])
@pytest.mark.parametrize('way_in', list(TO_LEAT))
def test_collector_to_leat_to_collector(agent, server, telemetrygen, way_in, way_out):
    receivers, http_port, grpc_port = otlp_in()
    last = server('otelcol', folder='last')
    exporter = {'otlp_grpc': {'endpoint': last['GRPC'], 'tls': {'insecure': True}}, 'otlp_http': {'endpoint': last['HTTP']}}[way_out]
    one = agent(pipeline(receivers, {way_out: exporter}))
    link = TO_LEAT[way_in] % {'http': http_port, 'grpc': grpc_port}
    name = ', ' + link.split(':')[0]
    conf = SENDER % (link, name, name, name)
    first = server('otelcol', conf, folder='first')
    for signal, body in RICH.items():
        assert post(int(first['HTTP'].rsplit(':', 1)[1]), '/v1/' + signal, json.dumps(body).encode(), 'application/json')[0] == 200
    for signal in ('traces', 'metrics', 'logs'):
        telemetrygen(signal, first['GRPC'], 40, '--service', 'generated', '--otlp-attributes', 'a="b"', '--telemetry-attributes', 'n="1"')
    counts = {signal: len(body[LISTS[signal][0]][0][LISTS[signal][1]][0][LISTS[signal][2][0]]) + 1 + 40 for signal, body in RICH.items()}
    compare(first['DIR'], last['DIR'], counts)
    one.check_ledger()
    assert one.stop() == 0


def test_leat_batches_and_the_collector_reads_them(agent, server):
    """The batch processor concatenates requests; a real decoder reads the result as the same records."""
    last = server('otelcol', folder='last')
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, {'otlp_http': {'endpoint': last['HTTP'], 'compression': 'zstd'}}, processors={'batch': {'timeout': '300ms'}}))
    for i in range(50):
        for signal, body in RICH.items():
            assert post(port, '/v1/' + signal, json.dumps(body).encode(), 'application/json')[0] == 200
    for signal, body in RICH.items():
        outer, inner, (items,) = LISTS[signal]
        each = sum(len(s[items]) for r in body[outer] for s in r[inner])
        until(lambda: len(records(last['DIR'], signal)) >= 50 * each, 30, signal)
        assert len(records(last['DIR'], signal)) == 50 * each
        assert len(set(records(last['DIR'], signal))) == each, 'each of them fifty times'
    one.check_ledger()
    assert one.stop() == 0
