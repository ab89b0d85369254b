# SPDX-License-Identifier: Apache-2.0
"""What scenario tests share: the agent as a process, scripted HTTP peers, OTLP bodies made and read by hand."""
import gzip
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import threading
import time
import urllib.request
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LEAT = os.environ.get('LEAT_BIN') or next(
    (p for p in (os.path.join(ROOT, 'build', kind, 'leat') for kind in ('asan', 'dev', 'release')) if os.path.exists(p)), 'leat')
SANITIZED = 'asan' in LEAT
SIGNALS = ('logs', 'metrics', 'traces', 'profiles')


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def until(condition, seconds=15, what='it'):
    """The first true value of condition(); the test fails when the time is over."""
    end = time.monotonic() + seconds * (3 if SANITIZED else 1)
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, '%s did not happen in time' % (what if isinstance(what, str) else what())
        time.sleep(0.02)


# ---- the agent

class Agent:
    """One leat process. The configuration is a dict (JSON is YAML); own metrics go to a free port."""

    def __init__(self, folder, config, env=None, args=(), merge=()):
        self.folder, self.env = folder, {**os.environ, 'ASAN_OPTIONS': 'detect_leaks=1:exitcode=99', **(env or {})}
        os.makedirs(folder, exist_ok=True)
        self.metrics_port = free_port()
        config = json.loads(json.dumps(config))
        telemetry = config.setdefault('service', {}).setdefault('telemetry', {})
        telemetry['metrics'] = {'readers': [{'pull': {'exporter': {'prometheus': {'host': '127.0.0.1', 'port': self.metrics_port}}}}]}
        self.config_file, self.log_file = os.path.join(folder, 'leat.yaml'), os.path.join(folder, 'leat.log')
        with open(self.config_file, 'w') as f:
            json.dump(config, f, indent=1)
        self.args = [LEAT, '--config', self.config_file, *sum((['--config', m] for m in merge), []), *args]
        self.ports = [int(p) for p in re.findall(r'"endpoint": "127\.0\.0\.1:(\d+)"', json.dumps(config.get('receivers', {})))]
        self.process = None

    def start(self):
        with open(self.log_file, 'ab') as log:
            self.process = subprocess.Popen(self.args, stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.env, cwd=self.folder)
        until(self.is_ready, 20, lambda: 'start of leat: ' + self.log()[-2000:])
        return self

    def is_ready(self):
        assert self.process.poll() is None, 'leat ended with %s:\n%s' % (self.process.returncode, self.log()[-3000:])
        return all(can_connect(p) for p in (self.metrics_port, *self.ports))

    def log(self):
        with open(self.log_file, errors='replace') as f:
            return f.read()

    def metrics(self):
        with urllib.request.urlopen('http://127.0.0.1:%d/metrics' % self.metrics_port, timeout=10) as r:
            return parse_metrics(r.read().decode())

    def total(self, name, **labels):
        """The sum of all series of that name (with or without _total) that carry these labels."""
        return sum(value for (n, own), value in self.metrics().items()
                   if n in (name, name + '_total') and all(dict(own).get(k) == v for k, v in labels.items()))

    def ledger(self):
        """-> {edge labels: {in, out, held, dropped}}"""
        names = {'leat_items_in_total': 'in', 'leat_items_out_total': 'out', 'leat_items_held': 'held', 'leat_dropped_items_total': 'dropped'}
        books = {}
        for (name, labels), value in self.metrics().items():
            if name in names:
                edge = frozenset((k, v) for k, v in labels if k != 'reason')
                books.setdefault(edge, dict.fromkeys(names.values(), 0))[names[name]] += value
        return books

    def rss(self):
        with open('/proc/%d/status' % self.process.pid) as f:
            return int(re.search(r'VmRSS:\s+(\d+)', f.read()).group(1)) << 10

    def check_ledger(self):
        """in = out + held + dropped, at every moment, on every edge."""
        books = self.ledger()
        assert books, 'no ledger on the metrics page'
        for edge, row in books.items():
            assert row['in'] == row['out'] + row['held'] + row['dropped'], (dict(edge), row)
        return books

    def stop(self, seconds=30):
        """SIGTERM, and the exit code."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(seconds * (2 if SANITIZED else 1))
        return self.process.returncode if self.process else None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()
        log = self.log() if os.path.exists(self.log_file) else ''
        for sign in ('AddressSanitizer', 'LeakSanitizer', 'runtime error:', 'leat_check', 'the ledger does not balance'):
            assert sign not in log, log[log.index(sign) - 200:][:4000]


def can_connect(port):
    with socket.socket() as s:
        s.settimeout(2)
        return s.connect_ex(('127.0.0.1', port)) == 0


def parse_metrics(text):
    out = {}
    for line in text.splitlines():
        m = re.match(r'([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)', line)
        if m and not line.startswith('#'):
            labels = frozenset((k, v) for k, v in re.findall(r'(\w+)="((?:\\.|[^"\\])*)"', m.group(2) or ''))
            out[m.group(1), labels] = float(m.group(3))
    return out


def run_leat(*args, env=None, timeout=60):
    """A command that ends by itself -> (exit code, stdout, stderr)."""
    done = subprocess.run([LEAT, *args], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
                          env={**os.environ, **(env or {})})
    return done.returncode, done.stdout, done.stderr


def otlp_in(**more):
    """-> (receivers section, http port, grpc port)"""
    http_port, grpc_port = free_port(), free_port()
    http_conf = {'endpoint': '127.0.0.1:%d' % http_port, **more.get('http', {})}
    grpc_conf = {'endpoint': '127.0.0.1:%d' % grpc_port, **more.get('grpc', {})}
    return {'otlp': {'protocols': {'http': http_conf, 'grpc': grpc_conf}}}, http_port, grpc_port


QUICK_RETRY = {'initial_interval': '50ms', 'max_interval': '200ms', 'randomization_factor': 0}


def otlp_out(url, **more):
    return {'endpoint': url, 'compression': 'none', 'retry_on_failure': QUICK_RETRY, **more}


def pipeline(receivers, exporters, signals=('logs', 'metrics', 'traces'), processors=None, **top):
    """A whole configuration: every receiver into every exporter."""
    section = {'receivers': list(receivers), 'exporters': list(exporters)}
    if processors:
        section['processors'] = list(processors)
    out = {'receivers': receivers, 'exporters': exporters, 'service': {'pipelines': {s: section for s in signals}}, **top}
    if processors:
        out['processors'] = processors
    return out


# ---- a scripted peer

class Request:
    def __init__(self, path, headers, body):
        self.path, self.headers, self.raw, self.at = path, headers, body, time.monotonic()
        coding = headers.get('Content-Encoding', '')
        self.body = gzip.decompress(body) if coding == 'gzip' else zlib.decompress(body) if coding == 'deflate' else body


class Peer:
    """An HTTP server on a free port. `answers` is used up first, then `answer`; each is (status, headers, body)."""

    def __init__(self, port=0):
        self.requests, self.answers, self.answer, self.delay = [], [], (200, {}, b''), 0
        self.lock = threading.Lock()
        peer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = 'HTTP/1.1'
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_POST(self):
                peer.serve(self)

            def log_message(self, *args):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *args):
                pass  # the agent may be killed in mid-request

        self.server = Server(('127.0.0.1', port), Handler)
        self.port = self.server.server_address[1]
        self.url = 'http://127.0.0.1:%d' % self.port
        threading.Thread(target=self.server.serve_forever, kwargs={'poll_interval': 0.05}, daemon=True).start()

    def serve(self, handler):
        length = handler.headers.get('Content-Length')
        body = handler.rfile.read(int(length)) if length is not None else read_chunks(handler.rfile)
        request = Request(handler.path, handler.headers, body)
        if self.delay:
            time.sleep(self.delay)
        with self.lock:
            answer = self.answers.pop(0) if self.answers else self.answer
            status, headers, data = answer(request) if callable(answer) else answer
            request.status = status
            self.requests.append(request)
        handler.send_response(status)
        for key, value in headers.items():
            handler.send_header(key, value)
        handler.send_header('Content-Length', str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def delivered(self):
        with self.lock:
            return [r for r in self.requests if r.status == 200]

    def log_bodies(self):
        return [b for r in self.delivered() for b in log_bodies(r.body)]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def read_chunks(file):
    body = b''
    while True:
        size = int(file.readline().split(b';')[0], 16)
        body += file.read(size)
        file.readline()
        if not size:
            return body


def post(port, path, body, content_type='application/x-protobuf', **headers):
    """-> (status, headers, body)"""
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=20)
    try:
        connection.request('POST', path, body, {'Content-Type': content_type, **{k.replace('_', '-'): v for k, v in headers.items()}})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


def relay(one, other):
    try:
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def tunnel(connection, authority):
    """What a proxy does with CONNECT, all names being this machine's."""
    with socket.create_connection(('127.0.0.1', int(authority.rsplit(':', 1)[1]))) as far:
        connection.sendall(b'HTTP/1.1 200 OK\r\n\r\n')
        threading.Thread(target=relay, args=(far, connection), daemon=True).start()
        relay(connection, far)


def raw(port, data, seconds=5):
    """Bytes to a port and all that comes back until the other side closes or the time is over."""
    with socket.create_connection(('127.0.0.1', port)) as s:
        s.settimeout(seconds)
        try:
            s.sendall(data)
        except OSError:
            pass
        answer = b''
        try:
            while True:
                part = s.recv(65536)
                if not part:
                    break
                answer += part
        except OSError:
            pass
        return answer


# ---- protobuf and OTLP, as little as is needed

def varint(n):
    out = b''
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def pb(number, value):
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack('<d', value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def fixed64(number, value):
    return varint(number << 3 | 1) + struct.pack('<Q', value)


def fields(data):
    """-> [(number, value)] of one message; submessages stay bytes."""
    out, at = [], 0

    def take_varint():
        nonlocal at
        n = shift = 0
        while True:
            byte = data[at]
            at += 1
            n |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return n

    while at < len(data):
        key = take_varint()
        kind = key & 7
        if kind == 0:
            value = take_varint()
        elif kind == 2:
            size = take_varint()
            value = data[at:at + size]
            at += size
        else:
            size = {1: 8, 5: 4}[kind]
            value = data[at:at + size]
            at += size
        out.append((key >> 3, value))
    return out


def inside(data, *path):
    """All values at a path of field numbers."""
    found = [data]
    for number in path:
        found = [value for message in found for n, value in fields(message) if n == number]
    return found


def attribute(key, value):
    return pb(1, key) + pb(2, pb(1, value))


def log_record(body, *more):
    return pb(2, fixed64(1, 1700000000000000000) + pb(2, 9) + pb(5, pb(1, body)) + b''.join(more))


def logs(*bodies, service='demo'):
    resource = pb(1, pb(1, attribute('service.name', service)))
    return pb(1, resource + pb(2, b''.join(log_record(b) for b in bodies)))


def spans(*names, trace_id=b'\x01' * 16, span_id=b'\x02' * 8):
    span = lambda name: pb(2, pb(1, trace_id) + pb(2, span_id) + pb(5, name) + fixed64(7, 1) + fixed64(8, 2))
    return pb(1, pb(1, pb(1, attribute('service.name', 'demo'))) + pb(2, b''.join(span(n) for n in names)))


def gauges(*names):
    point = pb(1, fixed64(3, 1700000000000000000) + struct.pack('<Bd', 4 << 3 | 1, 1.5))
    return pb(1, pb(1, pb(1, attribute('service.name', 'demo'))) + pb(2, b''.join(pb(2, pb(1, n) + pb(5, point)) for n in names)))


def log_bodies(request):
    return [body.decode() for body in inside(request, 1, 2, 2, 5, 1)]


def logs_json(*bodies):
    return {'resourceLogs': [{'scopeLogs': [{'logRecords': [{'timeUnixNano': '1700000000000000000', 'body': {'stringValue': b}} for b in bodies]}]}]}
