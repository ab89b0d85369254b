# SPDX-License-Identifier: Apache-2.0
"""The ClickHouse engine (26.9): what leat inserts is what its columns mean, once, whatever becomes of the connection.

The engine, its SQL, types, decoding of RowBinary and Native and token log are ClickHouse's own; the HTTP side before it is a stand-in
(servers/clickhouse/shim.py). The embedded engine has no queue for asynchronous inserts: told async_insert=1 with a busy
timeout of two seconds it answers in five milliseconds, rows stored. So async_insert is sent, read back from what goes over
the wire, and accepted, but what it does in a server is not exercised."""
import json
import os
import socket
import struct
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from leatkit import attribute, fixed64, logs, otlp_in, pb, pipeline, post, until

FULL = os.environ.get('LEAT_FULL') == '1'
SENT = {'logs': 'otelcol_exporter_sent_log_records', 'traces': 'otelcol_exporter_sent_spans', 'metrics': 'otelcol_exporter_sent_metric_points'}
T0 = 1_700_000_000_000_000_000
QUICK = {'initial_interval': '100ms', 'max_interval': '300ms', 'randomization_factor': 0}


def sql(url, text, **headers):
    """-> the answer's text"""
    asked = urllib.request.Request(url + '/', text.encode(), {k.replace('_', '-'): v for k, v in headers.items()})
    try:
        with urllib.request.urlopen(asked, timeout=60) as r:
            return r.read().decode()
    except urllib.error.HTTPError as e:
        raise AssertionError(e.read().decode()) from None


def rows(url, text, **headers):
    return [json.loads(line) for line in sql(url, text + ' FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 0, '
                                             'output_format_json_named_tuples_as_objects = 1', **headers).splitlines()]


def count(url, table):
    return int(sql(url, 'SELECT count() FROM ' + table))


def start(agent, url, signals=('logs', 'traces', 'metrics'), name='leat', **more):
    receivers, port, _ = otlp_in()
    conf = {'endpoint': url.replace('http://', 'clickhouse://') + '/otel', 'retry_on_failure': QUICK, **more}
    return agent(pipeline(receivers, {'clickhouse': conf}, signals, leat={'shutdown_timeout': '3s'}), name=name), port


def send(port, signal, body):
    assert post(port, '/v1/' + signal, body)[0] == 200


# ---- what is sent

def any_value(number, value):
    inner = {str: lambda v: pb(1, v), bool: lambda v: pb(2, int(v)), int: lambda v: pb(3, v & (1 << 64) - 1),
             float: lambda v: pb(4, v), bytes: lambda v: pb(7, v),
             list: lambda v: pb(5, b''.join(any_value(1, i) for i in v)),
             dict: lambda v: pb(6, b''.join(pb(1, pb(1, k) + any_value(2, i)) for k, i in v.items()))}[type(value)]
    return pb(number, inner(value))


def attributes(number, values):
    return b''.join(pb(number, pb(1, k) + any_value(2, v)) for k, v in values.items())


RESOURCE = {'service.name': 'shop', 'k8s.pod.name': 'web-1', 'host.id': 7}
SCOPE = {'scope.attr': True}
RESOURCE_TEXT, SCOPE_TEXT = {'service.name': 'shop', 'k8s.pod.name': 'web-1', 'host.id': '7'}, {'scope.attr': 'true'}


def request(items, field=2):
    """Items under one resource and scope that have all they can have."""
    scope = pb(1, pb(1, 'lib') + pb(2, '1.2') + attributes(3, SCOPE) + pb(4, 3))
    return pb(1, pb(1, attributes(1, RESOURCE)) + pb(2, scope + b''.join(pb(field, i) for i in items) + pb(3, 'http://scope')) + pb(3, 'http://resource'))


def trace_of(i):
    return struct.pack('>QQ', 1, i)


def log(i):
    values = {'i': i, 'even': i % 2 == 0, 'half': i / 2, 'list': ['a', i], 'map': {'x': i}, 'raw': b'\x01\x02'}
    return (fixed64(1, T0 + i) + pb(2, i % 24 + 1) + pb(3, 'L%d' % (i % 5)) + pb(5, pb(1, 'line %d \u00fc "q"' % i)) + attributes(6, values) +
            struct.pack('<BI', 8 << 3 | 5, i % 2) + pb(9, trace_of(i + 1)) + pb(10, struct.pack('>Q', i + 1)) + pb(12, 'event' if i % 3 == 0 else ''))


def log_row(i):
    return {'ns': T0 + i, 'TraceId': trace_of(i + 1).hex(), 'SpanId': '%016x' % (i + 1), 'TraceFlags': i % 2, 'SeverityText': 'L%d' % (i % 5),
            'SeverityNumber': i % 24 + 1, 'ServiceName': 'shop', 'Body': 'line %d \u00fc "q"' % i, 'ResourceSchemaUrl': 'http://resource',
            'ResourceAttributes': RESOURCE_TEXT, 'ScopeSchemaUrl': 'http://scope', 'ScopeName': 'lib', 'ScopeVersion': '1.2',
            'ScopeAttributes': SCOPE_TEXT, 'EventName': 'event' if i % 3 == 0 else '',
            'LogAttributes': {'i': str(i), 'even': 'true' if i % 2 == 0 else 'false', 'half': '%g' % (i / 2) if i < 100000 else repr(i / 2).removesuffix('.0'),
                              'list': '["a",%d]' % i, 'map': '{"x":%d}' % i, 'raw': 'AQI='}}


def span(i):
    event = fixed64(1, T0 + i + 5) + pb(2, 'e%d' % i) + attributes(3, {'k': i})
    link = pb(1, trace_of(i + 9)) + pb(2, struct.pack('>Q', 5)) + pb(3, 'a=b') + attributes(4, {'l': 'm'})
    return (pb(1, trace_of(i // 10 + 1)) + pb(2, struct.pack('>Q', i + 1)) + pb(3, 'c=d') + pb(4, struct.pack('>Q', 99)) + pb(5, 'op%d' % (i % 7)) +
            pb(6, i % 6) + fixed64(7, T0 + i) + fixed64(8, T0 + i + 1000) + attributes(9, {'http.route': '/r%d' % (i % 3)}) + pb(11, event) * (i % 3) +
            pb(13, link) * (i % 2) + pb(15, pb(2, 'why') + pb(3, i % 3)))


def span_row(i):
    return {'ns': T0 + i, 'TraceId': trace_of(i // 10 + 1).hex(), 'SpanId': '%016x' % (i + 1), 'ParentSpanId': '%016x' % 99, 'TraceState': 'c=d',
            'SpanName': 'op%d' % (i % 7), 'SpanKind': ('Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer')[i % 6],
            'ServiceName': 'shop', 'ResourceAttributes': RESOURCE_TEXT, 'ScopeName': 'lib', 'ScopeVersion': '1.2',
            'SpanAttributes': {'http.route': '/r%d' % (i % 3)}, 'Duration': 1000, 'StatusCode': ('Unset', 'Ok', 'Error')[i % 3],
            'StatusMessage': 'why', 'events': [T0 + i + 5] * (i % 3), 'Events.Name': ['e%d' % i] * (i % 3), 'Events.Attributes': [{'k': str(i)}] * (i % 3),
            'Links.TraceId': [trace_of(i + 9).hex()] * (i % 2), 'Links.SpanId': ['%016x' % 5] * (i % 2), 'Links.TraceState': ['a=b'] * (i % 2),
            'Links.Attributes': [{'l': 'm'}] * (i % 2)}


def metrics():
    """One metric of each kind, two points each."""
    exemplar = fixed64(2, T0 + 9) + struct.pack('<Bd', 3 << 3 | 1, 2.5) + pb(4, struct.pack('>Q', 5)) + pb(5, trace_of(4)) + attributes(7, {'f': 'g'})
    point = lambda i, at: attributes(at, {'p': i}) + fixed64(2, T0) + fixed64(3, T0 + i)
    real = lambda number, v: struct.pack('<Bd', number << 3 | 1, v)
    whole = lambda number, v: struct.pack('<Bq', number << 3 | 1, v)
    packed = lambda number, form, *v: pb(number, struct.pack('<%d%s' % (len(v), form), *v))
    number = lambda i: point(i, 7) + (real(4, 1.5) if i else whole(6, -3)) + pb(5, exemplar) + pb(8, 1)
    histogram = lambda i: (point(i, 9) + fixed64(4, 6) + real(5, 9.5) + packed(6, 'Q', 1, 2, 3) + packed(7, 'd', 0.5, 10.0) + pb(8, exemplar) +
                           pb(10, 1) + real(11, -1.0) + real(12, 4.0))
    exponential = lambda i: (point(i, 1) + fixed64(4, 306) + real(5, 2.0) + pb(6, 3) + fixed64(7, 1) + pb(8, pb(1, 5) + pb(2, b'\x01\xac\x02')) +
                             pb(9, pb(1, 8) + pb(2, b'\x02')) + pb(11, exemplar) + real(12, 0.25) + real(13, 2.0))
    summary = lambda i: point(i, 7) + fixed64(4, 3) + real(5, 6.0) + b''.join(pb(6, real(1, q) + real(2, v)) for q, v in ((0.5, 2.0), (0.9, 3.0)))
    metric = lambda name, field, make, more=b'': pb(1, name) + pb(2, 'about') + pb(3, 'By') + pb(field, b''.join(pb(1, make(i)) for i in range(2)) + more)
    return request([metric('g', 5, number), metric('s', 7, number, pb(2, 2) + pb(3, 1)), metric('h', 9, histogram, pb(2, 1)),
                    metric('e', 10, exponential, pb(2, 2)), metric('q', 11, summary)])


# ---- tests

both_formats = pytest.mark.parametrize('form', ['native', 'row_binary'])


@both_formats
def test_log_rows_have_what_their_columns_mean(agent, server, form):
    total, batch = (1_000_000, 2000) if FULL else (20_000, 1000)
    url = server('clickhouse')['URL']
    one, port = start(agent, url, ('logs',), async_insert=False, format=form)
    for at in range(0, total, batch):
        send(port, 'logs', request(log(i) for i in range(at, at + batch)))
    until(lambda: one.total(SENT['logs']) == total, 300)
    assert count(url, 'otel.otel_logs') == total
    assert sql(url, 'SELECT uniqExact(Body), min(Timestamp) = fromUnixTimestamp64Nano(%d), max(Timestamp) = fromUnixTimestamp64Nano(%d) FROM otel.otel_logs' %
               (T0, T0 + total - 1)).split() == [str(total), '1', '1']
    some = [i * (total // 100) + i % 7 for i in range(100)]
    found = rows(url, 'SELECT * EXCEPT Timestamp, toUnixTimestamp64Nano(Timestamp) AS ns FROM otel.otel_logs WHERE ns IN (%s) ORDER BY ns' %
                 ','.join(str(T0 + i) for i in some))
    assert found == [log_row(i) for i in some]
    assert sql(url, "SELECT DISTINCT `__otel_materialized_k8s.pod.name` FROM otel.otel_logs") == 'web-1\n'
    one.check_ledger()
    assert one.stop() == 0


@both_formats
def test_spans(agent, server, form):
    total, batch = (200_000, 2000) if FULL else (4000, 1000)
    url = server('clickhouse')['URL']
    one, port = start(agent, url, ('traces',), compress='zstd', format=form)
    for at in range(0, total, batch):
        send(port, 'traces', request(span(i) for i in range(at, at + batch)))
    until(lambda: one.total(SENT['traces']) == total, 120)
    assert count(url, 'otel.otel_traces') == total
    some = [i * (total // 100) + i % 7 for i in range(100)]
    found = rows(url, 'SELECT * EXCEPT (Timestamp, `Events.Timestamp`), toUnixTimestamp64Nano(Timestamp) AS ns, '
                 'arrayMap(t -> toUnixTimestamp64Nano(t), Events.Timestamp) AS events FROM otel.otel_traces WHERE ns IN (%s) ORDER BY ns' %
                 ','.join(str(T0 + i) for i in some))
    assert found == [span_row(i) for i in some]
    assert int(sql(url, 'SELECT uniqExact(TraceId) FROM otel.otel_traces_trace_id_ts')) == total // 10
    one.check_ledger()
    assert one.stop() == 0


@both_formats
def test_all_kinds_of_metrics(agent, server, form):
    url = server('clickhouse')['URL']
    one, port = start(agent, url, ('metrics',), compress='gzip', format=form, metrics_tables={'sum': {'name': 'sums'}})
    send(port, 'metrics', metrics())
    until(lambda: one.total(SENT['metrics']) == 10, 30)
    common = lambda name, i: {'ResourceAttributes': RESOURCE_TEXT, 'ResourceSchemaUrl': 'http://resource', 'ScopeName': 'lib', 'ScopeVersion': '1.2',
                              'ScopeAttributes': SCOPE_TEXT, 'ScopeDroppedAttrCount': 3, 'ScopeSchemaUrl': 'http://scope', 'ServiceName': 'shop',
                              'MetricName': name, 'MetricDescription': 'about', 'MetricUnit': 'By', 'Attributes': {'p': str(i)}, 'start': T0, 'ns': T0 + i}
    exemplars = {'Exemplars.FilteredAttributes': [{'f': 'g'}], 'exemplar_ns': [T0 + 9], 'Exemplars.Value': [2.5],
                 'Exemplars.SpanId': ['%016x' % 5], 'Exemplars.TraceId': [trace_of(4).hex()]}
    wanted = {
        'otel_metrics_gauge': ('g', {'Flags': 1, **exemplars}),
        'sums': ('s', {'Flags': 1, 'AggregationTemporality': 2, 'IsMonotonic': True, **exemplars}),
        'otel_metrics_histogram': ('h', {'Count': 6, 'Sum': 9.5, 'BucketCounts': [1, 2, 3], 'ExplicitBounds': [0.5, 10], 'Flags': 1, 'Min': -1, 'Max': 4,
                                         'AggregationTemporality': 1, **exemplars}),
        'otel_metrics_exponential_histogram': ('e', {'Count': 306, 'Sum': 2, 'Scale': -2, 'ZeroCount': 1, 'PositiveOffset': -3, 'PositiveBucketCounts': [1, 300],
                                                     'NegativeOffset': 4, 'NegativeBucketCounts': [2], 'Flags': 0, 'Min': 0.25, 'Max': 2,
                                                     'AggregationTemporality': 2, **exemplars}),
        'otel_metrics_summary': ('q', {'Count': 3, 'Sum': 6, 'ValueAtQuantiles.Quantile': [0.5, 0.9], 'ValueAtQuantiles.Value': [2, 3], 'Flags': 0})}
    for table, (name, own) in wanted.items():
        has = 'Exemplars.Value' in own
        found = rows(url, 'SELECT * EXCEPT (StartTimeUnix, TimeUnix%s), toUnixTimestamp64Nano(StartTimeUnix) AS start, toUnixTimestamp64Nano(TimeUnix) AS ns%s '
                     'FROM otel.%s ORDER BY ns' % (', `Exemplars.TimeUnix`' if has else '',
                                                   ', arrayMap(t -> toUnixTimestamp64Nano(t), Exemplars.TimeUnix) AS exemplar_ns' if has else '', table))
        value = (lambda i: {'Value': 1.5 if i else -3}) if name in 'gs' else lambda i: {}
        assert found == [{**common(name, i), **own, **value(i)} for i in range(2)], table
    one.check_ledger()
    assert one.stop() == 0


class Cutter:
    """Passes requests on and lets the server answer; for the first `cuts` INSERTs the client never hears it."""

    def __init__(self, url, cuts):
        self.to, self.cuts, self.inserts, self.lock = urllib.parse.urlsplit(url).port, cuts, 0, threading.Lock()
        self.queries = []  # of the INSERTs, parameters by name
        self.listener = socket.create_server(('127.0.0.1', 0))
        self.url = 'http://127.0.0.1:%d' % self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def read(self, stream):
        """One message with its head."""
        head = b''
        while line := stream.readline():
            head += line
            if line == b'\r\n':
                break
        length = [int(v.split(b':')[1]) for v in head.split(b'\r\n') if v.lower().startswith(b'content-length:')]
        return head + (stream.read(length[0]) if length else b'')

    def serve(self, client):
        with client, socket.create_connection(('127.0.0.1', self.to)) as server:
            mine, theirs = client.makefile('rb'), server.makefile('rb')
            while message := self.read(mine):
                server.sendall(message)
                answer = self.read(theirs)
                line = message.split(b'\r\n')[0].decode()
                if 'INSERT' in line:
                    with self.lock:
                        self.queries.append(dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(line.split()[1]).query)))
                        self.inserts += 1
                        if self.inserts <= self.cuts:
                            return
                client.sendall(answer)

    def close(self):
        self.listener.close()


@pytest.mark.parametrize('window', [1000, 0])
def test_a_connection_cut_after_the_insert(agent, server, window):
    """With tokens kept by the table nothing is there twice; without (the control) it is."""
    url = server('clickhouse')['URL']
    proxy = Cutter(url, 3)
    one, port = start(agent, proxy.url, ('logs', 'traces'), deduplication_window=window)
    for at in range(0, 1000, 100):
        send(port, 'logs', request(log(i) for i in range(at, at + 100)))
    send(port, 'traces', request(span(i) for i in range(100)))
    until(lambda: one.total(SENT['logs']) == 1000 and one.total(SENT['traces']) == 100, 60)
    stored = count(url, 'otel.otel_logs') + count(url, 'otel.otel_traces')
    assert one.total('leat_repeated_items_total') > 0
    assert stored == 1100 if window else stored > 1100
    assert sql(url, 'SELECT uniqExact(Body) FROM otel.otel_logs') == '1000\n'
    one.check_ledger()
    assert one.stop() == 0
    proxy.close()


def test_the_same_rows_after_a_restart(agent, server):
    url = server('clickhouse')['URL']
    for name in ('first', 'second'):
        one, port = start(agent, url, ('logs',), name=name)
        send(port, 'logs', request(log(i) for i in range(100)))
        until(lambda: one.total(SENT['logs']) == 100, 30)
        assert one.stop() == 0
    assert count(url, 'otel.otel_logs') == 100


def test_grafana_queries_answer(agent, server):
    """What Grafana's ClickHouse data source asks for the OTel tables: logs, their volume, traces, one trace, a metric."""
    url = server('clickhouse')['URL']
    one, port = start(agent, url)
    send(port, 'logs', request(log(i) for i in range(1000)))
    send(port, 'traces', request(span(i) for i in range(1000)))
    send(port, 'metrics', metrics())
    until(lambda: one.total(SENT['logs']) == 1000 and one.total(SENT['traces']) == 1000 and one.total(SENT['metrics']) == 10, 60)
    around = 'Timestamp >= fromUnixTimestamp64Milli(%d) AND Timestamp <= fromUnixTimestamp64Milli(%d)' % (T0 // 10**6 - 1000, T0 // 10**6 + 1000)
    found = rows(url, 'SELECT Timestamp AS "timestamp", Body AS "body", SeverityText AS "level", LogAttributes AS "labels", TraceId AS "traceID" FROM "otel"."otel_logs" '
                 "WHERE ( %s ) AND ( level = 'L2' ) AND (body LIKE '%%line 12%%') AND (LogAttributes['even'] = 'true') ORDER BY timestamp DESC LIMIT 1000" % around)
    assert [r['body'].split()[1] for r in found] == ['122', '12']
    volume = rows(url, "SELECT toStartOfInterval(Timestamp, INTERVAL 60 SECOND) AS \"time\", sum(multiSearchAny(SeverityText, ['L1'])) AS l1, count() AS n "
                  'FROM "otel"."otel_logs" WHERE ( %s ) GROUP BY time ORDER BY time ASC' % around)
    assert [(r['l1'], r['n']) for r in volume] == [(200, 1000)]
    found = rows(url, 'SELECT "TraceId" AS traceID, "ServiceName" AS serviceName, "SpanName" AS operationName, "Timestamp" AS startTime, multiply("Duration", 0.000001) AS duration '
                 "FROM \"otel\".\"otel_traces\" WHERE ( %s ) AND ( ParentSpanId = '%016x' ) AND ( Duration > 0 ) AND (SpanAttributes['http.route'] = '/r1') "
                 'ORDER BY Timestamp DESC, Duration DESC LIMIT 1000' % (around, 99))
    assert len(found) == 333 and found[0]['duration'] == 0.001
    trace = trace_of(7).hex()
    found = rows(url, "WITH '%s' AS trace_id, (SELECT min(Start) FROM \"otel\".\"otel_traces_trace_id_ts\" WHERE TraceId = trace_id) AS trace_start, "
                 '(SELECT max(End) + 1 FROM "otel"."otel_traces_trace_id_ts" WHERE TraceId = trace_id) AS trace_end '
                 'SELECT "TraceId" AS traceID, "SpanId" AS spanID, "ParentSpanId" AS parentSpanID, "ServiceName" AS serviceName, "SpanName" AS operationName, '
                 '"Timestamp" AS startTime, multiply("Duration", 0.000001) AS duration, '
                 "arrayMap(key -> map('key', key, 'value', \"SpanAttributes\"[key]), mapKeys(\"SpanAttributes\")) AS tags, "
                 "arrayMap(key -> map('key', key, 'value', \"ResourceAttributes\"[key]), mapKeys(\"ResourceAttributes\")) AS serviceTags, "
                 "if(\"StatusCode\" IN ('Error', 'STATUS_CODE_ERROR'), 2, 0) AS statusCode, arrayMap((name, timestamp, attributes) -> "
                 "tuple(name, toString(toUnixTimestamp64Milli(timestamp)), arrayMap(key -> map('key', key, 'value', attributes[key]), mapKeys(attributes))), "
                 '"Events"."Name", "Events"."Timestamp", "Events"."Attributes") AS logs '
                 'FROM "otel"."otel_traces" WHERE traceID = trace_id AND "Timestamp" >= trace_start AND "Timestamp" <= trace_end LIMIT 1000' % trace)
    assert len(found) == 10 and {r['traceID'] for r in found} == {trace}
    assert found[0]['tags'][0]['key'] == 'http.route' and {r['statusCode'] for r in found} == {0, 2}
    found = rows(url, "SELECT TimeUnix AS \"time\", MetricName, avg(Value) AS value FROM \"otel\".\"otel_metrics_gauge\" WHERE MetricName = 'g' "
                 "AND ResourceAttributes['service.name'] = 'shop' GROUP BY time, MetricName ORDER BY time")
    assert [r['value'] for r in found] == [-3, 1.5]
    assert one.stop() == 0


def test_raw_events_of_a_file(agent, server, tmp_path):
    url = server('clickhouse')['URL']
    place = tmp_path / 'demo_web-1_0d9c6b5e-0000-4000-8000-000000000000' / 'web'
    place.mkdir(parents=True)
    (place / '0.log').write_text(''.join('2026-01-02T03:04:05.%09dZ stdout F {"a":  %d}\n' % (i, i) for i in range(500)))
    receivers = {'file_log': {'include': [str(place / '*.log')], 'start_at': 'beginning', 'include_file_path': True, 'operators': [{'type': 'container'}]}}
    one = agent(pipeline(receivers, {'clickhouse': {'endpoint': url + '/otel', 'raw_events': True, 'compress': 'none', 'async_insert': False}}, ('logs',)))
    until(lambda: one.total(SENT['logs']) == 500, 30)
    assert count(url, 'otel.raw_events') == 500
    assert rows(url, 'SELECT Source, Namespace, Pod, Container, toString(Time) AS at, Line FROM otel.raw_events ORDER BY Time LIMIT 1 OFFSET 7') == [
        {'Source': str(place / '0.log'), 'Namespace': 'demo', 'Pod': 'web-1', 'Container': 'web', 'at': '2026-01-02 03:04:05.000000007', 'Line': '{"a":  7}'}]
    one.check_ledger()
    assert one.stop() == 0


@both_formats
def test_tables_of_others(agent, server, form):
    """The layout of the Collector up to 0.150, without EventName, and times in seconds: made by hand, written as they are."""
    url = server('clickhouse')['URL']
    one, port = start(agent, url, logs_layout='timestamp_time', name='maker')
    send(port, 'logs', logs('first'))
    send(port, 'metrics', metrics())
    until(lambda: one.total(SENT['logs']) == 1 and one.total(SENT['metrics']) == 10, 30)
    assert one.stop() == 0
    assert sql(url, "SELECT sorting_key FROM system.tables WHERE database = 'otel' AND name = 'otel_logs'") == 'ServiceName, TimestampTime, Timestamp\n'
    sql(url, 'ALTER TABLE otel.otel_logs DROP COLUMN EventName')
    sql(url, 'DROP TABLE otel.otel_metrics_gauge')
    sql(url, 'CREATE TABLE otel.otel_metrics_gauge ENGINE = MergeTree ORDER BY tuple() AS SELECT * REPLACE (toDateTime(TimeUnix) AS TimeUnix, '
        "toDateTime(StartTimeUnix, 'UTC') AS StartTimeUnix, arrayMap(t -> toDateTime(t), Exemplars.TimeUnix) AS `Exemplars.TimeUnix`), "
        '0. AS Value, [0.] AS `Exemplars.Value`, 0::UInt32 AS Flags FROM (SELECT * EXCEPT (AggregationTemporality, IsMonotonic, Value, Flags, `Exemplars.Value`) '
        'FROM otel.otel_metrics_sum) LIMIT 0')
    one, port = start(agent, url, create_schema=False, format=form)
    send(port, 'logs', request(log(i) for i in range(10)))
    send(port, 'metrics', metrics())
    until(lambda: one.total(SENT['logs']) == 10 and one.total(SENT['metrics']) == 10, 30)
    assert sql(url, 'SELECT count(), countIf(TimestampTime = toDateTime(Timestamp)) FROM otel.otel_logs').split() == ['11', '11']
    assert rows(url, 'SELECT toUnixTimestamp(TimeUnix) AS t, toUnixTimestamp(StartTimeUnix) AS s, Value, Exemplars.Value, toUnixTimestamp(Exemplars.TimeUnix[1]) AS e '
                'FROM otel.otel_metrics_gauge ORDER BY Value') == [
        {'t': T0 // 10**9, 's': T0 // 10**9, 'Value': v, 'Exemplars.Value': [2.5], 'e': T0 // 10**9} for v in (-3, 1.5)]
    assert one.stop() == 0


@pytest.mark.parametrize('on', [True, False])
def test_what_an_insert_says_of_async_insert(agent, server, on):
    url = server('clickhouse')['URL']
    proxy = Cutter(url, 0)
    one, port = start(agent, proxy.url, ('logs',), async_insert=on)
    send(port, 'logs', request(log(i) for i in range(10)))
    until(lambda: one.total(SENT['logs']) == 10, 30)
    asked = proxy.queries[0]
    assert {k: v for k, v in asked.items() if 'async' in k or k == 'wait_end_of_query'} == {
        'wait_end_of_query': '1', **({'async_insert': '1', 'wait_for_async_insert': '1', 'async_insert_deduplicate': '1'} if on else {'async_insert': '0'})}
    assert len(asked['insert_deduplication_token']) == 32
    assert count(url, 'otel.otel_logs') == 10
    assert one.stop() == 0
    proxy.close()


def test_a_server_that_does_not_convert_columns(agent, server):
    """As those before 23.3: told so here, the engine answers TYPE_MISMATCH to a block of Native with UInt64 for an Int64. Nothing is
    lost, all goes as RowBinary."""
    url = server('clickhouse')['URL']
    one, port = start(agent, url, ('traces',), async_insert=False, name='maker')
    send(port, 'traces', request([span(0)]))
    until(lambda: one.total(SENT['traces']) == 1, 30)
    assert one.stop() == 0
    sql(url, 'ALTER TABLE otel.otel_traces MODIFY COLUMN Duration Int64')
    one, port = start(agent, url, ('traces',), async_insert=False, connection_params={'input_format_native_allow_types_conversion': '0'})
    for at in range(0, 300, 100):
        send(port, 'traces', request(span(i) for i in range(at, at + 100)))
    until(lambda: one.total(SENT['traces']) == 300, 30)
    assert one.log().count('RowBinary from now on') == 1
    assert sql(url, 'SELECT count(), uniqExact(SpanId), min(Duration), max(Duration) FROM otel.otel_traces').split() == ['301', '300', '1000', '1000']
    assert lost(one) == 0
    one.check_ledger()
    assert one.stop() == 0


def lost(one):
    return one.total('leat_dropped_items_total', component='clickhouse', reason='refused')


WRONG = 'CREATE TABLE otel.otel_logs (Timestamp DateTime64(3), Body String) ENGINE = MergeTree ORDER BY Timestamp'
NAMED = 'column Timestamp of table otel_logs is DateTime64(3), leat writes DateTime64(9)'


def test_a_table_of_other_columns_drops_and_counts(agent, server):
    url = server('clickhouse')['URL']
    sql(url, 'CREATE DATABASE otel')
    sql(url, WRONG)
    one, port = start(agent, url, ('logs', 'traces'))
    send(port, 'logs', request(log(i) for i in range(7)))
    send(port, 'traces', request(span(i) for i in range(10)))
    until(lambda: one.total(SENT['traces']) == 10 and lost(one) == 7, 20)
    assert NAMED in one.log()
    assert count(url, 'otel.otel_logs') == 0
    sql(url, 'DROP TABLE otel.otel_logs')
    send(port, 'logs', logs('after'))
    until(lambda: one.total(SENT['logs']) == 1, 20)
    assert sql(url, 'SELECT Body FROM otel.otel_logs') == 'after\n'
    assert lost(one) == 7
    one.check_ledger()
    assert one.stop() == 0


def test_a_table_of_other_columns_holds_the_queue(agent, server):
    url = server('clickhouse')['URL']
    sql(url, 'CREATE DATABASE otel')
    sql(url, WRONG)
    one, port = start(agent, url, ('logs', 'traces'), on_schema_error='hold')
    send(port, 'logs', logs('kept'))
    send(port, 'traces', request(span(i) for i in range(10)))
    until(lambda: NAMED in one.log(), 20)
    until(lambda: one.total(SENT['traces']) == 10, 20)
    assert one.total(SENT['logs']) == 0 and lost(one) == 0
    one.check_ledger()
    sql(url, 'DROP TABLE otel.otel_logs')  # the next attempt makes it as it should be
    until(lambda: one.total(SENT['logs']) == 1, 30)
    assert sql(url, 'SELECT Body FROM otel.otel_logs') == 'kept\n'
    assert one.stop() == 0


def test_too_many_parts_is_waited_out(agent, server):
    url = server('clickhouse')['URL']
    one, port = start(agent, url, ('logs',))
    send(port, 'logs', logs('one'))
    until(lambda: one.total(SENT['logs']) == 1, 30)
    sql(url, 'SYSTEM STOP MERGES otel.otel_logs')
    sql(url, 'ALTER TABLE otel.otel_logs MODIFY SETTING parts_to_throw_insert = 1')
    send(port, 'logs', logs('two'))
    until(lambda: 'code 252' in one.log(), 20)
    assert one.total(SENT['logs']) == 1
    sql(url, 'ALTER TABLE otel.otel_logs MODIFY SETTING parts_to_throw_insert = 3000')
    until(lambda: one.total(SENT['logs']) == 2, 30)
    one.check_ledger()
    assert one.stop() == 0


def test_a_table_that_goes_away(agent, server):
    """Dropped while we run: what is under way is lost and counted, what comes next finds it made again. On hold nothing is lost."""
    url = server('clickhouse')['URL']
    for mode in ('drop', 'hold'):
        one, port = start(agent, url, ('logs',), name=mode, on_schema_error=mode)
        send(port, 'logs', logs('one ' + mode))
        until(lambda: one.total(SENT['logs']) == 1, 30)
        sql(url, 'RENAME TABLE otel.otel_logs TO otel.away_' + mode)
        send(port, 'logs', logs('two ' + mode))
        until(lambda: 'code 60' in one.log() and (lost(one) == 1 if mode == 'drop' else 'on hold' in one.log()), 20)
        send(port, 'logs', logs('three ' + mode))
        if mode == 'drop':
            until(lambda: one.total(SENT['logs']) == 2, 20)
        one.check_ledger()
        assert one.stop() == 0, 'the drain tries at once'
        assert sorted(sql(url, 'SELECT Body FROM otel.otel_logs').splitlines()) == (['three drop'] if mode == 'drop' else ['three hold', 'two hold'])
        sql(url, 'DROP TABLE otel.otel_logs')


def test_a_table_of_others_that_goes_away(agent, server):
    """Without create_schema nobody makes it again but its owner: dropped until then, and at the end of a hold the loss is told."""
    url = server('clickhouse')['URL']
    one, port = start(agent, url, ('logs', 'metrics'))
    send(port, 'logs', logs('one'))
    send(port, 'metrics', metrics())
    until(lambda: one.total(SENT['logs']) == 1 and one.total(SENT['metrics']) == 10, 30)
    assert one.stop() == 0
    one, port = start(agent, url, ('logs', 'metrics'), create_schema=False, name='drops')
    send(port, 'logs', logs('two'))
    until(lambda: one.total(SENT['logs']) == 1, 30)
    sql(url, 'RENAME TABLE otel.otel_logs TO otel.away, otel.otel_metrics_summary TO otel.away_too')
    for n in range(3):
        send(port, 'logs', logs('lost'))
        send(port, 'metrics', metrics())
        until(lambda: lost(one) == 3 * (n + 1) and one.total(SENT['metrics']) == 8 * (n + 1), 20)  # one line; two points of ten
    assert 'code 60' in one.log() and 'on hold' not in one.log()
    sql(url, 'RENAME TABLE otel.away TO otel.otel_logs, otel.away_too TO otel.otel_metrics_summary')
    send(port, 'logs', logs('three'))
    send(port, 'metrics', metrics())
    until(lambda: one.total(SENT['logs']) == 2 and one.total(SENT['metrics']) == 34, 20)
    assert lost(one) == 9
    assert sql(url, 'SELECT Body FROM otel.otel_logs ORDER BY Timestamp, Body').split() == ['one', 'three', 'two']
    one.check_ledger()
    assert one.stop() == 0
    one, port = start(agent, url, ('logs',), create_schema=False, on_schema_error='hold', name='holds')
    send(port, 'logs', logs('four'))
    until(lambda: one.total(SENT['logs']) == 1, 30)
    sql(url, 'RENAME TABLE otel.otel_logs TO otel.away')
    send(port, 'logs', logs('five'))
    until(lambda: 'code 60' in one.log() and 'on hold' in one.log(), 20)
    one.check_ledger()
    assert one.stop() == 4, 'held at the end: drained with loss, and told so'


@pytest.mark.parametrize('mode', ['drop', 'hold'])
def test_a_table_altered_while_we_run(agent, server, mode):
    """A column goes: what comes next, on hold what waits too, is written for what is left."""
    url = server('clickhouse')['URL']
    one, port = start(agent, url, ('logs',), on_schema_error=mode)
    send(port, 'logs', logs('one'))
    until(lambda: one.total(SENT['logs']) == 1, 30)
    sql(url, 'ALTER TABLE otel.otel_logs DROP COLUMN EventName')
    send(port, 'logs', request(log(i) for i in range(10)))
    until(lambda: 'code 16' in one.log() and (lost(one) == 10 if mode == 'drop' else 'on hold' in one.log()), 20)
    if mode == 'drop':
        send(port, 'logs', request(log(i) for i in range(10, 20)))
        until(lambda: one.total(SENT['logs']) == 11, 20)
    one.check_ledger()
    assert one.stop() == 0
    assert count(url, 'otel.otel_logs') == 11


def test_a_view_that_fails(agent, server):
    """Its table has other columns than it makes. The rows are in the logs' table all the same: once, however many there are."""
    url = server('clickhouse')['URL']
    one, port = start(agent, url, ('logs',), async_insert=False)
    send(port, 'logs', logs('one'))
    until(lambda: one.total(SENT['logs']) == 1, 30)
    sql(url, 'CREATE TABLE otel.words (Body Array(String)) ENGINE = MergeTree ORDER BY tuple()')
    sql(url, "CREATE MATERIALIZED VIEW otel.words_mv TO otel.words AS SELECT splitByChar(' ', Body) AS Body FROM otel.otel_logs")
    sql(url, 'DROP TABLE otel.words')
    sql(url, 'CREATE TABLE otel.words (Body UInt64) ENGINE = MergeTree ORDER BY tuple()')
    send(port, 'logs', logs(*['two %d' % i for i in range(64)]))
    until(lambda: lost(one) == 64, 20)
    assert sql(url, 'SELECT count(), uniqExact(Body) FROM otel.otel_logs').split() == ['65', '65']
    sql(url, 'DROP TABLE otel.words_mv')
    send(port, 'logs', logs('three'))
    until(lambda: one.total(SENT['logs']) == 2, 20)
    one.check_ledger()
    assert one.stop() == 0


@both_formats
def test_a_batch_whose_rows_are_more_than_memory(agent, server, form):
    """200 KB of a resource before each of 1,000 rows, uncompressed: 200 MB of rows under 64 MiB."""
    url = server('clickhouse')['URL']
    receivers, port, _ = otlp_in()
    conf = {'endpoint': url.replace('http://', 'clickhouse://') + '/otel', 'retry_on_failure': QUICK, 'compress': 'none', 'format': form}
    one = agent(pipeline(receivers, {'clickhouse': conf}, ('logs',), leat={'shutdown_timeout': '3s', 'memory': {'limit': '64MiB'}}), name='leat')
    records = b''.join(pb(2, fixed64(1, T0 + i) + pb(5, pb(1, 'x'))) for i in range(1000))
    send(port, 'logs', pb(1, pb(1, attributes(1, {'big': 'y' * 200_000})) + pb(2, records)))

    def sent():
        try:
            return one.total(SENT['logs'])
        except urllib.error.HTTPError as e:
            assert e.code == 503  # there was no memory for the page just then
            return 0
    until(lambda: sent() == 1000, 60)
    assert count(url, 'otel.otel_logs') == 1000
    assert one.stop() == 0


def test_a_user_and_a_wrong_password(agent, server):
    url = server('clickhouse', LEAT_AUTH='true')['URL']
    one, port = start(agent, url, ('logs',), username='leat', password='secret')
    send(port, 'logs', logs('mine'))
    until(lambda: one.total(SENT['logs']) == 1, 30)
    assert sql(url, 'SELECT Body FROM otel.otel_logs', X_ClickHouse_User='leat', X_ClickHouse_Key='secret') == 'mine\n'
    assert one.stop() == 0
    two, port = start(agent, url, ('logs',), name='two', username='leat', password='wrong')
    send(port, 'logs', logs('not mine'))
    until(lambda: 'code 516' in two.log(), 20)
    assert two.total(SENT['logs']) == 0
    assert 'wrong' not in two.log()
    two.check_ledger()
