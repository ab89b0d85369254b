#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/make.py [--check] LEAT: a page for each component, from its folder's text and the binary's own key tables.

Written: docs/components/KIND_NAME.md, docs/README.md, the key tables between marks in docs/operations.md. With --check
nothing is written; what is stale, what has no text and what stands in no example is named, and the exit code is 1."""
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
KINDS = ('receiver', 'processor', 'exporter', 'extension')


def leat(binary, *args):
    done = subprocess.run([binary, *args], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    if done.returncode:
        sys.exit('leat %s: %s' % (' '.join(args), done.stderr))
    return done.stdout


def read(path):
    with open(os.path.join(ROOT, path)) as f:
        return f.read()


def components(binary):
    """-> [(kind, name, summary, aliases, tables)]"""
    found, kind = [], None
    for line in leat(binary, 'components').splitlines():
        if not line.startswith(' '):
            kind = line.rstrip(':')[:-1]
            continue
        name, summary = line.split(None, 1)
        parts = re.split(r'^# (\S+) \((\w+)\)\n', leat(binary, 'components', name, '--markdown'), flags=re.M)
        text = next(parts[i + 2] for i in range(1, len(parts), 3) if parts[i + 1] == kind)
        aliases = re.search(r'^Old names that still load: (.*)\.$', text, re.M)
        found.append((kind, name, summary, aliases.group(1).split(', ') if aliases else [], text.strip()))
    return found


def page(kind, name, tables):
    own = read('%ss/%s/%s.md' % (kind, name, name)).strip()
    rest = tables.split('\n', 1)[1].strip() if '\n' in tables else ''
    return '<!-- made by ./dev docs from %ss/%s/%s.md and the key tables -->\n\n%s\n\n%s\n' % (kind, name, name, own, rest)


def index(rows):
    out = ['<!-- made by ./dev docs -->', '', '# Documentation of leat', '',
           '- [operations.md](operations.md): command line, signals, reload, own metrics, keys of the agent itself, limits']
    out += ['- [%s](%s)' % (os.path.basename(p), os.path.basename(p)) for p in sorted(glob.glob(os.path.join(ROOT, 'docs', '*.md')))
            if os.path.basename(p) not in ('README.md', 'operations.md')]
    out += ['', 'Components; `leat components NAME` prints the same tables.', '', '| component | what it does |', '|---|---|']
    out += ['| [%s %s](components/%s_%s.md) | %s |' % (name, kind, kind, name, summary.replace('|', '\\|')) for kind, name, summary, _, _ in rows]
    out += ['', 'Whole configurations:', '']
    for path in sorted(glob.glob(os.path.join(ROOT, 'config/examples/*.yaml'))):
        first = read(path).splitlines()[0]
        out.append('- [%s](../config/examples/%s)%s' % (os.path.basename(path), os.path.basename(path),
                                                      ': ' + first[1:].strip() if first.startswith('#') else ''))
    return '\n'.join(out) + '\n'


def operations(binary):
    text = read('docs/operations.md')
    for name in ('leat', 'service::telemetry'):
        table = leat(binary, 'components', name, '--markdown').split('## Keys\n', 1)[1].strip()
        text, count = re.subn(r'(<!-- keys of %s -->\n).*?(<!-- end -->)' % name, lambda m: m.group(1) + table + '\n' + m.group(2), text, flags=re.S)
        if count != 1:
            sys.exit('docs/operations.md: no marks for the keys of %s' % name)
    return text


def in_examples(binary):
    """-> {(kind, type name)} of everything that stands in an example; each example must be good."""
    used = set()
    for path in glob.glob(os.path.join(ROOT, 'config/examples/*.yaml')):
        kind = None
        for line in leat(binary, 'print-config', '--config', path).splitlines():
            if re.match(r'\w+:', line):
                kind = line.split(':')[0][:-1]
            elif re.match(r'  [^ #]', line) and kind in KINDS:
                used.add((kind, re.split('[:/]', line.strip(), maxsplit=1)[0].strip('"')))
    return used


def main(argv):
    check = '--check' in argv
    binary = os.path.abspath([a for a in argv if a != '--check'][0])
    rows, wrong, pages = components(binary), [], {}
    examples = in_examples(binary)
    for kind, name, _, aliases, tables in rows:
        if not os.path.exists(os.path.join(ROOT, '%ss/%s/%s.md' % (kind, name, name))):
            wrong.append('%ss/%s: no %s.md' % (kind, name, name))
            continue
        if not examples & {(kind, n) for n in (name, *aliases)}:
            wrong.append('%s %s: in no file of config/examples' % (kind, name))
        pages['docs/components/%s_%s.md' % (kind, name)] = page(kind, name, tables)
    pages['docs/README.md'], pages['docs/operations.md'] = index(rows), operations(binary)
    for path in glob.glob(os.path.join(ROOT, 'docs/components/*.md')):
        if os.path.relpath(path, ROOT) not in pages:
            wrong.append('%s: of no component' % os.path.relpath(path, ROOT)) if check else os.unlink(path)
    for path, text in pages.items():
        whole = os.path.join(ROOT, path)
        if os.path.exists(whole) and read(path) == text:
            continue
        if check:
            wrong.append('%s: stale; run ./dev docs' % path)
            continue
        os.makedirs(os.path.dirname(whole), exist_ok=True)
        with open(whole, 'w') as f:
            f.write(text)
        print(path)
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
