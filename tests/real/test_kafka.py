# SPDX-License-Identifier: Apache-2.0
"""A real Kafka 4.1: what leat produces is read back by kcat; the broker dies twice and nothing is lost."""
import collections
import json
import os
import re
import signal
import subprocess
import time

import pytest

import conftest
from leatkit import attribute, gauges, inside, log_record, logs, otlp_in, pb, pipeline, post, spans, until

SENT, FAILED = 'otelcol_exporter_sent_log_records', 'otelcol_exporter_send_failed_log_records'
FULL = bool(os.environ.get('LEAT_FULL'))
RETRY = {'initial_interval': '200ms', 'max_interval': '1s'}


@pytest.fixture(scope='module')
def kafka(tmp_path_factory):
    """One broker for all tests that leave it alive; each has topics of its own."""
    if subprocess.run([conftest.BACKEND, 'path', 'kafka'], capture_output=True).returncode:
        pytest.skip('not run: kafka is not built; tests/real/backend get kafka')
    place = str(tmp_path_factory.mktemp('broker') / 'kafka')
    done = subprocess.run([conftest.BACKEND, 'start', 'kafka', place], capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr
    yield dict(line.split('=', 1) for line in done.stdout.splitlines())
    subprocess.run([conftest.BACKEND, 'stop', place], capture_output=True, timeout=60)


def consume(brokers, topic, fmt='%s\n', *flags):
    """All of a topic, as bytes in kcat's format."""
    return subprocess.run(['kcat', '-b', brokers, '-q', '-C', '-t', topic, '-o', 'beginning', '-e', '-f', fmt, *flags],
                          check=True, capture_output=True, timeout=120).stdout


def start(agent, brokers, signals=('logs',), **more):
    receivers, port, _ = otlp_in(http={'include_metadata': True})
    kafka = {'brokers': [brokers], 'retry_on_failure': RETRY, **more}
    return agent(pipeline(receivers, {'kafka': kafka}, signals)), port


def records(brokers, topic):
    """-> [(partition, key, headers, value)]; values are hex of nothing but their own bytes."""
    out = consume(brokers, topic, '%p\x1e%k\x1e%h\x1e%s\x1f')
    rows = [row.split(b'\x1e', 3) for row in out.split(b'\x1f') if row]
    return [(int(p), k.decode(), dict(h.split('=', 1) for h in headers.decode().split(',') if h), v) for p, k, headers, v in rows]


def test_three_signals_arrive_as_they_came(agent, kafka):
    brokers = kafka['BROKERS']
    one, port = start(agent, brokers, ('logs', 'metrics', 'traces'), record_headers={'cluster': 'demo'}, include_metadata_keys=['x-tenant'],
                      producer={'compression': 'zstd'}, metrics={'message_key_from_metadata_key': 'x-tenant'})
    sent = {'otlp_logs': logs('first', 'second'), 'otlp_metrics': gauges('a', 'b'), 'otlp_spans': spans('op')}
    for path, topic in (('logs', 'otlp_logs'), ('metrics', 'otlp_metrics'), ('traces', 'otlp_spans')):
        assert post(port, '/v1/' + path, sent[topic], **{'x-tenant': 'blue'})[0] == 200
    until(lambda: one.total('leat_items_out_total', component='kafka') == 5, 30)
    for topic, body in sent.items():
        [(_, key, headers, value)] = records(brokers, topic)
        assert value == body, 'otlp_proto is the request as it came'
        assert key == ('blue' if topic == 'otlp_metrics' else '') and headers['cluster'] == 'demo' and headers['x-tenant'] == 'blue'
        assert re.fullmatch('[0-9a-f]{32}', headers['leat.batch_id'])
    until(lambda: one.total('leat_kafka_brokers_up') >= 1, 15)
    assert one.total('leat_kafka_producers_total') == 3
    one.check_ledger()
    assert one.stop() == 0


def test_otlp_json_and_text_and_raw(agent, kafka):
    brokers = kafka['BROKERS']
    receivers, port, _ = otlp_in()
    exporters = {'kafka/' + name: {'brokers': [brokers], 'logs': {'topic': name, 'encoding': name}} for name in ('otlp_json', 'text', 'raw')}
    one = agent(pipeline(receivers, exporters, ('logs',)))
    assert post(port, '/v1/logs', logs('a "line"', 'two'))[0] == 200
    until(lambda: one.total(SENT) == 6, 30)
    [(_, _, _, value)] = records(brokers, 'otlp_json')
    assert [r['body']['stringValue'] for r in json.loads(value)['resourceLogs'][0]['scopeLogs'][0]['logRecords']] == ['a "line"', 'two']
    assert sorted(v for *_, v in records(brokers, 'text')) == [b'a "line"', b'two']
    assert sorted(v for *_, v in records(brokers, 'raw')) == [b'"a \\"line\\""', b'"two"'], 'as the Collector: text is JSON in raw'
    one.check_ledger()
    assert one.stop() == 0


def test_topics_from_data_and_keys(agent, kafka):
    brokers = kafka['BROKERS']
    one, port = start(agent, brokers, ('logs', 'traces'), topic_from_attribute='topic', partition_traces_by_id=True, traces={'topic': 'by_trace'})
    resource = lambda topic, body: pb(1, pb(1, pb(1, attribute('topic', topic))) + pb(2, log_record(body)))
    assert post(port, '/v1/logs', resource('red', '1') + resource('blue', '2') + resource('red', '3'))[0] == 200
    ids = [bytes([i]) * 16 for i in range(1, 6)]
    assert post(port, '/v1/traces', b''.join(spans('op%d' % (i % 5), trace_id=ids[i % 5]) for i in range(20)))[0] == 200
    until(lambda: one.total('leat_items_out_total', component='kafka') == 23, 60)
    bodies = lambda topic: sorted(b for *_, v in records(brokers, topic) for b in inside(v, 1, 2, 2, 5, 1))
    assert bodies('red') == [b'1', b'3'] and bodies('blue') == [b'2']
    rows = records(brokers, 'by_trace')
    assert sorted(key for _, key, _, _ in rows) == sorted(i.hex() for i in ids), 'a record for each trace'
    for _, key, _, value in rows:
        assert set(inside(value, 1, 2, 2, 1)) == {bytes.fromhex(key)} and len(inside(value, 1, 2, 2)) == 4
    one.check_ledger()
    assert one.stop() == 0


def secured(found, way):
    sasl = {'sasl': {'mechanism': 'PLAIN', 'username': 'leat', 'password': 'secret'}}
    return {'tls': (found['TLS_BROKERS'], {'tls': {'ca_file': found['CA']}}), 'sasl': (found['SASL_BROKERS'], {'auth': sasl})}[way]


@pytest.mark.parametrize('way', ['tls', 'sasl'])
def test_secured_listeners(agent, kafka, way):
    found = kafka
    brokers, more = secured(found, way)
    one, port = start(agent, brokers, logs={'topic': way}, **more)
    assert post(port, '/v1/logs', logs('by ' + way))[0] == 200
    until(lambda: one.total(SENT) == 1, 30, one.log)
    [(*_, value)] = records(found['BROKERS'], way)
    assert value == logs('by ' + way)
    one.check_ledger()
    assert one.stop() == 0


def test_a_wrong_password_holds_the_queue(agent, kafka):
    found = kafka
    brokers, _ = secured(found, 'sasl')
    one, port = start(agent, brokers, auth={'sasl': {'mechanism': 'PLAIN', 'username': 'leat', 'password': 'wrong'}})
    assert post(port, '/v1/logs', logs('kept'))[0] == 200
    until(lambda: one.total('leat_on_hold', component='kafka') == 1, 30, one.log)
    assert one.total('leat_items_held', component='kafka') == 1
    assert 'on hold' in one.log() and 'secret' not in one.log()
    one.check_ledger()
    one.kill()


def test_scram_is_warned_about_where_the_library_cannot(agent, kafka):
    found = kafka
    brokers, _ = secured(found, 'sasl')
    one, port = start(agent, brokers, auth={'sasl': {'mechanism': 'SCRAM-SHA-256', 'username': 'leat', 'password': 'secret'}})
    assert post(port, '/v1/logs', logs('by scram'))[0] == 200
    if 'SCRAM nonce' in one.log():
        until(lambda: one.total('leat_on_hold', component='kafka') == 1, 30, one.log)
        one.kill()
    else:
        until(lambda: one.total(SENT) == 1, 30, one.log)
        assert one.stop() == 0


def test_an_unknown_topic_holds_and_is_found_when_it_is_made(agent, kafka):
    brokers = kafka['BROKERS']
    one, port = start(agent, brokers, producer={'allow_auto_topic_creation': False}, logs={'topic': 'not_yet'})
    assert post(port, '/v1/logs', logs('kept'))[0] == 200
    until(lambda: one.total('leat_on_hold', component='kafka') == 1, 60, one.log)
    assert 'UNKNOWN_TOPIC' in one.log()
    assert one.total('leat_items_held', component='kafka') == 1
    if not FULL:
        return one.kill()
    subprocess.run(['kcat', '-b', brokers, '-P', '-t', 'not_yet'], input=b'made\n', check=True, timeout=30)
    until(lambda: one.total(SENT) == 1, 60, one.log)
    one.check_ledger()
    assert one.stop() == 0


def test_more_than_max_message_bytes_is_cut_and_the_one_too_large_dropped(agent, kafka):
    brokers = kafka['BROKERS']
    one, port = start(agent, brokers, producer={'max_message_bytes': 20000}, logs={'topic': 'pieces'})
    bodies = ['%04d ' % i + 'x' * 95 for i in range(2000)]
    assert post(port, '/v1/logs', logs(*bodies[:1000], 'y' * 30000, *bodies[1000:]))[0] == 200
    until(lambda: one.total(SENT) + one.total(FAILED) == 2001, 60, one.log)
    assert one.total(FAILED) == one.total('leat_dropped_items_total', component='kafka', reason='too_large') == 1
    assert 'kafka\tdata dropped: topic pieces: MSG_SIZE_TOO_LARGE' in one.log()
    rows = records(brokers, 'pieces')
    assert max(len(v) for *_, v in rows) <= 20000
    assert sorted(b.decode() for *_, v in rows for b in inside(v, 1, 2, 2, 5, 1)) == bodies
    one.check_ledger()
    assert one.stop() == 0


def again(server, found):
    """kill -9, and the same broker in the same place."""
    with open(os.path.join(found['PLACE'], 'pid')) as f:
        os.kill(int(f.read().split()[0]), signal.SIGKILL)
    time.sleep(2)
    port = found['BROKERS'].rsplit(':', 1)[1]
    return server('kafka', folder=os.path.basename(found['PLACE']), PORT=port)


def test_the_broker_is_killed_twice_and_nothing_is_lost(agent, server):
    count, each = (2000000, 2000) if FULL else (50000, 500)
    found = server('kafka')
    one, port = start(agent, found['BROKERS'], producer={'compression': 'lz4'}, retry_on_failure={**RETRY, 'max_elapsed_time': '10m'},
                      sending_queue={'queue_size': 200, 'block_on_overflow': True})
    kills = {count // 3 // each, 2 * count // 3 // each}
    began = time.monotonic()
    for i in range(count // each):
        if i in kills:
            found = again(server, found)
        body = logs(*('r-%08d' % n for n in range(i * each, (i + 1) * each)))
        until(lambda: post(port, '/v1/logs', body)[0] == 200, 120, 'room')
    until(lambda: one.total(SENT) == count, 300, lambda: 'sent %s\n%s' % (one.total(SENT), one.log()[-2000:]))
    seconds = time.monotonic() - began
    seen = collections.Counter(re.findall(rb'r-(\d{8})', consume(found['BROKERS'], 'otlp_logs')))
    missing = count - len(seen)
    repeats = sum(seen.values()) - len(seen)
    print('%d records in %.0f s, broker killed twice: %d missing, %d repeated' % (count, seconds, missing, repeats))
    assert missing == 0
    assert one.total(FAILED) == 0
    one.check_ledger()
    assert one.stop() == 0
