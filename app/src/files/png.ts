/** PNG files (W3C PNG, third edition). A canvas would write an alpha channel always, and round colors where it is low. */

import { crc32 } from "./crc";

const SIGNATURE = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const PAETH = 4; // the filter of all rows

/** Return a chunk: its length, type, data and checksum. */
function chunk(type: string, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  bytes.set(new TextEncoder().encode(type), 4);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}

/** Write a picture, with its EXIF block if it has one, and without alpha if it is opaque. */
export async function encodePng(pixels: ImageData, exif: Uint8Array | null): Promise<Blob> {
  const channels = isOpaque(pixels.data) ? 3 : 4;
  const header = new DataView(new ArrayBuffer(13));
  header.setUint32(0, pixels.width);
  header.setUint32(4, pixels.height);
  header.setUint8(8, 8); // bits
  header.setUint8(9, channels === 3 ? 2 : 6);
  const deflated = new Blob([filtered(pixels, channels)]).stream().pipeThrough(new CompressionStream("deflate"));
  const parts = [
    SIGNATURE,
    chunk("IHDR", new Uint8Array(header.buffer)),
    ...(exif ? [chunk("eXIf", exif)] : []),
    chunk("IDAT", new Uint8Array(await new Response(deflated).arrayBuffer())),
    chunk("IEND", new Uint8Array(0)),
  ];
  return new Blob(parts, { type: "image/png" });
}

function isOpaque(rgba: Uint8ClampedArray): boolean {
  for (let at = 3; at < rgba.length; at += 4) if (rgba[at] < 255) return false;
  return true;
}

/** Return the rows, each value less the one that its neighbors to the left and above let expect. */
function filtered({ data, width, height }: ImageData, channels: number): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(height * (1 + width * channels));
  for (let y = 0, to = 0; y < height; y++) {
    result[to++] = PAETH;
    for (let x = 0, at = 4 * y * width; x < width; x++, at += 4) {
      for (let channel = 0; channel < channels; channel++) {
        const left = x ? data[at + channel - 4] : 0;
        const above = y ? data[at + channel - 4 * width] : 0;
        const corner = x && y ? data[at + channel - 4 * width - 4] : 0;
        result[to++] = data[at + channel] - nearest(left, above, corner);
      }
    }
  }
  return result;
}

/** Paeth's predictor. */
function nearest(left: number, above: number, corner: number): number {
  const toLeft = Math.abs(above - corner);
  const toAbove = Math.abs(left - corner);
  const toCorner = Math.abs(left + above - 2 * corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}
