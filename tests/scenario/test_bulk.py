# SPDX-License-Identifier: Apache-2.0
"""Bulk replies that are cut off, short, garbage or half good, from a scripted server; what goes along with each request."""
import base64
import json
import re

import pytest
from leatkit import QUICK_RETRY, attribute, log_record, logs, otlp_in, pb, pipeline, post, until

SENT, FAILED = 'otelcol_exporter_sent_log_records', 'otelcol_exporter_send_failed_log_records'


def rows(request):
    """-> [(action line, document)]"""
    lines = request.body.decode().split('\n')
    assert lines.pop() == '', 'a bulk body ends with a newline'
    return [(json.loads(a), json.loads(b)) for a, b in zip(lines[::2], lines[1::2])]


def reply(request, status=lambda i: 201, count=None):
    actions = rows(request)
    items = [{next(iter(action)): {'status': status(i), **({'error': {'type': 'mapper_parsing_exception'}} if status(i) >= 400 else {})}} for i, (action, _) in enumerate(actions)]
    return json.dumps({'took': 1, 'errors': any(status(i) >= 300 for i in range(len(items))), 'items': items[:count]}).encode()


def answer(body, status=200, **headers):
    return lambda request: (status, {'Content-Type': 'application/json', **headers}, body(request) if callable(body) else body)


def start(agent, *peers, **more):
    receivers, port, _ = otlp_in()
    exporters = {'elasticsearch/%d' % i: {'endpoint': p.url, 'retry_on_failure': QUICK_RETRY, **more} for i, p in enumerate(peers)}
    return agent(pipeline(receivers, exporters, ('logs',))), port


WRONG = {'cut off': lambda r: reply(r)[:len(reply(r)) // 2], 'short': lambda r: reply(r, count=3), 'garbage': b'<html>hello</html>', 'empty': b'', 'no items': b'{"took":1,"errors":true}',
         'items of another kind': b'{"errors":true,"items":{"a":1}}', 'deep': b'{"items":' + b'[' * 100000}


# Guarantees: what a wrong reply does not say goes again until it is said; a counter, a line that names the exporter; the exporter beside it misses nothing.
@pytest.mark.parametrize('what', WRONG)
def test_a_wrong_reply_loses_nothing(agent, peer, what):
    bad, good = peer(), peer()
    bad.answers, bad.answer = [answer(WRONG[what])] * 2, answer(reply)
    good.answer = answer(reply)
    one, port = start(agent, bad, good)
    assert post(port, '/v1/logs', logs(*('line %d' % i for i in range(10))))[0] == 200
    until(lambda: one.total(SENT, exporter='elasticsearch/1') == 10, 5, one.log)
    until(lambda: one.total(SENT, exporter='elasticsearch/0') == 10, 15, one.log)
    assert len(good.requests) == 1 and len(bad.requests) == 3
    ids = [[action['create']['_id'] for action, _ in rows(r)] for r in bad.requests]
    assert set(ids[1]) <= set(ids[0]) and len(set(ids[0])) == 10, 'the same document has the same id'
    assert 'elasticsearch/0' in one.log() and 'elasticsearch/1' not in one.log()
    assert one.total('leat_bulk_repeated_rows_total', reason='unknown', component='elasticsearch/0') > 0 or one.total('leat_retries_total', component='elasticsearch/0') > 0
    assert one.total(FAILED) == 0
    one.check_ledger()
    assert one.stop() == 0


# Guarantees: each row by itself: 2xx and 409 are delivered, 429 and 503 go again alone, other 4xx are dropped, counted and told in one line.
def test_rows_have_each_their_own_end(agent, peer):
    one_peer = peer()
    states = [201, 409, 429, 503, 400, 404, 201, 500, 200, 403]
    one_peer.answers, one_peer.answer = [answer(lambda r: reply(r, lambda i: states[i]))], answer(reply)
    one, port = start(agent, one_peer)
    assert post(port, '/v1/logs', logs(*('line %d' % i for i in range(10))))[0] == 200
    until(lambda: one.total(SENT) == 7 and one.total(FAILED) == 3, 15, one.log)
    again = [doc['body']['text'] for r in one_peer.requests[1:] for _, doc in rows(r)]
    assert sorted(again) == ['line 2', 'line 3', 'line 7']
    assert one.total('leat_bulk_refused_documents_total') == 3 and re.search('elasticsearch/0.*3 of 10 documents again, 3 refused: status 400', one.log())
    one.check_ledger()
    assert one.stop() == 0


# Guarantees: 413 is halved until it fits; the document that never fits is dropped alone.
def test_too_large_is_halved(agent, peer):
    one_peer = peer()
    one_peer.answer = lambda r: (413, {}, b'') if len(r.body) > 3000 else answer(reply)(r)
    one, port = start(agent, one_peer)
    assert post(port, '/v1/logs', logs(*('x' * 200 for _ in range(60)), 'y' * 4000))[0] == 200
    until(lambda: one.total(SENT) == 60 and one.total(FAILED) == 1, 20, one.log)
    one.check_ledger()
    assert one.stop() == 0


# Guarantees: the documents of each mapping, gzip, the pipeline, and the credentials of each kind; addresses take turns.
def test_what_goes_along(agent, peer):
    first, second, third = peer(), peer(), peer()
    for p in (first, second, third):
        p.answer = answer(reply)
    receivers, port, _ = otlp_in()
    exporters = {'elasticsearch/key': {'endpoints': [first.url, second.url], 'api_key': 'aWQ6a2V5', 'pipeline': 'pipe'},
                 'elasticsearch/user': {'endpoint': third.url, 'user': 'u', 'password': 'p', 'logs_index': 'fixed-%{service.name}', 'mapping': {'mode': 'ecs'},
                                       'logstash_format': {'enabled': True}},
                 'opensearch': {'http': {'endpoint': third.url, 'headers': {'X-Extra': 'e'}}, 'bulk_action': 'index', 'mapping': {'mode': 'bodymap', 'manage_index_template': False},
                                'logs_index': 'maps'}}
    one = agent(pipeline(receivers, exporters, ('logs',)))
    resource = pb(1, attribute('service.name', 'Shop')) + pb(1, attribute('data_stream.dataset', 'cart'))
    for i in range(4):
        assert post(port, '/v1/logs', pb(1, pb(1, resource) + pb(2, log_record('line'))))[0] == 200
    until(lambda: len(first.requests) + len(second.requests) == 4 and one.total(SENT, exporter='elasticsearch/user') == 4, 15, one.log)
    assert first.requests and second.requests
    for r in first.requests + second.requests:
        assert r.headers['Authorization'] == 'ApiKey aWQ6a2V5' and r.headers['Content-Encoding'] == 'gzip' and 'pipeline=pipe' in r.path
        assert r.headers['Content-Type'].startswith('application/x-ndjson') and r.headers['Content-Length']
        [(action, document)] = rows(r)
        assert action['create']['_index'] == 'logs-cart.otel-default' and document['body']['text'] == 'line' and document['data_stream']['dataset'] == 'cart.otel'
    for r in third.requests:
        assert r.headers['Authorization'] == 'Basic ' + base64.b64encode(b'u:p').decode()
        [(action, document)] = rows(r)
        assert action['create']['_index'] == 'fixed-shop-2023.11.14' and document['message'] == 'line' and document['service']['name'] == 'Shop'
    until(lambda: one.total(FAILED, exporter='opensearch') == 4, 15, one.log)  # no maps
    assert one.total('leat_dropped_items_total', component='opensearch', reason='cannot_encode') == 4
    record = pb(2, pb(5, pb(6, pb(1, attribute('a', 'b')))))
    assert post(port, '/v1/logs', pb(1, pb(1, resource) + pb(2, record)))[0] == 200
    until(lambda: one.total(SENT, exporter='opensearch') == 1, 15, one.log)
    [mapped] = [r for r in third.requests if r.headers['X-Extra'] == 'e']
    [(action, document)] = rows(mapped)
    assert action['index']['_index'] == 'maps' and document == {'a': 'b'} and 'Authorization' not in mapped.headers
    one.check_ledger()
    assert one.stop() == 0
