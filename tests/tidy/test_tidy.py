#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each rule of tidy.py is shown to fire, and to be silent on the same file written right."""
import os
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import tidy  # noqa: E402

SPDX = '/* SPDX-License-Identifier: Apache-2.0 */\n'
CMAKE = '# SPDX-License-Identifier: Apache-2.0\nleat_library(x SOURCES a.c b.c)\n'


def findings(files, exceptions='at most 0\n'):
    with tempfile.TemporaryDirectory() as root:
        for path, text in files.items():
            os.makedirs(os.path.dirname(os.path.join(root, path)) or root, exist_ok=True)
            with open(os.path.join(root, path), 'w') as f:
                f.write(text)
        with tempfile.NamedTemporaryFile('w', suffix='.txt') as f:
            f.write(exceptions)
            f.flush()
            return tidy.judge(tidy.Tree(root), f.name)


def source(path, text, **more):
    folder = os.path.dirname(path)
    return {path: SPDX + text, folder + '/CMakeLists.txt': CMAKE, **more}


class Rules(unittest.TestCase):
    def fires(self, rule, files, times=1):
        found = findings(files)
        self.assertEqual(sum(': %s: ' % rule in f for f in found), times, found)
        self.assertEqual(len(found), times, found)

    def silent(self, files, exceptions='at most 0\n'):
        self.assertEqual(findings(files, exceptions), [])

    def test_layer(self):
        self.fires('layer', source('agent/base/a.c', '#include "agent/loop/loop.h"\n'))
        self.fires('layer', source('agent/net/a.c', '#include "agent/pipe/batch.h"\n'))
        self.fires('layer', source('agent/deliver/a.c', '#include "proto/otlp/otlp.h"\n'))
        self.fires('layer', source('agent/base/a.c', '#include "exporters/exporter.h"\n'))
        self.fires('layer', source('proto/otlp/a.c', '#include "agent/pipe/batch.h"\n'))
        self.fires('layer', source('exporters/loki/a.c', '#include "config/load.h"\n'))
        self.fires('layer', source('elsewhere/a.c', ''))
        self.silent(source('agent/deliver/a.c', '#include "agent/net/http.h"\n#include "agent/base/err.h"\n#include <string.h>\n'))
        self.silent(source('agent/self/a.c', '#include "proto/prom_text/prom_text.h"\n'))

    def test_component(self):
        self.fires('component', source('exporters/loki/a.c', '#include "exporters/nop/nop.h"\n'))
        self.silent(source('exporters/loki/a.c', '#include "exporters/exporter.h"\n#include "exporters/loki/loki.h"\n'))

    def test_uv(self):
        self.fires('uv', source('agent/net/a.c', '#include <uv.h>\n'))
        self.silent(source('agent/loop/a.c', '#include <uv.h>\n'))

    def test_file(self):
        self.fires('file', source('agent/base/a.c', 'int x;\n' * 800))
        self.silent(source('agent/base/a.c', 'int x;\n' * 799))

    def test_function(self):
        body = lambda n: 'static int\nlong_one(int a)\n{\n' + '    a++;\n' * n + '}\n'
        self.fires('function', source('agent/base/a.c', body(67)))
        self.silent(source('agent/base/a.c', body(66) + 'int short_one(void)\n{\n    return 1;\n}\n'))

    def test_call(self):
        self.fires('call', source('agent/base/a.c', 'void f(void) { strcpy(a, b); }\n'))
        self.fires('call', source('agent/base/a.c', 'void *f(void) { return malloc(1); }\n'))
        self.fires('call', source('agent/base/a.c', 'void f(void) { sprintf(a, "x"); gets(a); }\n'), 2)
        self.silent(source('agent/base/a.c', '/* malloc(1) */ const char *s = "strcpy(a)"; void f(void) { mem->malloc(1); leat_malloc(2); snprintf(a, 1, "x"); }\n'))
        self.silent(source('bench/load/a.c', 'void *f(void) { return malloc(1); }\n'))

    def test_spdx(self):
        self.fires('spdx', {'agent/base/a.c': 'int x;\n', 'agent/base/CMakeLists.txt': CMAKE})
        self.fires('spdx', {'tests/a.py': '#!/usr/bin/env python3\nprint()\n'})
        self.silent({'tests/a.py': '#!/usr/bin/env python3\n# SPDX-License-Identifier: Apache-2.0\n'})

    def test_dead(self):
        self.fires('dead', source('agent/base/c.c', ''))
        self.fires('dead', source('agent/base/aa.c', ''))
        self.fires('dead', {'tests/unit/agent/base/test_a.c': SPDX})
        self.fires('dead', {'tests/fuzz/json/target.c': SPDX})
        self.silent(source('agent/base/b.c', '', **{'tests/unit/agent/base/test_a.c': SPDX}))
        self.silent({'tests/fuzz/json/target.c': SPDX, 'proto/json/CMakeLists.txt': CMAKE + 'leat_fuzz(json DEPENDS x)\n'})

    def test_leftover(self):
        self.fires('leftover', source('agent/base/a.c', '/* TO' 'DO later */\n'))
        self.fires('leftover', {'README.md': 'FIX' 'ME\n'})
        self.silent({'a.sh': '# SPDX-License-Identifier: Apache-2.0\nmktemp -d /tmp/x.XXXXXX\n'})

    def test_place(self):
        self.fires('place', {'README.md': 'see /wo' 'rk/main\n'})
        self.fires('place', {'README.md': 'see /ho' 'me/me/x\n'})
        self.silent({'README.md': 'see $HOME/.cache/root/x and ./work/main\n'})

    def test_the_ratchet_only_shrinks(self):
        long_file = source('agent/base/a.c', 'int x;\n' * 900)
        self.silent(long_file, 'at most 1\nfile agent/base/a.c 901 generated table\n')
        self.assertTrue(findings(long_file, 'at most 1\nfile agent/base/a.c 900 grew\n'))
        self.assertTrue(findings(long_file, 'at most 1\nfile agent/base/a.c 950 shrank and the line did not\n'))
        self.assertTrue(findings(long_file, 'at most 1\nfile agent/base/a.c 901\n'), 'a reason is wanted')
        self.assertTrue(findings(long_file, 'at most 0\nfile agent/base/a.c 901 one too many\n'))
        self.assertTrue(findings({}, 'at most 1\nfile agent/base/a.c 901 gone\n'))


if __name__ == '__main__':
    unittest.main()
