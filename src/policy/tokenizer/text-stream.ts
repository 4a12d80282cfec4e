/**
 * Text out of tokens as they come, for people who watch: never a broken character.
 *
 * A token may end within a UTF-8 sequence, and a decoder may treat what stands first as special. So what is decoded is
 * always the tokens of the piece shown last together with the new ones; the difference is shown once it no longer ends
 * in U+FFFD, the replacement character that half a sequence decodes to. A U+FFFD that the model means comes out with the
 * piece that follows, or at the end.
 */
export class TextStream {
  readonly #decode: (tokens: readonly number[]) => string;
  /** Since the beginning of the piece that was shown last. */
  #tokens: number[] = [];
  /** Of #tokens, those that are shown. */
  #shown = 0;

  /** @param decode tokens to text, the empty list to the empty text */
  constructor(decode: (tokens: readonly number[]) => string) {
    this.#decode = decode;
  }

  /** @returns the text that is complete with this token and was not shown; often empty. */
  push(token: number): string {
    this.#tokens.push(token);
    const text = this.#pending();
    if (text === '' || text.endsWith('\ufffd')) return '';
    this.#tokens = this.#tokens.slice(this.#shown);
    this.#shown = this.#tokens.length;
    return text;
  }

  /** @returns what is left, broken characters as U+FFFD. The stream begins anew. */
  end(): string {
    const text = this.#pending();
    this.#tokens = [];
    this.#shown = 0;
    return text;
  }

  #pending(): string {
    return this.#decode(this.#tokens).slice(this.#decode(this.#tokens.slice(0, this.#shown)).length);
  }
}
