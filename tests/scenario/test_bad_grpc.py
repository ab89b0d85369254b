# SPDX-License-Identifier: Apache-2.0
"""Hostile and broken input over gRPC: the status of the specification, and a neighbour that notices nothing. Floods are in test_otlp_server.py."""
import struct

import grpc
import pytest
from leatkit import logs, otlp_in, otlp_out, pb, pipeline, raw, spans, until
from test_bad_http import deep

LOGS, TRACES = '/opentelemetry.proto.collector.logs.v1.LogsService/Export', '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
Code = grpc.StatusCode


@pytest.fixture
def door(agent, peer):
    sink = peer()
    receivers, _, port = otlp_in(grpc={'max_recv_msg_size_mib': 1})
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url, sending_queue={'queue_size': 3, 'num_consumers': 1})}))

    class Door:
        def call(self, body, method=LOGS, **more):
            with grpc.insecure_channel('127.0.0.1:%d' % port) as channel:
                try:
                    channel.unary_unary(method)(body, timeout=30, **more)
                    return Code.OK
                except grpc.RpcError as e:
                    self.error = e
                    return e.code()

        def still_works(self):
            before = len(sink.log_bodies())
            assert self.call(logs('neighbour')) == Code.OK
            until(lambda: len(sink.log_bodies()) == before + 1)
            assert set(sink.log_bodies()) == {'neighbour'}
            one.check_ledger()

    Door.agent, Door.sink, Door.port = one, sink, port
    yield Door()
    assert one.stop() == 0


@pytest.mark.parametrize('what, method, body, code', [
    ('malformed', LOGS, b'\xff\xff\xff', Code.INVALID_ARGUMENT),
    ('cut', LOGS, logs('abc')[:-1], Code.INVALID_ARGUMENT),
    ('nesting of 10,000', LOGS, deep(10000), Code.INVALID_ARGUMENT),
    ('short trace id', TRACES, spans('x', trace_id=b'12345'), Code.INVALID_ARGUMENT),
    ('oversize', LOGS, logs('x' * (1 << 20)), Code.RESOURCE_EXHAUSTED),
    ('no such method', '/no.such.Service/Call', b'', Code.UNIMPLEMENTED)], ids=['malformed', 'cut', 'nesting', 'short id', 'oversize', 'no method'])
def test_refused_with_the_right_status(door, what, method, body, code):
    assert door.call(body, method) == code, door.error
    door.still_works()


def test_a_bomb_in_gzip_is_exhausted(door):
    with grpc.insecure_channel('127.0.0.1:%d' % door.port, compression=grpc.Compression.Gzip) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(LOGS)(pb(99, b'\0' * (40 << 20)), timeout=60)
    assert caught.value.code() == Code.RESOURCE_EXHAUSTED
    door.still_works()


def test_a_full_queue_is_unavailable(door):
    """A status that the client may retry, with RetryInfo where it is exhausted."""
    door.sink.answer = (503, {}, b'')
    codes = {door.call(logs('neighbour')) for _ in range(20)}
    assert codes in ({Code.OK, Code.UNAVAILABLE}, {Code.OK, Code.RESOURCE_EXHAUSTED})
    door.sink.answer = (200, {}, b'')
    until(lambda: door.agent.total('otelcol_exporter_queue_size') == 0)
    door.still_works()


def frame(kind, flags, stream, payload):
    return struct.pack('>I', len(payload))[1:] + bytes([kind, flags]) + struct.pack('>I', stream) + payload


@pytest.mark.parametrize('what, data', [
    ('HTTP/1.1 on the gRPC port', b'GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    ('garbage after the preface', PREFACE + b'\xff' * 100),
    ('oversize frame', PREFACE + frame(4, 0, 0, b'') + b'\xff\xff\xff\x00\x00\x00\x00\x00\x01' + b'x' * 100),
    ('data on stream 0', PREFACE + frame(4, 0, 0, b'') + frame(0, 0, 0, b'x'))],
    ids=['HTTP 1.1', 'garbage', 'oversize frame', 'data on stream 0'])
def test_http2_abuse_ends_that_connection_only(door, what, data):
    raw(door.port, data, 2)
    door.still_works()
    assert door.agent.rss() < (600 << 20)
