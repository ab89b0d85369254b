#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The ClickHouse engine (chdb) behind the part of its HTTP interface that a sender uses.

The SQL, the types and the decoding of rows are the real engine's. The HTTP side (headers, status codes,
authentication, chunked bodies) is this file's, so it proves nothing about a real server's HTTP behaviour.
Statements run one at a time, and async_insert is accepted but every insert is synchronous.

usage: shim.py --port N --dir DATA [--user U --key K]
"""
import argparse, base64, json, os, re, tempfile, threading, time, uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit
from chdb import session

CODINGS = {'gzip': 'gzip', 'x-gzip': 'gzip', 'deflate': 'deflate', 'br': 'br', 'zstd': 'zstd', 'lz4': 'lz4',
           'snappy': 'snappy', 'xz': 'xz', '': 'none', 'identity': 'none'}
NOT_SETTINGS = {'query', 'database', 'user', 'password', 'default_format', 'query_id', 'session_id', 'session_timeout',
                'session_check', 'quota_key', 'role', 'compress', 'decompress', 'buffer_size', 'wait_end_of_query',
                'client_protocol_version', 'add_http_cors_header'}
STATUS = {516: 403, 192: 403, 193: 403, 194: 401, 497: 403, 164: 403, 159: 408, 202: 503, 48: 501}
STATUS |= {c: 404 for c in (46, 47, 50, 56, 60, 73, 81, 115)}
STATUS |= {c: 400 for c in (6, 15, 16, 20, 26, 27, 33, 36, 38, 41, 43, 44, 53, 62, 70, 72, 117, 131, 457, 1000)}
INSERT = re.compile(r'^(\s*INSERT\s+INTO\s.*?)((?:\s+SETTINGS\s.*?)?\s+FORMAT\s+(\w+))[\s;]*$', re.I | re.S)


class Problem(Exception):
    def __init__(self, code, text, status=None):
        super().__init__(text)
        self.code, self.status = code, status or STATUS.get(code, 500)


class Engine:
    def __init__(self, path):
        self.lock, self.dir = threading.Lock(), path
        self.session = session.Session(path)
        self.run('CREATE DATABASE IF NOT EXISTS default')

    def run(self, sql, form='TabSeparated'):
        try:
            return self.session.query(sql, form)
        except Exception as e:
            m = re.search(r'Code:\s*(\d+)', str(e))
            raise Problem(int(m.group(1)) if m else 1002, str(e).strip()) from None

    def statement(self, sql, database, settings, form, body=b'', coding='none'):
        """Runs one statement, with `body` as the rows of an INSERT; returns (answer, summary)."""
        with self.lock:
            started, path, applied = time.monotonic_ns(), None, []
            try:
                self.run('USE `%s`' % database.replace('`', '``'))
                for name, value in settings:
                    if not re.fullmatch(r'\w+', name):
                        raise Problem(115, "Code: 115. DB::Exception: Unknown setting '%s'. (UNKNOWN_SETTING)" % name)
                    self.run("SET %s = '%s'" % (name, value.replace('\\', '\\\\').replace("'", "\\'")))
                    applied.append(name)
                insert = INSERT.match(sql)
                if insert and body:
                    fd, path = tempfile.mkstemp(dir=self.dir)
                    with os.fdopen(fd, 'wb') as f:
                        f.write(body)
                    sql = "%s FROM INFILE '%s' COMPRESSION '%s'%s" % (insert.group(1), path, coding, insert.group(2))
                elif body:
                    if coding != 'none':
                        raise Problem(48, 'Code: 48. DB::Exception: a compressed body needs INSERT ... FORMAT in the '
                                          'query parameter (NOT_IMPLEMENTED)')
                    sql += '\n' + body.decode('utf-8', 'surrogateescape')
                r = self.run(sql, form)
                written = r.rows_read() if re.match(r'\s*INSERT\s', sql, re.I) else 0
                summary = {'read_rows': r.storage_rows_read(), 'read_bytes': r.storage_bytes_read(), 'written_rows': written,
                           'written_bytes': r.bytes_read() if written else 0, 'total_rows_to_read': 0,
                           'result_rows': r.rows_read(), 'result_bytes': r.bytes_read(),
                           'elapsed_ns': time.monotonic_ns() - started}
                return r.bytes() or b'', json.dumps({k: str(v) for k, v in summary.items()}, separators=(',', ':'))
            finally:
                for name in applied:
                    self.run('SET %s = DEFAULT' % name)
                if path:
                    os.unlink(path)


class Handler(BaseHTTPRequestHandler):
    protocol_version, server_version, sys_version = 'HTTP/1.1', 'clickhouse-shim', ''
    wbufsize = -1                                   # one write for head and body

    def log_message(self, *_):
        pass

    def body(self):
        if self.headers.get('Transfer-Encoding', '').lower() == 'chunked':
            parts = []
            while size := int(self.rfile.readline().split(b';')[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b''.join(parts)
        return self.rfile.read(int(self.headers.get('Content-Length') or 0))

    def answer(self, status, data, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(data)
        self.wfile.flush()

    def check(self, args):
        user, key = self.headers.get('X-ClickHouse-User'), self.headers.get('X-ClickHouse-Key', '')
        basic = self.headers.get('Authorization', '')
        if user is None and basic.startswith('Basic '):
            user, _, key = base64.b64decode(basic[6:]).decode().partition(':')
        if user is None:
            user, key = args.get('user', 'default'), args.get('password', '')
        if OPTIONS.user and (user, key) != (OPTIONS.user, OPTIONS.key or ''):
            raise Problem(516, 'Code: 516. DB::Exception: %s: Authentication failed: password is incorrect, or there is '
                               'no user with such name. (AUTHENTICATION_FAILED)' % user)

    def serve(self):
        url, query_id = urlsplit(self.path), str(uuid.uuid4())
        pairs = parse_qsl(url.query, keep_blank_values=True)
        args = dict(pairs)
        body = self.body()
        if url.path in ('/ping', '/replicas_status') or (url.path == '/' and not pairs and not body):
            return self.answer(200, b'Ok.\n')
        try:
            if url.path != '/':
                raise Problem(1000, 'There is no handle %s' % url.path, 404)
            self.check(args)
            if args.get('decompress') == '1':
                raise Problem(48, 'Code: 48. DB::Exception: decompress=1 blocks: use Content-Encoding (NOT_IMPLEMENTED)')
            coding = self.headers.get('Content-Encoding', '').lower()
            if coding not in CODINGS:
                raise Problem(48, 'Code: 48. DB::Exception: Unknown content encoding %s (NOT_IMPLEMENTED)' % coding)
            sql, data = args.get('query', ''), body
            if not sql.strip():
                sql, data = body.decode('utf-8', 'surrogateescape'), b''
            if self.command == 'GET' and re.match(r'\s*(INSERT|CREATE|ALTER|DROP|TRUNCATE|OPTIMIZE)\b', sql, re.I):
                raise Problem(164, 'Code: 164. DB::Exception: Cannot execute query in readonly mode. For queries over HTTP, '
                                   'method GET implies readonly. (READONLY)')
            form = args.get('default_format') or self.headers.get('X-ClickHouse-Format') or 'TabSeparated'
            base = args.get('database') or self.headers.get('X-ClickHouse-Database') or 'default'
            settings = [p for p in pairs if p[0] not in NOT_SETTINGS]
            out, summary = ENGINE.statement(sql, base, settings, form, data, CODINGS[coding])
            self.answer(200, out, Content_Type='text/plain; charset=UTF-8', X_ClickHouse_Query_Id=args.get('query_id', query_id),
                        X_ClickHouse_Format=form, X_ClickHouse_Timezone='UTC', X_ClickHouse_Summary=summary)
        except Problem as e:
            self.answer(e.status, str(e).encode() + b'\n', Content_Type='text/plain; charset=UTF-8',
                        X_ClickHouse_Query_Id=query_id, X_ClickHouse_Exception_Code=str(e.code))

    do_GET = do_POST = do_HEAD = serve


p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument('--port', type=int, required=True)
p.add_argument('--dir', required=True)
p.add_argument('--user')
p.add_argument('--key')
OPTIONS = p.parse_args()
ENGINE = Engine(OPTIONS.dir)
ThreadingHTTPServer.daemon_threads = True
ThreadingHTTPServer(('127.0.0.1', OPTIONS.port), Handler).serve_forever()
