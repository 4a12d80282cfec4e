/**
 * The chat template that a model comes with (`chat_template` of its tokenizer_config.json; Jinja, as Transformers renders
 * it).
 */
import { createHash } from 'node:crypto';
import { Template } from '@huggingface/jinja';

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

export interface ChatTemplate {
  /** Tells one template from another: goes into every prompt's event. */
  readonly version: string;
  /** The prompt of one user's turn; it ends where the assistant begins. */
  render(userTurn: string): string;
  /**
   * A whole conversation, up to where the assistant begins if it `answers`.
   * @throws Error with the template's own words where it refuses these messages.
   */
  converse(messages: readonly ChatMessage[], answers: boolean): string;
}

/** Texts of the special tokens that templates put in by name; absent where the tokenizer has none. */
export interface SpecialTokens {
  readonly bosToken?: string;
  readonly eosToken?: string;
}

const PROBE = 'What is 6 times 7?';

/**
 * @param source the template's text.
 * @throws RangeError for a text that is no template, or one that loses what the user says.
 */
export function jinjaChatTemplate(source: string, { bosToken, eosToken }: SpecialTokens = {}): ChatTemplate {
  const refused = (why: string): RangeError =>
    new RangeError(
      `chat_template is ${JSON.stringify(source.length > 60 ? `${source.slice(0, 60)}...` : source)}: ${why}; accepted is a Jinja template that renders a user's message`,
    );
  let converse: ChatTemplate['converse'];
  const render = (content: string): string => converse([{ role: 'user', content }], true);
  try {
    const template = new Template(source);
    converse = (messages, answers) =>
      template.render({
        messages,
        add_generation_prompt: answers,
        bos_token: bosToken ?? '',
        eos_token: eosToken ?? '',
      });
    if (!render(PROBE).includes(PROBE)) throw new Error('it leaves out what the user says');
  } catch (error) {
    throw refused((error as Error).message);
  }
  return { version: createHash('sha256').update(source).digest('hex').slice(0, 12), render, converse };
}
