# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 by hand: frames, heads without Huffman, and a connection that says what it hears."""
import socket
import struct

PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
ENHANCE_YOUR_CALM = 11
LOGS = '/opentelemetry.proto.collector.logs.v1.LogsService/Export'


def frame(kind, flags=0, stream=0, payload=b''):
    return struct.pack('>I', len(payload))[1:] + bytes([kind, flags]) + struct.pack('>I', stream) + payload


def field(name, value):
    """A literal that is not indexed; shorter than 127 bytes each."""
    return b'\0' + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


def call_head(path=LOGS, **more):
    fields = {':method': 'POST', ':scheme': 'http', ':path': path, ':authority': 'x', 'content-type': 'application/grpc', 'te': 'trailers', **more}
    return b''.join(field(k, v) for k, v in fields.items())


def message(body, flag=0):
    return bytes([flag]) + struct.pack('>I', len(body)) + body


class Connection:
    """Preface and SETTINGS are out; `read` gives frames as (kind, flags, stream, payload)."""

    def __init__(self, port):
        self.socket = socket.create_connection(('127.0.0.1', port))
        self.socket.settimeout(10)
        self.buffer = b''
        self.send(PREFACE + frame(SETTINGS))

    def send(self, data):
        self.socket.sendall(data)

    def settle(self):
        """Takes the server's SETTINGS, and with them its larger windows."""
        self.until(SETTINGS)
        self.send(frame(SETTINGS, 1))
        return self

    def call(self, stream, body, **more):
        self.send(frame(HEADERS, 4, stream, call_head(**more)) + frame(DATA, 1, stream, message(body)))

    def read(self):
        """The next frame, or None at the end."""
        while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], 'big'):
            try:
                part = self.socket.recv(65536)
            except ConnectionError:
                part = b''
            if not part:
                return None
            self.buffer += part
        size = int.from_bytes(self.buffer[:3], 'big')
        kind, flags, stream = self.buffer[3], self.buffer[4], int.from_bytes(self.buffer[5:9], 'big')
        payload, self.buffer = self.buffer[9:9 + size], self.buffer[9 + size:]
        return kind, flags, stream, payload

    def until(self, kind, stream=None):
        """The first frame of that kind; None when the connection ends before."""
        while True:
            one = self.read()
            if one is None or (one[0] == kind and stream in (None, one[2])):
                return one

    def goaway(self):
        """-> the error code of the GOAWAY; None: it ended without one."""
        one = self.until(GOAWAY)
        return one and int.from_bytes(one[3][4:8], 'big')

    def close(self):
        self.socket.close()
