# SPDX-License-Identifier: Apache-2.0
"""The process: command line, exit codes, signals, configuration files."""
import glob
import os
import re
import urllib.request

import pytest
from leatkit import ROOT, free_port, logs, otlp_in, otlp_out, pipeline, post, run_leat, until

GOOD = '''
receivers:
  otlp:
    protocols: {http: {endpoint: 127.0.0.1:0}}
exporters:
  nop:
service:
  pipelines:
    logs: {receivers: [otlp], exporters: [nop]}
'''


def test_sigterm_drains(agent, peer):
    """What was accepted is delivered before leat ends: exit code 0."""
    sink = peer()
    sink.delay = 0.2
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url, sending_queue={'num_consumers': 1})}, ('logs',)))
    for i in range(10):
        assert post(port, '/v1/logs', logs('n%d' % i))[0] == 200
    assert one.stop() == 0
    assert sorted(sink.log_bodies()) == sorted('n%d' % i for i in range(10))
    assert re.search(r'nghttp2 1\.\d+\.\d+, OpenSSL 3\S* .*, libuv \S+, zstd \S+', one.log())


def test_loss_at_the_end_is_exit_code_4(agent, peer):
    """A destination that never answers well: the drain ends at its deadline and the exit code says so."""
    sink = peer()
    sink.answer = (503, {}, b'')
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url)}, ('logs',), leat={'shutdown_timeout': '1s'}))
    assert post(port, '/v1/logs', logs('lost'))[0] == 200
    until(lambda: sink.requests)
    assert one.stop(60) == 4


def test_a_second_sigterm_stops_at_once(agent, peer):
    import signal
    import time
    sink = peer()
    sink.answer = (503, {}, b'')
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url)}, ('logs',)))
    assert post(port, '/v1/logs', logs('lost'))[0] == 200
    until(lambda: sink.requests)
    one.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(10) == 4


def test_usage_is_exit_code_2():
    assert run_leat('--no-such-flag')[0] == 2
    assert run_leat('no-such-command')[0] == 2


def test_version_and_components():
    code, out, _ = run_leat('--version')
    assert code == 0 and re.search(r'\d+\.\d+\.\d+', out)
    code, out, _ = run_leat('components')
    assert code == 0
    for name in ('otlp', 'file_log', 'batch', 'otlp_http', 'otlp_grpc', 'loki', 'file', 'debug', 'nop', 'health_check', 'file_storage'):
        assert re.search(r'\b%s\b' % name, out), name
    code, out, _ = run_leat('components', 'otlp_http')
    assert code == 0 and 'endpoint' in out and 'sending_queue' in out
    for section, key in (('leat', 'shutdown_timeout'), ('service::telemetry', 'metrics::readers')):
        code, out, _ = run_leat('components', section, '--markdown')
        assert code == 0 and '`%s`' % key in out
    assert run_leat('components', 'no_such_thing')[0] != 0


def test_a_taken_port_is_exit_code_3(tmp_path, peer):
    taken = peer()
    config = tmp_path / 'c.yaml'
    config.write_text(GOOD.replace('127.0.0.1:0', '127.0.0.1:%d' % taken.port))
    code, _, err = run_leat('--config', str(config))
    assert code == 3 and str(taken.port) in err


def test_good_config_validates_in_silence(tmp_path):
    config = tmp_path / 'c.yaml'
    config.write_text(GOOD)
    assert run_leat('validate', '--config', str(config)) == (0, '', '')


BROKEN = [  # (what is wrong, old text, new text, line:column or line, words of the message)
    ('unknown key', 'http: {endpoint', 'http: {endpont', '4', ['endpont', 'endpoint']),
    ('unknown component', '  nop:', '  nop_no:', '6', ['nop_no']),
    ('unknown section', 'receivers:\n  otlp', 'recievers:\n  otlp', '2', ['recievers', 'receivers']),
    ('dangling reference', 'exporters: [nop]', 'exporters: [nope]', '9', ['nope']),
    ('no exporter', 'exporters: [nop]', 'exporters: []', '9', ['exporter']),
    ('bad YAML', 'pipelines:', 'pipelines: [', None, []),
    ('wrong type', 'exporters: [nop]}', 'exporters: {a: 1}}', '9', []),
    ('bad duration', '  nop:', '  otlp_http: {endpoint: "http://127.0.0.1:1", timeout: 5q}\n  nop:', '6', ['timeout', '5q']),
    ('a key twice', '  nop:', '  nop:\n  nop:', '7', ['nop']),
    ('unknown signal', '    logs:', '    lugs:', '9', ['lugs']),
]


@pytest.mark.parametrize('wrong, old, new, line, words', BROKEN, ids=[b[0] for b in BROKEN])
def test_broken_config_is_exit_code_1_with_the_place(tmp_path, wrong, old, new, line, words):
    assert old in GOOD
    config = tmp_path / 'broken.yaml'
    config.write_text(GOOD.replace(old, new, 1))
    code, _, err = run_leat('--config', str(config))
    assert code == 1, err
    place = re.search(r'broken\.yaml:(\d+):(\d+)', err)
    assert place, err
    if line:
        assert any(m == line for m, _ in re.findall(r'broken\.yaml:(\d+):(\d+)', err)), err
    for word in words:
        assert word in err
    assert run_leat('validate', '--config', str(config))[0] == 1


def test_all_errors_at_once(tmp_path):
    config = tmp_path / 'broken.yaml'
    config.write_text(GOOD.replace('{endpoint', '{endpont', 1).replace('exporters: [nop]', 'exporters: [nope]').replace('  nop:', '  nop: {x: 1}'))
    code, _, err = run_leat('--config', str(config))
    assert code == 1
    lines = {int(m) for m in re.findall(r'broken\.yaml:(\d+):', err)}
    assert len(lines) >= 3, err


def test_two_files_merge_with_old_and_new_names_and_env(agent, peer, tmp_path):
    """Maps merge, lists replace, ${env:X:-default} and $$ expand; `otlphttp` and `otlp_http` stand side by side."""
    sink, other = peer(), peer()
    receivers, port, _ = otlp_in()
    second = tmp_path / 'second.yaml'
    second.write_text('''
exporters:
  otlphttp/old: {endpoint: "${env:OLD_URL}", compression: none, headers: {x-price: "$$5", x-mode: "${env:NOT_SET:-fallback}"}}
service:
  pipelines:
    logs: {exporters: [otlp_http/new, otlphttp/old]}
''')
    base = pipeline(receivers, {'otlp_http/new': otlp_out(sink.url), 'nop': None}, ('logs',))
    one = agent(base, merge=[str(second)], env={'OLD_URL': other.url})
    assert post(port, '/v1/logs', logs('a'))[0] == 200
    until(lambda: sink.delivered() and other.delivered())
    assert other.requests[0].headers['x-price'] == '$5'
    assert other.requests[0].headers['x-mode'] == 'fallback'
    assert one.total('otelcol_exporter_sent_log_records', exporter='otlphttp/old') <= 1
    assert one.stop() == 0


def test_print_config_hides_secrets(tmp_path):
    config = tmp_path / 'c.yaml'
    config.write_text(GOOD.replace('exporters:\n  nop:', 'exporters:\n  otlp_http: {endpoint: "http://127.0.0.1:1", headers: {authorization: "tell-nobody"}}\n  nop:'))
    code, out, err = run_leat('print-config', '--config', str(config))
    assert code == 0, err
    assert 'tell-nobody' not in out + err and '[REDACTED]' in out


@pytest.mark.parametrize('file', sorted(glob.glob(os.path.join(ROOT, 'config/examples/*.yaml'))), ids=os.path.basename)
def test_examples_validate(file):
    code, _, err = run_leat('validate', '--config', file)
    assert code == 0, err


def test_unused_unknown_collector_component_is_a_warning(tmp_path):
    config = tmp_path / 'c.yaml'
    config.write_text(GOOD.replace('receivers:\n', 'receivers:\n  zipkin: {endpoint: "localhost:%d"}\n' % free_port(), 1))
    code, _, err = run_leat('validate', '--config', str(config))
    assert code == 0 and 'zipkin' in err
    config.write_text(config.read_text().replace('receivers: [otlp]', 'receivers: [otlp, zipkin]'))
    code, _, err = run_leat('validate', '--config', str(config))
    assert code == 1 and 'zipkin' in err


def test_dump_page(agent, peer):
    """Each shard tells its own part; ledgers and sender figures are there, and a dump under load harms nobody."""
    sink = peer()
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url), 'nop': None}, ('logs',), {'batch': {'timeout': '10ms'}}, leat={'shards': 3}))
    page = lambda: urllib.request.urlopen('http://127.0.0.1:%d/debug/dump' % one.metrics_port, timeout=10).read().decode()
    for i in range(30):
        assert post(port, '/v1/logs', logs('n%d' % i))[0] == 200
        assert page().count('shard ') >= 3
    until(lambda: len(sink.log_bodies()) == 30)
    text = page()
    assert re.findall(r'^shard (\d)$', text, re.M) == ['0', '1', '2']
    for word in ('receiver otlp', 'processor batch of logs', 'exporter otlp_http', 'exporter nop', 'branch ', 'queue 0 of 1000', '0 items in 0 bytes held'):
        assert word in text, (word, text)
    taken = [int(n) for n in re.findall(r'receiver otlp\n    logs: in (\d+), out', text)]
    assert len(taken) == 3 and sum(taken) == 30 and min(taken) > 0, text
    assert one.stop() == 0
