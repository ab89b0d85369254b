# SPDX-License-Identifier: Apache-2.0
"""leat's own metrics: one series per transport, and names and labels as each reader wants them."""
import json
import re
import urllib.request

import pytest
from leatkit import free_port, logs, otlp_in, otlp_out, parse_metrics, pipeline, post, until


def page(port):
    with urllib.request.urlopen('http://127.0.0.1:%d/metrics' % port, timeout=10) as r:
        return r.read().decode()


def test_accepted_items_are_counted_by_transport(agent, peer):
    grpc = pytest.importorskip('grpc')
    sink, (receivers, http_port, grpc_port) = peer(), otlp_in()
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url)}, ('logs',)))
    assert post(http_port, '/v1/logs', logs('a', 'b'))[0] == 200
    with grpc.insecure_channel('127.0.0.1:%d' % grpc_port) as channel:
        channel.unary_unary('/opentelemetry.proto.collector.logs.v1.LogsService/Export')(logs('c'), timeout=10)
    name = 'otelcol_receiver_accepted_log_records'
    assert one.total(name, receiver='otlp', transport='http') == 2
    assert one.total(name, receiver='otlp', transport='grpc') == 1
    assert one.total('leat_items_out_total', component='otlp', kind='receiver') == 3, 'the ledger is their sum'
    until(lambda: sorted(sink.log_bodies()) == ['a', 'b', 'c'])
    assert one.stop() == 0


def test_each_reader_gets_its_names(agent, peer):
    sink, (receivers, port, _) = peer(), otlp_in()
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url)}, ('logs',)), run=False)
    with open(one.config_file) as f:
        config = json.load(f)
    full = free_port()
    config['service']['telemetry']['resource'] = {'k8s.node.name': 'node-1', 'service.version': None}
    config['service']['telemetry']['metrics']['readers'].append({'pull': {'exporter': {'prometheus': {
        'host': '127.0.0.1', 'port': full, 'without_type_suffix': False, 'without_units': False, 'without_scope_info': False,
        'with_resource_constant_labels': {'included': ['k8s.node.name']}}}}})
    with open(one.config_file, 'w') as f:
        json.dump(config, f)
    one.start()
    assert post(port, '/v1/logs', logs('a'))[0] == 200
    until(lambda: one.total('otelcol_exporter_sent_log_records') == 1)
    bare, rich = page(one.metrics_port), page(full)
    for name in ('uptime', 'cpu_seconds', 'memory_rss', 'runtime_heap_alloc_bytes', 'runtime_total_sys_memory_bytes'):
        assert re.search(r'^otelcol_process_%s \d' % name, bare, re.M), name
    assert 'otelcol_exporter_sent_log_records{exporter="otlp_http"} 1\n' in bare
    assert re.search(r'^target_info\{service_name="leat",service_instance_id="[0-9a-f-]{36}",k8s_node_name="node-1"\} 1$', bare, re.M)
    for name in ('otelcol_process_uptime_seconds_total', 'otelcol_process_cpu_seconds_total', 'otelcol_process_memory_rss_bytes'):
        assert '\n%s{k8s_node_name="node-1",otel_scope_name="leat",' % name in rich, name
        assert '\n# TYPE %s ' % name in rich
    sent = {dict(labels)['exporter']: value for (name, labels), value in parse_metrics(rich).items() if name == 'otelcol_exporter_sent_log_records_total'}
    assert sent == {'otlp_http': 1}
    assert '\nleat_retries_total{k8s_node_name="node-1",component="otlp_http"' in rich
    assert one.stop() == 0


def test_processors_and_exporters_count_under_the_collectors_names(agent, peer):
    sink, (receivers, port, _) = peer(), otlp_in()
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url)}, ('logs',), processors={'batch': {'timeout': '50ms'}}))
    assert post(port, '/v1/logs', logs('a', 'b'))[0] == 200
    until(lambda: one.total('otelcol_exporter_sent_log_records', exporter='otlp_http') == 2)
    assert one.total('otelcol_processor_incoming_items', processor='batch', otel_signal='logs') == 2
    assert one.total('otelcol_processor_outgoing_items', processor='batch', otel_signal='logs') == 2
    text = page(one.metrics_port)
    for name in ('queue_size', 'queue_capacity', 'in_flight_requests'):
        assert re.search(r'^otelcol_exporter_%s\{exporter="otlp_http",data_type="logs"\} \d+$' % name, text, re.M), name
    assert one.stop() == 0


def test_a_drop_before_the_drain_does_not_spoil_the_exit_code(agent, peer):
    sink, (receivers, port, _) = peer(), otlp_in()
    sink.answers = [(400, {}, b'')]
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url)}, ('logs',)))
    assert post(port, '/v1/logs', logs('bad'))[0] == 200
    until(lambda: one.total('leat_dropped_items_total', component='otlp_http') == 1)
    assert one.stop() == 0
    assert '1 items in all' in one.log()
