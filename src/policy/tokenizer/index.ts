export { CHAT_TEMPLATE_FILE } from './chat-template.js';
export { TOKENIZER_CONFIG_FILE, TOKENIZER_FILE } from './files.js';
export { TextStream } from './text-stream.js';
export { ModelTokenizer, type DecodeOptions, type EncodeOptions } from './tokenizer.js';
