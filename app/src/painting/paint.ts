/** Color at the full size of a photograph, strip by strip. */

import { lightness } from "./color";
import { join } from "./join";
import type { Plane } from "./plane";
import { strips } from "./shrink";
import { makeUpsampler } from "./upsampling";

/** The predicted color of a photograph: ab in Lab units, and its lightness at the same size. */
export interface LowResolution {
  ab: Plane;
  guide: Plane;
}

/**
 * Color a photograph; its lightness stays.
 *
 * @param saturation factor of the chroma; colors outside sRGB are reduced to its boundary
 * @param progress is told the share that is done
 * @returns a new picture
 */
export function paint(
  picture: ImageData,
  color: LowResolution,
  saturation: number,
  progress: (done: number) => void,
): ImageData {
  const { width, height, data } = picture;
  const ab = { ...color.ab, values: color.ab.values.map((value) => saturation * value) };
  const upsample = makeUpsampler(ab, color.guide, width, height);
  const painted = new ImageData(new Uint8ClampedArray(data), width, height);
  for (const [first, end] of strips(width, height)) {
    const L = lightness(data, first * width, (end - first) * width);
    join(L, upsample(L, first), painted.data, first * width);
    progress(end / height);
  }
  return painted;
}
