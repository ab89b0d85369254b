# SPDX-License-Identifier: Apache-2.0
"""Hostile and broken input over HTTP: a correct status, a counter, bounded memory, and a neighbour that notices nothing."""
import gzip
import json
import socket
import struct
import time
import zlib

import pytest
from leatkit import gauges, logs, otlp_in, otlp_out, pb, pipeline, post, raw, spans, until, varint

LIMIT = 1 << 20


@pytest.fixture
def door(agent, peer):
    sink = peer()
    receivers, port, _ = otlp_in(http={'max_request_body_size': LIMIT})
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url)}))

    class Door:
        def still_works(self):
            before = len(sink.log_bodies())
            assert post(port, '/v1/logs', logs('neighbour'))[0] == 200
            until(lambda: len(sink.log_bodies()) == before + 1)
            assert all(b == 'neighbour' for b in sink.log_bodies()), 'something bad went through'
            one.check_ledger()

    Door.agent, Door.sink, Door.port = one, sink, port
    yield Door()
    assert one.stop() == 0


def deep(levels):
    """A log body of `levels` nested arrays, as protobuf."""
    value = pb(1, 'x')
    for _ in range(levels):
        value = pb(5, pb(1, value))
    return pb(1, pb(2, pb(2, pb(5, value))))


def deep_json(levels):
    value = '{"arrayValue":{"values":[' * levels + '{"stringValue":"x"}' + ']}}' * levels
    return ('{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":%s}]}]}]}' % value).encode()


PROTO = 'application/x-protobuf'
JSON = 'application/json'
TABLE = [  # (what, path, body, content type, headers, status)
    ('wrong content type', '/v1/logs', b'hello', 'text/plain', {}, 415),
    ('no such path', '/v1/nothing', logs('x'), PROTO, {}, 404),
    ('unknown coding', '/v1/logs', logs('x'), PROTO, {'Content_Encoding': 'br2'}, 415),
    ('not gzip', '/v1/logs', b'not gzip at all', PROTO, {'Content_Encoding': 'gzip'}, 400),
    ('cut gzip', '/v1/logs', gzip.compress(logs('x' * 1000))[:-12], PROTO, {'Content_Encoding': 'gzip'}, 400),
    ('malformed protobuf', '/v1/logs', b'\xff\xff\xff\xff', PROTO, {}, 400),
    ('cut protobuf', '/v1/logs', logs('abc')[:-2], PROTO, {}, 400),
    ('length past the end', '/v1/logs', b'\x0a\xff\x7f' + b'x', PROTO, {}, 400),
    ('negative length', '/v1/logs', b'\x0a' + b'\xff' * 9 + b'\x01', PROTO, {}, 400),
    ('varint of 11 bytes', '/v1/logs', b'\x08' + b'\x80' * 11 + b'\x01', PROTO, {}, 400),
    ('wrong wire type', '/v1/logs', varint(1 << 3 | 0) + b'\x05', PROTO, {}, 400),
    ('field number 0', '/v1/logs', b'\x02\x01x', PROTO, {}, 400),
    ('nesting of 10,000', '/v1/logs', deep(10000), PROTO, {}, 400),
    ('nesting of 10,000 in JSON', '/v1/logs', deep_json(10000), JSON, {}, 400),
    ('short trace id', '/v1/traces', spans('x', trace_id=b'abc'), PROTO, {}, 400),
    ('long span id', '/v1/traces', spans('x', span_id=b'a' * 9), PROTO, {}, 400),
    ('not JSON', '/v1/logs', b'{"resourceLogs": [', JSON, {}, 400),
    ('JSON of another kind', '/v1/logs', b'[1, 2]', JSON, {}, 400),
    ('bad hex id in JSON', '/v1/traces', json.dumps({'resourceSpans': [{'scopeSpans': [{'spans': [{'traceId': 'zz', 'spanId': '01'}]}]}]}).encode(), JSON, {}, 400),
    ('invalid UTF-8 in JSON', '/v1/logs', b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"\xff\xfe"}}]}]}]}', JSON, {}, 400),
    ('oversize', '/v1/logs', logs('x' * (LIMIT + 10)), PROTO, {}, 413),
    ('oversize after decompression', '/v1/logs', gzip.compress(logs('x' * (LIMIT + 10))), PROTO, {'Content_Encoding': 'gzip'}, 413),
    ('zip bomb', '/v1/logs', gzip.compress(b'\0' * (200 << 20)), PROTO, {'Content_Encoding': 'gzip'}, 413),
    ('deflate bomb', '/v1/logs', zlib.compress(b'\0' * (50 << 20)), PROTO, {'Content_Encoding': 'deflate'}, 413),
]


@pytest.mark.parametrize('what, path, body, content_type, headers, status', TABLE, ids=[row[0] for row in TABLE])
def test_refused_with_the_right_status(door, what, path, body, content_type, headers, status):
    got, _, text = post(door.port, path, body, content_type, **headers)
    assert got == status, (got, text[:300])
    door.still_works()
    assert door.agent.rss() < (600 << 20)


def test_wrong_method_is_405(door):
    for method in (b'GET', b'PUT', b'DELETE'):
        assert b' 405 ' in raw(door.port, method + b' /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n').split(b'\r\n')[0]
    door.still_works()


def test_invalid_utf8_in_protobuf_is_repaired_and_counted(door):
    assert post(door.port, '/v1/logs', pb(1, pb(2, pb(2, pb(5, pb(1, b'ab\xff\xfecd'))))))[0] == 200
    until(lambda: door.sink.delivered())
    text = door.sink.log_bodies()[0]
    assert text.startswith('ab\ufffd') and text.endswith('cd')
    assert door.agent.total('leat_utf8_repaired') >= 1


SMUGGLING = [
    ('two lengths', b'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello'),
    ('length and chunked', b'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'),
    ('chunked twice', b'Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n'),
    ('chunked not last', b'Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n'),
    ('unknown transfer coding', b'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'),
    ('blank before the colon', b'Content-Length : 5\r\n\r\nhello'),
    ('folded line', b'X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n'),
    ('signed length', b'Content-Length: +5\r\n\r\nhello'),
    ('hex length', b'Content-Length: 0x5\r\n\r\nhello'),
    ('list of lengths', b'Content-Length: 5, 6\r\n\r\nhello'),
    ('huge length', b'Content-Length: 99999999999999999999999\r\n\r\n'),
    ('bare LF', b'X: y\nContent-Length: 0\r\n\r\n'),
    ('NUL in a value', b'X: a\0b\r\nContent-Length: 0\r\n\r\n'),
    ('CR in a value', b'X: a\rb\r\nContent-Length: 0\r\n\r\n'),
    ('bad chunk size', b'Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n'),
    ('chunk longer than said', b'Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n'),
]


@pytest.mark.parametrize('what, rest', SMUGGLING, ids=[row[0] for row in SMUGGLING])
def test_smuggling_shapes_are_refused_and_the_connection_ends(door, what, rest):
    follow = b'POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n'
    answer = raw(door.port, b'POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n' + rest + follow)
    first = answer.split(b'\r\n')[0]
    assert first.split(b' ')[1:2] and first.split(b' ')[1] in (b'400', b'413', b'501'), answer[:300]
    assert answer.count(b'HTTP/1.1 ') == 1, 'what followed was read as a request'
    assert sum(v for (n, _), v in door.agent.metrics().items() if n.startswith('leat_http_refused')) >= 1
    door.still_works()


@pytest.mark.parametrize('head', [
    b'POST /v1/logs HTTP/1.1\r\n\r\n', b'POST /v1/logs HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', b'POST  /v1/logs HTTP/1.1\r\nHost: x\r\n\r\n',
    b'POST /v1/logs\r\n\r\n', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + b'x' * 60 + b'\r\n\r\n', b'POST /v1/logs HTTP/1.1\r\n: x\r\n\r\n'],
    ids=['no host', 'two hosts', 'two blanks', 'HTTP/0.9', 'TLS on a plain port', 'no name'])
def test_malformed_heads_are_400(door, head):
    assert raw(door.port, head).startswith(b'HTTP/1.1 400 ')
    door.still_works()


def test_endless_head_is_refused(door):
    answer = raw(door.port, b'POST /v1/logs HTTP/1.1\r\nHost: x\r\n' + b'X-Pad: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n' * 100000)
    assert answer[:13] in (b'HTTP/1.1 431 ', b'HTTP/1.1 400 ', b''), answer[:100]
    door.still_works()


def test_slow_loris_harms_nobody(door):
    """Fifty clients send a byte a time and never finish; a neighbour is served at once."""
    slow = []
    for _ in range(50):
        s = socket.create_connection(('127.0.0.1', door.port))
        s.sendall(b'POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-')
        slow.append(s)
    for byte in b'Length':
        for s in slow:
            s.sendall(bytes([byte]))
        began = time.monotonic()
        door.still_works()
        assert time.monotonic() - began < 5
    for s in slow:
        s.close()
    door.still_works()


def test_a_client_that_vanishes_in_mid_body(door):
    for _ in range(20):
        with socket.create_connection(('127.0.0.1', door.port)) as s:
            s.sendall(b'POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: 1000\r\n\r\n' + b'x' * 500)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    door.still_works()


def test_pipelined_requests_are_answered_in_order(door):
    one = lambda text: b'POST /v1/logs HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: %d\r\n\r\n' % len(logs(text)) + logs(text)
    last = b'POST /v1/logs HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx'
    answer = raw(door.port, one('neighbour') * 3 + last)
    codes = [line.split(b' ')[1] for line in answer.split(b'\r\n') if line.startswith(b'HTTP/1.1 ')]
    assert codes == [b'200', b'200', b'200', b'415']
    until(lambda: len(door.sink.log_bodies()) == 3)
    door.still_works()


def test_random_bytes(door):
    """The same 300 bad bodies each run: cut, flipped and repeated pieces of good ones. None may do more than a 4xx."""
    import random
    rng = random.Random(7)
    for i in range(300):
        good = rng.choice([spans('abc', 'def'), gauges('m')])
        data = bytearray(good)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path = '/v1/traces' if good[:1] and rng.random() < 0.5 else '/v1/metrics'
        assert post(door.port, path, bytes(data[:rng.randint(1, len(data))]))[0] in (200, 400), (i, bytes(data))
    assert post(door.port, '/v1/logs', logs('neighbour'))[0] == 200
    door.agent.check_ledger()
