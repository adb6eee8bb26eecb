/** A colored photograph as a file: a JPEG of a JPEG, else a PNG, with its EXIF. */

import encodeJpeg from "@jsquash/jpeg/encode";
import type { Photograph } from "./decode";
import { intoJpeg } from "./exif";
import { encodePng } from "./png";

// The settings of `colorgan sample`. A browser's own encoder halves the resolution of color. Without optimized coding,
// MozJPEG rounds as other encoders do, and does not trade pixels for bytes.
const JPEG = {
  quality: 95,
  quant_table: 0,
  chroma_subsample: 1,
  auto_subsample: false,
  progressive: false,
  optimize_coding: false,
};

export async function encode(pixels: ImageData, { type, exif }: Photograph): Promise<Blob> {
  if (type !== "image/jpeg") return encodePng(pixels, exif);
  const jpeg = new Blob([await encodeJpeg(pixels, JPEG)], { type });
  return exif ? intoJpeg(jpeg, exif) : jpeg;
}

/** Return the name of the colored copy of a file. */
export function nameOf(file: File, colored: Blob): string {
  const stem = file.name.replace(/\.[^.]*$/, "");
  const suffix = colored.type === "image/png" ? ".png" : (file.name.match(/\.jpe?g$/i)?.[0] ?? ".jpg");
  return `${stem}-color${suffix}`;
}
