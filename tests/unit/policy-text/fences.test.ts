import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fence, parseFences } from '../../../src/policy/text/fences.js';

/** [tag, content, closed] of each block. */
const read = (text: string): [string, string, boolean][] =>
  parseFences(text).map(({ tag, content, closed }) => [tag, content, closed]);

describe('fenced blocks, as CommonMark has them', () => {
  it.each<[string, string, [string, string, boolean][]]>([
    ['a tag and a line', '```python\nx\n```', [['python', 'x', true]]],
    ['no tag', '```\nx\n```', [['', 'x', true]]],
    ['no content', '```input\n```', [['input', '', true]]],
    ['a blank line as content', '```input\n\n```', [['input', '', true]]],
    ['a tag in capitals and more words', '```  Python title="a"\nx\n```', [['python', 'x', true]]],
    ['tildes, whose info string may hold backticks', '~~~py `x`\n```\n~~~', [['py', '```', true]]],
    ['tildes do not close backticks', '```\n~~~\n```', [['', '~~~', true]]],
    ['backticks in the info string of backticks: no fence', '```x``` y\n```', [['', '', false]]],
    ['two backticks: no fence', '``\nx\n``', []],
    ['a closing fence may be longer', '```\nx\n`````', [['', 'x', true]]],
    ['a closing fence is not shorter', '````\n```\n````', [['', '```', true]]],
    ['a closing fence has no tag', '```a\n```b\n```', [['a', '```b', true]]],
    ['a closing fence may be followed by blanks', '```\nx\n```  \t\ny', [['', 'x', true]]],
    ['and by nothing else', '```\nx\n``` y', [['', 'x\n``` y', false]]],
    [
      'opening by three spaces, content less by as many',
      '   ```\n   a\n    b\n c\n  ```',
      [['', 'a\n b\nc', true]],
    ],
    ['four spaces: no fence', '    ```\n    x', []],
    ['a tab: no fence', '\t```\n\tx', []],
    ['four spaces do not close', '```\n    ```\n```', [['', '    ```', true]]],
    ['no closing fence: to the end', '```python\nx\ny\n', [['python', 'x\ny', false]]],
    ['an opening fence at the very end', 'text\n```python', [['python', '', false]]],
    ['CRLF', '```python\r\na\r\n\r\nb\r\n```\r\n', [['python', 'a\n\nb', true]]],
    ['CR alone', '```\ra\r```\r', [['', 'a', true]]],
    [
      'several',
      '```a\n1\n```\n```b\n2\n```\ntext\n~~~c\n3\n~~~',
      [
        ['a', '1', true],
        ['b', '2', true],
        ['c', '3', true],
      ],
    ],
    ['in the middle of a line: no fence', 'see ```python\nx', []],
    ['an empty text', '', []],
  ])('%s', (_name, text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  it('have offsets that point at their lines', () => {
    const text = 'before\n```x\nab\nc\n```\nafter';
    const [block] = parseFences(text);
    expect(text.slice(block?.start)).toMatch(/^```x\n/);
    expect(text.slice(block?.contentStart, block?.contentEnd)).toBe('ab\nc\n');
  });

  it('written around any content are read back as that content', () => {
    const line = fc
      .array(fc.constantFrom('`', '``', '```', '~~~', ' ', '    ', 'x', '\t', '"""', 'é', '\u2028'))
      .map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(
        fc.array(line, { minLength: 1 }),
        fc.constantFrom('python', 'input_0', ''),
        (lines, tag) => {
          const content = lines.join('\n');
          expect(read(`text\n${fence(tag, content)}\ntext`)).toEqual([[tag, content, true]]);
        },
      ),
    );
  });

  it('never overlap and never leave the text', () => {
    const piece = fc.constantFrom('```', '````', '~~~', ' ', '    ', '\n', '\r', '\r\n', 'python', 'x', '\t');
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const text = pieces.join('');
        let at = 0;
        for (const { start, contentStart, contentEnd } of parseFences(text)) {
          expect(start).toBeGreaterThanOrEqual(at);
          expect(contentStart).toBeGreaterThan(start);
          expect(contentEnd).toBeGreaterThanOrEqual(contentStart);
          expect(contentEnd).toBeLessThanOrEqual(text.length);
          at = contentEnd;
        }
      }),
    );
  });
});
