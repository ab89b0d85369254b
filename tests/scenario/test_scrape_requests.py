# SPDX-License-Identifier: Apache-2.0
"""What a scrape asks for and how it gets there: credentials, headers, parameters, redirects, proxies, TLS, and a list of targets told by HTTP."""
import base64
import json
import ssl
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from leatkit import otlp_out, tunnel, until
from test_tls import Authority


class Target:
    """Answers every path with one series; keeps the headers it was asked with. `answers[path]` may say otherwise: (status, headers, body)."""

    def __init__(self, context=None):
        self.asked, self.answers = defaultdict(list), {}
        target = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'

            def do_GET(self):
                target.asked[self.path].append(self.headers)
                status, headers, body = target.answers.get(self.path, (200, {'Content-Type': 'text/plain; version=0.0.4'}, b'page_up 1\n'))
                self.send_response(status)
                for key, value in headers.items():
                    self.send_header(key, value)
                self.send_header('Content-Length', str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_CONNECT(self):
                target.asked['CONNECT ' + self.path].append(self.headers)
                tunnel(self.connection, self.path)
                self.close_connection = True

            def log_message(self, *args):
                pass

        self.server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self.server.daemon_threads = True
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.server.handle_error = lambda *args: None
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()

    def last(self, path):
        return self.asked[path][-1]


@pytest.fixture
def target():
    made = []

    def make(*args):
        made.append(Target(*args))
        return made[-1]

    yield make
    for one in made:
        one.server.shutdown()
        one.server.server_close()


def scrape(agent, *jobs, **more):
    conf = {'global': {'scrape_interval': '1s'}, 'scrape_configs': list(jobs)}
    return agent({'receivers': {'prometheus': {'config': conf}}, 'exporters': {'nop': None},
                  'service': {'pipelines': {'metrics': {'receivers': ['prometheus'], 'exporters': ['nop']}}}}, **more)


def job(name, target, **more):
    return {'job_name': name, 'metrics_path': '/' + name, 'static_configs': [{'targets': [target if isinstance(target, str) else '127.0.0.1:%d' % target.port]}], **more}


def good(one):
    return one.total('leat_prometheus_scrapes_total') and not one.total('leat_prometheus_scrapes_failed_total')


# Guarantees: parameters, headers of the user's (plain, secret, from a file), each kind of credentials, and no gzip where it is switched off;
#             a password file that changes is read again.
def test_a_request_bears_what_its_job_says(agent, target, tmp_path):
    page, secret, header = target(), tmp_path / 'password', tmp_path / 'header'
    secret.write_text('first\n')
    header.write_text('from a file\n')
    headers = {'X-Plain': {'values': ['a']}, 'X-Secret': {'secrets': ['b']}, 'X-File': {'files': [str(header)]}}
    one = scrape(agent, job('basic', page, basic_auth={'username': 'u', 'password_file': str(secret)}, params={'module': ['a b', 'c'], 'x': ['&']}),
                 job('bearer', page, authorization={'credentials': 't0'}, http_headers=headers, enable_compression=False), job('kind', page, authorization={'type': 'Token', 'credentials': 't1'}))
    path = '/basic?module=a+b&module=c&x=%26'
    until(lambda: page.asked[path] and page.asked['/bearer'] and page.asked['/kind'], 15, lambda: '%s %s' % (list(page.asked), one.log()))
    assert page.last(path)['Authorization'] == 'Basic ' + base64.b64encode(b'u:first').decode()
    assert page.last(path)['Accept-Encoding'] == 'gzip' and page.last(path)['X-Prometheus-Scrape-Timeout-Seconds'] == '1'
    assert page.last('/kind')['Authorization'] == 'Token t1'
    asked = page.last('/bearer')
    assert (asked['Authorization'], asked['X-Plain'], asked['X-Secret'], asked['X-File'], asked['Accept-Encoding']) == ('Bearer t0', 'a', 'b', 'from a file', 'identity')
    secret.write_text('second\n')
    until(lambda: page.last(path)['Authorization'] == 'Basic ' + base64.b64encode(b'u:second').decode(), 15, 'the new password')
    assert good(one) and one.stop() == 0


# Guarantees: by CONNECT, to the very name of the target, with the proxy's credentials; no_proxy goes past it; the environment is asked where told.
def test_a_proxy_is_gone_through(agent, target):
    page, proxy = target(), target()
    url = 'http://me:pw@127.0.0.1:%d' % proxy.port
    env = {'HTTP_PROXY': 'http://127.0.0.1:%d' % proxy.port, 'NO_PROXY': ''}
    one = scrape(agent, job('through', 'target.test:%d' % page.port, proxy_url=url), job('past', page, proxy_url=url, no_proxy='127.0.0.0/8'),
                 job('environment', 'env.test:%d' % page.port, proxy_from_environment=True), env=env)
    until(lambda: all(page.asked['/' + name] for name in ('through', 'past', 'environment')), 15, lambda: '%s %s' % (list(page.asked), one.log()))
    assert {p for p in proxy.asked} == {'CONNECT target.test:%d' % page.port, 'CONNECT env.test:%d' % page.port}
    assert proxy.last('CONNECT target.test:%d' % page.port)['Proxy-Authorization'] == 'Basic ' + base64.b64encode(b'me:pw').decode()
    assert page.last('/through')['Host'] == 'target.test:%d' % page.port and 'Proxy-Authorization' not in page.last('/through')
    assert good(one) and one.stop() == 0


# Guarantees: redirects are followed, and not where that is switched off: then the scrape fails and says so.
def test_redirects(agent, target):
    page = target()
    for status in (301, 302, 303, 307, 308):
        page.answers['/%d' % status] = status, {'Location': '/end?%d' % status}, b''
    page.answers['/stay'] = 302, {'Location': '/never'}, b''
    one = scrape(agent, *(job(str(status), page) for status in (301, 302, 303, 307, 308)), job('stay', page, follow_redirects=False))
    until(lambda: all(page.asked['/end?%d' % status] for status in (301, 302, 303, 307, 308)) and page.asked['/stay'], 15, lambda: list(page.asked))
    until(lambda: one.total('leat_prometheus_scrapes_failed_total', reason='status') > 0)
    assert '/never' not in page.asked and '/stay: scrape failed' in one.log() and one.log().count('scrape failed') <= 2
    assert one.stop() == 0


# Guarantees: the server's name is checked against ca_file; a client certificate is shown; a wrong CA is a failed scrape with its reason.
def test_tls_of_a_target(agent, target, tmp_path):
    ca, other = Authority(tmp_path / 'ca'), Authority(tmp_path / 'other')
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ca.make('server'))
    context.load_verify_locations(ca.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    cert, key = ca.make('client')
    page = target(context)
    tls = {'ca_file': ca.ca, 'cert_file': cert, 'key_file': key}
    one = scrape(agent, job('good', page, scheme='https', tls_config=tls), job('named', page, scheme='https', tls_config={**tls, 'server_name': 'localhost'}),
                 job('any', page, scheme='https', tls_config={**tls, 'ca_file': other.ca, 'insecure_skip_verify': True}),
                 job('stranger', page, scheme='https', tls_config={**tls, 'ca_file': other.ca}), job('misnamed', page, scheme='https', tls_config={**tls, 'server_name': 'elsewhere'}),
                 job('unknown', page, scheme='https', tls_config={'ca_file': ca.ca}))
    until(lambda: all(page.asked['/' + name] for name in ('good', 'named', 'any')), 20, lambda: '%s %s' % (list(page.asked), one.log()))
    until(lambda: all('/%s: scrape failed' % name in one.log() for name in ('stranger', 'misnamed', 'unknown')), 20, one.log)
    assert not any(page.asked['/' + name] for name in ('stranger', 'misnamed', 'unknown'))
    assert one.stop() == 0


# Scenario:   http_sd_configs from a server that gives one list, then breaks, then gives another; beside it a job of its own.
# Guarantees: while it is broken the last list is scraped on, the failure is counted, and told with job and address at most once in ten seconds, and the other job misses nothing.
def test_a_list_that_flaps(agent, target):
    page, lists = target(), target()
    json_type = {'Content-Type': 'application/json'}

    def say(name):
        lists.answers['/list'] = 200, json_type, json.dumps([{'targets': ['127.0.0.1:%d' % page.port], 'labels': {'__metrics_path__': '/' + name}}]).encode()

    say('first')
    flapping = {'job_name': 'told', 'http_sd_configs': [{'url': 'http://127.0.0.1:%d/list' % lists.port, 'refresh_interval': '1s'}]}
    one = scrape(agent, flapping, job('steady', page))
    until(lambda: len(page.asked['/first']) >= 2, 15, one.log)
    for broken in ((500, {}, b''), (200, json_type, b'[{"targets"'), (200, {'Content-Type': 'text/html'}, b'hello')):
        lists.answers['/list'] = broken
        asked, scraped, steady = len(lists.asked['/list']), len(page.asked['/first']), len(page.asked['/steady'])
        until(lambda: len(lists.asked['/list']) >= asked + 3 and len(page.asked['/first']) >= scraped + 2 and len(page.asked['/steady']) >= steady + 2, 15, broken)
    told = [line for line in one.log().splitlines() if 'told' in line and ':%d/list' % lists.port in line]
    assert 1 <= len(told) <= 3, one.log()
    assert one.total('leat_discovery_failures_total') >= 9 and one.total('leat_discovery_lists_total') == 2
    say('second')
    until(lambda: page.asked['/second'], 20, one.log)
    assert one.total('leat_prometheus_scrapes_failed_total') == 0
    assert one.stop() == 0


# Guarantees: external labels stand on every series, in place of what a page says; the formats asked for are those of the job, escaped as it says.
def test_external_labels_and_formats(agent, peer, target):
    page, sink = target(), peer()
    page.answers['/one'] = 200, {'Content-Type': 'text/plain; version=0.0.4'}, b'page_up{cluster="mine",x="y"} 1\n'
    conf = {'global': {'scrape_interval': '1s', 'external_labels': {'cluster': 'main', 'zone': 'z1'}},
            'scrape_configs': [job('one', page, scrape_protocols=['OpenMetricsText1.0.0', 'PrometheusText0.0.4'], metric_name_escaping_scheme='underscores')]}
    one = agent({'receivers': {'prometheus': {'config': conf}}, 'exporters': {'otlp_http': otlp_out(sink.url, encoding='json')},
                 'service': {'pipelines': {'metrics': {'receivers': ['prometheus'], 'exporters': ['otlp_http']}}}})
    until(lambda: sink.delivered(), 15, one.log)
    found = {}
    for resource in json.loads(sink.delivered()[0].body)['resourceMetrics']:
        for metric in resource['scopeMetrics'][0]['metrics']:
            found[metric['name']] = {a['key']: a['value']['stringValue'] for a in metric['gauge']['dataPoints'][0]['attributes']}
    assert found['page_up'] == {'cluster': 'main', 'zone': 'z1', 'x': 'y'} and found['up'] == {'cluster': 'main', 'zone': 'z1'}
    assert page.last('/one')['Accept'] == 'application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.4'
    assert one.stop() == 0
