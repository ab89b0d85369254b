# SPDX-License-Identifier: Apache-2.0
"""Real servers as fixtures. One that was not built is a skip that is printed and counted, never a pass."""
import os
import shutil
import subprocess
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), 'scenario'))
import leatkit  # noqa: E402

BACKEND = os.path.join(HERE, 'backend')


@pytest.fixture
def agent(tmp_path):
    started = []

    def start(config, name='leat', run=True, **more):
        one = leatkit.Agent(str(tmp_path / name), config, **more)
        started.append(one)
        return one.start() if run else one

    yield start
    for one in started:
        one.close()


@pytest.fixture
def server(tmp_path):
    """server('loki') -> the KEY=VALUE pairs that `backend start` prints, and PLACE for server.stop(place); conf replaces the server's own
    configuration; more goes into its environment: PORT='...' and the same folder start it again in its place."""
    running = []

    def stop(place):
        subprocess.run([BACKEND, 'stop', place], capture_output=True, timeout=60)

    def start(name, conf=None, folder=None, **more):
        if subprocess.run([BACKEND, 'path', name], capture_output=True).returncode:
            pytest.skip('not run: %s is not built; tests/real/backend get %s' % (name, name))
        place = str(tmp_path / (folder or name))
        env = {**os.environ, **more}
        if conf:
            file = tmp_path / (os.path.basename(place) + '.yaml')
            file.write_text(conf)
            env['LEAT_CONF'] = str(file)
        running.append(place)
        done = subprocess.run([BACKEND, 'start', name, place], env=env, capture_output=True, text=True, timeout=150)
        assert done.returncode == 0, done.stderr
        return {**dict(line.split('=', 1) for line in done.stdout.splitlines()), 'PLACE': place}

    start.stop = stop
    yield start
    for place in reversed(running):
        stop(place)
        shutil.rmtree(place, ignore_errors=True)


def tool(package, program):
    """The path of a program that is no server."""
    done = subprocess.run([BACKEND, 'path', package], capture_output=True, text=True)
    if done.returncode:
        pytest.skip('not run: %s is not built; tests/real/backend get %s' % (package, package))
    return os.path.join(done.stdout.strip(), program)


@pytest.fixture
def kubectl():
    """kubectl(kubeconfig, 'apply', '-f', '-', input=...) -> what it printed."""
    program = tool('kubectl', 'kubectl')

    def run(kubeconfig, *args, **more):
        done = subprocess.run([program, '--kubeconfig', kubeconfig, *args], capture_output=True, text=True, timeout=120, **more)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def telemetrygen():
    program = tool('telemetrygen', 'telemetrygen')

    def run(signal, endpoint, count, *flags):
        subprocess.run([program, signal, '--rate', '0', '--otlp-insecure', '--otlp-endpoint', endpoint, '--' + signal, str(count), *flags],
                       check=True, capture_output=True, timeout=120)

    return run
