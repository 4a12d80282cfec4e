/** UTF-16 code units as tokens: any text goes through unchanged. Token -1 never occurs; 70000 may serve as an end. */
export const characterTokenizer = {
  encode(text: string): number[] {
    return Array.from({ length: text.length }, (_, i) => text.charCodeAt(i));
  },
  decode(tokens: readonly number[]): string {
    const parts: string[] = [];
    for (let at = 0; at < tokens.length; at += 8192)
      parts.push(String.fromCharCode(...tokens.slice(at, at + 8192)));
    return parts.join('');
  },
};
