/** EXIF blocks of JPEG and PNG: found, made true of the colored copy, and put into a JPEG. */

const EXIF = [0x45, 0x78, 0x69, 0x66, 0, 0]; // "Exif\0\0", in front of the block in a JPEG
const ORIENTATION = 0x0112;
const PNG_HEAD = 8;

/** Return the EXIF block of a file, a small TIFF; null if there is none. */
export function findExif(bytes: Uint8Array, type: string): Uint8Array<ArrayBuffer> | null {
  const find = { "image/jpeg": findInJpeg, "image/png": findInPng }[type];
  const block = find?.(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  return block ? bytes.slice(...block) : null;
}

function findInJpeg(view: DataView): [number, number] | null {
  for (let at = 2; at + 10 <= view.byteLength && view.getUint8(at) === 0xff; ) {
    const marker = view.getUint8(at + 1);
    if (marker === 0xda) return null; // the pixels begin
    const end = at + 2 + view.getUint16(at + 2);
    if (marker === 0xe1 && end <= view.byteLength && EXIF.every((byte, i) => view.getUint8(at + 4 + i) === byte)) {
      return [at + 10, end];
    }
    at = end;
  }
  return null;
}

function findInPng(view: DataView): [number, number] | null {
  for (let at = PNG_HEAD; at + 12 <= view.byteLength; ) {
    const end = at + 8 + view.getUint32(at);
    if (view.getUint32(at + 4) === 0x65584966 && end <= view.byteLength) return [at + 8, end]; // "eXIf"
    at = end + 4;
  }
  return null;
}

/**
 * Return a block for pixels that were turned upright: with orientation 1, and without the link to the thumbnail,
 * which is gray. A broken block is none.
 */
export function upright(block: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | null {
  const copy = block.slice();
  const view = new DataView(copy.buffer);
  try {
    const little = view.getUint16(0) === 0x4949;
    const directory = view.getUint32(4, little);
    const entries = view.getUint16(directory, little);
    for (let i = 0, at = directory + 2; i < entries; i++, at += 12) {
      if (view.getUint16(at, little) === ORIENTATION) view.setUint16(at + 8, 1, little);
    }
    view.setUint32(directory + 2 + 12 * entries, 0, little);
    return copy;
  } catch {
    return null; // cut off
  }
}

/** Return a JPEG with an EXIF block. */
export function intoJpeg(jpeg: Blob, block: Uint8Array<ArrayBuffer>): Blob {
  const length = block.length + 8;
  const head = [0xff, 0xe1, length >> 8, length & 255, ...EXIF];
  return new Blob([jpeg.slice(0, 2), new Uint8Array(head), block, jpeg.slice(2)], { type: jpeg.type });
}
