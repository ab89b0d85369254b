# SPDX-License-Identifier: Apache-2.0
"""What happens when the other side says later, never, or nothing: the retry table, the queue, the branch cut loose."""
import email.utils
import threading
import time

import pytest
from leatkit import free_port, log_bodies, logs, otlp_in, otlp_out, pipeline, post, until

SENT, FAILED, REFUSED = 'otelcol_exporter_sent_log_records', 'otelcol_exporter_send_failed_log_records', 'otelcol_receiver_refused_log_records'


def start(agent, peer, **exporter):
    sink = peer()
    receivers, port, _ = otlp_in()
    return agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url, **exporter)}, ('logs',))), sink, port


@pytest.mark.parametrize('form', ['seconds', 'date'])
def test_429_with_retry_after_is_waited_out(agent, peer, form):
    one, sink, port = start(agent, peer)
    wait = '2' if form == 'seconds' else email.utils.formatdate(time.time() + 3, usegmt=True)
    sink.answers = [(429, {'Retry-After': wait}, b'')]
    assert post(port, '/v1/logs', logs('a'))[0] == 200
    until(lambda: sink.delivered())
    first, second = sink.requests
    assert second.at - first.at >= 1.8, 'the peer asked for a pause'
    assert first.body == second.body
    until(lambda: one.total(SENT) == 1)
    assert one.total(FAILED) == 0
    one.check_ledger()
    assert one.stop() == 0


@pytest.mark.parametrize('status', [502, 503, 504])
def test_later_is_tried_again(agent, peer, status):
    one, sink, port = start(agent, peer)
    sink.answers = [(status, {}, b'')] * 3
    assert post(port, '/v1/logs', logs('a', 'b'))[0] == 200
    until(lambda: one.total(SENT) == 2)
    assert [r.status for r in sink.requests] == [status] * 3 + [200]
    one.check_ledger()


@pytest.mark.parametrize('status', [400, 422, 500])
def test_never_is_dropped_and_counted(agent, peer, status):
    one, sink, port = start(agent, peer)
    sink.answers = [(status, {}, b'no')]
    assert post(port, '/v1/logs', logs('bad'))[0] == 200
    until(lambda: one.total(FAILED) == 1)
    assert post(port, '/v1/logs', logs('good'))[0] == 200
    until(lambda: one.total(SENT) == 1)
    assert [r.status for r in sink.requests] == [status, 200]
    books = one.check_ledger()
    assert sum(row['dropped'] for row in books.values()) == 1


def test_a_bad_record_does_not_take_its_neighbours_along(agent, peer):
    """Requests that were merged are sent again one by one, then halved, before anything is dropped."""
    sink = peer()
    sink.answer = lambda r: (400, {}, b'') if 'poison' in log_bodies(r.body) else (200, {}, b'')
    receivers, port, _ = otlp_in()
    queue = {'batch': {'flush_timeout': '300ms', 'min_size': 1000, 'sizer': 'items'}}
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url, sending_queue=queue)}, ('logs',)))
    for i in range(8):
        assert post(port, '/v1/logs', logs('ok%d' % i, 'poison' if i == 4 else 'fine%d' % i))[0] == 200
    until(lambda: one.total(SENT) == 15)
    assert sorted(sink.log_bodies()) == sorted(['ok%d' % i for i in range(8)] + ['fine%d' % i for i in range(8) if i != 4])
    assert one.total(FAILED) == 1
    one.check_ledger()


def test_413_is_split(agent, peer):
    one, sink, port = start(agent, peer)
    sink.answer = lambda r: (413, {}, b'') if len(log_bodies(r.body)) > 3 else (200, {}, b'')
    bodies = ['n%d' % i for i in range(16)]
    assert post(port, '/v1/logs', logs(*bodies))[0] == 200
    until(lambda: one.total(SENT) == 16)
    assert sorted(sink.log_bodies()) == sorted(bodies)
    assert one.total(FAILED) == 0
    one.check_ledger()


def test_full_queue_is_503_and_recovers(agent, peer):
    one, sink, port = start(agent, peer, sending_queue={'queue_size': 5, 'num_consumers': 1})
    sink.answer = (503, {}, b'')
    accepted = refused = 0
    for i in range(40):
        status, headers, _ = post(port, '/v1/logs', logs('n%d' % i))
        assert status in (200, 503)
        accepted, refused = accepted + (status == 200), refused + (status == 503)
    assert 5 <= accepted <= 8 and refused == 40 - accepted
    assert one.total(REFUSED) == refused
    one.check_ledger()
    sink.answer = (200, {}, b'')
    until(lambda: one.total(SENT) == accepted)
    assert post(port, '/v1/logs', logs('after'))[0] == 200
    until(lambda: one.total(SENT) == accepted + 1)
    one.check_ledger()
    assert one.stop() == 0


@pytest.mark.parametrize('dead', ['closed port', 'always 503'])
def test_a_dead_destination_does_not_stop_the_other(agent, peer, dead):
    """Two exporters in one pipeline, one of them dead with a small queue: the other keeps at least 95 % of the offered rate."""
    alive, broken = peer(), peer()
    broken.answer = (503, {}, b'')
    url = 'http://127.0.0.1:%d' % free_port() if dead == 'closed port' else broken.url
    receivers, port, _ = otlp_in()
    exporters = {'otlp_http/alive': otlp_out(alive.url), 'otlp_http/dead': otlp_out(url, sending_queue={'queue_size': 10}, retry_on_failure={'max_elapsed_time': 0})}
    one = agent(pipeline(receivers, exporters, ('logs',), leat={'fanout_wait': '1s'}))
    cut = lambda: sum(v for (n, l), v in one.metrics().items() if n.startswith('leat_dropped_items') and ('reason', 'branch_full') in l)
    count = 0

    def offer():
        nonlocal count
        assert post(port, '/v1/logs', logs('warm%d' % count))[0] in (200, 503)
        count += 1
        return count % 10 == 0 and cut()

    until(offer, 30, 'the full branch was not cut loose')
    before, offered = len(alive.log_bodies()), 0
    end = time.monotonic() + 3
    while time.monotonic() < end:
        post(port, '/v1/logs', logs('x%d' % offered))
        offered += 1
        time.sleep(0.01)
    time.sleep(0.3)
    assert len(alive.log_bodies()) - before >= 0.95 * offered, 'offered %d' % offered
    one.check_ledger()


def test_memory_limit_refuses_and_recovers(agent, peer):
    """A stuck destination and a budget of 32 MiB: leat answers 503 and lives, and takes data again afterwards."""
    sink = peer()
    sink.answer = (503, {}, b'')
    receivers, port, _ = otlp_in()
    exporter = otlp_out(sink.url, sending_queue={'queue_size': 100000}, retry_on_failure={'initial_interval': '100ms', 'max_interval': '300ms', 'max_elapsed_time': 0})
    one = agent(pipeline(receivers, {'otlp_http': exporter}, ('logs',), leat={'memory': {'limit': '32MiB'}}))
    body = logs(*('x' * 1000 for _ in range(1000)))
    statuses = [post(port, '/v1/logs', body)[0] for _ in range(60)]
    assert set(statuses) == {200, 503}
    assert 8 <= statuses.count(200) <= 33
    sink.answer = (200, {}, b'')
    until(lambda: one.total(SENT) == 1000 * statuses.count(200), 30)
    until(lambda: post(port, '/v1/logs', logs('after'))[0] == 200)
    until(lambda: 'after' in sink.log_bodies())
    one.check_ledger()
    assert one.stop() == 0


def test_wait_for_result_answers_with_the_result(agent, peer):
    one, sink, port = start(agent, peer, sending_queue={'wait_for_result': True}, retry_on_failure={'enabled': False})
    sink.answers = [(200, {}, b''), (400, {}, b'')]
    assert post(port, '/v1/logs', logs('a'))[0] == 200
    assert len(sink.delivered()) == 1
    assert post(port, '/v1/logs', logs('b'))[0] >= 400
    one.check_ledger()


def test_many_clients_at_once(agent, peer):
    one, sink, port = start(agent, peer, sending_queue={'queue_size': 5000})
    lock, failures = threading.Lock(), []

    def client(k):
        for i in range(25):
            status = post(port, '/v1/logs', logs('c%d-%d' % (k, i)))[0]
            if status != 200:
                with lock:
                    failures.append(status)

    threads = [threading.Thread(target=client, args=(k,)) for k in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures
    until(lambda: one.total(SENT) == 500)
    assert sorted(sink.log_bodies()) == sorted('c%d-%d' % (k, i) for k in range(20) for i in range(25))
    one.check_ledger()
    assert one.stop() == 0
