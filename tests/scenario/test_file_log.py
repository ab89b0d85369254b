# SPDX-License-Identifier: Apache-2.0
"""Container logs on disk: nothing lost over rotation and kill -9, partial lines joined, attributes from the path."""
import json
import os
import random
import threading
import time

import pytest
from leatkit import fields, inside, otlp_out, pipeline, until

POD = 'demo_web-1_11111111-2222-3333-4444-555555555555/web'


@pytest.fixture
def pods(tmp_path):
    folder = tmp_path / 'pods' / POD
    folder.mkdir(parents=True)
    return folder


def cri(text, tag='F', stream='stdout'):
    return '2026-01-02T03:04:05.123456789Z %s %s %s\n' % (stream, tag, text)


def start(agent, sink, pods, run=True, name='leat', operators=({'type': 'container'},), **more):
    root = pods.parent.parent
    receiver = {'include': [str(root / '*/*/*.log*')], 'start_at': 'beginning', 'include_file_path': True, 'poll_interval': '50ms',
                'storage': 'file_storage', 'operators': list(operators), **more}
    config = pipeline({'file_log': receiver}, {'otlp_http': otlp_out(sink.url)}, ('logs',),
                      extensions={'file_storage': {'directory': str(root.parent / 'state'), 'create_directory': True}})
    config['service']['extensions'] = ['file_storage']
    return agent(config, name=name, run=run)


def attributes(message):
    return {inside(a, 1)[0].decode(): (inside(a, 2, 1) or [None])[0] for a in message}


def test_a_line_becomes_a_record_with_its_pod(agent, peer, pods):
    sink = peer()
    (pods / '0.log').write_text(cri('hello') + cri('to stderr', stream='stderr'))
    one = start(agent, sink, pods)
    until(lambda: len(sink.log_bodies()) == 2)
    assert sink.log_bodies() == ['hello', 'to stderr']
    body = sink.requests[0].body
    resource = attributes(inside(body, 1, 1, 1))
    assert resource['k8s.namespace.name'] == b'demo' and resource['k8s.pod.name'] == b'web-1'
    assert resource['k8s.pod.uid'] == b'11111111-2222-3333-4444-555555555555'
    assert resource['k8s.container.name'] == b'web' and resource['k8s.container.restart_count'] == b'0'
    record = inside(body, 1, 2, 2)[0]
    own = attributes(inside(record, 6))
    assert own['log.iostream'] == b'stdout' and own['log.file.path'].endswith(b'web/0.log')
    stamp = dict(fields(record))[1]
    assert int.from_bytes(stamp, 'little') == 1767323045123456789
    one.check_ledger()
    assert one.stop() == 0


def test_partial_lines_are_joined_and_java_traces_recombined(agent, peer, pods):
    sink = peer()
    recombine = {'type': 'recombine', 'combine_field': 'body', 'is_first_entry': 'body matches "^[^\\\\s]"', 'source_identifier': 'attributes["log.file.path"]'}
    start(agent, sink, pods, operators=({'type': 'container'}, recombine))
    trace = ['Exception in thread "main" java.lang.NullPointerException', '\tat a.b.C.d(C.java:1)', '\tat a.b.E.f(E.java:2)']
    (pods / '0.log').write_text(cri('one,', 'P') + cri('two,', 'P') + cri('three') + ''.join(cri(t) for t in trace) + cri('after'))
    until(lambda: len(sink.log_bodies()) == 3)
    assert sink.log_bodies() == ['one,two,three', '\n'.join(trace), 'after']


def test_docker_lines(agent, peer, pods):
    sink = peer()
    (pods / '0.log').write_text(''.join(json.dumps({'log': t, 'stream': 'stdout', 'time': '2026-01-02T03:04:05.5Z'}) + '\n' for t in ('first\n', 'whole "q"\n')))
    start(agent, sink, pods)
    until(lambda: len(sink.log_bodies()) == 2)
    assert sink.log_bodies() == ['first', 'whole "q"']


def test_bad_lines_harm_nobody(agent, peer, pods):
    """NUL bytes, no newline yet, a partial that never ends, a line that is not CRI: the good ones come, nothing stops."""
    sink = peer()
    one = start(agent, sink, pods)
    with open(pods / '0.log', 'wb') as f:
        f.write(cri('first').encode() + b'\0\0\0\0\n' + b'this is no container line\n' + cri('second').encode())
        f.write(cri('x' * 16000, 'P').encode() * 100 + cri('third').encode() + b'2026-01-02T03:04:05Z stdout F not end')
        f.flush()
        until(lambda: 'second' in sink.log_bodies() and any(b.endswith('third') for b in sink.log_bodies()))
        f.write(b'ed\n' + cri('last').encode())
    until(lambda: 'last' in sink.log_bodies())
    assert any(b.endswith('ended') for b in sink.log_bodies())
    one.check_ledger()
    assert one.stop() == 0


def test_truncated_and_vanished_files(agent, peer, pods):
    sink = peer()
    one = start(agent, sink, pods)
    (pods / '0.log').write_text(''.join(cri('old %d' % i) for i in range(100)))
    until(lambda: len(sink.log_bodies()) == 100)
    os.unlink(pods / '0.log')
    (pods / '0.log').write_text(cri('new one'))
    until(lambda: 'new one' in sink.log_bodies())
    (pods / '1.log').write_text(cri('next container'))
    until(lambda: 'next container' in sink.log_bodies())
    assert len(sink.log_bodies()) == 102
    one.check_ledger()
    assert one.stop() == 0


def test_a_clean_restart_repeats_nothing(agent, peer, pods):
    sink = peer()
    (pods / '0.log').write_text(''.join(cri('n%d' % i) for i in range(1000)))
    one = start(agent, sink, pods)
    until(lambda: len(sink.log_bodies()) == 1000)
    assert one.stop() == 0
    with open(pods / '0.log', 'a') as f:
        f.write(cri('more'))
    one.start()
    until(lambda: 'more' in sink.log_bodies())
    time.sleep(0.3)
    assert len(sink.log_bodies()) == 1001
    assert one.stop() == 0


def test_start_at_end(agent, peer, pods):
    sink = peer()
    (pods / '0.log').write_text(cri('before'))
    start(agent, sink, pods, start_at='end')
    time.sleep(0.5)
    with open(pods / '0.log', 'a') as f:
        f.write(cri('behind'))
    until(lambda: sink.log_bodies())
    assert sink.log_bodies() == ['behind']


class Writer(threading.Thread):
    """Numbered lines, with kubelet's rotation (rename, then a new file) every `rotate` bytes."""

    def __init__(self, folder, lines, rotate, pause):
        super().__init__(daemon=True)
        self.folder, self.lines, self.rotate, self.pause = folder, lines, rotate, pause

    def run(self):
        path, turn = self.folder / '0.log', 0
        f = open(path, 'a')
        for i in range(self.lines):
            f.write(cri('seq=%d %s' % (i, 'x' * 100)))
            if i % 200 == 199:
                f.flush()
                time.sleep(self.pause)
            if f.tell() > self.rotate:
                f.close()
                turn += 1
                os.rename(path, self.folder / ('0.log.20260102-%06d' % turn))
                f = open(path, 'a')
        f.close()


def test_kill_9_and_rotation_lose_nothing(agent, peer, pods):
    """20,000 numbered lines over some twenty rotations, four kills at random: each number arrives, repeats are bounded."""
    lines, rng = 20000, random.Random(11)
    sink = peer()
    writer = Writer(pods, lines, 150000, 0.02)
    one = start(agent, sink, pods)
    writer.start()
    for _ in range(4):
        time.sleep(0.2 + rng.random())
        one.kill()
        one.start()
    writer.join()
    numbers = lambda: [int(b.split(' ')[0][4:]) for b in sink.log_bodies()]
    until(lambda: len(set(numbers())) == lines, 60, lambda: 'missing: %s' % sorted(set(range(lines)) - set(numbers()))[:20])
    assert len(numbers()) < lines * 2, 'a kill repeats what was not acknowledged, not everything'
    one.check_ledger()
    assert one.stop() == 0


def test_a_dead_destination_holds_the_file(agent, peer, pods):
    """file_log never drops: the destination is away for a while, and then everything arrives."""
    sink = peer()
    sink.answer = (503, {}, b'')
    one = start(agent, sink, pods)
    (pods / '0.log').write_text(''.join(cri('n%d' % i) for i in range(5000)))
    until(lambda: len(sink.requests) >= 3)
    sink.answer = (200, {}, b'')
    until(lambda: len(set(sink.log_bodies())) == 5000)
    assert one.total('otelcol_exporter_send_failed_log_records') == 0
    one.check_ledger()
    assert one.stop() == 0
