/**
 * The prompts of text policies, in our own words, with the sections that azr-spec (section 4) lists. Change a word and
 * TEMPLATE_VERSION changes with it: it stands in every prompt's event.
 */
import type { Pair, SolverView } from '../../tasks/types.js';
import type { ProposalReference } from '../codec.js';
import type { Wrapper } from './extract.js';

export const TEMPLATE_VERSION = 'text.v1';

/** Module names that a proposal must not import; the sandbox refuses them. */
const BANNED =
  'random, time, datetime, os, sys, subprocess, threading, multiprocessing, logging, hashlib, calendar';

const CODE_REQUIREMENTS = `Requirements for the program:
- The entry point is a function named f; further functions may be nested inside it.
- f takes at least one argument and returns a value.
- It is deterministic: the same arguments always give the same value.
- It keeps state over several steps, so that its result has to be worked out.
- No randomness, no clock, no files or network, no printing or logging, no state outside f.
- It finishes within 10 seconds.
- Imports and classes stand at the top; the text ends with the return of f, and whatever follows is dropped.`;

const INPUT_REQUIREMENTS = `Requirements for the input:
- Write the arguments of one call, separated by commas, as Python literals; put strings in quotes.
- It must match the parameters of f.`;

const EVALUATION = `How your answer is judged:
- The program runs on your input without an error.
- It is hard to see through: data structures, control flow, dynamic programming, recursion, divide and conquer, greedy choices or backtracking help.
- It differs from the references.
- It does not use: ${BANNED}.`;

const FORMAT = `Form of the answer: one block tagged python with the program, then one block tagged input with the arguments.`;

const EXAMPLE = `Example of the form:
\`\`\`python
def f(name, info):
    total = sum(info.values())
    return name.upper() + str(total)
\`\`\`
\`\`\`input
'Ada', {'x': 1, 'y': 41}
\`\`\``;

const PLAN =
  'Think first: sketch an idea that is new and creative, check that the program is correct, then write it down.';

const INTENT = {
  deduction:
    'Write a new Python program and an input for it, such that working out the output from program and input takes deep step-by-step reasoning. Think of it as a question for an intelligence test of programmers.',
  abduction:
    'Write a new Python program and an input for it, such that finding an input that leads to the output, from program and output alone, takes deep step-by-step reasoning. Think of it as a question for an intelligence test of programmers.',
} as const;

export function proposeProgramPrompt(
  kind: 'deduction' | 'abduction',
  references: readonly ProposalReference[],
): string {
  const title =
    kind === 'deduction'
      ? '## Task: a program whose output is hard to predict'
      : '## Task: a program whose input is hard to recover';
  return [
    title,
    INTENT[kind],
    CODE_REQUIREMENTS,
    INPUT_REQUIREMENTS,
    FORMAT,
    EXAMPLE,
    EVALUATION,
    PLAN,
    ...(references.length === 0 ? [] : ['### References', ...references.map(referenceText)]),
  ].join('\n\n');
}

function referenceText({ code, input, output }: ProposalReference, index: number): string {
  return `<snippet_${index}>\n${block('python', code)}\n${block('input', input)}\n${block('output', output)}\n</snippet_${index}>`;
}

export function proposeInputsPrompt(program: string, inputs: number): string {
  return [
    `## Task: ${inputs} inputs and a message for a given program`,
    `Write ${inputs} inputs for the program below whose outputs differ as much as possible, and a message that helps a test subject to find out what the program does. The subject sees the message and only part of the inputs with their outputs, never the program.`,
    INPUT_REQUIREMENTS.replace('one call', 'one call in each block'),
    'Requirements for the message: it may have any form, a riddle as well as a description, and must not contain the program itself.',
    `Form of the answer: ${inputs} blocks tagged input, then one block tagged message.`,
    `Example of the form, with two inputs:\n${block('input', "'Ada', {'age': 20}")}\n${block('input', "'Bo', {'age': 37}")}\n${block('message', 'Someone introduces a guest.')}`,
    'How your answer is judged: every input runs without an error; together they cover the program; they vary in kind and size; the task is hard and can be solved.',
    'Think first: what does the program do at its borders, and which inputs show it?',
    `### The program\n${block('python', program)}\nf(<your input>)`,
  ].join('\n\n');
}

export function solveDeductionPrompt({ code, input }: SolverView): string {
  return [
    '## Task: the output of a program',
    'Work out what f returns for the given arguments. Write a Python literal: strings in quotes, several values as a tuple.',
    `### The program\n${block('python', code ?? '')}`,
    `### The input\n${block('input', input ?? '')}`,
    `Form of the answer, with an example:\n${block('output', "{'total': 42, 'names': ['Ada']}")}`,
  ].join('\n\n');
}

export function solveAbductionPrompt({ code, output }: SolverView): string {
  return [
    '## Task: an input of a program',
    'Find arguments for which f returns the given output. Several may exist; one is enough. Write Python literals: strings in quotes, arguments separated by commas.',
    `### The program\n${block('python', code ?? '')}`,
    `### The output\n${block('output', output ?? '')}`,
    `Form of the answer, with an example:\n${block('input', "'Ada', {'age': 20}")}`,
  ].join('\n\n');
}

export function solveInductionPrompt({ givenPairs, message }: SolverView): string {
  return [
    '## Task: the program behind inputs and outputs',
    'Write a Python function f that maps each input to its output. It is judged on further inputs that are not shown, so find the rule, not the cases.',
    CODE_REQUIREMENTS.split('\n')
      .filter((line) => !line.includes('keeps state'))
      .join('\n'),
    `### Inputs and outputs\n${givenPairs.map(pairText).join('\n')}`,
    `### Message\n${block('message', message ?? '')}`,
    `Form of the answer, with an example:\n${block('python', 'def f(a):\n    return a')}`,
    'Name the entry function f.',
  ].join('\n\n');
}

function pairText({ input, output }: Pair, index: number): string {
  return `${block(`input_${index}`, input)}\n${block(`output_${index}`, output)}`;
}

/** A fence longer than any in the content, so that nothing in it can close the block. */
function block(tag: string, content: string): string {
  const longest = Math.max(2, ...(content.match(/`{3,}/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${tag}\n${content}\n${fence}`;
}

export function wrap(task: string, wrapper: Wrapper): string {
  switch (wrapper) {
    case 'answer':
      return `A conversation between a user and an assistant. The user asks a question, and the assistant solves it. The assistant first reasons in its mind and then gives the answer. The reasoning stands in <think> </think> tags, the answer in <answer> </answer> tags, as in: <think> reasoning here </think> <answer> answer here </answer>.\nUser: ${task}\nAssistant: <think>`;
    case 'boxed':
      return `${task}\n\nReason step by step and put the final answer in \\boxed{}.`;
    case 'none':
      return task;
  }
}
