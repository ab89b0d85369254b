# SPDX-License-Identifier: Apache-2.0
"""Modules: a component with a heavy library is opened when a configuration names it, costs nothing else, and is missed by its path."""
import os
import shutil
import subprocess

import pytest

import leatkit
from leatkit import logs, otlp_in, otlp_out, pipeline, post, run_leat, until

KAFKA = 'exporters: {kafka: {brokers: ["127.0.0.1:%d"]}}\nreceivers: {nop: }\nservice: {pipelines: {logs: {receivers: [nop], exporters: [kafka]}}}\n'


def maps(agent):
    with open('/proc/%d/maps' % agent.process.pid) as f:
        return f.read()


def config(tmp_path, port=9):
    file = tmp_path / 'kafka.yaml'
    file.write_text(KAFKA % port)
    return str(file)


def test_a_library_nobody_asked_for_is_not_there(agent):
    receivers, _, _ = otlp_in()
    one = agent(pipeline(receivers, {'otlp_http': otlp_out('http://127.0.0.1:9')}, ('logs',)))
    assert 'rdkafka' not in maps(one) and 'kafka.so' not in maps(one)
    assert one.stop() == 0


def test_a_configuration_opens_its_module_and_ends_without_its_broker(agent):
    receivers, _, _ = otlp_in()
    one = agent(pipeline(receivers, {'kafka': {'brokers': ['127.0.0.1:9']}}, ('logs', 'traces')))
    assert 'rdkafka' in maps(one) and 'kafka.so' in maps(one)
    until(lambda: 'Connection refused' in one.log(), 15, one.log)
    assert one.stop(10) == 0


def test_components_list_and_explain_modules():
    code, out, _ = run_leat('components')
    assert code == 0 and 'any signal to Kafka topics' in out
    code, out, _ = run_leat('components', 'kafka')
    assert code == 0 and 'partition_traces_by_id' in out


def test_a_missing_module_is_an_error_with_its_path(tmp_path):
    env = {'LEAT_MODULES': str(tmp_path / 'nowhere')}
    code, _, err = run_leat('validate', '--config', config(tmp_path), env=env)
    assert code == 1 and 'the module is missing: %s/nowhere/kafka.so' % tmp_path in err and 'kafka.yaml:1:' in err
    assert 'not supported' not in err, 'one mistake, one message'
    code, out, _ = run_leat('components', env=env)
    assert code == 0 and 'the module is missing' in out
    code, _, err = run_leat('components', 'kafka', env=env)
    assert code == 3 and 'the module is missing' in err


def test_what_is_no_module_is_refused(tmp_path):
    (tmp_path / 'kafka.so').write_bytes(b'\x7fELF no')
    code, _, err = run_leat('validate', '--config', config(tmp_path), env={'LEAT_MODULES': str(tmp_path)})
    assert code == 1 and 'the module cannot be opened' in err


def test_an_installed_binary_finds_its_modules(tmp_path):
    """bin/leat and lib/leat/kafka.so, as `cmake --install` lays them out."""
    beside = os.path.join(os.path.dirname(os.path.abspath(leatkit.LEAT)), 'leat-modules', 'kafka.so')
    if not os.path.exists(beside):
        pytest.fail('no module beside the binary: ' + beside)
    for folder in ('bin', 'lib/leat'):
        os.makedirs(tmp_path / folder)
    shutil.copy(leatkit.LEAT, tmp_path / 'bin' / 'leat')
    shutil.copy(beside, tmp_path / 'lib' / 'leat' / 'kafka.so')
    done = subprocess.run([str(tmp_path / 'bin' / 'leat'), 'validate', '--config', config(tmp_path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize('shards', [1, 3])
def test_what_a_foreign_client_holds_is_given_up_at_the_deadline(agent, shards):
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, {'kafka': {'brokers': ['127.0.0.1:9']}}, ('logs',), leat={'shards': shards, 'shutdown_timeout': '1s'}))
    for _ in range(6):
        assert post(port, '/v1/logs', logs('kept'))[0] == 200
    until(lambda: one.total('leat_items_held', component='kafka') == 6)
    one.check_ledger()
    assert one.stop(10) == 4, 'drained with loss, and soon'
    assert 'dropped' in one.log()
