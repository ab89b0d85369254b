# SPDX-License-Identifier: Apache-2.0
"""Numbered CRI lines through rotation while leat is killed with -9 at random: the sink holds every number at least once.

300,000 lines and 4 kills; LEAT_FULL=1: 2,000,000 lines, rotation every 50 MB, 10 kills.
"""
import os
import random
import re
import subprocess
import sys
import time

import pytest
from leatkit import Peer, otlp_out, pipeline, until

FULL = os.environ.get('LEAT_FULL') == '1'
LINES, ROTATE, KILLS, SECONDS = (2000000, 50 << 20, 10, 60) if FULL else (300000, 8 << 20, 4, 12)
POD = 'soak_web-1_11111111-2222-3333-4444-555555555555/web'

WRITER = r'''
import os, sys, time
folder, lines, rotate, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
path, turn, began, step = folder + '/0.log', 0, time.monotonic(), 500
out = open(path, 'w')
for first in range(0, lines, step):
    out.write(''.join('2026-01-02T03:04:05.%09dZ stdout F seq=%d %s\n' % (n, n, 'x' * 125) for n in range(first, min(first + step, lines))))
    out.flush()
    if out.tell() > rotate:
        out.close()
        turn += 1
        os.rename(path, folder + '/0.log.20260102-%06d' % turn)
        out = open(path, 'w')
    ahead = seconds * first / lines - (time.monotonic() - began)
    if ahead > 0:
        time.sleep(ahead)
'''


class Tally:
    """Counts how often each number arrived; keeps no bodies."""

    def __init__(self):
        self.seen, self.peer = bytearray(LINES), Peer()
        self.peer.answer = self.take

    def take(self, request):
        for number in re.findall(rb'seq=(\d+) ', request.body):
            at = int(number)
            self.seen[at] = min(self.seen[at] + 1, 255)
        request.body = request.raw = b''
        return 200, {}, b''

    def missing(self):
        return self.seen.count(0)


@pytest.mark.parametrize('shards', [1, 3])
def test_every_line_arrives_whatever_is_killed(agent, tmp_path, shards):
    tally, rng = Tally(), random.Random(20260102 + shards)
    folder = tmp_path / 'pods' / POD
    folder.mkdir(parents=True)
    receiver = {'include': [str(tmp_path / 'pods/*/*/*.log*')], 'start_at': 'beginning', 'include_file_path': True, 'storage': 'file_storage',
                'operators': [{'type': 'container'}]}
    config = pipeline({'file_log': receiver}, {'otlp_http': otlp_out(tally.peer.url)}, ('logs',), leat={'shards': shards},
                      extensions={'file_storage': {'directory': str(tmp_path / 'state'), 'create_directory': True}})
    config['service']['extensions'] = ['file_storage']
    one = agent(config)
    writer = subprocess.Popen([sys.executable, '-c', WRITER, str(folder), str(LINES), str(ROTATE), str(SECONDS)])
    try:
        for kill in range(KILLS):
            time.sleep(rng.uniform(0.3, 1.6) * SECONDS / (KILLS + 2))
            one.kill()
            one.start()
            if kill % 2: # between two kills a clean stop: it leaves the books balanced and ends well
                one.check_ledger()
                assert one.stop() == 0
                one.start()
        assert writer.wait(SECONDS * 4) == 0
        until(lambda: not tally.missing(), 60, lambda: '%d of %d lines are missing' % (tally.missing(), LINES))
        repeats = sum(n - 1 for n in tally.seen)
        print('repeats: %d of %d' % (repeats, LINES))
        assert repeats <= KILLS * 60000, 'a kill repeats at most what was not acknowledged: 8 MiB in flight'
        until(lambda: all(row['held'] == 0 for row in one.check_ledger().values()))
        assert one.stop() == 0
    finally:
        writer.kill()
        writer.wait()
        tally.peer.close()
