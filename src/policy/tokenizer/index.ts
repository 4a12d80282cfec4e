export { CHAT_TEMPLATE_FILE, type ChatMessage } from './chat-template.js';
export { TOKENIZER_CONFIG_FILE, TOKENIZER_FILE } from './files.js';
export { TextStream } from './text-stream.js';
export { ModelTokenizer, type DecodeOptions } from './tokenizer.js';
