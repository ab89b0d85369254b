# SPDX-License-Identifier: Apache-2.0
"""The real Collector at the other end of a real Kafka: it reads what leat wrote, and its own producer puts each key where leat's does."""
import hashlib
import json
import os
import subprocess

import pytest

import conftest
from leatkit import otlp_in, pipeline, post, spans, until
from test_kafka import consume
from test_otelcol import RICH, compare, rich_count, send

FULL = bool(os.environ.get('LEAT_FULL'))
SIGNALS = ('logs', 'metrics', 'traces')
PARTITIONS = 7

OTLP_INTO_FILES = '''
extensions:
  health_check: {endpoint: "127.0.0.1:@P2@"}
receivers:
  otlp: {protocols: {grpc: {endpoint: "127.0.0.1:@P0@"}, http: {endpoint: "127.0.0.1:@P1@"}}}
exporters:
  file/traces: {path: "@DIR@/traces.json", flush_interval: 100ms}
  file/metrics: {path: "@DIR@/metrics.json", flush_interval: 100ms}
  file/logs: {path: "@DIR@/logs.json", flush_interval: 100ms}
service:
  extensions: [health_check]
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [file/traces]}
    metrics: {receivers: [otlp], exporters: [file/metrics]}
    logs: {receivers: [otlp], exporters: [file/logs]}
'''
KAFKA_INTO_FILES = OTLP_INTO_FILES.replace('receivers: [otlp]', 'receivers: [kafka]').replace('exporters:\n', '''  kafka:
    brokers: ["%(brokers)s"]
    group_id: %(encoding)s
    initial_offset: earliest
    logs: {topics: [logs_%(encoding)s], encoding: %(encoding)s}
    metrics: {topics: [metrics_%(encoding)s], encoding: %(encoding)s}
    traces: {topics: [traces_%(encoding)s], encoding: %(encoding)s}
exporters:
''', 1)
OTLP_INTO_KAFKA = '''
extensions:
  health_check: {endpoint: "127.0.0.1:@P2@"}
receivers:
  otlp: {protocols: {http: {endpoint: "127.0.0.1:@P1@"}}}
exporters:
  kafka: {brokers: ["%s"], traces: {topic: of_collector}, partition_traces_by_id: true}
service:
  extensions: [health_check]
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [kafka]}
'''


@pytest.fixture
def brokers(server):
    with open(os.path.join(conftest.HERE, 'servers', 'kafka', 'server.properties')) as f:
        conf = f.read()
    assert 'num.partitions=3\n' in conf
    return server('kafka', conf.replace('num.partitions=3\n', 'num.partitions=%d\n' % PARTITIONS))['BROKERS']


@pytest.mark.parametrize('encoding', ['otlp_proto', 'otlp_json'])
def test_the_collector_reads_what_leat_wrote(agent, server, brokers, encoding):
    """What a Collector writes of leat's topics equals what another writes of the requests themselves."""
    receivers, port, _ = otlp_in()
    topics = {signal: {'topic': '%s_%s' % (signal, encoding), 'encoding': encoding} for signal in SIGNALS}
    one = agent(pipeline(receivers, {'kafka': {'brokers': [brokers], **topics}}, SIGNALS))
    straight = server('otelcol-wide', OTLP_INTO_FILES, folder='straight')
    times = 20
    for _ in range(times):
        for signal in SIGNALS:
            assert send(straight['HTTP'], signal) == send('http://127.0.0.1:%d' % port, signal) == 200
    until(lambda: one.total('leat_items_held', component='kafka') == 0, 30, one.log)
    reader = server('otelcol-wide', KAFKA_INTO_FILES % {'brokers': brokers, 'encoding': encoding}, folder='reader')
    compare(straight['DIR'], reader['DIR'], {signal: times * rich_count(signal) for signal in SIGNALS})
    one.check_ledger()
    assert one.stop() == 0


def places(brokers, topic):
    """-> {key: {partition, ...}}"""
    out = {}
    for line in consume(brokers, topic, '%p %k\n').decode().splitlines():
        partition, key = line.split(' ')
        out.setdefault(key, set()).add(int(partition))
    return out


def test_each_key_goes_where_the_collector_puts_it(agent, server, brokers):
    """The same traces by both producers: each id is a key, and its partition is the same in both topics."""
    count, each = (10000, 100) if FULL else (2000, 100)
    receivers, port, _ = otlp_in()
    kafka = {'brokers': [brokers], 'partition_traces_by_id': True, 'traces': {'topic': 'of_leat'}}
    one = agent(pipeline(receivers, {'kafka': kafka}, ('traces',)))
    collector = server('otelcol-wide', OTLP_INTO_KAFKA % brokers)
    collector_port = int(collector['HTTP'].rsplit(':', 1)[1])
    ids = [hashlib.md5(b'%d' % i).digest() for i in range(count)]
    for i in range(0, count, each):
        body = b''.join(spans('op', trace_id=trace) for trace in ids[i:i + each])
        for to in (port, collector_port):
            assert post(to, '/v1/traces', body)[0] == 200
    until(lambda: one.total('leat_items_out_total', component='kafka') == count, 60, one.log)
    until(lambda: len(places(brokers, 'of_collector')) == count, 60, 'the Collector wrote all')
    ours, theirs = places(brokers, 'of_leat'), places(brokers, 'of_collector')
    assert sorted(ours) == sorted(i.hex() for i in ids)
    assert ours == theirs
    assert all(len(partitions) == 1 for partitions in ours.values())
    assert set().union(*ours.values()) == set(range(PARTITIONS)), 'all partitions have their share'
    one.check_ledger()
    assert one.stop() == 0
