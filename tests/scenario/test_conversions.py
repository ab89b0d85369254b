# SPDX-License-Identifier: Apache-2.0
"""One form of telemetry before a component that takes only another: shown, counted, or refused at start."""
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from leatkit import Agent, otlp_in, otlp_out, pipeline, run_leat, until

PAGE = b'''# TYPE requests counter
requests_total{code="200"} 3
requests_total{code="500"} 1
# TYPE latency histogram
latency_bucket{le="0.1"} 1
latency_bucket{le="+Inf"} 2
latency_sum 0.5
latency_count 2
'''
SERIES, POINTS = 6 + 5, 3 + 5  # and up and the four scrape_* series; a histogram's four series are one data point


@pytest.fixture
def page():
    class Handler(BaseHTTPRequestHandler):
        rounds = 0

        def do_GET(self):
            Handler.rounds += 1
            self.send_response(200)
            self.send_header('Content-Type', 'text/plain; version=0.0.4')
            self.send_header('Content-Length', str(len(PAGE)))
            self.end_headers()
            self.wfile.write(PAGE)

        def log_message(self, *args):
            pass

    httpd = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    Handler.address = '127.0.0.1:%d' % httpd.server_address[1]
    yield Handler
    httpd.shutdown()


def prometheus(address):
    job = {'job_name': 'page', 'scrape_interval': '1s', 'static_configs': [{'targets': [address]}]}
    return {'prometheus': {'config': {'scrape_configs': [job]}}}


def written(folder, config):
    path = folder / 'leat.yaml'
    path.write_text(json.dumps(config, indent=1))
    return str(path)


def test_prometheus_samples_become_otlp_and_the_books_balance(tmp_path, page, peer):
    sink = peer()
    one = Agent(str(tmp_path), pipeline(prometheus(page.address), {'otlp_http': otlp_out(sink.url)}, ('metrics',)))
    one.start()
    name, labels = 'leat_converted_items_total', {'pipeline': 'metrics', 'before': 'otlp_http'}
    try:
        until(lambda: one.total('otelcol_exporter_sent_metric_points') >= 3 * POINTS, 30, one.log)
        books = one.check_ledger()
        assert any(row['out'] for row in books.values())
        assert one.total(name, edge='refused', **labels) == 0
        page_text = one.metrics()
        came = sum(v for (n, own), v in page_text.items() if n == name and {**labels, 'edge': 'in'}.items() <= dict(own).items())
        went = sum(v for (n, own), v in page_text.items() if n == name and {**labels, 'edge': 'out'}.items() <= dict(own).items())
        assert came >= 3 * SERIES and came % SERIES == 0 and went * SERIES == came * POINTS, (came, went)
        assert one.stop() == 0
        assert all(r.path == '/v1/metrics' and b'latency' in r.body for r in sink.delivered()[:1])
    finally:
        one.close()


def test_print_config_shows_where_a_form_changes(tmp_path):
    path = written(tmp_path, pipeline(prometheus('127.0.0.1:1'), {'otlp_http': otlp_out('http://127.0.0.1:1'), 'nop': {}}, ('metrics',)))
    code, out, err = run_leat('print-config', '--config', path)
    assert code == 0, err
    told = [line for line in out.splitlines() if line.startswith('# pipeline')]
    assert told == ['# pipeline metrics: Prometheus samples become OTLP before otlp_http'], out


def test_print_config_shows_nothing_where_no_form_changes(tmp_path):
    path = written(tmp_path, pipeline(otlp_in()[0], {'otlp_http': otlp_out('http://127.0.0.1:1')}))
    code, out, err = run_leat('print-config', '--config', path)
    assert code == 0, err
    assert '# pipeline' not in out


@pytest.mark.parametrize('command', [('validate',), ()], ids=['validate', 'start'])
def test_a_form_without_a_conversion_is_refused_with_its_place(tmp_path, command):
    receivers = {'pprof': {'scrape_configs': [{'job_name': 'x', 'static_configs': [{'targets': ['127.0.0.1:1']}]}]}}
    path = written(tmp_path, pipeline(receivers, {'otlp_http': otlp_out('http://127.0.0.1:1')}, ('profiles',)))
    code, out, err = run_leat(*command, '--config', path)
    assert code != 0
    lines = open(path).read().splitlines()
    line = 1 + next(i for i, text in enumerate(lines) if '"profiles"' in text)
    wanted = '"otlp_http" does not take pprof, and there is no conversion'
    told = [text for text in (out + err).splitlines() if wanted in text]
    assert len(told) == 1, out + err
    assert '%s:%d:' % (path, line) in told[0] and 'pipeline "profiles"' in told[0], told[0]
    assert told[0].split('%s:%d:' % (path, line))[1].split(':')[0].isdigit(), told[0]
