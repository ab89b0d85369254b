# SPDX-License-Identifier: Apache-2.0
"""A real Elasticsearch 8.17: data streams by leat's template, each mapping, full queues and limits."""
from bulkkit import QUICK, SENT, attributes, call, found, full_queue, send, text, too_large
from leatkit import otlp_in, pipeline, until

AT = 1700000000123456789


def hits(base, index, query):
    call(base, 'POST', '/%s/_refresh' % index)
    return [h['_source'] for h in call(base, 'POST', '/%s/_search' % index, {'query': query})['hits']['hits']]


def logs(agent, base):
    receivers, port, _ = otlp_in()
    exporters = {'elasticsearch': {'endpoint': base, 'manage_index_template': True, 'retry_on_failure': QUICK},
                 'elasticsearch/ecs': {'endpoint': base, 'logs_index': 'ecs', 'mapping': {'mode': 'ecs'}, 'retry_on_failure': QUICK},
                 'elasticsearch/map': {'endpoint': base, 'logs_index': 'map', 'mapping': {'mode': 'bodymap'}, 'retry_on_failure': QUICK}}
    one = agent(pipeline(receivers, exporters, ('logs',)), 'logs')
    body = {'kvlistValue': {'values': attributes(order={'intValue': '7'}, who=text('J\u00fcrgen'))}}
    send(port, [{'timeUnixNano': str(AT), 'severityNumber': 9, 'severityText': 'INFO', 'body': body, 'traceId': '0102030405060708090a0b0c0d0e0f10',
                 'attributes': attributes(http__route=text('/items'), took={'doubleValue': 1.5})},
                {'timeUnixNano': str(AT + 10**9), 'body': body, 'attributes': attributes(data_stream__dataset=text('shop'))}],
         attributes(service__name=text('Shop'), k8s__pod__name=text('web-1')))
    until(lambda: one.total(SENT) == 6, 30, one.log)
    streams = {s['name'] for s in call(base, 'GET', '/_resolve/index/logs-*')['data_streams']}
    assert streams == {'logs-generic.otel-default', 'logs-shop.otel-default'}
    second = {'range': {'@timestamp': {'gte': '2023-11-14T22:13:20.123456789Z', 'lt': '2023-11-14T22:13:20.123456790Z'}}}
    got = hits(base, 'logs-generic.otel-default', second)
    assert len(got) == 1, 'the time is a time, to the nanosecond'
    doc = got[0]
    assert doc['attributes']['http.route'] == '/items' and doc['attributes']['took'] == 1.5 and doc['body']['structured'] == {'order': 7, 'who': 'J\u00fcrgen'}
    assert doc['resource']['attributes']['service.name'] == 'Shop' and doc['severity_text'] == 'INFO' and doc['trace_id'] == '0102030405060708090a0b0c0d0e0f10'
    assert len(hits(base, 'logs-*', {'term': {'resource.attributes.service.name': 'Shop'}})) == 2, 'attributes are keywords'
    docs = found(base, 'ecs', 'kubernetes.pod.name:%22web-1%22')
    assert len(docs) == 2 and {d['service']['name'] for d in docs} == {'Shop'}
    assert found(base, 'map', 'order:7') == [{'order': 7, 'who': 'J\u00fcrgen'}] * 2
    one.check_ledger()
    assert one.stop() == 0


def spans(agent, base):
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, {'elasticsearch': {'endpoint': base, 'manage_index_template': True}}, ('traces',)), 'spans')
    trace = 'f102030405060708090a0b0c0d0e0f10'
    send(port, [{'traceId': trace, 'spanId': '%016x' % i, 'name': 'op%d' % i, 'kind': 2, 'startTimeUnixNano': str(1700000000 * 10**9),
                 'endTimeUnixNano': str(1700000001 * 10**9), 'status': {'code': 2}} for i in range(1, 51)], signal='traces')
    until(lambda: one.total('otelcol_exporter_sent_spans') == 50, 30, one.log)
    docs = hits(base, 'traces-generic.otel-default', {'term': {'trace_id': trace}})
    assert docs and {d['duration'] for d in docs} == {10**9}
    assert call(base, 'GET', '/traces-generic.otel-default/_count')['count'] == 50
    one.check_ledger()
    assert one.stop() == 0


def test_documents_and_spans_are_found(agent, server):
    base = server('elasticsearch')['URL']
    logs(agent, base)
    spans(agent, base)


def test_a_full_queue_a_poisoned_mapping_and_large_bodies(agent, server, tmp_path):
    base = server('elasticsearch-strict')['URL']
    full_queue(agent, base, tmp_path / 'dead.jsonl', 'elasticsearch', {'endpoint': base})
    too_large(agent, base, 'elasticsearch', {'endpoint': base, 'compression': 'none'})
