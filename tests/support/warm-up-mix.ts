export { WARM_UP_MIX } from '../../bench/gpu/tiny-work.js';
