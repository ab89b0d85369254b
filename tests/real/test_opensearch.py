# SPDX-License-Identifier: Apache-2.0
"""A real OpenSearch 2.19: documents come back as they were sent, each exactly once, through full queues, limits and lost answers."""
import http.server
import socket
import threading
import urllib.request

from bulkkit import FAILED, QUICK, SENT, attributes, call, count, found, full_queue, lines, send, text, too_large
from leatkit import free_port, otlp_in, pipeline, until


def documents(agent, base):
    """Each mapping, found by what is in it."""
    receivers, port, _ = otlp_in()
    exporters = {'opensearch': {'http': {'endpoint': base}},
                 'opensearch/stream': {'http': {'endpoint': base}, 'data_stream': True, 'logs_index': 'app-%{service.name}', 'mapping': {'mode': 'flatten_attributes'}},
                 'opensearch/daily': {'http': {'endpoint': base}, 'logs_index': 'daily', 'logs_index_time_format': 'yyyy.MM.dd', 'mapping': {'mode': 'otel'}},
                 'elasticsearch': {'endpoint': base, 'logs_index': 'ecs', 'manage_index_template': True, 'mapping': {'mode': 'ecs'}}}
    one = agent(pipeline(receivers, exporters, ('logs',)))
    at = 1700000000123456789
    send(port, [{'timeUnixNano': str(at), 'severityNumber': 9, 'severityText': 'INFO', 'body': text('first "quoted" \u00fc'),
                 'attributes': attributes(http__route=text('/items'), took={'doubleValue': 1})},
                {'timeUnixNano': str(at), 'body': text('second')}], attributes(service__name=text('Shop'), k8s__pod__name=text('web-1')))
    until(lambda: one.total(SENT) == 8, 30, one.log)
    docs = found(base, 'ss4o_logs-default-namespace', 'attributes.http.route:%22/items%22')
    assert len(docs) == 1
    assert docs[0]['body'] == 'first "quoted" \u00fc' and docs[0]['@timestamp'] == '2023-11-14T22:13:20.123456789Z'
    assert docs[0]['resource'] == {'service.name': 'Shop', 'k8s.pod.name': 'web-1'} and docs[0]['attributes']['took'] == 1.0
    docs = found(base, 'app-shop', 'k8s.pod.name:%22web-1%22')
    assert sorted(d['Body'] for d in docs) == ['first "quoted" \u00fc', 'second'], 'the index is named by the attribute, in lower case'
    assert call(base, 'GET', '/_data_stream/app-shop')['data_streams']
    docs = found(base, 'daily-2023.11.14', 'body.text:second')
    assert [d['resource']['attributes']['service.name'] for d in docs] == ['Shop']
    docs = found(base, 'ecs', 'kubernetes.pod.name:%22web-1%22')
    assert len(docs) == 2 and {d['service']['name'] for d in docs} == {'Shop'}
    types = call(base, 'GET', '/ss4o_logs-default-namespace/_mapping')['ss4o_logs-default-namespace']['mappings']['properties']
    assert types['@timestamp']['type'] == 'date_nanos' and types['body']['type'] == 'text'
    one.check_ledger()
    assert one.stop() == 0


def spans(agent, base):
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, {'opensearch': {'http': {'endpoint': base}},
                                     'elasticsearch': {'endpoint': base, 'manage_index_template': True}}, ('traces',)), 'spans')
    trace = '0102030405060708090a0b0c0d0e0f10'
    send(port, [{'traceId': trace, 'spanId': '%016x' % i, 'name': 'op%d' % i, 'kind': 2, 'startTimeUnixNano': str(1700000000 * 10**9),
                 'endTimeUnixNano': str(1700000001 * 10**9), 'status': {'code': 2}} for i in range(1, 51)], signal='traces')
    until(lambda: one.total('otelcol_exporter_sent_spans') == 100, 30, one.log)
    docs = found(base, 'ss4o_traces-default-namespace', 'traceId:' + trace)
    assert {d['name'] for d in docs} == {'op%d' % i for i in range(1, 51)} and {d['status']['code'] for d in docs} == {'Error'}
    docs = found(base, 'traces-generic.otel-default', 'trace_id:' + trace)
    assert len(docs) == 50 and {d['duration'] for d in docs} == {10**9}
    one.check_ledger()
    assert one.stop() == 0


def test_documents_and_spans_are_found(agent, server):
    base = server('opensearch')['URL']
    documents(agent, base)
    spans(agent, base)


def test_a_full_queue_a_poisoned_mapping_and_large_bodies(agent, server, tmp_path):
    base = server('opensearch-strict')['URL']
    full_queue(agent, base, tmp_path / 'dead.jsonl', 'opensearch', {'http': {'endpoint': base}})
    too_large(agent, base, 'opensearch', {'http': {'endpoint': base, 'compression': 'none'}})


class Between(http.server.BaseHTTPRequestHandler):
    """Hands requests on; of the first answers to bulks none comes back, or half of one."""
    protocol_version = 'HTTP/1.1'
    base, to_lose, lost = None, 0, 0

    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        asked = urllib.request.Request(self.base + self.path, body, {k: v for k, v in self.headers.items() if k in ('Content-Type', 'Content-Encoding')})
        with urllib.request.urlopen(asked, timeout=30) as r:
            status, answer = r.status, r.read()
        if '_bulk' in self.path and Between.lost < self.to_lose:
            Between.lost += 1
            if Between.lost % 2:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            answer = answer[:len(answer) // 2]
        self.send_response(status)
        self.send_header('Content-Length', str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


def lost_answers(agent, base):
    """The server stored it, the answer was lost: the same ids again are met by 409, which is success."""
    Between.base, Between.to_lose, Between.lost = base, 6, 0
    between = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Between)
    threading.Thread(target=between.serve_forever, daemon=True).start()
    try:
        receivers, port, _ = otlp_in()
        out = {'http': {'endpoint': 'http://127.0.0.1:%d' % between.server_port}, 'logs_index': 'once', 'retry_on_failure': QUICK}
        one = agent(pipeline(receivers, {'opensearch': out}, ('logs',)))
        for i in range(10):
            send(port, [{'body': text('the same line')}] * 100)
        until(lambda: one.total(SENT) == 1000, 60, lambda: '%s %s' % (one.total(SENT), one.log()[-2000:]))
        assert Between.lost == 6
        assert count(base, 'once') == 1000, 'equal lines are documents of their own, repeated ones are not'
        assert one.total('leat_bulk_stored_before_total') > 0 and one.total(FAILED) == 0
        one.check_ledger()
        assert one.stop() == 0
    finally:
        between.shutdown()
        between.server_close()


def gone_address(agent, base):
    receivers, port, _ = otlp_in()
    out = {'endpoints': ['http://127.0.0.1:%d' % free_port(), base], 'logs_index': 'over', 'manage_index_template': True, 'retry_on_failure': QUICK}
    one = agent(pipeline(receivers, {'elasticsearch': out}, ('logs',)), 'gone')
    for i in range(20):
        send(port, lines(100 + i, 1))
    until(lambda: one.total(SENT) == 20, 30, one.log)
    assert count(base, 'over') == 20
    one.check_ledger()
    assert one.stop() == 0


def test_lost_answers_and_a_lost_address_store_each_document_once(agent, server):
    base = server('opensearch')['URL']
    lost_answers(agent, base)
    gone_address(agent, base)
