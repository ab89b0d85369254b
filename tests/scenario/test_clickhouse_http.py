# SPDX-License-Identifier: Apache-2.0
"""A scripted ClickHouse: errors where nobody looks for them, and what they do to the rows and to others."""
import re
import urllib.parse

import pytest
from leatkit import Peer, QUICK_RETRY, free_port, log_bodies, logs, otlp_in, otlp_out, pipeline, post, until

SENT = 'otelcol_exporter_sent_log_records'
COLUMNS = ('Timestamp DateTime64(9)', 'TraceId String', 'SpanId String', 'TraceFlags UInt8', 'SeverityText LowCardinality(String)', 'SeverityNumber UInt8',
           'ServiceName LowCardinality(String)', 'Body String', 'ResourceSchemaUrl String', 'ResourceAttributes Map(LowCardinality(String), String)',
           'ScopeSchemaUrl String', 'ScopeName String', 'ScopeVersion String', 'ScopeAttributes Map(LowCardinality(String), String)',
           'LogAttributes Map(LowCardinality(String), String)')
DESCRIPTION = ''.join(c.replace(' ', '\t', 1) + '\t\t\t\t\t\n' for c in COLUMNS).encode()
TOO_MANY = b'Code: 252. DB::Exception: Too many parts (300). Merges are processing significantly slower than inserts. (TOO_MANY_PARTS)'


def clickhouse(inserts=(), description=DESCRIPTION):
    """A peer that knows the table; `inserts` are its first answers to INSERTs."""
    peer, left = Peer(), list(inserts)

    def answer(request):
        request.insert = 'query=INSERT' in request.path
        if request.insert:
            return left.pop(0) if left else (200, {}, b'')
        return 200, {}, description if request.body.startswith(b'DESCRIBE') else b''

    peer.answer = answer
    return peer


def insertions(peer):
    return [r for r in peer.requests if r.insert]


def start(agent, peer, keys=(), **more):
    receivers, port, _ = otlp_in()
    exporters = {'clickhouse': {'endpoint': peer.url + '/otel', 'compress': 'none', 'retry_on_failure': QUICK_RETRY, **dict(keys)}, **more}
    return agent(pipeline(receivers, exporters, ('logs',), leat={'shutdown_timeout': '2s'})), port


def token(request):
    return urllib.parse.parse_qs(urllib.parse.urlsplit(request.path).query)['insert_deduplication_token'][0]


@pytest.mark.parametrize('answer', [(200, {}, TOO_MANY), (500, {'X-ClickHouse-Exception-Code': '252'}, b'words'), (503, {}, b'a proxy')], ids=['in_a_200', 'by_code', 'by_status'])
def test_an_error_is_seen_and_the_rows_come_again_with_their_token(agent, answer):
    peer = clickhouse([answer, answer])
    one, port = start(agent, peer)
    assert post(port, '/v1/logs', logs('a', 'b'))[0] == 200
    until(lambda: one.total(SENT) == 2)
    tries = insertions(peer)
    assert len(tries) == 3 and len({token(r) for r in tries}) == 1 and len({r.body for r in tries}) == 1
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(tries[0].path).query)
    assert query['query'][0].startswith('INSERT INTO `otel`.`otel_logs` (`Timestamp`,') and query['query'][0].endswith('FORMAT RowBinary')
    assert 'EventName' not in query['query'][0], 'the table has no such column'
    assert query['async_insert'] == query['wait_for_async_insert'] == query['async_insert_deduplicate'] == query['wait_end_of_query'] == ['1']
    one.check_ledger()
    assert one.stop() == 0
    peer.close()


def test_statements_come_first_and_in_order(agent):
    peer = clickhouse()
    one, port = start(agent, peer)
    assert post(port, '/v1/logs', logs('a'))[0] == 200
    until(lambda: one.total(SENT) == 1)
    assert [re.match(rb'CREATE \w+|DESCRIBE', r.body).group() for r in peer.requests[:3]] == [b'CREATE DATABASE', b'CREATE TABLE', b'DESCRIBE']
    assert insertions(peer) == peer.requests[3:]
    assert one.stop() == 0
    peer.close()


OTHER_TYPE = DESCRIPTION.replace(b'UInt8', b'Nullable(UInt8)', 1)
HELD, DROPPED = 'cannot prepare the destination; the queue waits', 'data dropped: '


@pytest.mark.parametrize('description, more, word', [(b'', {}, HELD), (b'\xff\xfe<html>', {}, HELD), (OTHER_TYPE, {}, DROPPED + 'column TraceFlags of table otel_logs'),
                                                     (DESCRIPTION[:200], {}, DROPPED + 'table otel_logs has no column'), (OTHER_TYPE, {'on_schema_error': 'hold'}, HELD)],
                         ids=['empty', 'garbage', 'other_type', 'half', 'other_type_held'])
def test_a_table_that_is_told_wrong_harms_nobody_else(agent, description, more, word):
    peer, other = clickhouse(description=description), Peer()
    one, port = start(agent, peer, more, otlp_http=otlp_out(other.url))
    for i in range(20):
        assert post(port, '/v1/logs', logs('line %d' % i))[0] == 200
    until(lambda: len([b for r in other.delivered() for b in log_bodies(r.body)]) == 20)
    assert not insertions(peer)
    until(lambda: '\tclickhouse\t' + word in one.log(), 10, one.log)
    dropped = 20 if word.startswith(DROPPED) else 0
    until(lambda: one.total('leat_dropped_items_total', component='clickhouse', reason='refused') == dropped)
    one.check_ledger()
    assert one.stop() == (0 if dropped else 4)
    peer.close()
    other.close()


def test_rows_to_blame_are_found(agent):
    """ClickHouse refuses what holds a line; the others are stored, that one is dropped for its reason."""
    peer = clickhouse()
    answer = peer.answer

    def refuse(request):
        status, headers, body = answer(request)
        if request.insert and b'poison' in request.body:
            return 400, {'X-ClickHouse-Exception-Code': '117'}, b'Code: 117. DB::Exception: Incorrect data. (INCORRECT_DATA)'
        return status, headers, body

    peer.answer = refuse
    one, port = start(agent, peer)
    assert post(port, '/v1/logs', logs(*['good'] * 7, 'poison', *['good'] * 8))[0] == 200
    until(lambda: one.total(SENT) == 15)
    until(lambda: one.total('leat_dropped_items_total', reason='refused') == 1)
    assert 'code 117' in one.log()
    one.check_ledger()
    one.stop()
    peer.close()


def test_nobody_is_there(agent):
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, {'clickhouse': {'endpoint': 'clickhouse://127.0.0.1:%d' % free_port()}}, ('logs',), leat={'shutdown_timeout': '1s'}))
    assert post(port, '/v1/logs', logs('kept'))[0] == 200
    until(lambda: 'cannot prepare the destination' in one.log())
    one.check_ledger()
    assert one.stop() == 4
