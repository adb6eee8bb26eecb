/** Color conversions by table, as in colorgan/color.py, color_bytes.py and kernels.py. */

const RGB_TO_Y = [0.212671, 0.71516, 0.072169];
const STEPS = 2 ** 16; // of Y in [0, 1], in the table of L
const ROOTS = 2 ** 13; // steps of the square root of linear light, in the table of sRGB levels

const toLinear = (v: number): number => (v > 0.04045 ? ((v + 0.055) / 1.055) ** 2.4 : v / 12.92);
const toSrgb = (v: number): number => (v > 0.0031308 ? 1.055 * v ** (1 / 2.4) - 0.055 : 12.92 * v);
const toRoot = (v: number): number => (v > 0.008856 ? Math.cbrt(v) : 7.787 * v + 4 / 29);

/** What the levels 0 to 255 of R, of G and of B contribute to the luminance. */
const [RED, GREEN, BLUE] = RGB_TO_Y.map((weight) =>
  Float32Array.from({ length: 256 }, (_, level) => weight * toLinear(level / 255)),
);
const LIGHTNESS = Float32Array.from({ length: STEPS }, (_, i) => 116 * toRoot((i + 0.5) / STEPS) - 16);

/** Levels of sRGB for the square root of linear light in [0, 1]. */
export const LEVELS = Uint8Array.from({ length: ROOTS }, (_, i) =>
  Math.min(255, Math.round(255 * toSrgb(((i + 0.5) / (ROOTS - 1)) ** 2))),
);

/** Return L in [0, 100] of the pixels of some rows. */
export function lightness(rgba: Uint8ClampedArray, firstPixel: number, pixels: number): Float32Array {
  const L = new Float32Array(pixels);
  for (let i = 0, at = 4 * firstPixel; i < pixels; i++, at += 4) {
    const y = RED[rgba[at]] + GREEN[rgba[at + 1]] + BLUE[rgba[at + 2]];
    L[i] = LIGHTNESS[Math.min((y * STEPS) | 0, STEPS - 1)];
  }
  return L;
}
