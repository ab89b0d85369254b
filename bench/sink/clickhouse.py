#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Takes what is inserted over ClickHouse's HTTP interface, RowBinary or Native, and throws it away: a sink for P10.

The engine of the tests cannot stand here: it leaves out client_protocol_version, without which the Collector's driver reads
nothing. Answers are what an exporter asks for at its start. Rows are not counted: the agents' own counters are compared.
"""
import socketserver
import sys
import urllib.parse


def text(value):
    return bytes([len(value)]) + value


def block(*columns, rows=1):
    """Native, as of protocol revision 54454: block info, columns, rows, then each column."""
    out = b'\x01\x00\x02\xff\xff\xff\xff\x00' + bytes([len(columns), rows])
    for name, kind, data in columns:
        out += text(name) + text(kind) + b'\x00' + data
    return out


HELLO = block((b'displayName()', b'String', text(b'sink')), (b'version()', b'String', text(b'25.8.1.1')),
              (b'revision()', b'UInt32', (54460).to_bytes(4, 'little')), (b'timezone()', b'String', text(b'UTC')))
MAP = b'Map(LowCardinality(String), String)'
TABLE = [(b'Timestamp', b'DateTime64(9)'), (b'TraceId', b'String'), (b'SpanId', b'String'), (b'TraceFlags', b'UInt8'),
         (b'SeverityText', b'LowCardinality(String)'), (b'SeverityNumber', b'UInt8'), (b'ServiceName', b'LowCardinality(String)'),
         (b'Body', b'String'), (b'ResourceSchemaUrl', b'LowCardinality(String)'), (b'ResourceAttributes', MAP),
         (b'ScopeSchemaUrl', b'LowCardinality(String)'), (b'ScopeName', b'String'), (b'ScopeVersion', b'LowCardinality(String)'),
         (b'ScopeAttributes', MAP), (b'LogAttributes', MAP), (b'EventName', b'String')]
TABLE_NATIVE = block(*((name, b'String', b''.join(map(text, values))) for name, values in (
    (b'name', [name for name, _ in TABLE]), (b'type', [kind for _, kind in TABLE]),
    *((name, [b''] * len(TABLE)) for name in (b'default_type', b'default_expression', b'comment', b'codec_expression', b'ttl_expression')))),
    rows=len(TABLE))
TABLE_TEXT = b''.join(name + b'\t' + kind + b'\t\t\t\t\t\n' for name, kind in TABLE)
OK = b'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-ClickHouse-Summary: {}\r\nContent-Length: %d\r\n\r\n'


class Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def body(self, headers):
        if headers.get(b'transfer-encoding') != b'chunked':
            left, first = int(headers.get(b'content-length', 0)), b''
            while left:
                part = self.rfile.read(min(left, 1 << 20))
                first, left = first or part[:200], left - len(part)
            return first
        first = b''
        while size := int(self.rfile.readline().split(b';')[0], 16):
            part = self.rfile.read(size)
            self.rfile.readline()
            first = first or part[:200]
        self.rfile.readline()
        return first

    def handle(self):
        while line := self.rfile.readline():
            headers = {}
            while (field := self.rfile.readline().strip()):
                key, _, value = field.partition(b':')
                headers[key.lower()] = value.strip()
            first = self.body(headers)
            query = urllib.parse.unquote_to_bytes(line.split()[1].replace(b'+', b' ')) + first
            answer = b''
            if b'displayName' in query:
                answer = HELLO
            elif b'DESC' in query[:400]:
                answer = TABLE_NATIVE if b'default_format=Native' in query else TABLE_TEXT
            elif b'/ping' in query:
                answer = b'Ok.\n'
            self.wfile.write(OK % len(answer) + answer)


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True


with Server(('127.0.0.1', int(sys.argv[1]) if len(sys.argv) > 1 else 0), Handler) as server:
    print('port', server.server_address[1], flush=True)
    server.serve_forever()
