import { describe, expect, it } from 'vitest';
import { astText } from '../../../src/reward/intrinsic/ast-text.js';
import { readSyntaxNode } from '../../../src/reward/intrinsic/syntax-tree.js';

describe('the text of a tree', () => {
  it('is indented JSON with sorted keys; lists keep nodes only', () => {
    const tree = readSyntaxNode({
      _: 'Module',
      body: [
        { _: 'Expr', value: { _: 'Constant', value: { c: 'str', t: 'é"\u007f\ud83d\ude00\n' }, kind: 'u' } },
        { _: 'Global', names: ['a', 'b'] },
        { _: 'Expr', value: { _: 'Constant' } },
      ],
      type_ignores: [],
    });
    expect(astText(tree)).toBe(
      [
        '{',
        '  "body": [',
        '    {',
        '      "node_type": "Expr",',
        '      "value": {',
        '        "kind": "u",',
        '        "node_type": "Constant",',
        '        "value": "\\u00e9\\"\\u007f\\ud83d\\ude00\\n"',
        '      }',
        '    },',
        '    {',
        '      "names": [],',
        '      "node_type": "Global"',
        '    },',
        '    {',
        '      "node_type": "Expr",',
        '      "value": {',
        '        "node_type": "Constant"',
        '      }',
        '    }',
        '  ],',
        '  "node_type": "Module",',
        '  "type_ignores": []',
        '}',
      ].join('\n'),
    );
  });

  it.each([
    ['int', '12', '12'],
    ['float', '1e+16', '1e+16'],
    ['float', 'inf', 'Infinity'],
    ['bool', 'True', 'true'],
  ])('writes a constant of type %s %s as Python does', (type, text, expected) => {
    const tree = readSyntaxNode({ _: 'Constant', value: { c: type, t: text } });
    expect(astText(tree)).toBe(`{\n  "node_type": "Constant",\n  "value": ${expected}\n}`);
  });

  it('refuses what JSON cannot say, by type', () => {
    for (const [c, t] of [
      ['bytes', "b'1'"],
      ['complex', '1j'],
      ['ellipsis', 'Ellipsis'],
    ])
      expect(() => astText(readSyntaxNode({ _: 'Constant', value: { c, t } }))).toThrow(`type ${c}`);
  });

  it('refuses another shape than a tree', () => {
    for (const value of [null, 1, 'a', {}, { c: 'int', t: '1' }, { _: 'Module', body: [1] }])
      expect(() => readSyntaxNode(value)).toThrow(TypeError);
  });
});
