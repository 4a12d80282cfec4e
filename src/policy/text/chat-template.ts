/**
 * The chat template that a model comes with (`chat_template` of its tokenizer_config.json; Jinja, as Transformers renders
 * it), for one turn of a user up to where the model's own turn begins.
 */
import { createHash } from 'node:crypto';
import { Template } from '@huggingface/jinja';

export interface ChatTemplate {
  /** Tells one template from another: goes into every prompt's event. */
  readonly version: string;
  /** The prompt of one user's turn; it ends where the assistant begins. */
  render(userTurn: string): string;
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
  let render: ChatTemplate['render'];
  try {
    const template = new Template(source);
    render = (content) =>
      template.render({
        messages: [{ role: 'user', content }],
        add_generation_prompt: true,
        bos_token: bosToken ?? '',
        eos_token: eosToken ?? '',
      });
    if (!render(PROBE).includes(PROBE)) throw new Error('it leaves out what the user says');
  } catch (error) {
    throw refused((error as Error).message);
  }
  return { version: createHash('sha256').update(source).digest('hex').slice(0, 12), render };
}
