/**
 * The prompts for large models, as data: the sections of the published templates, in this project's words.
 *
 * `{{name}}` is a slot (render.ts fills them, once, with text taken as it is). Whoever changes a word here changes
 * TEMPLATE_VERSION: it goes into every prompt's event.
 */
import type { TaskKind } from '../../tasks/types.js';
import type { Wrapper } from './envelope.js';

export const TEMPLATE_VERSION = 'text.v1';

/** Around every task, for models without a chat template of their own; slot `task`. */
export const WRAPPER_TEMPLATES: Readonly<Record<Wrapper, string>> = {
  think: `This is a dialogue of two speakers. The User sets a task and the Assistant works on it. The Assistant first reasons in its mind, at whatever length the task needs, and then gives the User the answer. The reasoning stands between <think> and </think>, the answer between <answer> and </answer>, in this order: <think> reasoning </think> <answer> answer </answer>.
User: {{task}}
Assistant: <think>`,
  boxed: `{{task}}

Reason step by step, and put the final answer, with the blocks it consists of, inside \\boxed{}.`,
  bare: '{{task}}',
};

/** The same as one turn of a model's own chat template; what opens the thought comes after it (chat-template.ts). */
export const CHAT_WRAPPER_TEMPLATES: Readonly<Record<Wrapper, string>> = {
  ...WRAPPER_TEMPLATES,
  think: `{{task}}

First reason, at whatever length the task needs, and then give the answer. The reasoning stands between <think> and </think>, the answer between <answer> and </answer>, in this order: <think> reasoning </think> <answer> answer </answer>.`,
};

const PROGRAM_REQUIREMENTS = `- The entry point is a function named \`f\`. {{helpers}}
- \`f\` takes at least one parameter and {{result}}.
- The program is deterministic: equal inputs give equal results, today and on any machine.{{state}}
- It leaves alone: randomness, date and time, files, network and any other input or output, printing and logging, state outside the program.
- It ends within {{seconds}} seconds on its input.
- Imports and classes stand at the top, before \`f\`.
- The program ends with the return statement of \`f\`; what comes after it does not count.`;

const RETURNS_LITERAL =
  'returns a value that is a Python literal other than None: numbers, strings, booleans, and lists, tuples, sets or dictionaries of them';
const RETURNS_OR_RAISES =
  'returns a value or raises an exception: one of Python, or of a class that the program defines before `f`';
const programRequirements = (result: string): string =>
  PROGRAM_REQUIREMENTS.replace('{{result}}', () => result);

/** Only where a program is to be hard to follow; a solver that infers a program is free to write a plain one. */
export const STATE_REQUIREMENT = `
- To follow it by hand takes several steps in which something has to be remembered and updated.`;

export const HELPERS_ALLOWED =
  'Further functions and classes may be defined inside `f` or, before it, at the top level.';
export const HELPERS_NESTED_ONLY =
  '`f` is the only function at the top level; further functions may be defined inside it, classes before it.';

const INPUT_REQUIREMENTS = `- Give exactly one input for \`f\`, with a value for each of its parameters.
- Separate several arguments by commas, in the order of the parameters.
- Every argument is written as a literal; strings stand in quotes.`;

const PAIR_FORMAT = `- The program: one block that opens with \`\`\`python and closes with \`\`\`.
- The input: one block that opens with \`\`\`input and closes with \`\`\`. It holds the arguments alone, without \`f\` and without brackets around them.`;

const PAIR_EXAMPLE = `\`\`\`python
def f(colour: str, sizes: dict):
    # the steps of the computation
    return result
\`\`\`

\`\`\`input
'green', {'small': 3, 'large': [10, 12]}
\`\`\``;

const RUNS = 'the program is executed on the input, and an error makes the proposal worthless';
const RUNS_OR_RAISES =
  'the program is executed on the input, and comes to an end: it returns, or it raises an exception. A program that Python cannot parse is worthless';
const PAIR_CRITERIA = `- It runs: {{runs}}.
- It is hard to predict without running it: use data structures and control flow, dynamic programming, recursion, divide and conquer, greedy choice, backtracking, or whatever else calls for careful reasoning.{{novelty}}
- It imports none of the following, and none of their parts: {{banned}}.{{keywords}}`;

export const NOVELTY_CRITERION = `
- It differs from the reference programs below, in what it computes and in how.`;

/** Only of error prediction, and only where keywords are banned. */
export const KEYWORD_CRITERION = `
- It has none of these keywords: {{list}}. The exception comes from what the program does.`;

/** After the references; slots `names` and `functions`. */
export const COMPOSITE_SECTION = `

### Given functions
These functions are there when your program runs, so do not define them again, and define nothing under the names that they define:
{{functions}}

\`f\` has to call every one of them ({{names}}) itself, with arguments that come from its parameters or from variables that it assigned, and what it returns has to depend on their results.`;

const PLAN_FIRST = `Before you write the blocks, make a plan: which idea makes the task hard, how the program carries it out step by step, and which input brings it out. Go through the program on your input once, to be sure that it runs. Then write the blocks in the required form.`;

function proposePair(title: string, intent: string, result = RETURNS_LITERAL, runs = RUNS): string {
  return `## Task: {{title}}

### Purpose
{{intent}}

### Requirements on the program
${programRequirements(result)}

### Requirements on the input
${INPUT_REQUIREMENTS}

### Form of the answer
${PAIR_FORMAT}

### Example of the form
${PAIR_EXAMPLE}

### What a proposal is judged by
${PAIR_CRITERIA.replace('{{runs}}', () => runs)}

### Plan first
${PLAN_FIRST}{{references}}{{composite}}`
    .replace('{{title}}', () => title)
    .replace('{{intent}}', () => intent);
}

/**
 * Slots of deduction, abduction and error: helpers, state, seconds, novelty, banned, keywords, references, composite. Of
 * induction: count, program.
 */
export const PROPOSE_TEMPLATES: Readonly<Record<TaskKind, string>> = {
  deduction: proposePair(
    'Propose a program and an input whose output is hard to deduce',
    'Design a new Python program and one input for it. A test subject will see the program and the input, and has to say what `f` returns for that input. Think of it as a question of an intelligence test: the answer follows from what is shown, but only by deep and careful reasoning, not by a glance.',
  ),
  abduction: proposePair(
    'Propose a program and an input that is hard to infer from the output',
    'Design a new Python program and one input for it. A test subject will see the program and what `f` returns for your input, but not the input, and has to find an input that gives this output. Think of it as a question of an intelligence test: the answer follows from what is shown, but only by deep and careful reasoning backwards through the program, not by a glance.',
  ),
  error: proposePair(
    'Propose a program and an input whose exception, if any, is hard to predict',
    'Design a new Python program and one input for it. A test subject will see the program and the input, and has to say of which class the exception is that `f` raises for that input, or that it raises none. Think of it as a question of an intelligence test: the answer follows from what is shown, but only by deep and careful reasoning, not by a glance.',
    RETURNS_OR_RAISES,
    RUNS_OR_RAISES,
  ),
  induction: `## Task: Propose {{count}} inputs and a message from which a function is to be inferred

### Purpose
At the end of this task there is a Python program. Write {{count}} inputs for its function \`f\` that lead to different kinds of outputs, and a message that helps a test subject to infer what \`f\` does. The test subject will see your message and only a part of the inputs with their outputs, never the program, and has to write a function that maps the hidden inputs rightly too. Think of it as a question of an intelligence test: it can be solved from what is shown, but only by deep and careful reasoning.

### Requirements on the inputs
- Give {{count}} different inputs, each with a value for each parameter of \`f\`.
- Separate several arguments by commas, in the order of the parameters.
- Every argument is written as a literal; strings stand in quotes.
- Together they bring out all that \`f\` does: ordinary cases, border cases, each branch.

### Requirements on the message
- It may have any form: a description, a riddle, a hint, a question, an instruction.
- It helps to infer the function, but it is not the program and does not quote it.

### Form of the answer
- Each input: a block of its own that opens with \`\`\`input and closes with \`\`\`. It holds the arguments alone, without \`f\` and without brackets around them.
- The message: one block that opens with \`\`\`message and closes with \`\`\`.

### Example of the form
Two inputs and a message, for a function of two parameters:
\`\`\`input
'green', {'small': 3, 'large': [10, 12]}
\`\`\`

\`\`\`input
'', {'large': []}
\`\`\`

\`\`\`message
What becomes of the sizes when a colour is missing?
\`\`\`

### What a proposal is judged by
- It runs: the program is executed on each input, and an error on any of them makes the proposal worthless.
- It covers the function: the shown part of the inputs suffices to infer it.
- The inputs vary in kind and size.
- It is hard, yet possible, to infer the function from the message and a part of the inputs with their outputs.

### Plan first
Before you write the blocks, make a plan: what the function does, which inputs show each side of it, and how much the message should give away. Go through the program on your inputs, to be sure that it runs. Then write the blocks in the required form.

### The program
{{program}}`,
};

/** Slots of deduction and error: program, input; of abduction: program, output; of induction: pairs, message, helpers, state, seconds. */
export const SOLVE_TEMPLATES: Readonly<Record<TaskKind, string>> = {
  deduction: `## Task: Deduce the output of a program

### What to do
Given are a Python program and an input. Work out step by step what \`f\` returns for this input, and give the output as a Python literal. Put strings in quotes; where \`f\` returns several values, write them as a tuple.

### The program
{{program}}

### The input
{{input}}

### Form of the answer
Give the output alone, in one block that opens with \`\`\`output and closes with \`\`\`.

### Example of the form
\`\`\`output
{'small': 3, 'large': [10, 12]}
\`\`\``,
  abduction: `## Task: Find an input that gives an output

### What to do
Given are a Python program and an output. Find one input for which \`f\` returns this output; where there are several, any of them will do. Write every argument as a literal, put strings in quotes, and separate several arguments by commas, in the order of the parameters.

### The program
{{program}}

### The output
{{output}}

### Form of the answer
Give the arguments alone, without \`f\` and without brackets around them, in one block that opens with \`\`\`input and closes with \`\`\`.

### Example of the form
\`\`\`input
'green', {'small': 3, 'large': [10, 12]}
\`\`\``,
  error: `## Task: Predict the exception of a program

### What to do
Given are a Python program and an input. Work out step by step what happens when \`f\` is called with this input, and name the class of the exception that comes out of it. Give the name of the class alone, without its message. Where no exception comes out, the answer is NoError.

### The program
{{program}}

### The input
{{input}}

### Form of the answer
Give the name alone, in one block that opens with \`\`\`output and closes with \`\`\`.

### Example of the form
\`\`\`output
KeyError
\`\`\``,
  induction: `## Task: Infer a function from inputs and outputs

### What to do
Given are inputs with their outputs and a message about the function behind them. Write a Python function \`f\` that maps each of the inputs to its output. It will be tried on further inputs that are not shown: find the general rule, and do not merely list the pairs.

### Requirements on the program
${programRequirements(RETURNS_LITERAL)}

### The inputs and outputs
{{pairs}}

### The message
{{message}}

### Form of the answer
Give the program in one block that opens with \`\`\`python and closes with \`\`\`.

### Example of the form
\`\`\`python
def f(colour: str, sizes: dict):
    # the steps of the computation
    return result
\`\`\`

Remember: the function is named \`f\`.`,
};
