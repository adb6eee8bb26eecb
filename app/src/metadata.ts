/** The metadata of an ONNX file, which ONNX Runtime does not hand out in a browser: strings of a Protocol Buffer. */

const METADATA = 14; // field of ModelProto (onnx.proto) whose entries have a key, field 1, and a value, field 2
const text = new TextDecoder();

export function metadata(model: Uint8Array): Map<string, string> {
  const entries = [...fields(model)].filter(([number]) => number === METADATA);
  return new Map(
    entries.map(([, entry]) => {
      const parts = new Map(fields(entry));
      return [text.decode(parts.get(1)), text.decode(parts.get(2))];
    }),
  );
}

/** The number and the bytes of each field that has bytes; numbers are passed over. */
function* fields(message: Uint8Array): Generator<[number, Uint8Array]> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = message[at++];
      value += (byte & 127) * factor;
      if (!(byte & 128)) return value; // also at the end, where byte is undefined
    }
  };
  while (at < message.length) {
    const tag = varint();
    const kind = tag & 7;
    if (kind === 0) varint();
    else if (kind === 1) at += 8;
    else if (kind === 5) at += 4;
    else {
      const length = varint();
      yield [tag >>> 3, message.subarray(at, at + length)];
      at += length;
    }
  }
}
