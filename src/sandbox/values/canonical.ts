/**
 * Canonical keys: two literals have equal keys exactly where Python's `==` holds between them (NaN excepted, which is
 * equal to nothing and is reported apart).
 *
 *   numbers   one key a mathematical value: True == 1 == 1.0 == (1+0j), -0.0 == 0; integers compare exactly with floats
 *   set == frozenset, order-free; dict order-free, the last of equal keys gives the value; list != tuple; str != bytes
 */
import type { Literal } from './literal.js';

function integerKey(value: bigint): string {
  // Hexadecimal: linear in the length where decimal conversion is quadratic.
  return value < 0n ? `-${(-value).toString(16)}` : value.toString(16);
}

function realKey(value: number): string {
  if (Number.isInteger(value)) return integerKey(BigInt(value));
  // JavaScript's shortest round-trip text is one to one with finite doubles.
  return `f${value}`;
}

/** The canonical key of a value. `nan` is true where a NaN is inside, and then the key must not be compared. */
export function canonicalKey(value: Literal): { readonly key: string; readonly nan: boolean } {
  let nan = false;
  const keyOf = (v: Literal): string => {
    switch (v.type) {
      case 'none':
        return 'N';
      case 'bool':
        return v.value ? '1' : '0';
      case 'int':
        return integerKey(v.value);
      case 'float':
        if (Number.isNaN(v.value)) nan = true;
        return realKey(v.value);
      case 'complex':
        if (Number.isNaN(v.re) || Number.isNaN(v.im)) nan = true;
        return v.im === 0 ? realKey(v.re) : `c(${realKey(v.re)},${realKey(v.im)})`;
      case 'str':
        return `"${v.escaped}"`;
      case 'bytes':
        return `b"${v.escaped}"`;
      case 'list':
        return `[${v.items.map(keyOf).join(',')}]`;
      case 'tuple':
        return `(${v.items.map(keyOf).join(',')})`;
      case 'set':
      case 'frozenset':
        return `{${[...new Set(v.items.map(keyOf))].sort().join(',')}}`;
      case 'dict': {
        const entries = new Map(v.entries.map(([k, item]) => [keyOf(k), keyOf(item)]));
        const texts = [...entries].map(([k, item]) => `${k}:${item}`);
        return `d{${texts.sort().join(',')}}`;
      }
    }
  };
  const key = keyOf(value);
  return { key, nan };
}
