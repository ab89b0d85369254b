# SPDX-License-Identifier: Apache-2.0
"""A scripted ClickHouse: errors where nobody looks for them, and what they do to the rows and to others."""
import re
import threading
import urllib.parse

import pytest
from leatkit import Peer, QUICK_RETRY, free_port, gauges, log_bodies, logs, otlp_in, otlp_out, pipeline, post, until

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


WHOLE_LINES = b''.join(DESCRIPTION.splitlines(True)[:7])
OTHER_TYPE = DESCRIPTION.replace(b'UInt8', b'Nullable(UInt8)', 1)
HELD, DROPPED = 'cannot prepare the destination; the queue waits', 'data dropped: '


@pytest.mark.parametrize('description, more, word', [(b'', {}, HELD), (b'\xff\xfe<html>', {}, HELD), (OTHER_TYPE, {}, DROPPED + 'column TraceFlags of table otel_logs'),
                                                     (DESCRIPTION[:200], {}, HELD), (WHOLE_LINES, {}, DROPPED + 'table otel_logs has no column'), (OTHER_TYPE, {'on_schema_error': 'hold'}, HELD)],
                         ids=['empty', 'garbage', 'other_type', 'half_a_line', 'half', 'other_type_held'])
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


def test_a_table_with_a_thousand_more_columns(agent):
    """What leat writes stands behind columns of others, far down in a description of 200 KB."""
    more = ''.join("Other%d\tString\tMATERIALIZED\tLogAttributes[\\'%s\\']\t\t\t\n" % (i, 'x' * 150) for i in range(1000)).encode()
    peer = clickhouse(description=more + DESCRIPTION + b'EventName\tString\t\t\t\t\t\n')
    one, port = start(agent, peer)
    assert post(port, '/v1/logs', logs('a'))[0] == 200
    until(lambda: one.total(SENT) == 1, 10, one.log)
    assert '`EventName`' in urllib.parse.unquote(insertions(peer)[0].path)
    assert one.stop() == 0
    peer.close()


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


def test_native_is_refused_while_several_inserts_are_under_way(agent):
    """A server that does not convert columns: what it refused goes again as rows, once, and what is in its tables is asked for before."""
    peer = clickhouse()
    answer, peer.delay = peer.answer, 0.3

    def refuse(request):
        got = answer(request)
        request.native = request.insert and request.path.find('FORMAT%20Native') > 0
        return (500, {'X-ClickHouse-Exception-Code': '53'}, b'Code: 53. DB::Exception: Cannot convert (TYPE_MISMATCH)') if request.native else got

    peer.answer = refuse
    one, port = start(agent, peer, {'async_insert': False})
    posts = [threading.Thread(target=post, args=(port, '/v1/logs', logs('line %03d.' % i, 'next %03d.' % i))) for i in range(30)]
    for p in posts:
        p.start()
    for p in posts:
        p.join()
    until(lambda: one.total(SENT) == 60, 20)
    natives = [r for r in insertions(peer) if r.native]
    stored = b''.join(r.body for r in insertions(peer) if not r.native)
    assert len(natives) > 1 and all(stored.count(b'%s %03d.' % (word, i)) == 1 for i in range(30) for word in (b'line', b'next'))
    assert not any(r.native for r in insertions(peer)[-3:])
    assert 'RowBinary from now on (status 500, code 53: Code: 53. DB::Exception: Cannot convert' in one.log()
    assert one.total('leat_dropped_items_total', component='clickhouse') == 0
    one.check_ledger()
    assert one.stop() == 0
    peer.close()


def metrics_server():
    """A peer whose tables are as leat made them; those in `gone` are not there."""
    peer, tables, peer_gone = Peer(), {}, set()
    column = re.compile(r'^    `([^`]+)` (.+?) *(?:(?:CODEC|DEFAULT|MATERIALIZED)\b.*)?,$', re.M)

    def answer(request):
        text = urllib.parse.unquote(request.path) if 'query=INSERT' in request.path else request.body.decode()
        request.table = (re.findall(r'`otel`\.`(\w+)`', text) or [''])[0]
        request.insert = 'query=INSERT' in request.path
        if text.startswith('CREATE TABLE'):
            tables[request.table] = ''.join('%s\t%s\t\n' % c for c in column.findall(text)).encode()
        elif request.table in peer_gone:
            return 404, {'X-ClickHouse-Exception-Code': '60'}, b'Code: 60. DB::Exception: no such table (UNKNOWN_TABLE)'
        return 200, {}, tables[request.table] if text.startswith('DESCRIBE') else b''

    peer.answer, peer.gone = answer, peer_gone
    return peer


def gauge_and_sum(name):
    return gauges(name) + gauges(name).replace(b'*', b':')  # Metric.gauge is field 5, sum 7


@pytest.mark.parametrize('mode', ['drop', 'hold'])
@pytest.mark.parametrize('form', ['native', 'row_binary'])
def test_one_table_of_several_is_gone(agent, mode, form):
    """Drop: its rows are lost until it is there again, those of others never wait. Hold: all wait, nothing is lost or written twice."""
    peer = metrics_server()
    receivers, port, _ = otlp_in()
    conf = {'endpoint': peer.url + '/otel', 'compress': 'none', 'retry_on_failure': QUICK_RETRY, 'async_insert': False, 'format': form, 'on_schema_error': mode}
    one = agent(pipeline(receivers, {'clickhouse': conf}, ('metrics',), leat={'shutdown_timeout': '2s'}))
    sent = lambda: one.total('otelcol_exporter_sent_metric_points')
    lost = lambda: one.total('leat_dropped_items_total', component='clickhouse', reason='refused')
    assert post(port, '/v1/metrics', gauge_and_sum('first'))[0] == 200
    until(lambda: sent() == 2)
    peer.gone.add('otel_metrics_sum')
    for i in range(3):
        assert post(port, '/v1/metrics', gauge_and_sum('gone %d' % i))[0] == 200
        if mode == 'drop':
            until(lambda: lost() == i + 1 and sent() == 3 + i)
    until(lambda: ('data dropped' if mode == 'drop' else 'on hold') in one.log())
    one.check_ledger()
    peer.gone.clear()
    assert post(port, '/v1/metrics', gauge_and_sum('last'))[0] == 200
    until(lambda: sent() == (7 if mode == 'drop' else 10), 30)
    assert lost() == (3 if mode == 'drop' else 0)
    for table, names in (('otel_metrics_gauge', 5), ('otel_metrics_sum', 2 if mode == 'drop' else 5)):
        stored = b''.join(r.body for r in peer.delivered() if r.insert and r.table == table)
        assert stored.count(b'gone ') == names - 2 and stored.count(b'first') == stored.count(b'last') == 1
    one.check_ledger()
    assert one.stop() == 0
    peer.close()
