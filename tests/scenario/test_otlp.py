# SPDX-License-Identifier: Apache-2.0
"""OTLP in and out: what arrives is what was sent, whatever signal, coding, protocol or form it came in."""
import gzip
import json
import zlib

import grpc
import pytest
from leatkit import (free_port, gauges, inside, log_bodies, logs, logs_json, otlp_in, otlp_out, pb, pipeline, post, spans, until)

SERVICE = '/opentelemetry.proto.collector.%s.v1.%sService/Export'


def start(agent, peer, signals=('logs', 'metrics', 'traces'), exporter='otlp_http', **more):
    sink = peer()
    receivers, http_port, grpc_port = otlp_in(**more)
    one = agent(pipeline(receivers, {exporter: otlp_out(sink.url)}, signals))
    return one, sink, http_port, grpc_port


@pytest.mark.parametrize('signal, path, body', [
    ('logs', '/v1/logs', logs('a', 'b')), ('traces', '/v1/traces', spans('a', 'b')), ('metrics', '/v1/metrics', gauges('a', 'b'))], ids=['logs', 'traces', 'metrics'])
def test_http_protobuf_arrives_byte_for_byte(agent, peer, signal, path, body):
    one, sink, port, _ = start(agent, peer)
    assert post(port, path, body)[0] == 200
    until(lambda: sink.delivered())
    assert sink.requests[0].path == path
    assert sink.requests[0].headers['Content-Type'] == 'application/x-protobuf'
    assert sink.requests[0].body == body
    name = {'logs': 'log_records', 'traces': 'spans', 'metrics': 'metric_points'}[signal]
    until(lambda: one.total('otelcol_exporter_sent_' + name) == 2)
    assert one.total('otelcol_receiver_accepted_' + name, receiver='otlp') == 2
    one.check_ledger()
    assert one.stop() == 0


def test_profiles_pass(agent, peer):
    _, sink, port, _ = start(agent, peer, signals=('profiles',))
    body = pb(1, pb(1, b'') + pb(2, pb(2, b''))) + pb(2, pb(5, ''))
    assert post(port, '/v1development/profiles', body)[0] == 200
    until(lambda: sink.delivered())
    assert (sink.requests[0].path, sink.requests[0].body) == ('/v1development/profiles', body)


@pytest.mark.parametrize('coding, pack', [('gzip', gzip.compress), ('deflate', zlib.compress), ('identity', bytes)], ids=['gzip', 'deflate', 'identity'])
def test_http_codings(agent, peer, coding, pack):
    _, sink, port, _ = start(agent, peer)
    body = logs(*('line %d' % i for i in range(200)))
    assert post(port, '/v1/logs', pack(body), Content_Encoding=coding)[0] == 200
    until(lambda: sink.delivered())
    assert sink.requests[0].body == body


def test_http_json_arrives_as_protobuf(agent, peer):
    _, sink, port, _ = start(agent, peer)
    status, headers, answer = post(port, '/v1/logs', json.dumps(logs_json('one', 'zwei \u00fc')).encode(), 'application/json')
    assert status == 200 and headers['Content-Type'].startswith('application/json')
    assert json.loads(answer or b'{}').get('partialSuccess', {}) in ({}, None)
    until(lambda: sink.delivered())
    assert sink.log_bodies() == ['one', 'zwei \u00fc']


def test_gzip_out(agent, peer):
    sink = peer()
    receivers, port, _ = otlp_in()
    agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url, compression='gzip')}))
    body = logs(*('line %d' % i for i in range(200)))
    assert post(port, '/v1/logs', body)[0] == 200
    until(lambda: sink.delivered())
    assert sink.requests[0].headers['Content-Encoding'] == 'gzip'
    assert len(sink.requests[0].raw) < len(body) / 3 and sink.requests[0].body == body


@pytest.mark.parametrize('word, name, make, path', [
    ('logs', 'Logs', logs, '/v1/logs'), ('trace', 'Trace', spans, '/v1/traces'), ('metrics', 'Metrics', gauges, '/v1/metrics')], ids=['logs', 'traces', 'metrics'])
def test_grpc_in(agent, peer, word, name, make, path):
    one, sink, _, port = start(agent, peer)
    with grpc.insecure_channel('127.0.0.1:%d' % port) as channel:
        assert channel.unary_unary(SERVICE % (word, name))(make('a', 'b', 'c'), timeout=20) == b''
    until(lambda: sink.delivered())
    assert (sink.requests[0].path, sink.requests[0].body) == (path, make('a', 'b', 'c'))
    one.check_ledger()
    assert one.stop() == 0


def test_grpc_gzip_and_large(agent, peer):
    _, sink, _, port = start(agent, peer)
    body = logs(*('x%05d' % i + 'y' * 300 for i in range(8000)))
    with grpc.insecure_channel('127.0.0.1:%d' % port, compression=grpc.Compression.Gzip) as channel:
        assert channel.unary_unary(SERVICE % ('logs', 'Logs'))(body, timeout=60) == b''
    until(lambda: sink.delivered())
    assert sink.requests[0].body == body


def test_grpc_between_two_agents(agent, peer):
    """otlp_grpc of one agent to otlp of the next, then out by HTTP: both sides of our own gRPC."""
    _, sink, _, port = start(agent, peer)
    receivers, first, _ = otlp_in()
    agent(pipeline(receivers, {'otlp_grpc': {'endpoint': '127.0.0.1:%d' % port, 'tls': {'insecure': True}, 'compression': 'none'}}), name='first')
    for i in range(50):
        assert post(first, '/v1/logs', logs('n%d' % i))[0] == 200
    until(lambda: len(sink.log_bodies()) == 50)
    assert sorted(sink.log_bodies()) == sorted('n%d' % i for i in range(50))


def test_old_names_work(agent, peer):
    """`otlphttp` is the deprecated name of `otlp_http`: it works, is labelled as the user wrote it, and says so once."""
    one, sink, port, _ = start(agent, peer, exporter='otlphttp')
    assert post(port, '/v1/logs', logs('a'))[0] == 200
    until(lambda: sink.delivered())
    until(lambda: one.total('otelcol_exporter_sent_log_records', exporter='otlphttp') == 1)
    assert one.log().count('deprecated') == 1


def test_unknown_fields_and_large_ids_stay(agent, peer):
    _, sink, port, _ = start(agent, peer)
    body = pb(1, pb(2, pb(2, pb(5, pb(1, 'x')) + pb(999, 'kept')))) + pb(77, 5)
    assert post(port, '/v1/logs', body)[0] == 200
    until(lambda: sink.delivered())
    assert inside(sink.requests[0].body, 1, 2, 2, 999) == [b'kept']


def test_resource_and_attributes_processors(agent, peer):
    sink = peer()
    receivers, port, _ = otlp_in()
    processors = {'resource': {'attributes': [{'key': 'k8s.cluster.name', 'value': 'c1', 'action': 'upsert'}, {'key': 'service.name', 'action': 'delete'}]},
                  'attributes': {'actions': [{'key': 'env', 'value': 'test', 'action': 'insert'}]},
                  'batch': {'timeout': '50ms'}, 'memory_limiter': {'check_interval': '1s', 'limit_mib': 200}}
    order = ['memory_limiter', 'resource', 'attributes', 'batch']
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url)}, processors={k: processors[k] for k in order}))
    for i in range(20):
        assert post(port, '/v1/logs', logs('n%d' % i))[0] == 200
    until(lambda: len(sink.log_bodies()) == 20)
    assert len(sink.requests) < 20, 'the batch processor made larger requests'
    for request in sink.requests:
        assert set(inside(request.body, 1, 1, 1, 1)) == {b'k8s.cluster.name'}
        assert set(inside(request.body, 1, 2, 2, 6, 1)) == {b'env'}
    one.check_ledger()
    assert one.stop() == 0


def test_one_receiver_in_two_pipelines_shares_and_does_not_mix(agent, peer):
    plain, edited = peer(), peer()
    receivers, port, _ = otlp_in()
    config = {
        'receivers': receivers, 'exporters': {'otlp_http/plain': otlp_out(plain.url), 'otlp_http/edited': otlp_out(edited.url)},
        'processors': {'resource/x': {'attributes': [{'key': 'service.name', 'value': 'changed', 'action': 'update'}]}},
        'service': {'pipelines': {'logs/plain': {'receivers': ['otlp'], 'exporters': ['otlp_http/plain']},
                                  'logs/edited': {'receivers': ['otlp'], 'processors': ['resource/x'], 'exporters': ['otlp_http/edited']}}}}
    agent(config)
    body = logs('a', 'b')
    assert post(port, '/v1/logs', body)[0] == 200
    until(lambda: plain.delivered() and edited.delivered())
    assert plain.requests[0].body == body
    assert inside(edited.requests[0].body, 1, 1, 1, 2, 1) == [b'changed']
    assert log_bodies(edited.requests[0].body) == ['a', 'b']


def test_three_shards(agent, peer):
    sink = peer()
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url)}, leat={'shards': 3}))
    for i in range(60):
        assert post(port, '/v1/logs', logs('n%d' % i))[0] == 200
    until(lambda: len(sink.log_bodies()) == 60)
    one.check_ledger()
    assert one.stop() == 0


def test_health_check(agent, peer):
    import urllib.request
    sink, port = peer(), free_port()
    receivers, _, _ = otlp_in()
    config = pipeline(receivers, {'otlp_http': otlp_out(sink.url)}, extensions={'health_check': {'endpoint': '127.0.0.1:%d' % port}})
    config['service']['extensions'] = ['health_check']
    agent(config)
    with urllib.request.urlopen('http://127.0.0.1:%d/' % port, timeout=10) as answer:
        assert answer.status == 200
