# SPDX-License-Identifier: Apache-2.0
"""Real Tempo 2.1 and Jaeger 1.62: spans that went through leat are read back by trace id and equal what was sent."""
import base64
import json
import os
import struct
import time
import urllib.error
import urllib.request

import pytest
from leatkit import QUICK_RETRY, attribute, fixed64, otlp_in, pb, pipeline, post, until

FULL = os.environ.get('LEAT_FULL') == '1'
SENT, FAILED = 'otelcol_exporter_sent_spans', 'otelcol_exporter_send_failed_spans'
TRACES, PER_TRACE = (1000, 50) if FULL else (200, 50)


def ids(trace, span):
    return struct.pack('>QQ', 0x1EA7, trace + 1), struct.pack('>Q', trace * PER_TRACE + span + 1)


def span(trace, n, at):
    trace_id, span_id = ids(trace, n)
    parent = pb(4, ids(trace, 0)[1]) if n else b''
    return pb(2, pb(1, trace_id) + pb(2, span_id) + parent + pb(5, 'op-%d' % n) + pb(6, 1 + n % 5) + fixed64(7, at + n * 1000) +
              fixed64(8, at + n * 1000 + 5_000_000) + pb(9, attribute('n', str(n))) +
              pb(11, fixed64(1, at + n * 1000 + 1) + pb(2, 'event')) + pb(15, pb(3, 1 + n % 2)))


def request(trace, spans, at, service='shop'):
    return pb(1, pb(1, pb(1, attribute('service.name', service))) + pb(2, b''.join(span(trace, n, at) for n in spans)))


def send_all(port, at, traces=TRACES):
    for trace in range(traces):
        assert post(port, '/v1/traces', request(trace, range(PER_TRACE), at))[0] == 200


def ask(url, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=20) as r:
            return json.load(r)
    except urllib.error.HTTPError as e:
        assert e.code == 404, (url, e.code, e.read())
        return None


def tempo_spans(base, trace, **headers):
    """-> {span id: (name, parent, start, end, attributes n, events)}"""
    found = ask(base + '/api/traces/' + ids(trace, 0)[0].hex(), **headers)
    out = {}
    for batch in (found or {}).get('batches', []):
        assert batch['resource']['attributes'] == [{'key': 'service.name', 'value': {'stringValue': 'shop'}}]
        for scope in batch.get('scopeSpans') or batch.get('instrumentationLibrarySpans') or []:
            for s in scope['spans']:
                out[base64.b64decode(s['spanId'])] = (
                    s['name'], base64.b64decode(s.get('parentSpanId', '')), int(s['startTimeUnixNano']), int(s['endTimeUnixNano']),
                    s['attributes'][0]['value']['stringValue'], [e['name'] for e in s['events']])
    return out


def sent_spans(trace, at):
    root = ids(trace, 0)[1]
    return {ids(trace, n)[1]: ('op-%d' % n, root if n else b'', at + n * 1000, at + n * 1000 + 5_000_000, str(n), ['event']) for n in range(PER_TRACE)}


def out(kind, place, **more):
    more = {'retry_on_failure': QUICK_RETRY, **more}
    if kind == 'otlp_grpc':
        return {'otlp_grpc': {'endpoint': place['GRPC'], 'tls': {'insecure': True}, **more}}
    return {'otlp_http': {'endpoint': place['HTTP'], **more}}


@pytest.mark.parametrize('kind', ['otlp_grpc', 'otlp_http'])
def test_tempo_gives_back_every_span(agent, server, kind):
    tempo = server('tempo')
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, out(kind, tempo), ('traces',)))
    at = time.time_ns() - 10**9
    send_all(port, at)
    until(lambda: one.total(SENT) == TRACES * PER_TRACE, 60)
    assert one.total(FAILED) == 0
    for trace in range(0, TRACES, max(1, TRACES // 100)):
        assert until(lambda: tempo_spans(tempo['URL'], trace)) == sent_spans(trace, at)
    one.check_ledger()
    assert one.stop() == 0


@pytest.mark.parametrize('kind', ['otlp_grpc', 'otlp_http'])
def test_a_tenant_goes_along(agent, server, kind):
    tempo = server('tempo', LEAT_AUTH='true')
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, out(kind, tempo, headers={'X-Scope-OrgID': 'team-a'}), ('traces',)))
    at = time.time_ns() - 10**9
    send_all(port, at, 3)
    until(lambda: one.total(SENT) == 3 * PER_TRACE)
    for trace in range(3):
        assert until(lambda: tempo_spans(tempo['URL'], trace, **{'X-Scope-OrgID': 'team-a'})) == sent_spans(trace, at)
        assert not tempo_spans(tempo['URL'], trace, **{'X-Scope-OrgID': 'team-b'})
    assert one.stop() == 0


@pytest.mark.parametrize('kind', ['otlp_grpc', 'otlp_http'])
def test_a_rate_limit_is_waited_out(agent, server, kind):
    """Strict: 1000 bytes a second. It says RATE_LIMITED without a time (gRPC), or as HTTP 500: both mean later."""
    tempo = server('tempo-strict')
    receivers, port, _ = otlp_in()
    seconds = 60 if FULL else 8
    one = agent(pipeline(receivers, out(kind, tempo, retry_on_failure={**QUICK_RETRY, 'max_interval': '2s'}), ('traces',)))
    at = time.time_ns() - 10**9
    began, traces = time.monotonic(), seconds // 2
    for trace in range(traces): # 6 spans are about 900 bytes: each passes, together they are over the rate
        for part in range(2):
            assert post(port, '/v1/traces', request(trace, range(part * 6, part * 6 + 6), at))[0] == 200
    until(lambda: one.total(SENT) == traces * 12, seconds * 5)
    assert one.total('leat_retries') > 0, 'it was never refused'
    assert one.total(FAILED) == 0
    assert time.monotonic() - began > seconds / 3, 'there was no limit'
    for trace in range(traces):
        expected = {k: v for k, v in sent_spans(trace, at).items() if int(v[4]) < 12}
        assert until(lambda: tempo_spans(tempo['URL'], trace)) == expected
    one.check_ledger()
    assert one.stop() == 0


@pytest.mark.parametrize('kind', ['otlp_grpc', 'otlp_http'])
def test_jaeger_gives_back_every_span(agent, server, kind):
    jaeger = server('jaeger')
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, out(kind, jaeger), ('traces',)))
    at = time.time_ns() - 10**9
    send_all(port, at)
    until(lambda: one.total(SENT) == TRACES * PER_TRACE, 60)
    for trace in range(0, TRACES, max(1, TRACES // 100)):
        found = until(lambda: ask(jaeger['URL'] + '/api/traces/' + ids(trace, 0)[0].hex()))['data'][0]
        got = {}
        for s in found['spans']:
            tags = {t['key']: t['value'] for t in s['tags']}
            parents = [r['spanID'] for r in s['references'] if r['refType'] == 'CHILD_OF']
            events = [f['value'] for log in s['logs'] for f in log['fields'] if f['key'] == 'event']
            got[bytes.fromhex(s['spanID'])] = (s['operationName'], bytes.fromhex(parents[0]) if parents else b'', s['startTime'], s['duration'], tags['n'], events)
            assert found['processes'][s['processID']]['serviceName'] == 'shop'
        want = {k: (name, parent, start // 1000, (end - start) // 1000, n, events) for k, (name, parent, start, end, n, events) in sent_spans(trace, at).items()}
        assert got == want
    one.check_ledger()
    assert one.stop() == 0
