# SPDX-License-Identifier: Apache-2.0
"""Processors and their extensions in the real process: what is edited, what is batched, who is let in, what a probe hears."""
import base64
import json
import urllib.request

import pytest
from leatkit import attribute, free_port, inside, log_bodies, logs, otlp_in, otlp_out, pb, pipeline, post, until


def attributes_of(messages):
    """{key: text} of KeyValue messages with string values."""
    return {inside(m, 1)[0].decode(): inside(m, 2, 1)[0].decode() for m in messages}


@pytest.mark.parametrize('shards', [1, 3])
def test_edits_arrive_and_the_rest_is_untouched(agent, peer, shards):
    sink = peer()
    receivers, port, _ = otlp_in(http={'include_metadata': True})
    processors = {
        'batch': {'timeout': '50ms', 'metadata_keys': ['X-Tenant']},
        'resource': {'attributes': [{'action': 'insert', 'key': 'tenant', 'from_context': 'metadata.X-Tenant', 'default_value': 'nobody'},
                                    {'action': 'delete', 'pattern': '^secret'}]},
        'attributes': {'exclude': {'match_type': 'strict', 'log_bodies': ['b']}, 'actions': [{'action': 'upsert', 'key': 'mark', 'value': 'yes'}]}}
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url)}, ('logs',), processors, leat={'shards': shards}))
    assert post(port, '/v1/logs', logs('a', 'b'), X_Tenant='t1')[0] == 200
    assert post(port, '/v1/logs', pb(1, pb(1, pb(1, attribute('secret.key', 'x'))) + pb(2, pb(2, pb(5, pb(1, 'c'))))))[0] == 200
    until(lambda: sorted(b for r in sink.delivered() for b in log_bodies(r.body)) == ['a', 'b', 'c'])
    seen = {}
    for request in sink.delivered():
        for resource in inside(request.body, 1):
            bodies = tuple(b.decode() for b in inside(resource, 2, 2, 5, 1))
            seen[bodies] = attributes_of(inside(resource, 1, 1)), [attributes_of(inside(r, 6)) for r in inside(resource, 2, 2)]
    assert seen == {('a', 'b'): ({'service.name': 'demo', 'tenant': 't1'}, [{'mark': 'yes'}, {}]), ('c',): ({'tenant': 'nobody'}, [{'mark': 'yes'}])}
    one.check_ledger()
    assert one.stop() == 0


@pytest.mark.parametrize('shards', [1, 3])
def test_a_probe_hears_the_state(agent, peer, shards):
    receivers, _, _ = otlp_in()
    port = free_port()
    config = pipeline(receivers, {'otlp_http': otlp_out(peer().url)}, ('logs',), leat={'shards': shards},
                      extensions={'health_check': {'endpoint': '127.0.0.1:%d' % port}})
    config['service']['extensions'] = ['health_check']
    one = agent(config)
    for _ in range(5):
        with urllib.request.urlopen('http://127.0.0.1:%d/' % port, timeout=10) as answer:
            assert answer.status == 200
            assert json.loads(answer.read())['status'] == 'Server available'
    assert one.stop() == 0


def test_only_those_with_credentials_come_in_and_ours_go_out(agent, peer):
    sink = peer()
    receivers, port, _ = otlp_in(http={'auth': {'authenticator': 'basic_auth'}})
    config = pipeline(receivers, {'otlp_http': otlp_out(sink.url, auth={'authenticator': 'bearer_token_auth'})}, ('logs',), extensions={
        'basic_auth': {'htpasswd': {'inline': 'reader:pass'}}, 'bearer_token_auth': {'token': 'a-token'}})
    config['service']['extensions'] = ['basic_auth', 'bearer_token_auth']
    one = agent(config)
    status, headers, _ = post(port, '/v1/logs', logs('a'))
    assert status == 401 and headers['WWW-Authenticate'].startswith('Basic')
    bad, good = (base64.b64encode(t).decode() for t in (b'reader:nope', b'reader:pass'))
    assert post(port, '/v1/logs', logs('a'), Authorization='Basic ' + bad)[0] == 401
    assert post(port, '/v1/logs', logs('b'), Authorization='Basic ' + good)[0] == 200
    until(lambda: sink.delivered())
    assert [b for r in sink.delivered() for b in log_bodies(r.body)] == ['b']
    assert sink.requests[0].headers['Authorization'] == 'Bearer a-token'
    with open(one.log_file) as log:
        assert 'a-token' not in log.read()
    assert one.stop() == 0


def test_too_much_memory_means_come_again(agent, peer):
    sink = peer()
    receivers, port, _ = otlp_in()
    one = agent(pipeline(receivers, {'otlp_http': otlp_out(sink.url)}, ('logs',), {'memory_limiter': {'check_interval': '100ms', 'limit_mib': 1}}))
    assert post(port, '/v1/logs', logs('a'))[0] == 503
    assert one.total('leat_processor_memory_limiter_refused_items_total') >= 1
    assert not sink.requests
    assert one.stop() == 0
