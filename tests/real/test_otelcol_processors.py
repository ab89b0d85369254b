# SPDX-License-Identifier: Apache-2.0
"""The same processors in leat and in the real Collector: what a Collector writes behind each of them is equal, field by field."""
import json

import pytest
from leatkit import otlp_in, pipeline, until
from test_otelcol import records, rich_count, send

THERE = '''
extensions:
  health_check: {endpoint: "127.0.0.1:@P2@"}
receivers:
  otlp: {protocols: {grpc: {endpoint: "127.0.0.1:@P0@"}, http: {endpoint: "127.0.0.1:@P1@"}}}
processors: %s
exporters:
  file/traces: {path: "@DIR@/traces.json", flush_interval: 100ms}
  file/metrics: {path: "@DIR@/metrics.json", flush_interval: 100ms}
  file/logs: {path: "@DIR@/logs.json", flush_interval: 100ms}
service:
  extensions: [health_check]
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], processors: %s, exporters: [file/traces]}
    metrics: {receivers: [otlp], processors: %s, exporters: [file/metrics]}
    logs: {receivers: [otlp], processors: %s, exporters: [file/logs]}
'''
SIGNALS = ('traces', 'metrics', 'logs')
ACTIONS = {
    'insert': [{'key': 'new', 'value': 'x', 'action': 'insert'}, {'key': 's', 'value': 'kept', 'action': 'insert'}, {'key': 'n', 'value': 7, 'action': 'insert'},
               {'key': 'copy', 'from_attribute': 's', 'action': 'insert'}, {'key': 'nothing', 'from_attribute': 'missing', 'action': 'insert'}],
    'update': [{'key': 's', 'value': 'changed', 'action': 'update'}, {'key': 'missing', 'value': 'x', 'action': 'update'}, {'key': 'i', 'value': True, 'action': 'update'},
               {'key': 'map', 'from_attribute': 'list', 'action': 'update'}],
    'upsert': [{'key': 's', 'value': 'changed', 'action': 'upsert'}, {'key': 'new', 'value': 2.5, 'action': 'upsert'}, {'key': 'copy', 'from_attribute': 'map', 'action': 'upsert'}],
    'delete': [{'key': 's', 'action': 'delete'}, {'key': 'map', 'action': 'delete'}, {'key': 'missing', 'action': 'delete'}, {'pattern': '^(l|ra)', 'action': 'delete'}],
    'hash': [{'key': k, 'action': 'hash'} for k in ('s', 'empty', 'i', 'd', 'b', 'raw')],
    'extract': [{'key': 's', 'pattern': '^(?P<first>.)(?P<rest>.*)$', 'action': 'extract'}, {'key': 'i', 'pattern': '(?P<never>.*)', 'action': 'extract'}],
    'convert': [{'key': 'i', 'converted_type': 'string', 'action': 'convert'}, {'key': 'd', 'converted_type': 'int', 'action': 'convert'},
                {'key': 'b', 'converted_type': 'double', 'action': 'convert'}, {'key': 's', 'converted_type': 'int', 'action': 'convert'}],
    'all in order': [{'key': 'a', 'value': 'x', 'action': 'insert'}, {'key': 'a', 'action': 'hash'}, {'key': 'b2', 'from_attribute': 'a', 'action': 'upsert'},
                     {'key': 'a', 'action': 'delete'}, {'key': 'n', 'value': '12', 'action': 'insert'}, {'key': 'n', 'converted_type': 'int', 'action': 'convert'}],
}
CASES = {'%s %s' % (kind, name): {kind: {'attributes' if kind == 'resource' else 'actions': actions}} for kind in ('attributes', 'resource') for name, actions in ACTIONS.items()}
CASES['batch and both'] = {'batch': {'timeout': '200ms'}, 'resource': {'attributes': ACTIONS['upsert']}, 'attributes': {'actions': ACTIONS['delete']}}


def by_key(value):
    """Attributes are a set: their order is nobody's promise."""
    if isinstance(value, dict):
        return {k: sorted((by_key(v) for v in value[k]), key=lambda a: a['key']) if k == 'attributes' else by_key(value[k]) for k in value}
    return [by_key(v) for v in value] if isinstance(value, list) else value


def written(folder, signal):
    return sorted(json.dumps(by_key(json.loads(text)), sort_keys=True) for text in records(folder, signal))


@pytest.mark.parametrize('case', list(CASES))
def test_leat_edits_as_the_collector_does(agent, server, case):
    processors = CASES[case]
    names = json.dumps(list(processors))
    there, behind = server('otelcol', THERE % (json.dumps(processors), names, names, names), folder='there'), server('otelcol', folder='behind')
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, {'otlp_http': {'endpoint': behind['HTTP'], 'compression': 'none'}}, SIGNALS, processors=processors))
    for signal in SIGNALS:
        assert send(there['HTTP'], signal) == send('http://127.0.0.1:%d' % port, signal) == 200
        for folder in (there['DIR'], behind['DIR']):
            until(lambda: len(records(folder, signal)) >= rich_count(signal), 20, '%s in %s' % (signal, folder))
        for a, b in zip(written(there['DIR'], signal), written(behind['DIR'], signal)):
            assert a == b, [(x, y) for x, y in zip(a.split("}, {"), b.split("}, {")) if x != y][:4]
    one.check_ledger()
    assert one.stop() == 0
