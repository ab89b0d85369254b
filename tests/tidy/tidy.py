#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tidy -- the rules of the house that a compiler does not check.

usage: tidy.py [ROOT]        prints one line a finding; status 1 when there is one

Rules: layer, component, uv, file, function, call, spdx, dead, leftover, place.  layers.txt is the table of include
directions, exceptions.txt the ratchet.  test_tidy.py shows that each rule fires.
"""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FILE_LINES_MAX, FUNCTION_LINES_MAX = 800, 70
SKIPPED = {'.git', 'build', 'leat-data', '__pycache__', '.pytest_cache'}
SOURCE = ('.c', '.h', '.def')
SIGNED = SOURCE + ('.py', '.sh', '.cmake', '.proto', 'CMakeLists.txt')
KINDS = ('receivers', 'processors', 'exporters', 'extensions')
UNSAFE = 'strcpy strcat sprintf vsprintf gets strtok alloca'.split()
HEAP = 'malloc calloc realloc reallocarray strdup strndup asprintf vasprintf'.split()
HEAP_DOOR, OUTSIDE = 'agent/base/alloc.c', ('bench/', 'tests/')  # OUTSIDE: not part of the agent
LEFTOVER = re.compile(r'\b(TO' r'DO|FIX' r'ME|XX' r'X)\b')
PLACE = re.compile(r'(?<![\w.@$}-])/(work|farm|root|home/\w+)/')


class Tree:
    """The files under a root, read once, and the table of layers."""

    def __init__(self, root, layers=None):
        self.root = root
        self.text = {}
        for folder, folders, files in os.walk(root):
            folders[:] = sorted(d for d in folders if d not in SKIPPED)
            for name in sorted(files):
                path = os.path.join(folder, name)
                if not os.path.islink(path):
                    self.read(os.path.relpath(path, root))
        self.layers = read_layers(layers or os.path.join(HERE, 'layers.txt'))

    def read(self, path):
        with open(os.path.join(self.root, path), 'rb') as f:
            data = f.read()
        if b'\0' not in data[:4096] and '/corpus/' not in path:
            self.text[path] = data.decode('utf-8', 'replace')

    def sources(self):
        return ((p, t) for p, t in self.text.items() if p.endswith(SOURCE))


def read_layers(path):
    table = {}
    with open(path) as f:
        for line in f:
            words = line.split('#')[0].split()
            if words:
                table[words[0]] = [w for w in words[1:] if w != '-']
    return table


def under(path, folder):
    return path == folder or path.startswith(folder + '/')


def layer_of(path, layers):
    hits = [folder for folder in layers if under(path, folder)]
    return max(hits, key=len) if hits else None


def code_only(text):
    """The text without comments, strings and characters; line numbers stay."""
    blank = lambda m: re.sub(r'[^\n]', ' ', m.group())
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


def line_of(text, at):
    return text.count('\n', 0, at) + 1


def includes(text):
    return ((line_of(text, m.start()), m.group(1)) for m in re.finditer(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]', text, re.M))


# ---- the rules: each yields (path, line, rule, key, size, sentence)

def rule_layer(tree):
    for path, text in tree.sources():
        mine = layer_of(path, tree.layers)
        if mine is None:
            yield path, 1, 'layer', path, 0, 'this folder is in no line of tests/tidy/layers.txt'
            continue
        allowed = tree.layers[mine]
        for line, target in includes(text):
            theirs = layer_of(target, tree.layers)
            if theirs and theirs != mine and '*' not in allowed and not any(under(target, a) for a in allowed):
                yield path, line, 'layer', path, 0, '%s may not include %s (tests/tidy/layers.txt)' % (mine, target)


def rule_component(tree):
    for path, text in tree.sources():
        part = path.split('/')
        if part[0] in KINDS and len(part) > 2:
            for line, target in includes(text):
                other = target.split('/')
                if other[0] in KINDS and len(other) > 2 and other[:2] != part[:2]:
                    yield path, line, 'component', path, 0, 'a component never includes another (%s)' % target


def rule_uv(tree):
    for path, text in tree.sources():
        for line, target in includes(text):
            if target == 'uv.h' and not path.startswith('agent/loop/'):
                yield path, line, 'uv', path, 0, 'only agent/loop includes <uv.h>'


def rule_file(tree):
    for path, text in tree.text.items():
        lines = text.count('\n')
        if path.endswith(SOURCE + ('.py',)) and lines > FILE_LINES_MAX:
            yield path, 1, 'file', path, lines, '%d lines, at most %d' % (lines, FILE_LINES_MAX)


def functions(text):
    """(name, first line, lines) of each function; relies on the brace style that clang-format keeps."""
    lines, start = text.split('\n'), None
    for i, line in enumerate(lines):
        if line == '{' and start is None:
            start = i
        elif line.startswith('}') and start is not None:
            head = start
            while head > 0 and lines[head - 1].strip() and not re.match(r'[}#]|.*(;|\*/)$', lines[head - 1]):
                head -= 1
            name = re.search(r'(\w+)\s*\(', code_only(' '.join(lines[head:start])))
            yield (name.group(1) if name else '?'), head + 1, i - head + 1
            start = None


def rule_function(tree):
    for path, text in tree.sources():
        for name, line, lines in functions(text):
            if lines > FUNCTION_LINES_MAX:
                yield path, line, 'function', path + ':' + name, lines, '%s has %d lines, at most %d' % (name, lines, FUNCTION_LINES_MAX)


def rule_call(tree):
    unsafe, heap = (re.compile(r'(?<![\w.>])(%s)\s*\(' % '|'.join(names)) for names in (UNSAFE, HEAP))
    for path, text in tree.sources():
        if path.startswith(OUTSIDE):
            continue
        code = code_only(text)
        for m in unsafe.finditer(code):
            yield path, line_of(code, m.start()), 'call', path, 0, '%s() is not used here' % m.group(1)
        for m in heap.finditer(code) if path != HEAP_DOOR else ():
            yield path, line_of(code, m.start()), 'call', path, 0, '%s(): the heap is reached through agent/base/alloc.h' % m.group(1)


def rule_spdx(tree):
    for path, text in tree.text.items():
        if path.endswith(SIGNED) or path in ('dev', '.ci/run', 'tests/real/backend'):
            lines = text.split('\n', 2)
            first = lines[1] if lines[0].startswith('#!') and len(lines) > 1 else lines[0]
            if 'SPDX-License-Identifier: Apache-2.0' not in first and text.strip():
                yield path, 1, 'spdx', path, 0, 'the first line says SPDX-License-Identifier: Apache-2.0'


def named_by_cmake(tree, path):
    folder, name = os.path.split(path)
    while True:
        text = tree.text.get(os.path.join(folder, 'CMakeLists.txt'), '')
        if re.search(r'(?<![\w.])' + re.escape(name) + r'(?![\w.])', text):
            return True
        if not folder:
            return False
        folder = os.path.dirname(folder)


def rule_dead(tree):
    cmake = '\n'.join(t for p, t in tree.text.items() if p.endswith('.cmake'))
    for path, text in tree.text.items():
        if not path.endswith('.c') or named_by_cmake(tree, path) or os.path.basename(path) in cmake:
            continue
        if path.startswith('tests/unit/') and os.path.basename(path).startswith('test_'):
            home = os.path.dirname(path)[len('tests/unit/'):]
            if home + '/CMakeLists.txt' in tree.text or re.search(re.escape(os.path.dirname(path)) + r'\b', cmake + '\n'.join(
                    t for p, t in tree.text.items() if p.endswith('CMakeLists.txt'))):
                continue
        if re.match(r'tests/fuzz/\w+/target\.c$', path) and any(
                re.search(r'leat_fuzz\(%s\b' % path.split('/')[2], t) for p, t in tree.text.items() if p.endswith('CMakeLists.txt')):
            continue
        yield path, 1, 'dead', path, 0, 'no CMakeLists.txt builds this file'


def rule_leftover(tree):
    for path, text in tree.text.items():
        for m in LEFTOVER.finditer(text):
            yield path, line_of(text, m.start()), 'leftover', path, 0, m.group(1) + ' is left over'


def rule_place(tree):
    for path, text in tree.text.items():
        for m in PLACE.finditer(text):
            yield path, line_of(text, m.start()), 'place', path, 0, 'a path of one machine: ' + m.group()


RULES = [rule_layer, rule_component, rule_uv, rule_file, rule_function, rule_call, rule_spdx, rule_dead, rule_leftover, rule_place]


# ---- the ratchet

def read_exceptions(path):
    """-> {(rule, key): size}, list of complaints about the list itself."""
    allowed, complaints, most = {}, [], None
    with open(path) as f:
        for number, line in enumerate(f, 1):
            words = line.split(None, 3)
            if not words or words[0].startswith('#'):
                continue
            if words[:2] == ['at', 'most']:
                most = int(words[2])
            elif len(words) < 4 or not words[2].isdigit():
                complaints.append('%s:%d: rule, path, size and a reason are wanted' % (path, number))
            else:
                allowed[words[0], words[1]] = int(words[2])
    if most is None or len(allowed) != most:
        complaints.append('%s: holds %d exceptions and says "at most %s"; the list only shrinks' % (path, len(allowed), most))
    return allowed, complaints


def judge(tree, exceptions):
    allowed, findings = read_exceptions(exceptions)
    used = {}
    for rule in RULES:
        for path, line, name, key, size, sentence in rule(tree):
            if (name, key) in allowed and size <= allowed[name, key]:
                used[name, key] = max(size, used.get((name, key), 0))
            else:
                findings.append('%s:%d: %s: %s' % (path, line, name, sentence))
    for entry, size in allowed.items():
        if used.get(entry) != size:
            findings.append('exception %s %s allows %d, needed: %s; the list only shrinks' % (*entry, size, used.get(entry, 'not at all')))
    return findings


def main():
    root = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else os.path.dirname(os.path.dirname(HERE))
    findings = judge(Tree(root), os.path.join(HERE, 'exceptions.txt'))
    print('\n'.join(findings) if findings else 'tidy: nothing found')
    return 1 if findings else 0


if __name__ == '__main__':
    sys.exit(main())
