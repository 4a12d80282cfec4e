/**
 * The form of a whole response: where the thought ends and what the answer is.
 *
 *   think    the prompt ends with an open think tag, so a response reads: THOUGHT </think> blanks <answer> ANSWER </answer>;
 *            well-formed iff it has that beginning. The answer is the last answer block that is closed, else all after
 *            the last opening tag.
 *   boxed    the content of the last \boxed{...} with balanced braces; well-formed iff there is one
 *   bare     the whole response
 *
 * Deviations from the published code: only the completion is judged (it split prompt and completion at the second
 * speaker's name, which a task may contain), and nothing is stripped of quotes. A tag inside a closed fenced block is
 * text unless its line begins with it: a program may speak of tags in its strings.
 */
import { isBlank, isLineEnd, skipSpaces } from './characters.js';
import { parseFences } from './fences.js';

export const WRAPPERS = ['think', 'boxed', 'bare'] as const;
export type Wrapper = (typeof WRAPPERS)[number];

export interface Envelope {
  /** Whether the response has the wrapper's form. */
  readonly formatOk: boolean;
  /** Null where the wrapper asks for none and none is marked. */
  readonly thought: string | null;
  /** Null where there is no answer. */
  readonly answer: string | null;
}

const THINK = '<think>';
const END_THINK = '</think>';
const ANSWER = '<answer>';
const END_ANSWER = '</answer>';
const BOXED = '\\boxed{';
const OPEN_BRACE = 123;
const CLOSE_BRACE = 125;

/** Takes a response, without its prompt, apart. Linear in the response; never throws. */
export function openEnvelope(wrapper: Wrapper, response: string): Envelope {
  switch (wrapper) {
    case 'think':
      return answerEnvelope(response);
    case 'boxed': {
      const { thought, body } = splitThought(response);
      const answer = lastBoxed(body);
      return { formatOk: answer !== null, thought, answer };
    }
    case 'bare': {
      const { thought, body } = splitThought(response);
      return { formatOk: true, thought, answer: body.trim() };
    }
  }
}

function answerEnvelope(response: string): Envelope {
  const wellBegun = thoughtThenAnswer(response);
  const endOfThought = wellBegun?.endOfThought ?? response.indexOf(END_THINK);
  const thought = withoutThinkTag(endOfThought < 0 ? response : response.slice(0, endOfThought)).trim();
  const opening = wellBegun?.answerTag ?? response.indexOf(ANSWER);
  if (opening < 0) return { formatOk: false, thought, answer: null };
  const region = response.slice(opening + ANSWER.length);
  const { text, closed } = lastAnswer(region);
  return { formatOk: wellBegun !== undefined && closed, thought, answer: text.trim() };
}

/** The first closing think tag that an opening answer tag follows. */
function thoughtThenAnswer(response: string): { endOfThought: number; answerTag: number } | undefined {
  for (let at = response.indexOf(END_THINK); at >= 0; at = response.indexOf(END_THINK, at + 1)) {
    const answerTag = skipSpaces(response, at + END_THINK.length);
    if (response.startsWith(ANSWER, answerTag)) return { endOfThought: at, answerTag };
  }
  return undefined;
}

/** `region` begins after an opening answer tag. */
function lastAnswer(region: string): { text: string; closed: boolean } {
  let open: number | undefined = 0;
  let lastOpen = 0;
  let found: string | undefined;
  for (const tag of answerTags(region)) {
    if (tag.opens) {
      open = tag.end;
      lastOpen = tag.end;
    } else if (open !== undefined) {
      found = region.slice(open, tag.start);
      open = undefined;
    }
  }
  return { text: found ?? region.slice(lastOpen), closed: found !== undefined };
}

interface Tag {
  readonly opens: boolean;
  readonly start: number;
  readonly end: number;
}

/** Answer tags that are markup, in order. */
function* answerTags(region: string): Generator<Tag, void, undefined> {
  const fenced = parseFences(region, END_ANSWER).filter((block) => block.closed);
  let block = 0;
  const name = 'answer>';
  for (let at = region.indexOf(name); at >= 0; at = region.indexOf(name, at + 1)) {
    const opens = region.charCodeAt(at - 1) === 60;
    const start = opens ? at - 1 : at - 2;
    if (start < 0 || !region.startsWith(opens ? ANSWER : END_ANSWER, start)) continue;
    while (block < fenced.length && (fenced[block]?.contentEnd ?? 0) <= start) block++;
    const within = fenced[block];
    const inside = within !== undefined && start >= within.contentStart;
    if (inside && !beginsLine(region, start)) continue;
    yield { opens, start, end: at + name.length };
  }
}

function beginsLine(text: string, start: number): boolean {
  let at = start - 1;
  while (at >= 0 && isBlank(text.charCodeAt(at))) at--;
  return at < 0 || isLineEnd(text.charCodeAt(at));
}

/** For wrappers that ask for no tags: a model may think in them all the same, its own template opening them or not. */
function splitThought(response: string): { thought: string | null; body: string } {
  const end = response.indexOf(END_THINK);
  if (end < 0) return { thought: null, body: response };
  return {
    thought: withoutThinkTag(response.slice(0, end)).trim(),
    body: response.slice(end + END_THINK.length),
  };
}

function withoutThinkTag(text: string): string {
  const start = skipSpaces(text, 0);
  return text.startsWith(THINK, start) ? text.slice(start + THINK.length) : text;
}

/** Braces inside closed fenced blocks are the program's own and do not count. */
function lastBoxed(body: string): string | null {
  const at = body.lastIndexOf(BOXED);
  if (at < 0) return null;
  const region = body.slice(at + BOXED.length);
  const fenced = parseFences(region, '}').filter((block) => block.closed);
  let block = 0;
  let depth = 1;
  for (let i = 0; i < region.length; i++) {
    const within = fenced[block];
    if (within !== undefined && i >= within.contentStart) {
      i = Math.max(i, within.contentEnd);
      block++;
    }
    const code = region.charCodeAt(i);
    if (code === OPEN_BRACE) depth++;
    else if (code === CLOSE_BRACE && --depth === 0) return region.slice(0, i).trim();
  }
  return null;
}
