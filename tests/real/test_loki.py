# SPDX-License-Identifier: Apache-2.0
"""A real Loki 3.7: what leat pushes comes back by query, and what Loki refuses is handled by the retry table."""
import json
import os
import time
import urllib.parse
import urllib.request

from leatkit import attribute, otlp_in, pb, pipeline, post, until

SENT, FAILED = 'otelcol_exporter_sent_log_records', 'otelcol_exporter_send_failed_log_records'


def query(base, selector, tenant=None):
    """-> [(labels, line, time in ns)]"""
    now = time.time_ns()
    params = urllib.parse.urlencode({'query': selector, 'start': now - 3600 * 10**9, 'end': now + 3600 * 10**9, 'limit': 5000})
    asked = urllib.request.Request(base + '/loki/api/v1/query_range?' + params, headers={'X-Scope-OrgID': tenant} if tenant else {})
    with urllib.request.urlopen(asked, timeout=20) as r:
        streams = json.load(r)['data']['result']
    return [(s['stream'], line, int(stamp)) for s in streams for stamp, line, *_ in s['values']]


def request(*bodies, resource=(), record=(), at=None):
    """An OTLP request with resource and record attributes, stamped now and in order."""
    at = at or time.time_ns()
    items = b''
    for i, body in enumerate(bodies):
        stamp = bytes([1 << 3 | 1]) + (at + i).to_bytes(8, 'little')
        items += pb(2, stamp + pb(2, 9) + pb(3, 'INFO') + pb(5, pb(1, body)) + b''.join(pb(6, attribute(k, v)) for k, v in record))
    return pb(1, pb(1, b''.join(pb(1, attribute(k, v)) for k, v in resource)) + pb(2, items))


def start(agent, url, **more):
    receivers, port, _ = otlp_in()
    loki = {'endpoint': url + '/loki/api/v1/push', 'retry_on_failure': {'initial_interval': '200ms', 'max_interval': '1s'}, **more}
    return agent(pipeline(receivers, {'loki': loki}, ('logs',))), port


def test_lines_come_back_with_labels_and_structured_metadata(agent, server):
    base = server('loki')['URL']
    one, port = start(agent, base)
    at = time.time_ns()
    resource = [('service.name', 'shop'), ('k8s.namespace.name', 'demo'), ('k8s.pod.name', 'web-1'), ('k8s.container.name', 'web')]
    assert post(port, '/v1/logs', request('first', 'second "quoted" \u00fc', resource=resource, record=[('http.route', '/items')], at=at))[0] == 200
    until(lambda: one.total(SENT) == 2)
    found = until(lambda: len(r := query(base, '{service_name="shop"}')) == 2 and r, 20)
    assert sorted((line, stamp) for _, line, stamp in found) == [('first', at), ('second "quoted" \u00fc', at + 1)]
    for labels, _, _ in found:
        assert labels['service_name'] == 'shop' and labels['k8s_namespace_name'] == 'demo'
        assert labels['k8s_pod_name'] == 'web-1', 'everything that is no label is structured metadata'
        assert labels['http_route'] == '/items'
    streams = until(lambda: query(base, '{service_name="shop"} | http_route="/items"'))
    assert len(streams) == 2
    one.check_ledger()
    assert one.stop() == 0


def test_many_streams_and_lines(agent, server):
    base = server('loki')['URL']
    one, port = start(agent, base)
    for i in range(40):
        body = request(*('line %d-%d' % (i, j) for j in range(50)), resource=[('service.name', 'svc%d' % (i % 5))])
        assert post(port, '/v1/logs', body)[0] == 200
    until(lambda: one.total(SENT) == 2000, 30)
    for k in range(5):
        lines = until(lambda: len(r := query(base, '{service_name="svc%d"}' % k)) == 400 and r, 20)
        assert {line for _, line, _ in lines} == {'line %d-%d' % (i, j) for i in range(k, 40, 5) for j in range(50)}
    one.check_ledger()
    assert one.stop() == 0


def test_a_long_line_is_a_400_and_dropped_and_the_rest_is_there(agent, server):
    base = server('loki-strict')['URL']
    one, port = start(agent, base)
    assert post(port, '/v1/logs', request('x' * 2000, resource=[('service.name', 'long')]))[0] == 200
    until(lambda: one.total(FAILED) == 1, 20)
    assert post(port, '/v1/logs', request('short', resource=[('service.name', 'short')]))[0] == 200
    until(lambda: [line for _, line, _ in query(base, '{service_name="short"}')] == ['short'], 20)
    assert one.total(SENT) == 1
    assert sum(row['dropped'] for row in one.check_ledger().values()) == 1
    assert one.stop() == 0


def test_429_is_waited_out(agent, server):
    """Over the rate Loki answers 429: the lines are held and tried again, none is lost."""
    base = server('loki-strict')['URL']
    one, port = start(agent, base, retry_on_failure={'initial_interval': '300ms', 'max_interval': '1s', 'max_elapsed_time': '2m'})
    for i in range(8):
        assert post(port, '/v1/logs', request(*('%d-%d ' % (i, j) + 'x' * 900 for j in range(8)), resource=[('service.name', 'rate')]))[0] == 200
    until(lambda: one.total(SENT) == 64, 60, lambda: 'sent %s' % one.total(SENT))
    assert one.total(FAILED) == 0
    assert '429' in one.log()
    lines = until(lambda: len(r := {line.split(' ')[0] for _, line, _ in query(base, '{service_name="rate"}')}) == 64 and r, 20)
    assert lines == {'%d-%d' % (i, j) for i in range(8) for j in range(8)}
    one.check_ledger()
    assert one.stop() == 0


def test_tenants(agent, server):
    """A Loki that asks for a tenant: from the configuration and from an attribute; without one it answers 401, and the lines are kept."""
    base = server('loki', LEAT_AUTH='true')['URL']
    receivers, port, _ = otlp_in()
    push = {'endpoint': base + '/loki/api/v1/push'}
    exporters = {'loki/fixed': {**push, 'tenant_id': 'one'}, 'loki/header': {**push, 'headers': {'X-Scope-OrgID': 'two'}},
                 'loki/attribute': {**push, 'tenant_attribute': 'tenant', 'tenant_id': 'rest'}, 'loki/none': push}
    one = agent(pipeline(receivers, exporters, ('logs',), leat={'shutdown_timeout': '1s'}))
    assert post(port, '/v1/logs', request('a', resource=[('service.name', 'x'), ('tenant', 'three')]))[0] == 200
    assert post(port, '/v1/logs', request('b', resource=[('service.name', 'x')]))[0] == 200
    for tenant, wanted in {'one': ['a', 'b'], 'two': ['a', 'b'], 'three': ['a'], 'rest': ['b']}.items():
        until(lambda: sorted(line for _, line, _ in query(base, '{service_name="x"}', tenant)) == wanted, 20, tenant)
    until(lambda: one.total('leat_on_hold', component='loki/none') == 1)
    assert one.total('leat_items_held', component='loki/none') == 2
    one.check_ledger()
    assert one.stop() == 4, 'what was held for credentials could not be delivered in the drain'


def test_every_tailed_line_is_stored_once(agent, server, tmp_path):
    """Lines of a pod's log, rotated on the way; Loki counts them."""
    lines = 500_000 if os.environ.get('LEAT_FULL') == '1' else 20_000
    base = server('loki')['URL']
    folder = tmp_path / 'pods' / 'shop_web-1_11111111-2222-3333-4444-555555555555' / 'web'
    folder.mkdir(parents=True)
    receivers = {'file_log': {'include': [str(tmp_path / 'pods/*/*/*.log')], 'start_at': 'beginning', 'include_file_path': True,
                              'poll_interval': '50ms', 'operators': [{'type': 'container'}]}}
    exporters = {'loki': {'endpoint': base + '/loki/api/v1/push', 'sending_queue': {'batch': {'flush_timeout': '200ms', 'min_size': 1000, 'sizer': 'items'},
                                                                                   'sizer': 'items', 'queue_size': 100000}}}
    one = agent(pipeline(receivers, exporters, ('logs',)))
    each, began = lines // 10, time.time_ns() - 60 * 10**9
    for part in range(10):
        if part == 5:
            os.rename(folder / '0.log', folder / '0.log.20260101-000000')
        with open(folder / '0.log', 'a') as f:
            for n in range(part * each, part * each + each):
                at = began + n * 1000
                f.write('%s.%09dZ stdout F line %d\n' % (time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at // 10**9)), at % 10**9, n))
        until(lambda: one.total(SENT) >= (part + 1) * each, 60)
    query = urllib.parse.urlencode({'query': 'sum(count_over_time({k8s_namespace_name="shop"}[1h]))', 'time': int(time.time()) + 60})

    def stored():
        with urllib.request.urlopen(base + '/loki/api/v1/query?' + query, timeout=20) as r:
            found = json.load(r)['data']['result']
        return int(found[0]['value'][1]) if found else 0

    until(lambda: stored() == lines, 30, lambda: 'Loki has %d of %d' % (stored(), lines))
    assert one.total(FAILED) == 0
    one.check_ledger()
    assert one.stop() == 0
