# SPDX-License-Identifier: Apache-2.0
"""What OpenSearch and Elasticsearch are asked alike: documents in and out, full queues, poisoned mappings, limits."""
import json
import os
import time
import urllib.request

from leatkit import otlp_in, pipeline, post, until

SENT, FAILED = 'otelcol_exporter_sent_log_records', 'otelcol_exporter_send_failed_log_records'
QUICK = {'initial_interval': '100ms', 'max_interval': '1s'}
FULL = bool(os.environ.get('LEAT_FULL'))


def call(base, method, path, body=None):
    asked = urllib.request.Request(base + path, json.dumps(body).encode() if body is not None else None, {'Content-Type': 'application/json'},
                                   method=method)
    with urllib.request.urlopen(asked, timeout=60) as r:
        return json.load(r)


def count(base, index):
    call(base, 'POST', '/%s/_refresh' % index)
    return call(base, 'GET', '/%s/_count' % index)['count']


def found(base, index, query='*'):
    call(base, 'POST', '/%s/_refresh' % index)
    return [h['_source'] for h in call(base, 'GET', '/%s/_search?size=1000&q=%s' % (index, query))['hits']['hits']]


def text(value):
    return {'stringValue': value}


def attributes(**values):
    return [{'key': k.replace('__', '.'), 'value': v} for k, v in values.items()]


def send(port, records, resource=None, signal='logs'):
    outer, inner, items = {'logs': ('resourceLogs', 'scopeLogs', 'logRecords'), 'traces': ('resourceSpans', 'scopeSpans', 'spans')}[signal]
    body = {outer: [{'resource': {'attributes': resource or []}, inner: [{'scope': {'name': 'lib'}, items: records}]}]}
    assert post(port, '/v1/' + signal, json.dumps(body).encode(), 'application/json')[0] == 200


def lines(first, number, size=20):
    """Records of one attribute "n", a number, but for the poisoned ones."""
    now = time.time_ns()
    return [{'timeUnixNano': str(now + i), 'severityText': 'INFO', 'body': text('line %d %s' % (i, 'x' * size)),
             'attributes': attributes(n=text('poison') if i % 1000 == 7 else {'intValue': str(i)})} for i in range(first, first + number)]


def full_queue(agent, base, dead, exporter, keys):
    """Rows of 429 go again alone, rows of 400 become dead letters: stored + dead letters = sent."""
    receivers, port, _ = otlp_in()
    number = 500000 if FULL else 20000
    out = {**keys, 'logs_index': 'lines', 'retry_on_failure': {**QUICK, 'max_elapsed_time': '0s'},
           'sending_queue': {'num_consumers': 16, 'queue_size': 100, 'block_on_overflow': True}, 'dead_letter': {'path': str(dead)}}
    one = agent(pipeline(receivers, {exporter: out}, ('logs',)))
    step = 500
    for i in range(0, number, step):
        send(port, lines(i, step))
    until(lambda: one.total('leat_items_held', component=exporter) == 0 and one.total(SENT) + one.total(FAILED) == number, 600 if FULL else 120,
          lambda: 'sent %s failed %s\n%s' % (one.total(SENT), one.total(FAILED), one.log()[-2000:]))
    poisoned = number // 1000
    letters = [json.loads(line) for line in dead.read_text().splitlines()]
    bodies = [r['attributes'][0]['value'] for l in letters for rl in l['data']['resourceLogs'] for s in rl['scopeLogs'] for r in s['logRecords']]
    assert bodies == [{'stringValue': 'poison'}] * poisoned
    assert {l['reason'] for l in letters} == {'rejected_items'} and sum(l['items'] for l in letters) == poisoned
    assert count(base, 'lines') == number - poisoned
    assert one.total(SENT) == number - poisoned and one.total(FAILED) == poisoned
    assert one.total('leat_bulk_refused_documents_total', reason='mapping') == poisoned
    assert one.total('leat_dead_letter_items_total', result='written') == poisoned
    print('rows told to come again: %d' % one.total('leat_bulk_repeated_rows_total', reason='busy'))
    one.check_ledger()
    assert one.stop() == 0


def too_large(agent, base, exporter, keys):
    """413 over 1 MiB: halves, until they fit; one document that never fits is dropped alone."""
    receivers, port, _ = otlp_in()
    out = {**keys, 'logs_index': 'large', 'retry_on_failure': QUICK}
    one = agent(pipeline(receivers, {exporter: out}, ('logs',)), 'large')
    send(port, lines(100, 300, 10000))
    until(lambda: one.total(SENT) == 300, 60, lambda: '%s %s' % (one.total(SENT), one.log()[-2000:]))
    assert count(base, 'large') == 300
    send(port, lines(2000, 2, 10) + lines(3000, 1, 2 << 20))
    until(lambda: one.total(SENT) == 302 and one.total(FAILED) == 1, 60, one.log)
    assert count(base, 'large') == 302
    one.check_ledger()
    assert one.stop() == 0
