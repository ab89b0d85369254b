# SPDX-License-Identifier: Apache-2.0
"""SIGHUP: a good configuration takes over without loss, a bad one changes nothing."""
import http.client
import json
import os
import signal
import socket
import threading
import time
import urllib.request

from leatkit import SANITIZED, can_connect, free_port, logs, otlp_in, otlp_out, pipeline, post, until


def hup(one):
    one.process.send_signal(signal.SIGHUP)


def read_config(one):
    with open(one.config_file) as f:
        return json.load(f)


def write_config(one, config):
    """Whole or not at all, as a deployment does it."""
    with open(one.config_file + '.new', 'w') as f:
        f.write(config if isinstance(config, str) else json.dumps(config))
    os.rename(one.config_file + '.new', one.config_file)


def reloads(one, result):
    """-1: the page is closed at this very moment."""
    try:
        return one.total('leat_reloads_total', result=result)
    except (OSError, http.client.HTTPException):
        return -1


class Load:
    """One client that posts numbered lines all the time and remembers what was answered with 200."""

    def __init__(self, port):
        self.port, self.accepted, self.tried, self.on = port, [], 0, True
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.on:
            self.tried += 1
            name = 'n%d' % self.tried
            try:
                if post(self.port, '/v1/logs', logs(name))[0] == 200:
                    self.accepted.append(name)
            except (OSError, ValueError, http.client.HTTPException):
                time.sleep(0.01)  # no answer: not accepted

    def stop(self):
        self.on = False
        self.thread.join(30)


def test_reload_under_load(agent, peer):
    """A reload a second, each third configuration bad: all that was accepted arrives, once; bad ones change nothing."""
    sink = peer()
    sink.delay = 0.002
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url)}, ('logs',), leat={'shards': 2}))
    good = read_config(one)
    load = Load(port)
    for i in range(6):
        before = len(load.accepted)
        if i % 3 == 2:
            write_config(one, json.dumps(good).replace('"sending_queue"', '"sending_quue"').replace('"endpoint": "http', '"endpont": "http'))
            hup(one)
            until(lambda: reloads(one, 'bad') == i // 3 + 1, what='a refused reload')
        else:
            good['exporters']['otlp_http']['headers'] = {'x-generation': 'g%d' % i}
            write_config(one, good)
            hup(one)
            until(lambda: any(r.headers.get('x-generation') == 'g%d' % i for r in sink.delivered()), what='generation %d' % i)
        until(lambda: len(load.accepted) > before + 20, what='traffic after reload %d' % i)
        time.sleep(0.3)
    load.stop()
    log = one.log()
    assert log.count('endpont') >= 2 and 'the old one stays in force' in log, log[-3000:]
    assert (reloads(one, 'ok'), reloads(one, 'bad')) == (4, 2)
    assert one.total('leat_reload_dropped_items_total') == 0
    assert one.stop() == 0
    arrived = sink.log_bodies()
    assert len(load.accepted) > 100
    assert set(load.accepted) <= set(arrived), sorted(set(load.accepted) - set(arrived))[:10]
    assert len(arrived) == len(set(arrived)), 'a line arrived twice'


def test_every_mistake_is_logged(agent, peer):
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, {'nop': None}, ('logs',)))
    bad = read_config(one)
    bad['exporters']['nop'] = {'first_mistake': 1}
    bad['service']['pipelines']['logs']['exporters'] = ['nop', 'second_mistake']
    write_config(one, bad)
    hup(one)
    until(lambda: reloads(one, 'bad') == 1)
    for word in ('first_mistake', 'second_mistake', 'leat.yaml:'):
        assert word in one.log()
    write_config(one, '{')
    hup(one)
    until(lambda: reloads(one, 'bad') == 2)
    os.unlink(one.config_file)
    hup(one)
    until(lambda: reloads(one, 'bad') == 3)
    assert post(port, '/v1/logs', logs('still here'))[0] == 200
    assert reloads(one, 'ok') == 0
    assert one.stop() == 0


def test_what_does_not_start_gives_way_to_the_old_one(agent, peer):
    """The new configuration is valid, but its address is taken: the old one comes back, with its log."""
    sink = peer()
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url)}, ('logs',)))
    assert post(port, '/v1/logs', logs('before'))[0] == 200
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        config = read_config(one)
        config['receivers']['otlp']['protocols']['http']['endpoint'] = '127.0.0.1:%d' % taken.getsockname()[1]
        write_config(one, config)
        hup(one)
        until(lambda: 'the old configuration comes back' in one.log())
        until(lambda: can_connect(one.metrics_port) and reloads(one, 'bad') == 1)
    assert post(port, '/v1/logs', logs('after'))[0] == 200
    until(lambda: 'after' in sink.log_bodies())
    hup(one)  # the address is free now, and the file is still the new one
    until(lambda: can_connect(one.metrics_port) and reloads(one, 'ok') == 1)
    assert not can_connect(port)
    assert one.stop() == 0
    assert sink.log_bodies() == ['before', 'after']


def test_metrics_address_and_log_file_move(agent, peer, tmp_path):
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, {'nop': None}, ('logs',)))
    config, old = read_config(one), one.metrics_port
    one.metrics_port = free_port()
    telemetry = config['service']['telemetry']
    telemetry['metrics']['readers'][0]['pull']['exporter']['prometheus']['port'] = one.metrics_port
    telemetry['logs'] = {'output_paths': [str(tmp_path / 'own.log')]}
    write_config(one, config)
    uptime = lambda: one.total('otelcol_process_uptime_seconds')
    hup(one)
    until(lambda: can_connect(one.metrics_port))
    assert not can_connect(old)
    until(lambda: reloads(one, 'ok') == 1)
    assert uptime() < 60
    assert 'in force' in (tmp_path / 'own.log').read_text()
    files = len(os.listdir('/proc/%d/fd' % one.process.pid))
    for i in range(5):  # each reload opens the log file again: for log rotation
        hup(one)
        until(lambda: can_connect(one.metrics_port) and reloads(one, 'ok') == i + 2)
    assert abs(len(os.listdir('/proc/%d/fd' % one.process.pid)) - files) <= 2, 'files stay open'
    assert one.stop() == 0


def test_sigterm_during_a_reload_ends_it(agent, peer):
    """The drain a reload began is finished, the new graph does not start; what was accepted is delivered."""
    sink = peer()
    sink.delay = 0.5
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url, sending_queue={'num_consumers': 1})}, ('logs',)))
    for i in range(4):
        assert post(port, '/v1/logs', logs('n%d' % i))[0] == 200
    hup(one)
    until(lambda: 'draining' in one.log())
    assert one.stop() == 0
    assert sorted(sink.log_bodies()) == ['n%d' % i for i in range(4)]
    assert 'in force' not in one.log()


def test_a_second_sighup_reads_again(agent, peer):
    """SIGHUP while a reload drains: the file is read once more afterwards, so the last state of the file wins."""
    sink = peer()
    sink.delay = 0.4
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url, sending_queue={'num_consumers': 1})}, ('logs',)))
    for i in range(3):
        assert post(port, '/v1/logs', logs('n%d' % i))[0] == 200
    config = read_config(one)
    hup(one)
    until(lambda: 'reload: the new configuration is good' in one.log())
    config['exporters']['otlp_http']['headers'] = {'x-generation': 'last'}
    write_config(one, config)
    hup(one)
    until(lambda: can_connect(one.metrics_port) and reloads(one, 'ok') == 2)
    assert post(port, '/v1/logs', logs('after'))[0] == 200
    until(lambda: len(sink.delivered()) == 4)
    assert sink.delivered()[-1].headers['x-generation'] == 'last'
    assert one.stop() == 0


def test_files_are_read_on_where_a_reload_left_them(agent, peer, tmp_path):
    """A file that grows during twelve reloads, on three shards with batching: each line once, and the heap does not grow."""
    sink = peer()
    file = tmp_path / 'app.log'
    file.write_text('')
    config = pipeline({'file_log': {'include': [str(file)], 'start_at': 'beginning', 'poll_interval': '20ms', 'storage': 'file_storage'}},
                      {'otlp_http': otlp_out(sink.url)}, ('logs',), {'batch': {'timeout': '20ms'}}, leat={'shards': 3},
                      extensions={'file_storage': {'directory': str(tmp_path / 'state'), 'create_directory': True}})
    config['service']['extensions'] = ['file_storage']
    one = agent(config)
    count, sizes = 0, []
    for i in range(12):
        with open(file, 'a') as f:
            for _ in range(500):
                f.write('line %d\n' % count)
                count += 1
        hup(one)
        until(lambda: can_connect(one.metrics_port) and one.log().count('in force') == i + 1, what='reload %d' % i)
        sizes.append(one.rss())
    until(lambda: len(sink.log_bodies()) >= count, what='all lines')
    assert one.stop() == 0
    arrived = sink.log_bodies()
    assert sorted(arrived) == sorted('line %d' % i for i in range(count)), (len(arrived), len(set(arrived)), count)
    if not SANITIZED:
        assert sizes[-1] - sizes[3] < 2 << 20, sizes


def test_dumps_and_scrapes_under_way_survive_reloads(agent, peer):
    """Dump pages are asked for all the time while sixty reloads follow each other: some answers are lost, nothing breaks."""
    sink = peer()
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url)}, ('logs',), {'batch': {'timeout': '10ms'}}, leat={'shards': 3}))
    done, pages = threading.Event(), []

    def ask():
        while not done.is_set():
            try:
                with urllib.request.urlopen('http://127.0.0.1:%d/debug/dump' % one.metrics_port, timeout=10) as r:
                    pages.append(r.read())
            except OSError:
                pass
            except http.client.HTTPException:
                pass

    askers = [threading.Thread(target=ask, daemon=True) for _ in range(3)]
    load = Load(port)
    for asker in askers:
        asker.start()
    for _ in range(60):
        hup(one)
        time.sleep(0.04)
        assert one.process.poll() is None, one.log()[-3000:]
    done.set()
    for asker in askers:
        asker.join(30)
    load.stop()
    assert len(pages) > 20
    assert one.stop() == 0
    assert set(load.accepted) <= set(sink.log_bodies())
