/** A file's pixels, upright and in sRGB, and its metadata. */

import { findExif, upright } from "./exif";

const MOST_PIXELS = 100e6; // 400 MB, and as much again for the result

/** A photograph as it is meant to be seen. */
export interface Photograph {
  pixels: ImageData;
  type: string; // MIME type of the file, by its contents
  exif: Uint8Array<ArrayBuffer> | null; // of pixels that are upright
}

/** Read a photograph; an Error says in a line why it cannot be. */
export async function decode(file: File): Promise<Photograph> {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const type = typeOf(bytes);
  let bitmap: ImageBitmap;
  try {
    // The default turns it as its EXIF says, and converts colors of a profile to sRGB, as `colorgan sample` does.
    bitmap = await createImageBitmap(new Blob([bytes], { type }));
  } catch {
    throw new Error("this browser cannot read it; take a JPEG, PNG, WebP, AVIF, GIF or BMP");
  }
  const { width, height } = bitmap;
  if (width * height > MOST_PIXELS) {
    bitmap.close();
    throw new Error(`too large: ${Math.round((width * height) / 1e6)} megapixels, and this page takes up to 100`);
  }
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const exif = findExif(bytes, type);
  return { pixels: context.getImageData(0, 0, width, height), type, exif: exif && upright(exif) };
}

/** Return the type of a file by its first bytes: names are often wrong. */
function typeOf(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xd8) return "image/jpeg";
  if (bytes[0] === 0x89 && bytes[1] === 0x50) return "image/png";
  return "";
}
