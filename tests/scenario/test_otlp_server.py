# SPDX-License-Identifier: Apache-2.0
"""The otlp receiver under attack and under its keys: bombs, floods, slow and idle clients, limits, waiting, with one shard and with three."""
import ctypes
import ctypes.util
import gzip
import json
import resource
import socket
import struct
import threading
import time
import zlib

import grpc
import h2kit
import pytest
from leatkit import SANITIZED, inside, logs, otlp_in, otlp_out, pb, pipeline, post, raw, until

MIB = 1 << 20
PROTO = 'application/x-protobuf'
SHARDS = pytest.mark.parametrize('shards', [1, 3], ids=['one shard', 'three shards'])


@pytest.fixture
def door(agent, peer):
    """door(shards, http={}, grpc={}, **exporter) -> an agent between a sink and two open ports"""
    class Door:
        count = 0

        def __init__(self, shards=1, http=None, grpc=None, **exporter):
            self.sink = peer()
            receivers, self.http, self.grpc = otlp_in(http=http or {}, grpc=grpc or {})
            self.agent = agent(pipeline(receivers, {'otlp_http': otlp_out(self.sink.url, **exporter)}, ('logs',), leat={'shards': shards}), 'leat%d' % Door.count)
            Door.count += 1

        def still_works(self):
            before = len(self.sink.log_bodies())
            assert post(self.http, '/v1/logs', logs('neighbour'))[0] == 200
            assert call(self.grpc, logs('neighbour')) == grpc.StatusCode.OK
            until(lambda: len(self.sink.log_bodies()) >= before + 2)
            assert set(self.sink.log_bodies()) == {'neighbour'}, 'something bad went through'
            self.agent.check_ledger()

        def peak(self):
            with open('/proc/%d/status' % self.agent.process.pid) as f:
                return int(next(line.split()[1] for line in f if line.startswith('VmHWM'))) << 10

        def forget_peak(self):
            with open('/proc/%d/clear_refs' % self.agent.process.pid, 'w') as f:
                f.write('5')

    return Door


def call(port, body, timeout=20, **more):
    with grpc.insecure_channel('127.0.0.1:%d' % port) as channel:
        try:
            channel.unary_unary(h2kit.LOGS)(body, timeout=timeout, **more)
            return grpc.StatusCode.OK
        except grpc.RpcError as e:
            return e.code()


class Neighbour:
    """A well-behaved client on both ports while something else goes on; each request must succeed within `seconds`."""

    def __init__(self, door, seconds=3):
        self.door, self.slowest, self.count, self.failed, self.over = door, 0, 0, [], threading.Event()
        self.seconds = seconds * (4 if SANITIZED else 1)
        self.thread = threading.Thread(target=self.run)

    def run(self):
        with grpc.insecure_channel('127.0.0.1:%d' % self.door.grpc) as channel:
            ask = channel.unary_unary(h2kit.LOGS)
            while not self.over.is_set():
                began = time.monotonic()
                try:
                    if post(self.door.http, '/v1/logs', logs('neighbour'))[0] != 200:
                        self.failed.append('http')
                    ask(logs('neighbour'), timeout=30)
                except Exception as e:
                    self.failed.append(repr(e))
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.count += 1
                time.sleep(0.01)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *error):
        time.sleep(0.1)
        self.over.set()
        self.thread.join()
        if error[0] is None:
            assert self.count and not self.failed, self.failed[:3]
            assert self.slowest < self.seconds, 'the neighbour waited %.1f s' % self.slowest


# ---- bombs

def library(name):
    return ctypes.CDLL(ctypes.util.find_library(name))


def zstd(data):
    lib = library('zstd')
    lib.ZSTD_compress.restype = ctypes.c_size_t
    out = ctypes.create_string_buffer(len(data) // 64 + 65536)
    size = lib.ZSTD_compress(out, ctypes.c_size_t(len(out)), data, ctypes.c_size_t(len(data)), 1)
    return out.raw[:size]


def lz4(data):
    lib = library('lz4')
    lib.LZ4F_compressFrame.restype = lib.LZ4F_compressFrameBound.restype = ctypes.c_size_t
    out = ctypes.create_string_buffer(lib.LZ4F_compressFrameBound(ctypes.c_size_t(len(data)), None))
    size = lib.LZ4F_compressFrame(out, ctypes.c_size_t(len(out)), data, ctypes.c_size_t(len(data)), None)
    return out.raw[:size]


def snappy(data):
    lib = library('snappy')
    size = ctypes.c_size_t(len(data) + len(data) // 6 + 64)
    out = ctypes.create_string_buffer(size.value)
    assert lib.snappy_compress(data, ctypes.c_size_t(len(data)), out, ctypes.byref(size)) == 0
    return out.raw[:size.value]


def crc32c(data):
    table = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (0x82f63b78 if n & 1 else 0)
        table.append(n)
    crc = 0xffffffff
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xffffffff


def snappy_framed(data):
    """`data` is one 64 KiB block again and again."""
    block = data[:65536]
    crc = crc32c(block)
    packed = snappy(block)
    body = struct.pack('<I', ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff) + packed
    return b'\xff\x06\0\0sNaPpY' + (b'\0' + struct.pack('<I', len(body))[:3] + body) * (len(data) // 65536)


CODINGS = {  # coding -> (packer, MiB of zeros: what gives some 40 KiB; snappy packs 1:21 only)
    'gzip': (gzip.compress, 40), 'zlib': (zlib.compress, 40), 'deflate': (zlib.compress, 40), 'zstd': (zstd, 200), 'lz4': (lz4, 10),
    'snappy': (snappy, 6), 'x-snappy-framed': (snappy_framed, 6)}


def all_at_once(count, work):
    results = [None] * count

    def run(i):
        try:
            results[i] = work()
        except Exception as e:
            results[i] = repr(e)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return results


@SHARDS
def test_a_hundred_bombs_at_once_cost_no_more_than_the_limit(door, shards):
    """Of each coding, over HTTP. The peak may grow by the limit a shard and 8 MiB, and by what the client really sent."""
    cap = 4 * MIB
    d = door(shards, http={'max_request_body_size': cap})
    for coding in CODINGS if shards == 1 else ('gzip', 'zstd'):
        pack, size = CODINGS[coding]
        bomb = pack(b'\0' * (size * MIB))
        d.still_works()
        d.forget_peak()
        before, refused = d.agent.rss(), d.agent.total('leat_decompress_refused', reason='over_limit')
        statuses = all_at_once(100, lambda: post(d.http, '/v1/logs', bomb, PROTO, Content_Encoding=coding)[0])
        assert set(statuses) == {413}, (coding, set(statuses))
        assert d.agent.total('leat_decompress_refused', reason='over_limit') == refused + 100
        grown = d.peak() - before
        sent = 100 * len(bomb) if len(bomb) > 65536 else 0
        print('%s: bombs of %d KiB to %d MiB, peak grew by %.1f MiB' % (coding, len(bomb) >> 10, size, grown / MIB))
        assert SANITIZED or grown < shards * cap + 8 * MIB + sent, (coding, grown)
    d.still_works()


@SHARDS
def test_a_hundred_bombs_at_once_over_grpc(door, shards):
    cap = 4 * MIB
    d = door(shards)
    for coding, name in {'gzip': 'gzip', 'deflate': 'zlib', 'zstd': 'zstd', 'snappy': 'x-snappy-framed'}.items():
        pack, size = CODINGS[name]
        if shards > 1 and coding in ('deflate', 'snappy'):
            continue
        bomb = h2kit.message(pack(b'\0' * (size * MIB)), 1)
        d.still_works()
        d.forget_peak()
        before, refused = d.agent.rss(), d.agent.total('leat_decompress_refused', reason='over_limit')

        def throw():
            c = h2kit.Connection(d.grpc).settle()
            parts = [bomb[i:i + 16384] for i in range(0, len(bomb), 16384)]
            c.send(h2kit.frame(h2kit.HEADERS, 4, 1, h2kit.call_head(**{'grpc-encoding': coding})))
            c.send(b''.join(h2kit.frame(h2kit.DATA, i + 1 == len(parts), 1, p) for i, p in enumerate(parts)))
            answer = c.until(h2kit.HEADERS, 1)
            c.close()
            return answer is not None and answer[1] & 1  # Trailers-Only: an error

        answers = all_at_once(100, throw)
        assert answers == [1] * 100, (coding, set(answers))
        assert d.agent.total('leat_decompress_refused', reason='over_limit') == refused + 100
        assert d.agent.total('leat_otlp_refused_requests', reason='too_large') >= 100
        grown = d.peak() - before
        sent = 100 * len(bomb) if len(bomb) > 65536 else 0
        print('%s: bombs of %d KiB to %d MiB, peak grew by %.1f MiB' % (coding, len(bomb) >> 10, size, grown / MIB))
        assert SANITIZED or grown < shards * cap + 8 * MIB + sent, (coding, grown)
    d.still_works()


# ---- floods

def resets(c):
    for i in range(1, 40001, 2):
        yield h2kit.frame(h2kit.HEADERS, 4, i, h2kit.call_head()) + h2kit.frame(h2kit.RST_STREAM, 0, i, b'\0\0\0\x08')


def continuations(c):
    yield h2kit.frame(h2kit.HEADERS, 0, 1, b'\x83')
    for _ in range(20000):
        yield h2kit.frame(h2kit.CONTINUATION, 0, 1, h2kit.field('a', 'b') * 100)


def empty_continuations(c):
    yield h2kit.frame(h2kit.HEADERS, 0, 1, b'\x83')
    for _ in range(100000):
        yield h2kit.frame(h2kit.CONTINUATION, 0, 1)


def settings(c):
    for _ in range(100000):
        yield h2kit.frame(h2kit.SETTINGS)


def pings(c):
    for _ in range(100000):
        yield h2kit.frame(h2kit.PING, 0, 0, b'12345678')


def window_updates(c):
    for _ in range(200000):
        yield h2kit.frame(h2kit.WINDOW_UPDATE, 0, 0, b'\0\0\0\0')


def empty_data(c):
    yield h2kit.frame(h2kit.HEADERS, 4, 1, h2kit.call_head())
    for _ in range(200000):
        yield h2kit.frame(h2kit.DATA, 0, 1)


@SHARDS
@pytest.mark.parametrize('flood', [resets, continuations, empty_continuations, settings, pings, window_updates, empty_data], ids=lambda f: f.__name__)
def test_a_flood_ends_its_own_connection(door, flood, shards):
    """Four attackers, again and again for a moment: each is cut off and counted, memory stays, the neighbour is served."""
    d = door(shards)
    d.still_works()
    d.forget_peak()
    before, cut = d.agent.rss(), []

    def attack():
        for _ in range(2):
            c = h2kit.Connection(d.grpc)
            try:
                block = []
                for part in flood(c):
                    block.append(part)
                    if len(block) == 500:
                        c.send(b''.join(block))
                        block = []
                c.socket.settimeout(5)
                cut.append(c.goaway() is not None or c.read() is None)
            except (ConnectionError, BrokenPipeError):
                cut.append(True)
            except TimeoutError:
                cut.append(False)
            c.close()

    with Neighbour(d):
        all_at_once(4, attack)
    assert cut == [True] * 8
    assert d.agent.total('leat_http2_closed') + d.agent.total('leat_http2_glitches') > 0
    grown = d.peak() - before
    print('%s: peak grew by %.1f MiB' % (flood.__name__, grown / MIB))
    assert SANITIZED or grown < 32 * MIB
    d.still_works()


# ---- slow and idle clients

def test_slow_heads_and_bodies_are_timed_out(door):
    d, plain = door(3, http={'read_header_timeout': '1s', 'read_timeout': '2s'}), door()
    trickle = socket.create_connection(('127.0.0.1', plain.http))  # against the least rate, which has no key
    trickle.sendall(b'POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 100000\r\n\r\nx')
    head, body = socket.create_connection(('127.0.0.1', d.http)), socket.create_connection(('127.0.0.1', d.http))
    head.sendall(b'POST /v1/logs HTTP/1.1\r\nHost: x\r\n')
    body.sendall(b'POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 100000\r\n\r\n')
    answers = {}

    def drip(name, s, data):
        s.settimeout(0.2)
        end = time.monotonic() + 20
        answers[name] = b''
        while time.monotonic() < end:
            try:
                s.sendall(data)
                answers[name] += s.recv(1000) or b'\0'
                return
            except TimeoutError:
                pass
            except OSError:
                return

    with Neighbour(d):
        threads = [threading.Thread(target=drip, args=a) for a in (('head', head, b'X'), ('body', body, b'x' * 2000))]
        [t.start() for t in threads]
        [t.join() for t in threads]
    assert answers['head'].startswith(b'HTTP/1.1 408 ') and answers['body'].startswith(b'HTTP/1.1 408 '), answers
    assert d.agent.total('leat_http_refused', reason='timeout') == 2
    trickle.settimeout(12)
    assert trickle.recv(1000).startswith(b'HTTP/1.1 408 ')
    d.still_works()


@SHARDS
def test_ten_thousand_idle_connections(door, shards):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 12000:
        pytest.skip('not run: the limit of open files is %d' % hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    half, idle = 5000, []
    try:
        d = door(shards, http={'max_connections': 6000, 'idle_timeout': '0s'}, grpc={'max_connections': 6000})
        d.still_works()
        before = d.agent.rss()
        for i in range(half):
            idle.append(socket.create_connection(('127.0.0.1', d.http)))
            idle.append(socket.create_connection(('127.0.0.1', d.grpc)))
            idle[-1].sendall(h2kit.PREFACE + h2kit.frame(h2kit.SETTINGS))
            if i % 5 == 0:  # some have sent something before
                idle[-2].sendall(b'POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n')
        until(lambda: d.agent.total('leat_http2_connections') >= half and d.agent.total('leat_http_connections') >= half)
        d.still_works()
        grown = d.agent.rss() - before
        print('10,000 idle connections: %.1f MiB, %d bytes each' % (grown / MIB, grown / len(idle)))
        assert SANITIZED or grown < len(idle) * 20 * 1024
    finally:
        for s in idle:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    d.still_works()
    assert d.agent.stop() == 0


# ---- keys

@SHARDS
def test_max_connections_holds_over_all_shards(door, shards):
    d = door(shards, http={'max_connections': 10}, grpc={'max_connections': 10})
    time.sleep(0.3)  # the connections that looked whether the ports are open must have left

    def is_open(s):
        try:
            return s.recv(1000, socket.MSG_DONTWAIT) != b''
        except BlockingIOError:
            return True
        except ConnectionError:
            return False

    for port, name in ((d.http, 'leat_http_refused'), (d.grpc, 'leat_http2_closed')):
        held = [socket.create_connection(('127.0.0.1', port)) for _ in range(15)]
        until(lambda: d.agent.total(name, reason='connection_limit') == 5)
        until(lambda: not all(is_open(s) for s in held))
        time.sleep(0.1)
        assert sum(is_open(s) for s in held) == 10
        for s in held:
            s.close()
    until(lambda: post(d.http, '/v1/logs', logs('neighbour'))[0] == 200)
    d.still_works()


def test_keepalive_and_streams_by_their_keys(door):
    d = door(grpc={'max_concurrent_streams': 7, 'keepalive': {'server_parameters': {'max_connection_idle': '1s'}}})
    c = h2kit.Connection(d.grpc)
    sent = c.until(h2kit.SETTINGS)[3]
    assert dict(struct.unpack('>HI', sent[i:i + 6]) for i in range(0, len(sent), 6))[3] == 7
    assert c.goaway() == 0, 'idle for a second: sent away'
    c = h2kit.Connection(d.grpc)
    c.send(h2kit.frame(h2kit.PING, 0, 0, b'12345678') * 6)
    assert c.goaway() == h2kit.ENHANCE_YOUR_CALM, 'the Collector too asks for 5 minutes between pings'
    patient = door(grpc={'keepalive': {'enforcement_policy': {'min_time': '0s', 'permit_without_stream': True}}})
    c = h2kit.Connection(patient.grpc)
    c.send(h2kit.frame(h2kit.PING, 0, 0, b'12345678') * 6)
    c.call(1, logs('neighbour'))
    assert c.until(h2kit.HEADERS, 1)


def test_a_unix_socket_by_the_transport_key(agent, peer, tmp_path):
    sink, path = peer(), str(tmp_path / 'otlp.sock')
    receivers = {'otlp': {'protocols': {'grpc': {'endpoint': path, 'transport': 'unix'}}}}
    agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url)}, ('logs',)))
    with grpc.insecure_channel('unix:' + path) as channel:
        channel.unary_unary(h2kit.LOGS)(logs('a'), timeout=20)
    until(lambda: sink.log_bodies() == ['a'])


def test_cors_for_a_browser(door):
    d = door(http={'cors': {'allowed_origins': ['https://*.example.com'], 'allowed_headers': ['X-Key'], 'max_age': 7200}})
    ask = b'OPTIONS /v1/logs HTTP/1.1\r\nHost: x\r\nOrigin: %s\r\nAccess-Control-Request-Method: POST\r\nConnection: close\r\n\r\n'
    answer = raw(d.http, ask % b'https://app.example.com')
    assert answer.startswith(b'HTTP/1.1 204 ') and b'Access-Control-Allow-Origin: https://app.example.com\r\n' in answer
    assert b'X-Key' in answer and b'Access-Control-Max-Age: 7200\r\n' in answer
    assert b'Allow-Origin' not in raw(d.http, ask % b'https://example.org')


# ---- broken frames, and what must stay

@SHARDS
def test_broken_grpc_messages(door, shards):
    """Cut, too long, flagged wrongly: an error each, on a connection that goes on."""
    d = door(shards)
    c = h2kit.Connection(d.grpc)
    whole = h2kit.message(logs('neighbour'))
    bad = [whole[:-3], whole[:3], b'', whole + b'x', bytes([1]) + whole[1:], bytes([7]) + whole[1:], b'\0\xff\xff\xff\xff' + b'x' * 20]
    for i, data in enumerate(bad):
        stream = 2 * i + 1
        c.send(h2kit.frame(h2kit.HEADERS, 4, stream, h2kit.call_head()) + h2kit.frame(h2kit.DATA, 1, stream, data))
        assert c.until(h2kit.HEADERS, stream)[1] & 1, (i, 'Trailers-Only was expected')
    assert d.agent.total('leat_grpc_refused') == len(bad)
    c.call(101, logs('neighbour'))
    assert not c.until(h2kit.HEADERS, 101)[1] & 1
    d.still_works()


def test_unknown_fields_stay_byte_for_byte(door):
    d = door()
    record = fixed = pb(5, pb(1, 'neighbour') + pb(1000, 'in any value')) + pb(77, 7) + pb(78, 1.5) + pb(79, b'\xff\xfe')
    body = pb(1, pb(1, pb(90, 'r')) + pb(2, pb(1, pb(91, 's')) + pb(2, record) + pb(92, fixed)) + pb(93, 'x')) + pb(94, b'\0\xff' * 50)
    assert post(d.http, '/v1/logs', body)[0] == 200
    assert call(d.grpc, body) == grpc.StatusCode.OK
    until(lambda: len(d.sink.delivered()) == 2)
    assert [r.body for r in d.sink.delivered()] == [body, body]


def test_bad_utf8_over_grpc_is_repaired_and_counted(door):
    d = door()
    assert call(d.grpc, pb(1, pb(2, pb(2, pb(5, pb(1, b'ab\xff\xfecd')) + pb(3, b'\xc0'))))) == grpc.StatusCode.OK
    until(lambda: d.sink.delivered())
    assert d.sink.log_bodies() == ['ab\ufffd\ufffdcd']
    assert d.agent.total('leat_utf8_repaired') == 2


# ---- waiting

@SHARDS
def test_the_answer_waits_for_the_result(door, shards):
    """Without a sending queue the client hears what the destination said."""
    d = door(shards, sending_queue={'enabled': False}, retry_on_failure={'enabled': False})
    assert post(d.http, '/v1/logs', logs('a'))[0] == 200 and d.sink.log_bodies() == ['a']
    d.sink.answer = (400, {}, b'')
    status, _, body = post(d.http, '/v1/logs', json.dumps({'resourceLogs': [{'scopeLogs': [{'logRecords': [{}]}]}]}).encode(), 'application/json')
    assert status == 500 and json.loads(body)['code'] == 13
    assert call(d.grpc, logs('a')) == grpc.StatusCode.INTERNAL
    d.sink.answer = (503, {}, b'')
    assert post(d.http, '/v1/logs', logs('a'))[0] == 503
    assert call(d.grpc, logs('a')) == grpc.StatusCode.UNAVAILABLE
    d.sink.answer = (200, {'Content-Type': PROTO}, pb(1, pb(1, 1) + pb(2, 'one was bad')))
    status, _, body = post(d.http, '/v1/logs', logs('a', 'b', 'c'))
    assert status == 200 and inside(body, 1, 1) == [1]
    d.agent.check_ledger()
    assert d.agent.stop() == 0


@SHARDS
def test_clients_wait_for_room_and_may_leave(door, shards):
    d = door(shards, sending_queue={'queue_size': 1, 'num_consumers': 1, 'block_on_overflow': True})
    d.sink.answer = (503, {}, b'')
    assert post(d.http, '/v1/logs', logs('first'))[0] == 200
    gone = socket.create_connection(('127.0.0.1', d.http))
    gone.sendall(b'POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: %d\r\n\r\n' % len(logs('gone')) + logs('gone'))
    until(lambda: d.agent.total('leat_otlp_waited_requests') == 1)
    assert call(d.grpc, logs('late'), timeout=0.5) == grpc.StatusCode.DEADLINE_EXCEEDED
    gone.close()
    results = []
    threads = [threading.Thread(target=lambda i=i: results.append(post(d.http, '/v1/logs', logs('n%d' % i))[0])) for i in range(10)]
    [t.start() for t in threads]
    until(lambda: d.agent.total('leat_otlp_waited_requests') == 12)
    assert not results
    d.sink.answer = (200, {}, b'')
    [t.join() for t in threads]
    assert results == [200] * 10
    until(lambda: len(d.sink.log_bodies()) == 11)
    assert sorted(d.sink.log_bodies()) == sorted(['first'] + ['n%d' % i for i in range(10)])
    assert d.agent.total('otelcol_receiver_refused_log_records') <= 1, 'only the late one; who waits is not refused'
    d.agent.check_ledger()
    assert d.agent.stop() == 0


def test_stopping_refuses_who_waits_and_is_not_held_up(door):
    d = door(sending_queue={'queue_size': 1, 'num_consumers': 1, 'block_on_overflow': True}, retry_on_failure={'enabled': False})
    d.sink.delay = 2
    assert post(d.http, '/v1/logs', logs('first'))[0] == 200
    half = socket.create_connection(('127.0.0.1', d.http))
    half.sendall(b'POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 9000\r\n\r\nx')
    results = []
    waiting = threading.Thread(target=lambda: results.append(post(d.http, '/v1/logs', logs('second'))[0]))
    waiting.start()
    until(lambda: d.agent.total('leat_otlp_waited_requests') == 1)
    began = time.monotonic()
    assert d.agent.stop() == 0
    waiting.join()
    assert results == [503]
    assert d.sink.log_bodies() == ['first']
    assert time.monotonic() - began < (20 if SANITIZED else 6)
    half.close()
