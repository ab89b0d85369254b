# SPDX-License-Identifier: Apache-2.0
"""TLS and mutual TLS on both protocols, with certificates made on the spot, and their reload."""
import http.client
import socket
import ssl
import subprocess
import time

import grpc
import h2kit
import pytest
from leatkit import logs, otlp_in, otlp_out, pipeline, until

PROTO = {'Content-Type': 'application/x-protobuf'}


class Authority:
    """A CA of its own folder; make(name) -> (certificate file, key file)."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        self.ca, self.key = str(folder / 'ca.pem'), str(folder / 'ca.key')
        self.openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=ca',
                     '-keyout', self.key, '-out', self.ca)

    def openssl(self, *args):
        subprocess.run(['openssl', *args], check=True, capture_output=True)

    def make(self, name, cert=None):
        cert, key, request = cert or str(self.folder / (name + '.pem')), str(self.folder / (name + '.key')), str(self.folder / 'request')
        ext = self.folder / 'ext'
        ext.write_text('subjectAltName=DNS:localhost,IP:127.0.0.1\n')
        self.openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=' + name, '-keyout', key, '-out', request)
        self.openssl('x509', '-req', '-in', request, '-CA', self.ca, '-CAkey', self.key, '-CAcreateserial', '-days', '2', '-extfile', str(ext), '-out', cert)
        return cert, key


@pytest.fixture
def ca(tmp_path):
    return Authority(tmp_path / 'ca')


def start(agent, peer, tls, shards=1):
    sink = peer()
    receivers, http_port, grpc_port = otlp_in(http={'tls': tls}, grpc={'tls': tls})
    return agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url)}, ('logs',), leat={'shards': shards})), sink, http_port, grpc_port


def context(ca, pair=None):
    c = ssl.create_default_context(cafile=ca.ca)
    if pair:
        c.load_cert_chain(*pair)
    return c


def post(port, body, ssl_context):
    c = http.client.HTTPSConnection('127.0.0.1', port, timeout=10, context=ssl_context)
    try:
        c.request('POST', '/v1/logs', body, PROTO)
        return c.getresponse().status
    finally:
        c.close()


def read(file):
    with open(file, 'rb') as f:
        return f.read()


def call(port, body, ca, pair=None):
    files = (read(pair[1]), read(pair[0])) if pair else (None, None)
    with grpc.secure_channel('127.0.0.1:%d' % port, grpc.ssl_channel_credentials(read(ca.ca), *files)) as channel:
        try:
            channel.unary_unary(h2kit.LOGS)(body, timeout=10)
            return grpc.StatusCode.OK
        except grpc.RpcError as e:
            return e.code()


@pytest.mark.parametrize('shards', [1, 3], ids=['one shard', 'three shards'])
def test_tls_on_both_protocols(agent, peer, ca, shards):
    cert, key = ca.make('server')
    one, sink, http_port, grpc_port = start(agent, peer, {'cert_file': cert, 'key_file': key}, shards)
    for i in range(5):
        assert post(http_port, logs('h%d' % i, 'x' * 100000), context(ca)) == 200
        assert call(grpc_port, logs('g%d' % i, 'x' * 100000), ca) == grpc.StatusCode.OK
    until(lambda: len(sink.log_bodies()) == 20)
    with pytest.raises(ssl.SSLError):
        post(http_port, logs('x'), ssl.create_default_context())
    with socket.create_connection(('127.0.0.1', http_port)) as plain:  # a plain client on a TLS port
        plain.settimeout(5)
        plain.sendall(b'POST /v1/logs HTTP/1.1\r\nHost: x\r\n\r\n')
        try:
            while plain.recv(1000):
                pass
        except ConnectionError:
            pass
    until(lambda: one.total('leat_tls_handshakes_failed') >= 2)
    assert post(http_port, logs('last'), context(ca)) == 200
    one.check_ledger()
    assert one.stop() == 0


def test_old_versions_are_refused(agent, peer, ca):
    cert, key = ca.make('server')
    _, _, http_port, _ = start(agent, peer, {'cert_file': cert, 'key_file': key, 'min_version': '1.3'})
    old = context(ca)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        post(http_port, logs('x'), old)
    assert post(http_port, logs('x'), context(ca)) == 200


def test_mutual_tls(agent, peer, ca, tmp_path):
    """Only who shows a certificate of the client CA comes in."""
    cert, key = ca.make('server')
    mine, other = ca.make('client'), Authority(tmp_path / 'other').make('stranger')
    one, sink, http_port, grpc_port = start(agent, peer, {'cert_file': cert, 'key_file': key, 'client_ca_file': ca.ca})
    assert post(http_port, logs('h'), context(ca, mine)) == 200
    assert call(grpc_port, logs('g'), ca, mine) == grpc.StatusCode.OK
    for pair in (None, other):
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
            post(http_port, logs('bad'), context(ca, pair))
        assert call(grpc_port, logs('bad'), ca, pair) in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    assert one.total('leat_tls_handshakes_failed') >= 4
    until(lambda: sorted(sink.log_bodies()) == ['g', 'h'])
    assert one.stop() == 0


def serial(port, ca):
    with socket.create_connection(('127.0.0.1', port)) as s, context(ca).wrap_socket(s, server_hostname='localhost') as t:
        return t.getpeercert()['serialNumber']


def test_certificates_are_read_again(agent, peer, ca):
    """A connection after the interval gets the new certificate; a broken file is counted and changes nothing."""
    cert, key = ca.make('server')
    one, _, http_port, _ = start(agent, peer, {'cert_file': cert, 'key_file': key, 'reload_interval': '200ms'})
    first = serial(http_port, ca)
    ca.make('server')
    time.sleep(0.3)
    until(lambda: serial(http_port, ca) != first)
    second = serial(http_port, ca)
    with open(cert, 'w') as f:
        f.write('no certificate at all')
    time.sleep(0.3)
    until(lambda: serial(http_port, ca) and one.total('leat_tls_reloads', result='bad') >= 1)
    assert serial(http_port, ca) == second
    assert post(http_port, logs('x'), context(ca)) == 200
    assert one.total('leat_tls_reloads', result='ok') >= 1
    assert one.stop() == 0


def test_a_missing_certificate_is_an_error_at_start(agent, peer, ca):
    with pytest.raises(AssertionError, match='nowhere.pem'):
        start(agent, peer, {'cert_file': '/nowhere.pem', 'key_file': '/nowhere.key'})
