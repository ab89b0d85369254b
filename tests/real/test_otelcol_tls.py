# SPDX-License-Identifier: Apache-2.0
"""TLS and mTLS with the real Collector on both sides, over gRPC and HTTP: what arrives equals what was sent, and who has no certificate gets nowhere."""
import os
import socketserver
import ssl
import subprocess
import threading
import urllib.request

import pytest
from leatkit import SIGNALS, otlp_in, pipeline, tunnel, until
from test_otelcol import SENDER, compare, rich_count, send

LAST = '''
extensions:
  health_check: {endpoint: "127.0.0.1:@P2@"}
receivers:
  otlp:
    protocols:
      grpc: {endpoint: "127.0.0.1:@P0@", tls: {cert_file: %(server)s.pem, key_file: %(server)s.key, client_ca_file: %(ca)s.pem}}
      http: {endpoint: "127.0.0.1:@P1@", tls: {cert_file: %(server)s.pem, key_file: %(server)s.key, client_ca_file: %(ca)s.pem}}
exporters:
  file/traces: {path: "@DIR@/traces.json", flush_interval: 100ms}
  file/metrics: {path: "@DIR@/metrics.json", flush_interval: 100ms}
  file/logs: {path: "@DIR@/logs.json", flush_interval: 100ms}
  file/profiles: {path: "@DIR@/profiles.json", flush_interval: 100ms}
service:
  extensions: [health_check]
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [file/traces]}
    metrics: {receivers: [otlp], exporters: [file/metrics]}
    logs: {receivers: [otlp], exporters: [file/logs]}
    profiles: {receivers: [otlp], exporters: [file/profiles]}
'''


def openssl(folder, *args):
    subprocess.run(['openssl', *args], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope='module')
def pki(tmp_path_factory):
    """A folder with two authorities (ca, other) and, of each, certificates for 127.0.0.1: server and client of ca, stranger of other."""
    folder = tmp_path_factory.mktemp('pki')
    for ca in ('ca', 'other'):
        openssl(folder, 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=' + ca,
                '-keyout', ca + '.key', '-out', ca + '.pem')
    (folder / 'names').write_text('subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:collector.test\n')
    for name, ca in (('server', 'ca'), ('client', 'ca'), ('stranger', 'other')):
        openssl(folder, 'req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=' + name, '-keyout', name + '.key', '-out', name + '.csr')
        openssl(folder, 'x509', '-req', '-days', '2', '-in', name + '.csr', '-CA', ca + '.pem', '-CAkey', ca + '.key', '-CAcreateserial',
                '-extfile', 'names', '-out', name + '.pem')
    return folder


def side(pki, name, **more):
    return {'cert_file': str(pki / (name + '.pem')), 'key_file': str(pki / (name + '.key')), **more}


def servers(pki, mutual):
    """leat's receivers behind TLS."""
    tls = side(pki, 'server', **({'client_ca_file': str(pki / 'ca.pem')} if mutual else {}))
    return otlp_in(http={'tls': tls}, grpc={'tls': tls})


def client(pki, name='client', ca='ca'):
    return {**side(pki, name), 'ca_file': str(pki / (ca + '.pem'))}


@pytest.mark.parametrize('kind', ['otlp_grpc', 'otlp_http'])
def test_mutual_tls_from_collector_to_leat_to_collector(agent, server, pki, kind):
    last = server('otelcol', LAST % {'server': pki / 'server', 'ca': pki / 'ca'}, folder='last')
    receivers, http_port, grpc_port = servers(pki, True)
    address = {'otlp_grpc': last['GRPC'], 'otlp_http': last['HTTP'].replace('http:', 'https:')}[kind]
    one = agent(pipeline(receivers, {kind: {'endpoint': address, 'tls': client(pki)}}, SIGNALS))
    to_leat = {'otlp_grpc': 'otlp: {endpoint: "127.0.0.1:%d"' % grpc_port, 'otlp_http': 'otlp_http: {endpoint: "https://127.0.0.1:%d"' % http_port}[kind]
    link = to_leat + ', tls: {ca_file: %s/ca.pem, cert_file: %s/client.pem, key_file: %s/client.key}}' % (pki, pki, pki)
    name = ', ' + link.split(':')[0]
    first = server('otelcol', SENDER % (link, name, name, name, name), folder='first')
    for signal in SIGNALS:
        assert send(first['HTTP'], signal) == 200
    compare(first['DIR'], last['DIR'], {signal: rich_count(signal) for signal in SIGNALS})
    one.check_ledger()
    assert one.stop() == 0


def context(pki, name=None, ca='ca'):
    made = ssl.create_default_context(cafile=str(pki / (ca + '.pem')))
    if name:
        made.load_cert_chain(str(pki / (name + '.pem')), str(pki / (name + '.key')))
    return made


def ask(port, with_context):
    asked = urllib.request.Request('https://127.0.0.1:%d/v1/logs' % port, b'', {'Content-Type': 'application/x-protobuf'})
    with urllib.request.urlopen(asked, timeout=10, context=with_context) as r:
        return r.status


def test_leat_asks_for_a_certificate_it_trusts(agent, pki):
    receivers, port, _ = servers(pki, True)
    one = agent(pipeline(receivers, {'nop': {}}, ('logs',)))
    assert ask(port, context(pki, 'client')) == 200
    for stranger in (context(pki), context(pki, 'stranger')):
        with pytest.raises(OSError):
            ask(port, stranger)
    assert ask(port, context(pki, 'client')) == 200, 'and others are served on'
    assert one.stop() == 0


@pytest.mark.parametrize('kind', ['otlp_grpc', 'otlp_http'])
def test_leat_sends_nothing_to_whom_it_does_not_trust(agent, server, pki, kind):
    """A Collector whose certificate is another authority's: the data is kept and tried again, and nothing arrives."""
    last = server('otelcol', LAST % {'server': pki / 'server', 'ca': pki / 'ca'}, folder='last')
    receivers, port, _ = otlp_in()
    address = {'otlp_grpc': last['GRPC'], 'otlp_http': last['HTTP'].replace('http:', 'https:')}[kind]
    one = agent(pipeline(receivers, {kind: {'endpoint': address, 'tls': client(pki, ca='other'), 'retry_on_failure': {'initial_interval': '100ms'}}}, ('logs',),
                         leat={'shutdown_timeout': '1s'}))
    assert send('http://127.0.0.1:%d' % port, 'logs') == 200
    until(lambda: 'unable to get local issuer certificate' in one.log(), 20, lambda: one.log()[-1000:])
    assert one.total('leat_items_held', component=kind, kind='exporter') == rich_count('logs')
    assert not os.path.exists(os.path.join(last['DIR'], 'logs.json')) or not os.path.getsize(os.path.join(last['DIR'], 'logs.json'))
    one.check_ledger()
    assert one.stop() == 4


class Tunnel(socketserver.ThreadingTCPServer):
    """A proxy that knows CONNECT and takes every name for this machine."""
    allow_reuse_address = daemon_threads = True

    def __init__(self):
        self.asked = []
        super().__init__(('127.0.0.1', 0), self.Handler)
        threading.Thread(target=self.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            method, target, _ = self.rfile.readline().decode().split()
            while self.rfile.readline().strip():
                pass
            self.server.asked.append((method, target))
            tunnel(self.connection, target)


@pytest.mark.parametrize('kind', ['otlp_grpc', 'otlp_http'])
def test_https_proxy_leads_to_the_collector(agent, server, pki, kind):
    """HTTPS_PROXY is asked for a name that only it knows; TLS runs from end to end, with the certificate of that name."""
    last, straight = server('otelcol', LAST % {'server': pki / 'server', 'ca': pki / 'ca'}, folder='last'), server('otelcol', folder='straight')
    (receivers, port, _), tunnel = otlp_in(), Tunnel()
    address = {'otlp_grpc': 'collector.test:' + last['GRPC'].rsplit(':', 1)[1], 'otlp_http': 'https://collector.test:' + last['HTTP'].rsplit(':', 1)[1]}[kind]
    one = agent(pipeline(receivers, {kind: {'endpoint': address, 'tls': client(pki)}}, SIGNALS),
                env={'HTTPS_PROXY': 'http://127.0.0.1:%d' % tunnel.server_address[1], 'NO_PROXY': ''})
    for signal in SIGNALS:
        assert send(straight['HTTP'], signal) == send('http://127.0.0.1:%d' % port, signal) == 200
    compare(straight['DIR'], last['DIR'], {signal: rich_count(signal) for signal in SIGNALS})
    assert set(tunnel.asked) == {('CONNECT', address.replace('https://', ''))}
    one.check_ledger()
    assert one.stop() == 0
    tunnel.shutdown()
    tunnel.server_close()
